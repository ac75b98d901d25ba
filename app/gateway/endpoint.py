"""The WebSocket endpoint: one reader, one writer and one doer for each connection."""

import asyncio
import contextlib
import math
from collections.abc import Iterator
from functools import partial
from typing import Any, TypeVar

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from app.auth.types import Login
from app.chats.errors import ChatNotFound
from app.connections.connection import Connection
from app.connections.hub import Entrance, Hub
from app.gateway.admission import Admission
from app.gateway.dispatch import Dispatch
from app.gateway.errors import error_reply
from app.gateway.handshake import Entry, Handshake, read_text
from app.gateway.transport import abort, limit_goodbye
from app.gateway.watch import SessionWatch
from app.kit.clock import Clock, wire_time
from app.kit.errors import AppError, Unavailable
from app.kit.ids import ConnectionId, NodeId, short
from app.limits.rates import Rates
from app.liveness.store import LivenessStore
from app.observability.metrics import (
    CONNECTIONS,
    CONNECTIONS_CLOSED,
    FRAME_ERRORS,
    FRAMES,
    RESUMES,
)
from app.protocol.close import (
    INTERNAL,
    SESSION_ENDED,
    SESSION_NOT_FOUND,
    STORAGE_UNAVAILABLE,
    TOO_MANY_CONNECTIONS,
    TOO_SLOW,
    Close,
    ConnectionEnded,
    draining,
)
from app.protocol.codec import encode
from app.protocol.events import PROTOCOL
from app.protocol.frames import Hello, decode_frame, frame_ref
from app.runs.service import RunService
from app.runs.signals import Signals
from app.runs.snapshot import SnapshotService, session_view
from app.sessions.types import Session
from app.settings import Settings

log = structlog.get_logger()

_WAVE_SECONDS = 1.0  # of a drain, between one wave and the next
_ARRIVALS_PER_SECOND = 500  # of one node's clients, that the others take in at ease

# No other welcome will come, or there is no store to remember it.
_NOT_REMEMBERED = (SESSION_NOT_FOUND, SESSION_ENDED, STORAGE_UNAVAILABLE)

_E = TypeVar("_E", bound=BaseException)


