"""The reference client: a browser's tab over a real socket, by the rules of the protocol."""

import asyncio
import contextlib
import json
import random
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from app.protocol.close import NO_CONTINUITY, close_table
from app.protocol.events import PROTOCOL
from tests.faults.journal import Entry, Frame, Journal
from tests.faults.pace import Pace
from tests.faults.reducer import State, first_of
from tests.faults.script import Script
from tests.support.proxy import Link

LOST = 1006  # no close frame came
REFUSED = 0  # the upgrade was answered with an HTTP status
SECONDS = 40.0  # nothing a scenario waits for takes nearly as long


class Front(Protocol):
    """A local port behind which a node is, and the connections on the way there."""

    @property
    def port(self) -> int: ...
    def link_of(self, port: int) -> Link | None: ...


class Door(Protocol):
    """Where a node is reached."""

    @property
    def name(self) -> str: ...
    @property
    def front(self) -> Front: ...


@dataclass
class Habits:
    """How a client behaves that is not at its best. May be changed while it is connected."""

    reads: bool = True
    pause: float = 0.0
    """Seconds it takes over each frame."""
    pongs: bool = True
    receive_buffer: int | None = None
    """Bytes the kernel keeps for it; small, so that not reading is soon felt."""


@dataclass
class Turn:
    """One question of a tab: sent until it is acknowledged or refused."""

    text: str
    client_message_id: str
    fields: Frame
    tab: "Tab"
    ack: Frame | None = None
    error: Frame | None = None

    @property
    def run_id(self) -> str:
        assert self.ack is not None
        return str(self.ack["run_id"])

    async def acked(self, seconds: float = SECONDS) -> Frame:
        """Wait for the ack. Raises ``Refused`` if an error comes that is not temporary."""
        await self.tab.until(lambda: self.ack is not None or self.error is not None, seconds)
        if self.ack is None:
            raise Refused(self.error)
        return self.ack

    async def ended(self, seconds: float = SECONDS) -> str:
        """Wait until this tab knows how the run ended; return it: completed, failed, …"""
        await self.acked(seconds)
        await self.tab.until(lambda: self.run_id in self.tab.state.ends, seconds)
        return self.tab.state.ends[self.run_id]


class Refused(Exception):
    """The server will not take this question."""


