"""What each frame does."""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable
from typing import Any, assert_never

import structlog

from app.auth.types import Login
from app.connections.connection import Connection
from app.gateway.errors import NotNow, error_reply
from app.kit.clock import wire_time
from app.kit.errors import AppError
from app.kit.ids import RunId, parse_uuid
from app.limits.errors import RateLimited
from app.limits.rates import Rates
from app.observability.metrics import ACK_SECONDS, FRAME_ERRORS
from app.protocol.close import PROTOCOL_ERROR, Close, rate_limited
from app.protocol.codec import encode
from app.protocol.frames import (
    Auth,
    BlankText,
    Cancel,
    ClientFrame,
    Hello,
    Ping,
    Pong,
    Query,
    TextTooLong,
)
from app.runs.errors import RunNotFound
from app.runs.service import RunService
from app.sessions.types import Session
from app.settings import ProtocolSettings

log = structlog.get_logger()


# Blank space, controls, and what only shapes its neighbours. Not the unassigned: they are
# next year's emoji.
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters by category, blank to the eye


def _is_invisible(char: str) -> bool:
    return char in _FILLERS or unicodedata.category(char) in _INVISIBLE


Command = Query | Cancel | Auth


class Dispatch:
    """One connection's commands. They are done in their order, beside the reader: an unread
    frame would keep the transport from seeing pongs.
    """

    def __init__(
        self,
        connection: Connection,
        session: Session,
        *,
        runs: RunService,
        rates: Rates,
        authenticate: Callable[[str], Awaitable[Login | None]],
        settings: ProtocolSettings,
        monotonic: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._session = session
        self._runs = runs
        self._rates = rates
        self._authenticate = authenticate
        self._settings = settings
        self._monotonic = monotonic
        # Lists: an empty deque takes 760 bytes, and most connections are idle.
        self._commands: list[tuple[Command, float]] = []
        self._recent: list[float] = []  # when the last frames came
        self._arrived = asyncio.Event()
        self._malformed = 0
        self._limited = 0

    def dispatch(self, frame: ClientFrame) -> None:
        """Take one frame. Never waits.

        Raises:
            AppError: it is refused; the connection lives on.
        """
        self._malformed = 0
        match frame:
            case Query():
                self._check_text(frame)
                self._enqueue(frame)
            case Cancel() | Auth():
                self._enqueue(frame)
            case Pong():
                self._connection.pinged_at = None
            case Ping():
                self._connection.offer(encode({"type": "pong", "id": frame.id}))
            case Hello():
                raise NotNow("hello comes first or not at all.")
            case _:
                assert_never(frame)

    def check_rate(self) -> None:
        """Count a frame.

        Raises:
            RateLimited: there were too many lately.
        """
        now = self._monotonic()
        if len(self._recent) == self._settings.frames_per_window:
            wait = self._settings.window_seconds - (now - self._recent[0])
            if wait > 0:
                raise RateLimited("Too many frames.", retry_after_ms=int(wait * 1000) + 1)
            self._recent.pop(0)
        self._recent.append(now)
        self._limited = 0

    @property
    def has_work(self) -> bool:
        return bool(self._commands)

    def refused(self, error: AppError) -> Close | None:
        """Count a refusal; return a close if the client does nothing else, time and again."""
        if error.code in {"malformed_frame", "unknown_type"}:
            self._malformed += 1
            if self._malformed >= self._settings.malformed_frames:
                return PROTOCOL_ERROR
        if error.code == RateLimited.code:
            self._limited += 1
            if self._limited >= self._settings.frames_per_window:
                return rate_limited(error.retry_after_ms or 1_000)
        return None

    async def run(self) -> None:
        """Do commands one after the other, until cancelled."""
        while True:
            while self._commands:
                frame, since = self._commands[0]
                await self._do(frame)
                self._commands.pop(0)
                ACK_SECONDS.observe(self._monotonic() - since)
            self._arrived.clear()
            await self._arrived.wait()

    def _enqueue(self, frame: Command) -> None:
        if len(self._commands) >= self._settings.unacknowledged:
            raise RateLimited("Too many commands are not yet acknowledged.", retry_after_ms=1_000)
        self._commands.append((frame, self._monotonic()))
        self._arrived.set()

    def _check_text(self, frame: Query) -> None:
        if len(frame.query) > self._settings.text_chars:
            raise TextTooLong(f"A message has at most {self._settings.text_chars} characters.")
        if all(_is_invisible(char) for char in frame.query):
            raise BlankText("The message is blank.")

    async def _do(self, frame: Command) -> None:
        try:
            fields = await self._done(frame)
        except AppError as error:
            FRAME_ERRORS.labels(error.code).inc()
            log.info("command_refused", code=error.code, **error.context)
            self._connection.offer(encode(error_reply(error, frame.id)))
        except Exception:
            log.exception("command_crashed", type=frame.type)
            failure = AppError("Something went wrong on our side.")
            self._connection.offer(encode(error_reply(failure, frame.id)))
        else:
            if frame.id is not None:
                self._connection.offer(encode({"type": "ack", "id": frame.id, **fields}))

    async def _done(self, frame: Command) -> dict[str, Any]:
        match frame:
            case Query():
                return await self._query(frame)
            case Cancel():
                return await self._cancel(frame)
            case Auth():
                login = await self._authenticate(frame.ticket)
                return {"expires_at": wire_time(login.expires_at) if login else None}

    async def _query(self, frame: Query) -> dict[str, Any]:
        owner = self._session.owner
        if owner.is_anonymous:
            await self._rates.count("anonymous_queries", str(owner.visitor_id))
        else:
            await self._rates.count("queries", str(owner.user_id))
        accepted = await self._runs.accept(
            self._session,
            frame.query,
            client_message_id=frame.client_message_id,
            agent=frame.agent,
            on_busy=frame.on_busy,
        )
        return {
            "message_id": str(accepted.message_id),
            "run_id": str(accepted.run_id),
            "duplicate": accepted.duplicate,
        }

    async def _cancel(self, frame: Cancel) -> dict[str, Any]:
        run_id: RunId | None = None
        if frame.run_id is not None:
            value = parse_uuid(frame.run_id)
            if value is None:
                raise RunNotFound("There is no such run.")
            run_id = RunId(value)
        stopped = await self._runs.cancel(self._session.chat_id, self._session.owner, run_id)
        return {"run_id": str(stopped)}