class Gateway:
    """Serves sockets. Everything it may reach is handed over once, at start-up."""

    def __init__(
        self,
        *,
        hub: Hub,
        admission: Admission,
        handshake: Handshake,
        rates: Rates,
        runs: RunService,
        snapshots: SnapshotService,
        watch: SessionWatch,
        liveness: LivenessStore,
        signals: Signals,
        settings: Settings,
        clock: Clock,
        node: NodeId,
    ) -> None:
        self._hub = hub
        self._admission = admission
        self._handshake = handshake
        self._rates = rates
        self._runs = runs
        self._snapshots = snapshots
        self._watch = watch
        self._liveness = liveness
        self._signals = signals
        self._settings = settings
        self._clock = clock
        self._node = node
        self._shaking = 0  # sockets that are not yet known
        self._goodbye: Close | None = None  # while draining

    @property
    def draining(self) -> bool:
        return self._goodbye is not None

    async def connect(self, socket: WebSocket) -> None:
        """Serve one connection until either side ends it."""
        limits = self._settings.connections
        is_full = self.draining or self._hub.count + self._shaking >= limits.per_node
        offered = socket.scope.get("subprotocols") or []
        # A browser ends a handshake that selects nothing of what it offered, and would not
        # see that its version is the trouble.
        spoken = PROTOCOL if PROTOCOL in offered else next(iter(offered), None)
        self._shaking += 1
        try:
            refusal = await self._admission.refusal(socket, is_full=is_full)
            if refusal is not None:
                await socket.send_denial_response(refusal)
                return
            limit_goodbye(socket.scope, limits.close_seconds)
            await socket.accept(subprotocol=spoken)
            entry = await self._handshake.shake(socket, socket.path_params["session_id"])
        except ConnectionEnded as ended:
            await self._close(socket, ended.close)
            return
        except WebSocketDisconnect:
            return
        except OSError:  # left before it was accepted
            return
        except Exception:
            log.exception("handshake_crashed")
            await self._close(socket, INTERNAL)
            return
        finally:
            self._shaking -= 1
        structlog.contextvars.bind_contextvars(session=short(entry.session.session_id))
        await self._serve(socket, entry)

    async def _serve(self, socket: WebSocket, entry: Entry) -> None:
        session = entry.session
        connection = Connection(
            session_id=session.session_id,
            chat_id=session.chat_id,
            settings=self._settings.connections,
            monotonic=self._clock.monotonic,
        )
        siblings = self._hub.of_session(session.session_id)
        full = len(siblings) >= self._settings.connections.per_session
        if (refusal := self._goodbye or (TOO_MANY_CONNECTIONS if full else None)) is not None:
            await self._close(socket, refusal)
            return
        self._watch.signed_in(connection, entry.login)
        self._hub.admit(connection)
        self._watch.add(session)
        CONNECTIONS.set(self._hub.count)
        since = self._clock.monotonic()
        close: Close | None = None
        left: int | None = None  # the code a client left with
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(socket, connection))
                await self._converse(socket, connection, session, entry.hello, group)
        except* WebSocketDisconnect as gone:
            left = _first(gone, WebSocketDisconnect).code
        except* ConnectionEnded as ended:
            close = _first(ended, ConnectionEnded).close
        except* Exception:
            log.exception("connection_crashed")
            close = INTERNAL
        finally:
            self._hub.leave(connection)
            self._liveness.stand_up(connection.seats)
            CONNECTIONS.set(self._hub.count)
        if close is not None:
            await self._remember(connection, close)
            await self._close(socket, close)
        else:
            CONNECTIONS_CLOSED.labels("client").inc()
        log.info(
            "connection_ended",
            connection_id=connection.id,
            code=close.code if close else left,
            seconds=round(self._clock.monotonic() - since, 1),
            bytes_out=connection.sent_bytes,
        )
        self._liveness.left(session.session_id, connection.id, connection.tab)

    async def _converse(
        self,
        socket: WebSocket,
        connection: Connection,
        session: Session,
        hello: Hello | None,
        group: asyncio.TaskGroup,
    ) -> None:
        """Read until the end. Without a hello, the first other frame begins a live stream."""
        protocol = self._settings.protocol
        dispatch = Dispatch(
            connection,
            session,
            runs=self._runs,
            rates=self._rates,
            authenticate=partial(self._authenticate, connection, session),
            settings=protocol,
            monotonic=self._clock.monotonic,
        )
        first: str | None = None
        if hello is None:
            hello, first = await self._await_hello(socket)
        greeted = hello is not None
        await self._check_login(connection)
        await self._enter(socket, connection, session, hello)
        working = False
        while True:
            if first is not None:
                text, first = first, None
            else:
                text = await read_text(socket, protocol.frame_bytes)
            try:
                dispatch.check_rate()
                frame = decode_frame(text, max_depth=protocol.frame_depth)
                FRAMES.labels(frame.type).inc()
                if isinstance(frame, Hello) and not greeted:  # it was slow to come
                    greeted = True
                    # until now it was there without a tab, which is another member
                    self._liveness.left(session.session_id, connection.id, connection.tab)
                    await self._enter(socket, connection, session, frame)
                else:
                    dispatch.dispatch(frame)
            except AppError as error:  # answered; the connection lives on
                FRAME_ERRORS.labels(error.code).inc()
                connection.offer(encode(error_reply(error, frame_ref(text))))
                if (close := dispatch.refused(error)) is not None:
                    connection.finish(close)
                    return
            if dispatch.has_work and not working:
                working = True
                group.create_task(dispatch.run())

    async def _check_login(self, connection: Connection) -> None:
        try:
            await self._watch.check_login(connection)
        except Unavailable as error:
            raise ConnectionEnded(STORAGE_UNAVAILABLE) from error

    async def _authenticate(
        self, connection: Connection, session: Session, ticket: str
    ) -> Login | None:
        """Let a connection hang on the sign-in of a new ticket instead of its old one."""
        login = await self._handshake.redeem(ticket, session)
        self._watch.signed_in(connection, login)
        await self._watch.check_login(connection)
        return login

    async def _await_hello(self, socket: WebSocket) -> tuple[Hello | None, str | None]:
        """Return the hello if it comes at once, or else the first other frame, or nothing."""
        protocol = self._settings.protocol
        try:
            async with asyncio.timeout(protocol.greeting_seconds):
                text = await read_text(socket, protocol.frame_bytes)
        except TimeoutError:
            return None, None
        try:
            frame = decode_frame(text, max_depth=protocol.frame_depth)
        except AppError:
            return None, text
        if isinstance(frame, Hello):
            FRAMES.labels(frame.type).inc()
            return frame, None
        return None, text

    async def _enter(
        self, socket: WebSocket, connection: Connection, session: Session, hello: Hello | None
    ) -> None:
        """Bring the client up to date and let it follow its chat.

        Raises:
            ConnectionEnded: a store does not answer, completeness could not be proved, or
                there are too many sockets.
        """
        after, previous = None, None
        if hello is not None:
            connection.tab = hello.tab
            connection.expects_pong = True
            after = hello.after
        try:
            if connection.tab is not None:
                self._watch.superseded(session.session_id, self._older(connection))
                previous = await self._returned(connection, connection.tab)
            await self._admission.seat(socket, connection, session)
            entrance = await self._hub.enter(connection, after)
            snapshot = None
            if entrance.reason is not None:
                snapshot = await self._snapshots.take(
                    session.chat_id, session.owner, top=entrance.top
                )
                snapshot["session"] = session_view(session)
            RESUMES.labels(entrance.reason or "resumed").inc()
            await self._hub.go_live(
                entrance,
                preface=lambda replay: self._preface(
                    connection, session, entrance, snapshot, replay=replay, previous=previous
                ),
            )
        except Unavailable as error:
            raise ConnectionEnded(STORAGE_UNAVAILABLE) from error
        except ChatNotFound:  # deleted, or claimed by another meanwhile
            raise ConnectionEnded(SESSION_NOT_FOUND) from None
        self._liveness.arrived(session.session_id, connection.id, connection.tab)

    def _older(self, connection: Connection) -> set[ConnectionId]:
        """Return the other sockets on this node of a connection's tab."""
        siblings = self._hub.of_session(connection.session_id)
        return {one.id for one in siblings if one.tab == connection.tab} - {connection.id}

    async def _returned(self, connection: Connection, tab: str) -> int | None:
        """Return why the tab was closed before, and end what other nodes still hold of it."""
        code, elsewhere = await self._liveness.returned(connection.session_id, tab)
        siblings = self._hub.of_session(connection.session_id)
        self._admission.check_session(siblings - {connection}, tab, elsewhere)
        older = [one.connection_id for one in elsewhere if one.tab == tab]
        if older:
            await self._signals.send(
                "superseded",
                session_id=connection.session_id,
                connection_ids=" ".join(older),
            )
        return code

    async def _remember(self, connection: Connection, close: Close) -> None:
        """Keep why a tab is closed: a slow client may never see its close code."""
        if connection.tab is None or close in {self._goodbye, *_NOT_REMEMBERED}:
            return
        # Before the close, for the client may be back at once; not for long, for Redis may hang.
        with contextlib.suppress(AppError, TimeoutError):
            async with asyncio.timeout(self._settings.connections.close_seconds):
                await self._liveness.closed(connection.session_id, connection.tab, close.code)

    def _preface(
        self,
        connection: Connection,
        session: Session,
        entrance: Entrance,
        snapshot: dict[str, Any] | None,
        *,
        replay: int,
        previous: int | None,
    ) -> Iterator[bytes]:
        protocol = self._settings.protocol
        welcome: dict[str, Any] = {
            "type": "welcome",
            "protocol": PROTOCOL,
            "connection_id": connection.id,
            "session_id": session.session_id,
            "chat_id": str(session.chat_id),
            "agent": session.agent,
            "user_id": session.user_id,
            "node": self._node,
            "epoch": entrance.top.epoch,
            "offset": entrance.top.offset,
            "resumed": entrance.reason is None,
            "replay": replay if entrance.reason is None else 0,
            "heartbeat_ms": int(protocol.heartbeat_seconds * 1000),
            "limits": {
                "frame_bytes": protocol.frame_bytes,
                "text_chars": protocol.text_chars,
                "frames_per_window": protocol.frames_per_window,
                "window_seconds": protocol.window_seconds,
                "unacknowledged": protocol.unacknowledged,
            },
            "expires_at": wire_time(session.expires_at),
        }
        if entrance.reason is not None:
            welcome["reason"] = str(entrance.reason)
        if previous is not None:
            welcome["previous_close"] = {"code": previous}
        yield encode(welcome)
        if snapshot is not None:
            yield encode(snapshot)

    async def _write(self, socket: WebSocket, connection: Connection) -> None:
        seconds = self._settings.connections.send_seconds
        try:
            while True:
                data = await connection.take()
                async with asyncio.timeout(seconds):
                    await socket.send({"type": "websocket.send", "text": data.decode()})
        except TimeoutError:
            raise ConnectionEnded(TOO_SLOW) from None

    async def _close(self, socket: WebSocket, close: Close) -> None:
        """Close politely, or cut if not even that can be sent: nobody reads. What comes after
        the close frame, or never does, is the transport's.
        """
        CONNECTIONS_CLOSED.labels(str(close.code)).inc()
        if socket.application_state != WebSocketState.CONNECTED or (
            socket.client_state == WebSocketState.DISCONNECTED
        ):
            return
        try:
            async with asyncio.timeout(self._settings.connections.close_seconds):
                await socket.close(*close)
        except TimeoutError:
            abort(socket.scope)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            log.debug("close_not_sent", code=close.code, cause=type(error).__name__)

    async def drain(self, seconds: float) -> None:
        """Send every client elsewhere, in waves over ``seconds``.

        The waves spread them already: each client is told to wait about as long as a wave
        takes, or as long as the other nodes need to take it in.
        """
        connections = list(self._hub)
        waves = max(1, int(seconds / _WAVE_SECONDS))
        size = math.ceil(len(connections) / waves) or 1
        delay = max(_WAVE_SECONDS, size / _ARRIVALS_PER_SECOND)
        self._goodbye = draining(int(delay * 1000))
        pause = seconds / waves if len(connections) > size else 0
        for start in range(0, len(connections), size):
            for connection in connections[start : start + size]:
                connection.finish(self._goodbye)
            await asyncio.sleep(pause)


def _first(group: BaseExceptionGroup[Any], kind: type[_E]) -> _E:
    """Return the first exception of a kind, however deep it lies."""
    for error in group.exceptions:
        if isinstance(error, kind):
            return error
        if isinstance(error, BaseExceptionGroup):
            return _first(error, kind)
    raise TypeError(f"no {kind.__name__} in the group")
