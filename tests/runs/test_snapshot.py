"""A snapshot and the events after it are the present, whenever it was taken."""

import asyncio
from itertools import combinations
from typing import Any

import pytest

from app.embedded.servers import Addresses
from app.events.log import Outgoing
from app.kit.ids import ChatId, SessionId
from app.protocol.codec import decode, encode
from app.protocol.events import new_key
from app.runs import emitter
from app.sessions.types import Session
from tests.conftest import make_settings
from tests.runs.agents import new_gate
from tests.runs.conftest import HASTY, PATIENT, begin
from tests.runs.fold import fold, from_snapshot
from tests.runs.scene import answers, until, vanish
from tests.support.client import Event
from tests.support.node import Node
from tests.support.scripted import GATES, NAME


async def start(node: Node, agent: str = NAME) -> Session:
    started = await node.client().start(agent=agent)
    return await node.services.sessions.get(SessionId(started["session_id"]))


async def take(node: Node, session: Session) -> Event:
    return await node.services.snapshots.take(session.chat_id, session.owner)


async def told(node: Node, chat_id: ChatId) -> list[Event]:
    """Return all there is in the chat's log."""
    found = await node.services.snapshots._log.read(chat_id, first=1, limit=10_000)
    return [{**decode(one.payload), "offset": one.offset} for one in found.entries]


async def until_told(node: Node, chat_id: ChatId, type_: str, count: int = 1) -> None:
    async def is_told() -> bool:
        return [one["type"] for one in await told(node, chat_id)].count(type_) >= count

    await until(is_told)


async def test_a_snapshot_and_the_events_between_make_the_later_snapshot(own: Addresses) -> None:
    gates = [new_gate() for _ in range(3)]
    async with (
        begin(make_settings(own, runs=HASTY)) as here,
        begin(make_settings(own, runs=HASTY)) as there,
    ):
        session = await start(here)
        chat_id, accept = session.chat_id, here.services.runs.accept
        phases = {"empty": await take(there, session)}

        await accept(session, f"progress:aggregating wait:{gates[0]} say:a wait:{gates[1]} say:b")
        await until_told(there, chat_id, "aggregating")
        phases["progress"] = await take(there, session)
        await accept(session, "say:x fail")
        third = await accept(session, f"say:y wait:{gates[2]} say:z")
        await until_told(there, chat_id, "run_queued", 2)
        phases["queued"] = await take(there, session)
        GATES.open(gates[0])
        await until_told(there, chat_id, "message_delta")
        phases["words"] = await take(there, session)
        vanish(here)
        await until_told(there, chat_id, "message_delta", 2)
        phases["resumed"] = await take(there, session)
        GATES.open(gates[1])
        await until_told(there, chat_id, "run_failed")
        await until_told(there, chat_id, "run_started", 3)
        phases["answered, failed"] = await take(there, session)
        await there.services.runs.cancel(chat_id, session.owner, third.run_id)
        await until_told(there, chat_id, "run_cancelled")
        phases["stopped"] = await take(there, session)
        events = await told(there, chat_id)

    assert {one["type"] for one in events} >= {"run_resumed", "message_reset", "run_completed"}
    for (first, before), (second, after) in combinations(phases.items(), 2):
        between = [one for one in events if one["offset"] <= after["offset"]]
        assert fold(from_snapshot(before), between) == from_snapshot(after), f"{first} → {second}"


async def test_a_snapshot_taken_at_any_moment_leads_to_the_same_end(node: Node) -> None:
    session = await start(node)
    taken: list[Event] = []
    words = " ".join(f"say:{number}- sleep:0.01" for number in range(20))
    script = [f"progress:aggregating {words}", "say:broken fail", words, "sleep:0.05"]

    async def photograph() -> None:
        while not await answers(node, session.chat_id, len(script) - 1):
            taken.append(await take(node, session))

    async with asyncio.TaskGroup() as group:
        group.create_task(photograph())
        for text in script:
            await node.services.runs.accept(session, text)
    await until_told(node, session.chat_id, "run_failed", 2)
    last, events = await take(node, session), await told(node, session.chat_id)

    assert len(taken) > 10
    for snapshot in taken:
        assert fold(from_snapshot(snapshot), events) == from_snapshot(last)


