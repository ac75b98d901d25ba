"""Clients that send what no client should, beside one that does nothing wrong."""

import asyncio
import contextlib
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable

from tests.faults.client import Tab
from tests.faults.fleet import StraightDoor
from tests.faults.gauges import check_nothing_left, holdings, measured
from tests.faults.journal import Frame
from tests.faults.nodes import Node
from tests.faults.scenario import Context, Result, scenario
from tests.support.raw import Op, dialled, frame, upgraded

_AT_ONCE = 4
_PATIENCE_SECONDS = 20.0
_LONGER_SECONDS = 0.3  # than on a node that nobody attacks; the machine is busy with it
_UNREAD = 4
_COST_BYTES = 2 * 2**20
_MANY = 10_000
_LAST = b'{"type":"ping","id":"last"}'
_ANSWER = b'"id":"last"}'
_BAD = (b"crashed", b"Traceback", b'"level": "error"', b'"level": "critical"')

Attack = Callable[[random.Random], bytes]


def noise(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randrange(1, 5_000))


def wrong_frame(dice: random.Random) -> bytes:
    """One frame that breaks a rule of RFC 6455."""
    return dice.choice(
        [
            frame(dice.choice([3, 4, 7, 11, 15]), b"x"),
            frame(Op.TEXT, b"{}", reserved=dice.randrange(1, 8)),
            frame(Op.TEXT, b"{}", masked=False),
            frame(Op.MORE, b"{}"),
            frame(Op.PING, b"x" * 126),
            frame(Op.PING, b"x", fin=False),
            frame(Op.TEXT, b"{", fin=False) + frame(Op.TEXT, b"}"),
            frame(Op.CLOSE, b"\x03"),
            frame(Op.CLOSE, (999).to_bytes(2, "big")),
            frame(Op.CLOSE, (1005).to_bytes(2, "big")),
            frame(Op.CLOSE, (1000).to_bytes(2, "big") + b"\xff"),
            frame(Op.TEXT, length=2**63 + dice.randrange(1000)),
        ]
    )


