"""What a node takes: memory, sockets, tasks; seen from outside, and as it says itself."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from app.events.log import channel
from app.kit.ids import ChatId
from app.settings import LivenessSettings
from tests.faults.nodes import Node
from tests.faults.scenario import Context
from tests.support.waiting import eventually

_LOOK_SECONDS = 0.05
_LATE_SECONDS = 2  # word of a tab that leaves may be on its way, and counts anew
_LINGER_SECONDS = 9  # a chat nobody follows is followed for 5; closing and looking take time too


class Holdings(NamedTuple):
    """What comes and goes with clients."""

    connections: int
    """By the node's own figure."""
    sockets: int
    """TCP descriptors; what goes to the stores are Unix sockets."""
    tasks: dict[str, int]
    objects: int
    """Connections, and their transports, in its memory."""


_SPARE = 2  # of HTTP, which is kept alive


@dataclass
class Memory:
    """Bytes that a process takes: its own, and what the kernel keeps for it unsent."""

    before: int
    samples: list[int] = field(default_factory=list)

    @property
    def grown(self) -> int:
        """The most that it had above the beginning."""
        return max(self.samples) - self.before


async def figures(context: Context, node: Node) -> dict[str, float]:
    """Return a node's figures by name, with the values of their labels in braces."""
    text = (await context.fleet.get(node, "/metrics")).text
    return {
        "".join((one.name, *(f"{{{value}}}" for value in one.labels.values()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


async def connections(context: Context, node: Node) -> int:
    """Return how many sockets a node says are open."""
    return int((await figures(context, node))["colloquy_connections"])


async def closed(context: Context, node: Node, code: int) -> int:
    """Return how many sockets a node says it has closed so, or begun to."""
    found = (await figures(context, node)).get(f"colloquy_connections_closed_total{{{code}}}", 0)
    return int(found)


def endings(node: Node) -> dict[str, int]:
    """Return with which code each connection of a node has ended, by its log."""
    ended: dict[str, int] = {}
    for line in node.log.read_text(errors="replace").splitlines():
        if '"event": "connection_ended"' in line:
            told = json.loads(line)
            ended[told["connection_id"]] = told["code"]
    return ended


async def holdings(context: Context, node: Node) -> Holdings:
    """Return what a node holds. Slows it down for a moment."""
    counted = await node.census()
    return Holdings(
        connections=await connections(context, node),
        sockets=tcp_sockets(node.pid),
        tasks={name: number for name, number in counted.items() if name.startswith("task ")},
        objects=counted.get("Connection", 0) + counted.get("AbortableProtocol", 0),
    )


def resident(pid: int) -> int:
    """Return how many bytes of memory a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def taken(pid: int) -> int:
    """Return how many bytes a process has, and the kernel for it: unsent or not acknowledged."""
    return resident(pid) + sum(unsent for unsent in _tcp(pid).values())


def tcp_sockets(pid: int) -> int:
    """Return how many TCP sockets a process has open."""
    return len(_tcp(pid))


def _tcp(pid: int) -> dict[str, int]:
    """Return the unsent bytes of each of a process's TCP sockets."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    queues = {f"socket:[{one[9]}]": int(one[4].partition(":")[0], 16) for one in fields}
    found: dict[str, int] = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            name = str(entry.readlink())
            if name in queues:
                found[entry.name] = queues[name]
    return found


@contextlib.asynccontextmanager
async def measured(node: Node) -> AsyncIterator[Memory]:
    """Look at a node's memory again and again while the block lasts."""
    memory = Memory(taken(node.pid))

    async def look() -> None:
        while True:
            memory.samples.append(taken(node.pid))
            await asyncio.sleep(_LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield memory
    finally:
        looking.cancel()
        memory.samples.append(taken(node.pid))


async def check_nothing_left(
    context: Context, node: Node, before: Holdings, *, follows: bool = True
) -> None:
    """Judge I13: after everybody has left, a node holds no more than before they came.

    Args:
        context: of the scenario; its tabs are closed.
        node: which node.
        before: what it held then.
        follows: whether to wait, too, until it has let go of the scenario's chats.
    """
    left = await holdings(context, node)
    deadline = time.monotonic() + _LINGER_SECONDS
    while time.monotonic() < deadline and _is_more(left, before):
        await asyncio.sleep(0.2)
        left = await holdings(context, node)
    context.check("I13", not _is_more(left, before), f"{node.name} held {before}, and now {left}")
    await check_liveness_lapses(context)
    if not follows:
        return
    chats = [str(session["chat_id"]) for session in context.sessions]
    still = await _followed(context, chats)
    while still and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        still = await _followed(context, chats)
    context.check("I13", not still, f"chats {still} are still subscribed to")


async def check_liveness_lapses(context: Context) -> None:
    """Judge I13: once nobody is there any more, and what was said last is no longer believed,
    nothing is left in Redis that says who was.
    """
    ttl = context.seconds(LivenessSettings().ttl_seconds)

    async def is_gone() -> bool:
        return not await said_to_be_there(context)

    with contextlib.suppress(TimeoutError):
        await eventually(is_gone, seconds=ttl + _LATE_SECONDS)
    left = await said_to_be_there(context)
    context.check("I13", not left, f"{left} are said to be there {ttl:g} s after the last left")


async def said_to_be_there(context: Context) -> list[str]:
    """Return the scenario's sessions of which Redis keeps connections, believed or not."""
    sessions = [session["session_id"] for session in context.sessions]
    async with context.fleet.stores.redis.client.pipeline(transaction=False) as pipe:
        for session in sessions:
            _ = pipe.exists(f"{{{session}}}:live")
        there = await pipe.execute()
    return [session for session, is_there in zip(sessions, there, strict=True) if is_there]


def _is_more(left: Holdings, before: Holdings) -> bool:
    return (
        left.connections > before.connections
        or left.objects > before.objects
        or left.sockets > before.sockets + _SPARE
        or sum(left.tasks.values()) > sum(before.tasks.values()) + _SPARE
    )


async def _followed(context: Context, chats: Iterable[str]) -> list[str]:
    """Return the chats that any node subscribes to."""
    names = {channel(ChatId(uuid.UUID(chat))): chat for chat in chats}
    counts = await context.fleet.stores.redis.client.pubsub_numsub(*names)
    return [chat for chat, (_, count) in zip(names.values(), counts, strict=True) if count]