@dataclass
class Tab:
    """One page that follows one chat.

    Args:
        name: no other tab of the journal has it.
        session: what ``/chat/start`` answered.
        pick: chooses a node for each connection.
        journal: where it writes.
        dice: its own randomness.
        pace: of its backoff and patience.
        habits: how well it behaves.
    """

    name: str
    session: Frame
    pick: Callable[[], Door]
    journal: Journal
    dice: random.Random
    pace: Pace
    habits: Habits = field(default_factory=Habits)

    def __post_init__(self) -> None:
        self.state = State()
        self.cursor: Frame | None = None  # epoch, offset, key of the last event applied
        self.turns: dict[str, Turn] = {}
        self.is_live = False
        self.stopped: int | None = None
        """The close code after which it does not come back."""
        self.door: Door | None = None
        self.connections = 0
        self.pongs = 0
        """How often it has answered a ping."""
        self._id = str(uuid.UUID(int=self.dice.getrandbits(128)))
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._failures = 0
        self._forgets = False
        self._numbers = 0

    # What a scenario does with it

    def open(self) -> None:
        """Begin to connect, and to come back for ever."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def close(self) -> None:
        """Leave, as a page that is closed."""
        if self._task is not None:
            self._note("left", {})
            self._task.cancel()
            await asyncio.wait({self._task})
            if not self._task.cancelled() and (error := self._task.exception()) is not None:
                raise error
        self._task = None
        self.is_live = False

    @property
    def has_left(self) -> bool:
        """Whether it is closed, and does not try to come back."""
        return self._task is None

    async def live(self, seconds: float = SECONDS) -> None:
        await self.until(lambda: self.is_live, seconds)

    async def until(self, holds: Callable[[], bool], seconds: float = SECONDS) -> None:
        """Wait until something holds that frames change. Raises ``TimeoutError``."""
        if holds():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((holds, future))
        try:
            async with asyncio.timeout(seconds):
                await future
        finally:
            self._waiting.remove((holds, future))

    async def ask(self, script: Script | str, **fields: Any) -> Turn:
        """Send a question now, or as soon as there is a connection."""
        text = script if isinstance(script, str) else script.question
        key = fields.pop("client_message_id", None)
        turn = Turn(text, key or str(uuid.UUID(int=self.dice.getrandbits(128))), fields, self)
        self.turns[turn.client_message_id] = turn
        if self.is_live:
            await self._send_turn(turn)
        return turn

    async def send(self, type_: str, **fields: Any) -> str:
        """Send a frame with an id, which is returned, if there is a connection."""
        self._numbers += 1
        id_ = fields.pop("id", f"f{self._numbers}")
        await self._send({"type": type_, "id": id_, **fields})
        return str(id_)

    @property
    def link(self) -> Link | None:
        """Its present connection inside the proxy, to be cut or hurt."""
        if self._socket is None or self.door is None:
            return None
        with contextlib.suppress(OSError, TypeError):
            return self.door.front.link_of(self._socket.local_address[1])
        return None

    def drop(self) -> None:
        """Lose the connection at its own end, and come back."""
        if self._socket is not None:
            self._socket.transport.abort()

    def reload(self) -> None:
        """Lose the connection and all that is held, as a page that is loaded again."""
        self._forgets = True
        self.drop()

    # The connection

    def _note(self, kind: str, data: Frame) -> Entry:
        return self.journal.note(kind, data, chat=self.session["chat_id"], tab=self.name)

    async def _run(self) -> None:
        while True:
            code, reason = await self._connect()
            self.is_live = False
            self._note("closed", {"code": code, "reason": reason})
            if code == NO_CONTINUITY.code or self._forgets:
                self.cursor, self._forgets = None, False
            action = close_table().get(code, {"action": "backoff"})["action"]
            if action == "stop":
                self.stopped = code
                self._tell()
                return
            self._tell()
            await asyncio.sleep(self._wait(action, reason))

    def _wait(self, action: str, reason: str) -> float:
        first, longest = self.pace.backoff
        backoff: float = self.dice.random() * min(longest, first * 2**self._failures)
        self._failures += 1
        given: Frame = {}
        with contextlib.suppress(ValueError):
            given = json.loads(reason)
        if action == "now":
            return self.dice.random() * float(given.get("delay_ms", 1_000)) / 1_000
        asked: float = given.get("retry_after_ms", 0) / 1_000
        return backoff + self.pace.seconds(asked)

    async def _connect(self) -> tuple[int, str]:
        """Serve one connection to its end; return its close code and reason."""
        self.door = self.pick()
        self._note("dial", {"node": self.door.name})
        patience = max(2.0, self.pace.seconds(10))
        options: dict[str, Any] = {}
        if self.habits.receive_buffer is not None:
            options["sock"] = _small(self.door.front.port, self.habits.receive_buffer)
        try:
            self._socket = await connect(
                f"ws://127.0.0.1:{self.door.front.port}{self.session['ws_path']}",
                subprotocols=[Subprotocol(PROTOCOL)],
                compression=None,
                proxy=None,
                open_timeout=patience,
                close_timeout=0.2,
                ping_interval=None,
                max_size=None,
                max_queue=16 if self.habits.receive_buffer is None else 1,
                **options,
            )
        except InvalidStatus as refusal:
            return REFUSED, f"HTTP {refusal.response.status_code}"
        except (OSError, TimeoutError, InvalidHandshake) as error:
            return LOST, type(error).__name__
        self.connections += 1
        try:
            return await self._converse(self._socket, patience)
        finally:
            self._socket.transport.abort()
            self._socket = None

    async def _converse(self, connection: ClientConnection, patience: float) -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        hello: Frame = {"type": "hello", "client": "faults/1", "tab": self._id}
        if self.cursor is not None:
            hello["after"] = self.cursor
        try:
            async with asyncio.timeout(patience) as limit:
                await self._send(hello)
                while True:
                    while not self.habits.reads:
                        limit.reschedule(None)
                        await asyncio.sleep(0.02)
                    frame = orjson.loads(await connection.recv(decode=False))
                    limit.reschedule(loop.time() + self.pace.silence)
                    await self._take(frame)
                    if self.habits.pause:
                        await asyncio.sleep(self.habits.pause)
        except TimeoutError:
            return LOST, "silence"
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (LOST, "")
        except _Gap:
            return LOST, "gap"

    async def _take(self, frame: Frame) -> None:
        match frame["type"]:
            case "ping":
                if self.habits.pongs:
                    self.pongs += 1
                    await self._send({"type": "pong"})
                return
            case "welcome":
                self._note("welcome", frame)
            case "snapshot":
                self._note("snapshot", frame)
                self.state = State.of(frame)
                self.cursor = {name: frame[name] for name in ("epoch", "offset", "key")}
            case "live":
                self._note("live", frame)
                await self._went_live()
            case "ack" | "error":
                await self._answered(frame)
            case _ if "offset" in frame and "key" in frame:
                self._hear(frame)
            case type_:
                self._note(type_, frame)
        self._tell()

    def _hear(self, event: Frame) -> None:
        """Apply an event if it follows what is held."""
        if self.cursor is None or first_of(event) > self.cursor["offset"] + 1:
            self._note("gap", event)
            raise _Gap
        if event["offset"] <= self.cursor["offset"]:
            self._note("old", event)
            return
        self._note("applied", event)
        self.state.apply(event)
        self.cursor = {**self.cursor, "offset": event["offset"], "key": event["key"]}

    async def _went_live(self) -> None:
        self.is_live = True
        connection = self._socket
        stable = self.pace.seconds(5)
        asyncio.get_running_loop().call_later(stable, lambda: self._is_stable(connection))
        for turn in list(self.turns.values()):
            if turn.ack is None and turn.error is None:
                await self._send_turn(turn)

    def _is_stable(self, connection: ClientConnection | None) -> None:
        if connection is self._socket and self.is_live:
            self._failures = 0

    async def _answered(self, frame: Frame) -> None:
        turn = self.turns.get(str(frame.get("id")))
        key = None if turn is None else turn.client_message_id
        self._note(frame["type"], {**frame, "client_message_id": key})
        if turn is None:
            return
        if frame["type"] == "ack":
            turn.ack = turn.ack or frame
        elif frame.get("temporary"):
            wait = self.pace.seconds(frame.get("retry_after_ms", 1_000) / 1_000)
            asyncio.get_running_loop().call_later(wait, self._retry, turn)
        else:
            turn.error = turn.error or frame

    def _retry(self, turn: Turn) -> None:
        if self.is_live and turn.ack is None and self._task is not None:
            self._retrying = asyncio.create_task(self._send_turn(turn))

    async def _send_turn(self, turn: Turn) -> None:
        key = turn.client_message_id
        await self._send(
            {"type": "query", "id": key, "query": turn.text, "client_message_id": key} | turn.fields
        )

    async def _send(self, frame: Frame) -> None:
        if self._socket is None:
            return
        if frame["type"] != "pong":
            self._note("sent", frame)
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(orjson.dumps(frame).decode())

    def _tell(self) -> None:
        for holds, future in self._waiting:
            if not future.done() and holds():
                future.set_result(None)


def _small(port: int, receive_buffer: int) -> socket.socket:
    """Return a connected socket for which the kernel keeps few bytes."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    small.connect(("127.0.0.1", port))
    small.setblocking(False)
    return small


class _Gap(Exception):
    """An event came that does not follow: come back and ask for what is between."""
