"""Every close code, as two real clients see it."""

import asyncio
import contextlib
import json
import signal
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from app.protocol import close
from app.protocol.close import close_table
from tests.faults.gauges import closed, connections
from tests.faults.journal import Frame
from tests.faults.nodes import Node
from tests.faults.peers import Ending, Manner, Peer, library, page
from tests.faults.scenario import Context, Result, scenario
from tests.support.proxy import HELD
from tests.support.waiting import eventually

_CLIENTS = 2
_PER_SESSION = 3
_FRAMES = 30
_FLOOD = "show:60000 " * 40 + "say:1"  # 2.4 MB, more than all buffers on the way
_OWNED = (
    "WITH u AS (INSERT INTO users DEFAULT VALUES RETURNING id),"
    " c AS (UPDATE chats SET user_id = u.id, visitor_id = NULL FROM u WHERE chats.id = %(chat)s)"
    " UPDATE sessions SET user_id = u.id, visitor_id = NULL FROM u WHERE session_id = %(session)s"
)
_ACTIONS = {"stop": {"ended", "idle"}, "backoff": {"waiting"}, "now": {"waiting"}}

Dial = Callable[[Manner], Awaitable[Peer]]


@dataclass
class Stage:
    """Where codes are provoked: one node for most of them, one for each that hurts a node."""

    context: Context
    dial: Dial
    alone: asyncio.Lock
    node: Node
    cut_off: Node
    leaving: Node

    async def open(
        self, session: Frame | None = None, *, node: Node | None = None, **manner: Any
    ) -> Peer:
        """Connect to a node; to a chat of its own, unless a session is given."""
        session = session or await self.context.start()
        port = (node or self.node).front.port
        return await self.dial(Manner(f"ws://127.0.0.1:{port}{session['ws_path']}", **manner))

    async def live(self, session: Frame | None = None, **manner: Any) -> Peer:
        peer = await self.open(session, **manner)
        await peer.until("live")
        return peer

    async def owned(self) -> Frame:
        """Start a session of a person who has an account, which its id does not open."""
        session = await self.context.start()
        address = self.context.fleet.stores.addresses.database_url
        async with await AsyncConnection.connect(address, autocommit=True) as db:
            given = {"chat": session["chat_id"], "session": session["session_id"]}
            await db.execute(_OWNED, given)
        return session


async def _left(stage: Stage) -> Ending:
    peer = await stage.live()
    await peer.leave()
    return await peer.ending()


async def _binary(stage: Stage) -> Ending:
    peer = await stage.live()
    await peer.send(b"\x00\x01\x02")
    return await peer.ending()


async def _wrong_ticket(stage: Stage) -> Ending:
    return await (await stage.open(await stage.owned(), ticket="wrong")).ending()


async def _unknown_session(stage: Stage) -> Ending:
    unknown = uuid.UUID(int=stage.context.dice.getrandbits(128), version=4)
    return await (await stage.open({"ws_path": f"/ws/session-{unknown}"})).ending()


async def _other_protocol(stage: Stage) -> Ending:
    return await (await stage.open(protocol="colloquy.v99")).ending()


async def _same_tab(stage: Stage) -> Ending:
    session = await stage.context.start()
    first = await stage.live(session, hello={"tab": "one"})
    await stage.live(session, hello={"tab": "one"})
    return await first.ending()


async def _large_frame(stage: Stage) -> Ending:
    peer = await stage.live()
    await peer.send(json.dumps({"type": "query", "query": "x" * 300_000}))
    return await peer.ending()


async def _ended_session(stage: Stage) -> Ending:
    session = await stage.context.start()
    peer = await stage.live(session)
    path = f"/chat/sessions/{session['session_id']}"
    await stage.context.fleet.request("DELETE", stage.node, path, session)
    return await peer.ending()


async def _one_too_many(stage: Stage) -> Ending:
    session = await stage.context.start()
    for _ in range(_PER_SESSION):
        await stage.live(session)
    return await (await stage.open(session)).ending()


async def _crash(stage: Stage) -> Ending:
    """Something else has written where the chat's log should be: nothing knows what to do."""
    session = await stage.context.start()
    redis, key = stage.context.fleet.stores.redis.client, f"{{{session['chat_id']}}}:meta"
    await redis.set(key, "not a hash")
    ending = await (await stage.open(session)).ending()
    await redis.delete(key)
    return ending


async def _without_redis(stage: Stage) -> Ending:
    return await (await stage.open(node=stage.cut_off)).ending()


async def _no_hello(stage: Stage) -> Ending:
    return await (await stage.open(await stage.owned(), hello=None)).ending()


async def _too_slow(stage: Stage) -> Ending:
    """What it is sent gets stuck on its way until the node has given up."""
    context = stage.context
    async with stage.alone, context.fleet.door(stage.node) as door:
        session = await context.start()
        port = door.front.port
        peer = await stage.dial(Manner(f"ws://127.0.0.1:{port}{session['ws_path']}"))
        await peer.until("live")
        before = await closed(context, stage.node, close.TOO_SLOW.code)

        async def is_given_up() -> bool:
            return await closed(context, stage.node, close.TOO_SLOW.code) > before

        door.front.fault(down=HELD)
        await peer.send(json.dumps({"type": "query", "query": context.script(_FLOOD).question}))
        await eventually(is_given_up)
        door.front.fault()
        return await peer.ending()