def bad_utf8(dice: random.Random) -> bytes:
    wrong = dice.choice([b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
    text = b'{"type":"ping","id":"%s"}' % wrong
    cut = dice.randrange(1, len(text))
    return dice.choice(
        [
            frame(Op.TEXT, text),
            frame(Op.TEXT, text[:cut], fin=False) + frame(Op.MORE, text[cut:]),
        ]
    )


def large(dice: random.Random) -> bytes:
    text = b'{"type":"query","query":"%s"}' % (b"x" * dice.randrange(263_000, 900_000))
    size = len(text) // dice.randrange(2, 9)
    more = [text[at : at + size] for at in range(size, len(text), size)]
    middle = b"".join(frame(Op.MORE, piece, fin=False) for piece in more[:-1])
    return dice.choice(
        [
            frame(Op.TEXT, text),
            frame(Op.TEXT, b"{", length=2**40),
            frame(Op.TEXT, text[:size], fin=False) + middle + frame(Op.MORE, more[-1]),
        ]
    )


def deep(dice: random.Random) -> bytes:
    """JSON of more levels than anybody needs, closed or not, as often as is put up with."""
    depth = dice.choice([17, 1_000, 100_000])
    opened = dice.choice([b"[", b'{"x":', b'[{"":'])
    text = b'{"type":"ping","x":' + opened * (depth // len(opened) + 17)
    return frame(Op.TEXT, text) * 10


def many_small(dice: random.Random) -> bytes:
    ping = frame(Op.TEXT, b'{"type":"ping"}')
    return dice.choice([ping, frame(Op.TEXT), frame(Op.TEXT, b"1")]) * _MANY


def binary(dice: random.Random) -> bytes:
    return frame(Op.BINARY, noise(dice))


def pieces(dice: random.Random) -> bytes:
    """One message in very many fragments, half of them empty, with pings in between."""
    between = [frame(Op.MORE, fin=False), frame(Op.MORE, b" ", fin=False), frame(Op.PING, b"p")]
    middle = b"".join(dice.choices(between, weights=[500, 500, 1], k=_MANY))
    return frame(Op.TEXT, b'{"type":', fin=False) + middle + frame(Op.MORE, b'"ping"}')


def pings(dice: random.Random) -> bytes:
    return frame(Op.PING, dice.randbytes(dice.randrange(126))) * _MANY


def wrong_fields(dice: random.Random) -> bytes:
    """Frames that look right, each with something in it that is not."""
    return b"".join(frame(Op.TEXT, _wrong(dice)) for _ in range(dice.randrange(1, 40)))


_ANYTHING: list[object] = [
    *(None, True, 0, -1, 2**53, 10**400, 1.5, 1e308, "", " ", "x" * 70, "x" * 20_000),
    *("\x00", "🦊" * 40, "\u202e", "../..", "'; DROP TABLE runs; --", [], {}, [[]], {"a": {}}),
]


def _wrong(dice: random.Random) -> bytes:
    anything = dice.choice(_ANYTHING)
    other = dice.choice(_ANYTHING)
    found: Frame = dice.choice(
        [
            {"type": "query", "query": dice.choice([None, 7, [], "", "\u200b", "x" * 16_001])},
            {"type": "query", "query": "x", "on_busy": dice.choice([None, 1, "dance"])},
            {"type": "query", "query": "x", "agent": dice.choice(["supervisor", 1, "", []])},
            {"type": "query", "query": "x", "id": dice.choice([1, "", [], "x" * 65])},
            {"type": "cancel", "run_id": dice.choice(["x", 1, "", [], {}])},
            {"type": "hello", "after": {"epoch": anything, "offset": dice.choice([-1, 1.5, "1"])}},
            {"type": "hello", "tab": dice.choice([1, [], "x" * 65, "\x00"])},
            {"type": "ping", "id": dice.choice([1, [], "", "x" * 65])},
            {"type": dice.choice(["welcome", "answer", "ack", "", None, 5, [], "x" * 500])},
            {"type": "pong", "id": anything},
        ]
    )
    return json.dumps(found | {"more": anything, "and": other}).encode()


_UNHEARD = {"instead", "early"}  # what comes before the handshake's answer is not looked at
_ALIVE = None  # it answers, or ends without a word after we have ended
# What each may be closed with: codes of RFC 6455 only for what is no WebSocket at all.
ATTACKS: dict[Attack, set[int | None]] = {
    noise: {1002, 1007, 4000, 4009, _ALIVE},
    wrong_frame: {1002, 1007, 4009},
    bad_utf8: {1007},
    large: {4009},
    deep: {4000},
    many_small: {4000, 4129},
    binary: {4000},
    pieces: {_ALIVE},
    pings: {4129},
    wrong_fields: {4000, 4129, _ALIVE},
}


@scenario(
    "R25",
    "fuzz: bytes, depth, size, fragments, bad UTF-8, 10,000 tiny frames",
    settings={
        "connections": {"per_session": 100},
        "protocol": {"frames_per_window": 100, "window_seconds": 10},
    },
)
async def fuzzed(context: Context) -> Result:
    """Everything that is no conversation is sent to a node, before a hello, after it, with a
    handshake and instead of one, into a chat in which somebody talks; and there are some who
    ping without end and read nothing. Recovery: from a question until it is acknowledged.
    """
    node = context.dice.choice(context.fleet.nodes)
    before, log_size = await holdings(context, node), node.log.stat().st_size
    session = await context.start()
    healthy = await context.tab(session, on=node)
    elsewhere = await context.tab(await context.start(), on=context.fleet.others(node)[0])
    usual: list[float] = []
    ends: Counter[str] = Counter()
    attacks = [
        (attack, hello)
        for _ in range(context.size)
        for attack in ATTACKS
        for hello in ("instead", "early", "before", "after")
    ]
    context.dice.shuffle(attacks)
    talking = [
        asyncio.create_task(_talk(context, healthy, context.recoveries)),
        asyncio.create_task(_talk(context, elsewhere, usual)),
    ]
    await _unread(context, node, session)
    waiting = iter(attacks)

    async def go_on() -> None:
        for attack, hello in waiting:
            data = attack(random.Random(context.dice.random()))
            context.journal.fault(attack.__name__, hello=hello, bytes=len(data))
            async with asyncio.timeout(_PATIENCE_SECONDS):
                code = await _attack(node, session, data, hello, ends_itself=attack is noise)
            ends[f"{attack.__name__} {code}"] += hello not in _UNHEARD
            right = hello in _UNHEARD or code in ATTACKS[attack]
            what = f"{attack.__name__} ({hello}) was closed with {code}: {data[:80]!r}"
            context.check("I14", right, what)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(go_on())
    for talk in talking:
        talk.cancel()
    await asyncio.wait(talking)
    longer = statistics.median(context.recoveries) - statistics.median(usual)
    context.check("I12", longer < _LONGER_SECONDS, f"an ack took {longer * 1000:.0f} ms longer")
    lost = [entry.data for entry in context.journal.of("closed")]
    context.check("I12", not lost, f"a healthy client was closed: {lost}")
    result = await context.finish(
        rounds=len(attacks), ack_longer=round(longer, 3), closed_with=dict(+ends)
    )
    with node.log.open("rb") as log:
        log.seek(log_size)
        bad = [line for line in log if any(word in line for word in _BAD)]
    context.check("I12", not bad, f"the node logged {bad[:3]}")
    await check_nothing_left(context, node, before)
    return result


async def _talk(context: Context, tab: Tab, acked_after: list[float]) -> None:
    """Ask again and again."""
    while True:
        asked_at = time.monotonic()
        turn = await tab.ask(context.script("say:10", pace=0.01))
        await turn.acked()
        acked_after.append(time.monotonic() - asked_at)
        await turn.ended()


async def _attack(
    node: Node, session: Frame, data: bytes, hello: str, *, ends_itself: bool
) -> int | None:
    """Send ``data``, then something harmless; return the code of the close, if there is one.

    Args:
        node: which node.
        session: whose socket it is.
        data: frames, or not even that.
        hello: ``instead`` of a handshake, ``early`` in one packet with it, ``before`` a hello
            or ``after`` it is when ``data`` is sent.
        ends_itself: whether the client says, when all is sent, that no more will come.
    """
    port = StraightDoor.of(node).front.port
    if hello == "instead":
        async with dialled(port) as raw:
            await raw.send(data + b"\r\n\r\n")
            await raw.finish()
            await raw.over()
            return None
    early = data if hello == "early" else b""
    async with upgraded(port, session["ws_path"], early=early) as raw:
        if hello == "after":
            await raw.send(frame(Op.TEXT, b'{"type":"hello"}'))
            while (text := await raw.text()) is not None and b'"live"' not in text:
                pass
        async with asyncio.TaskGroup() as group:
            rest = frame(Op.TEXT, _LAST) if early else data + frame(Op.TEXT, _LAST)
            sending = group.create_task(raw.send(rest))
            if ends_itself:
                await sending
                await raw.finish()
            while (text := await raw.text()) is not None and not text.endswith(_ANSWER):
                pass
        return raw.code


async def _unread(context: Context, node: Node, session: Frame) -> None:
    """Judge what clients take who ping without end and read nothing."""
    ping = frame(Op.PING, b"x" * 125)
    async with contextlib.AsyncExitStack() as stack, measured(node) as memory:
        for _ in range(_UNREAD):
            raw = await stack.enter_async_context(
                upgraded(StraightDoor.of(node).front.port, session["ws_path"], receive_buffer=4_096)
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2 + _PATIENCE_SECONDS / 10):
                    await raw.send(ping * 40_000)
    each = memory.grown / _UNREAD
    context.check("I10", each < _COST_BYTES, f"each took {each / 2**20:.2f} MiB")
