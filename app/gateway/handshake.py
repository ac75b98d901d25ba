"""From an upgrade request to a connection that may speak: who, which session, from where."""

import asyncio
from typing import NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from app.auth.errors import Unauthenticated
from app.auth.identity import Identity
from app.auth.logins import Logins
from app.auth.tickets import TicketStore
from app.auth.types import Caller, Login
from app.kit.errors import AppError
from app.kit.ids import parse_session_id
from app.protocol.close import (
    FRAME_TOO_LARGE,
    HELLO_TIMEOUT,
    PROTOCOL_ERROR,
    SESSION_NOT_FOUND,
    STORAGE_UNAVAILABLE,
    UNAUTHENTICATED,
    VERSION,
    ConnectionEnded,
)
from app.protocol.events import PROTOCOL
from app.protocol.frames import Hello, decode_frame
from app.sessions.errors import SessionNotFound
from app.sessions.service import SessionService
from app.sessions.types import Session
from app.settings import Settings


class Entry(NamedTuple):
    """Who may speak: on which session, and under which sign-in if it is a user's."""

    session: Session
    hello: Hello | None  # if it had to be read for its ticket
    login: Login | None


class Handshake:
    """Finds the session and checks the credential. The socket is accepted already, so that
    a client can be told in a close code what is wrong.
    """

    def __init__(
        self,
        *,
        sessions: SessionService,
        identity: Identity,
        tickets: TicketStore,
        logins: Logins,
        settings: Settings,
    ) -> None:
        self._logins = logins
        self._sessions = sessions
        self._identity = identity
        self._tickets = tickets
        self._settings = settings

    async def shake(self, socket: WebSocket, session_id: str) -> Entry:
        """Return the session and what opens it.

        Unknown, expired and foreign sessions are one answer, whatever the credential.

        Raises:
            ConnectionEnded: the socket must be closed, with its code.
            WebSocketDisconnect: the client left.
        """
        offered = socket.scope.get("subprotocols") or []
        if offered and PROTOCOL not in offered:
            raise ConnectionEnded(VERSION)
        parsed = parse_session_id(session_id)
        if parsed is None:
            raise ConnectionEnded(SESSION_NOT_FOUND)
        try:
            session = await self._sessions.get(parsed)
            caller = await self._identity.caller(socket)
        except SessionNotFound:
            raise ConnectionEnded(SESSION_NOT_FOUND) from None
        except Unauthenticated:
            raise ConnectionEnded(UNAUTHENTICATED) from None
        except AppError as error:
            raise ConnectionEnded(STORAGE_UNAVAILABLE) from error
        if self._suffices(session, caller):
            return Entry(session, None, None if session.owner.is_anonymous else caller.login)
        if caller.token is not None:  # a good token, but another session's
            raise ConnectionEnded(SESSION_NOT_FOUND)
        hello = await self._hello(socket)
        if hello.ticket is None:
            raise ConnectionEnded(UNAUTHENTICATED)
        try:
            login = await self.redeem(hello.ticket, session)
        except Unauthenticated:
            raise ConnectionEnded(UNAUTHENTICATED) from None
        except SessionNotFound:
            raise ConnectionEnded(SESSION_NOT_FOUND) from None
        except AppError as error:
            raise ConnectionEnded(STORAGE_UNAVAILABLE) from error
        return Entry(session, hello, login)

    async def redeem(self, ticket: str, session: Session) -> Login | None:
        """Void a ticket; return the sign-in it was given out under, None for a visitor's.

        Raises:
            Unauthenticated: it is unknown, used or expired, or the sign-in has ended.
            SessionNotFound: it is another session's, or another owner's.
            Unavailable: a store does not answer.
        """
        redeemed = await self._tickets.redeem(ticket)
        if redeemed is None:
            raise Unauthenticated("The ticket is not good.")
        if redeemed.session_id != session.session_id:
            raise SessionNotFound("The ticket is for another session.")
        login = None
        if redeemed.login_id is not None:
            login = await self._logins.find_by_id(redeemed.login_id)
            if login is None:
                raise Unauthenticated("The sign-in of this ticket has ended.")
        if session.user_id != (login.user_id if login else None):  # claimed meanwhile
            raise SessionNotFound("The ticket is for another session.")
        return login

    def _suffices(self, session: Session, caller: Caller) -> bool:
        if self._sessions.may_use(session, caller):
            return True
        return session.owner.is_anonymous and not self._settings.sessions.require_credential

    async def _hello(self, socket: WebSocket) -> Hello:
        try:
            async with asyncio.timeout(self._settings.protocol.hello_seconds):
                text = await read_text(socket, self._settings.protocol.frame_bytes)
        except TimeoutError:
            raise ConnectionEnded(HELLO_TIMEOUT) from None
        try:
            frame = decode_frame(text, max_depth=self._settings.protocol.frame_depth)
        except AppError as error:
            raise ConnectionEnded(PROTOCOL_ERROR) from error
        if not isinstance(frame, Hello):
            raise ConnectionEnded(UNAUTHENTICATED)
        return frame


async def read_text(socket: WebSocket, max_bytes: int) -> str:
    """Return the next text frame.

    Raises:
        ConnectionEnded: the frame is binary or too large.
        WebSocketDisconnect: the client left.
    """
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006), message.get("reason"))
    text = message.get("text")
    if text is None:
        raise ConnectionEnded(PROTOCOL_ERROR)
    # a character is at least one byte: most frames need no encoding to be measured
    if len(text) > max_bytes or (
        len(text) * 4 > max_bytes and len(text.encode("utf-8", "surrogatepass")) > max_bytes
    ):
        raise ConnectionEnded(FRAME_TOO_LARGE)
    return str(text)