async def _lost_log(stage: Stage) -> Ending:
    """Redis has lost a chat, and the next event has a number of another numbering."""
    session = await stage.context.start()
    tab = await stage.context.tab(session, on=stage.node)
    turn = await tab.ask(stage.context.script("say:3"))
    await turn.ended()
    peer = await stage.live(session)
    await stage.context.fleet.stores.redis.client.delete(f"{{{session['chat_id']}}}:meta")
    turn = await tab.ask(stage.context.script("say:3"))
    return await peer.ending()


async def _silent(stage: Stage) -> Ending:
    return await (await stage.live(pongs=False)).ending()


async def _too_many_frames(stage: Stage) -> Ending:
    peer = await stage.live()
    for _ in range(2 * _FRAMES):
        await peer.send('{"type":"ping"}')
    return await peer.ending()


async def _node_leaves(stage: Stage) -> Ending:
    return await (await stage.live(node=stage.leaving)).ending()


PROVOKED: dict[int, Callable[[Stage], Awaitable[Ending]]] = {
    1000: _left,
    4000: _binary,
    4001: _wrong_ticket,
    4004: _unknown_session,
    4005: _other_protocol,
    4006: _same_tab,
    4009: _large_frame,
    4010: _ended_session,
    4029: _one_too_many,
    4100: _crash,
    4103: _without_redis,
    4108: _no_hello,
    4109: _too_slow,
    4110: _lost_log,
    4111: _silent,
    4129: _too_many_frames,
    4200: _node_leaves,
}
_NOT_FROM_OUTSIDE = {
    1001: "only a page that is left says so, and nobody is there to see the answer",
    4003: "an operator disables an account: tests/test_operators.py",
    4101: "a sign-in runs out, a chat is claimed: tests/gateway/test_sign_ins.py",
}


@scenario(
    "R22",
    "every close code through a real server and two real clients",
    settings={
        "connections": {"per_session": _PER_SESSION, "send_seconds": 0.5, "close_seconds": 10},
        "protocol": {
            "frames_per_window": _FRAMES,
            "window_seconds": 10,
            "hello_seconds": 0.5,
            "heartbeat_seconds": 0.5,
            "pong_seconds": 0.5,
        },
    },
)
async def close_codes(context: Context) -> Result:
    """Python's ``websockets``, and the page's own client on the WebSocket of Node, each go
    wrong in every way there is a code for; the page's client does then what the table says.
    """
    table = close_table()
    rest = table.keys() ^ (PROVOKED.keys() | _NOT_FROM_OUTSIDE.keys())
    context.check("I14", not rest, f"not every code of the table is looked at, or more: {rest}")
    nodes = context.dice.sample(context.fleet.nodes, 3)
    rounds = 0
    async with library() as by_library, page() as by_page:
        for _ in range(context.size):
            await context.fleet.restart()
            await nodes[1].redis.cut()
            alone = asyncio.Lock()
            stages = [Stage(context, dial, alone, *nodes) for dial in (by_library, by_page)]
            async with asyncio.TaskGroup() as group:
                for stage in stages:
                    for code in PROVOKED:
                        group.create_task(_provoke(stage, code))
                group.create_task(_leave(context, nodes[2]))
            await nodes[1].redis.restore()
            rounds += len(stages) * len(PROVOKED)
    return await context.finish(rounds=rounds, not_provoked=_NOT_FROM_OUTSIDE)


async def _provoke(stage: Stage, code: int) -> None:
    """Judge whether a client sees a code, and does what it says."""
    who = PROVOKED[code].__name__
    ending = await PROVOKED[code](stage)
    check = stage.context.check
    check("I14", ending.code == code, f"{who}: {ending} instead of {code}")
    if ending.did is not None:
        action = close_table()[code]["action"]
        check("I14", ending.did in _ACTIONS[action], f"{who}: {ending}, and not {action}")
    told: Frame = {}
    with contextlib.suppress(ValueError):
        told = json.loads(ending.reason)
    for name in {4129: ["retry_after_ms"], 4200: ["delay_ms"]}.get(code, []):
        check("I14", told.get(name, 0) > 0, f"{who}: {name} is missing: {ending}")
    if ending.wait is not None and "retry_after_ms" in told:
        check("I14", ending.wait >= told["retry_after_ms"], f"{who}: {ending} comes too early")
    if ending.wait is not None and "delay_ms" in told:
        check("I14", ending.wait <= told["delay_ms"], f"{who}: {ending} comes too late")


async def _leave(context: Context, node: Node) -> None:
    """Tell a node to stop once both clients are there."""

    async def are_there() -> bool:
        return await connections(context, node) == _CLIENTS

    await eventually(are_there)
    context.journal.fault("SIGTERM", node=node.name)
    node.signal(signal.SIGTERM)
    await node.gone()