async def test_words_are_not_lost_from_a_snapshot_when_the_log_forgets_how_they_began(
    own: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer longer than its log had no beginning any more, and a snapshot no words."""
    monkeypatch.setattr(emitter, "_WHOLE_EVERY", 15)
    gate = new_gate()
    settings = make_settings(own, runs={**PATIENT, "delta_ms": 0}, events={"log_events": 40})
    async with begin(settings) as node:
        session = await start(node)
        words = " ".join(f"say:{number}- sleep:0.005" for number in range(150))

        await node.services.runs.accept(session, f"{words} wait:{gate}")
        await GATES.wait_until_reached(gate)
        whole = "".join(f"{number}-" for number in range(150))

        async def is_whole() -> bool:
            partial = (await take(node, session))["runs"][0]["partial"]
            return partial is not None and partial["text"] == whole

        await until(is_whole)
        oldest = (await told(node, session.chat_id))[0]
        GATES.open(gate)
        await until(lambda: answers(node, session.chat_id, 1))

    assert oldest["offset"] > 4  # the beginning is gone


async def test_words_after_a_hole_are_not_joined_to_those_before_it(node: Node) -> None:
    """A Redis that fell back lost the middle of an answer, and the snapshot hid that."""
    gate = new_gate()
    session = await start(node)
    await node.services.runs.accept(session, f"say:before wait:{gate}")
    await GATES.wait_until_reached(gate)
    await until_told(node, session.chat_id, "message_delta")
    said = next(one for one in await told(node, session.chat_id) if one["type"] == "message_delta")
    later = {**said, "chunk": said["chunk"] + 5, "text": "after", "key": new_key()}
    del later["offset"]

    await node.services.snapshots._log.append(
        session.chat_id, [Outgoing(encode(later), later["key"])]
    )

    partial = (await take(node, session))["runs"][0]["partial"]
    assert (partial["text"], partial["chunk"]) == (said["text"], said["chunk"])
    GATES.open(gate)
    await until(lambda: answers(node, session.chat_id, 1))


async def test_the_snapshot_over_http_is_the_sockets(node: Node) -> None:
    gate = new_gate()
    client = node.client()
    started = await client.start(agent=NAME)
    async with client.socket(started, hello={}) as socket:
        await socket.ask(f"say:a wait:{gate}")
        await socket.until("message_delta")
        async with client.socket(started, hello={}) as second:
            pushed: dict[str, Any] = dict(second.seen[1])

        pulled = (await client.http.get(f"/chats/{started['chat_id']}/snapshot")).json()

        GATES.open(gate)
        await socket.until_end()

    assert pushed["type"] == "snapshot"
    assert pulled == {name: value for name, value in pushed.items() if name != "session"}


async def test_a_snapshot_stays_small_however_much_an_agent_reports(node: Node) -> None:
    gate = new_gate()
    session = await start(node)
    accepted = await node.services.runs.accept(
        session, f"progress:planning_started wait:{gate} say:done"
    )
    await until_told(node, session.chat_id, "planning_started")
    log = node.services.snapshots._log
    for number in range(40):
        event: dict[str, Any] = {
            "type": "custom",
            "key": new_key(),
            "run_id": str(accepted.run_id),
            "attempt": 1,
            "name": "report",
            "payload": {"number": number, "text": "x" * 20_000},
        }
        outgoing = Outgoing(encode(event), event["key"])
        await log.append(session.chat_id, [outgoing], fence=1)

    snapshot = await take(node, session)
    GATES.open(gate)

    [run] = snapshot["runs"]
    assert len(encode(snapshot)) < 400_000
    assert "planning_started" in [one["type"] for one in run["events"]]
    reports = [one["payload"]["number"] for one in run["events"] if one["type"] == "custom"]
    assert reports == list(range(40))[-len(reports) :]
    assert len(reports) > 5
