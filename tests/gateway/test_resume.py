"""Coming back: what was missed is sent once more, or a snapshot instead; nothing is lost."""

import uuid
from typing import Any

import pytest
from redis.asyncio import Redis

from app.kit.ids import ChatId
from app.storage.postgres import Postgres
from tests.events.scene import copy_of, go_back, unsent
from tests.runs.scene import until
from tests.sessions.test_routes import path_of
from tests.support.client import Event, Socket
from tests.support.node import Node
from tests.support.scripted import GATES, NAME

QUESTION = "say:Hel progress:planning_started say:lo custom:mine say:!"


def position(socket: Socket, place: int = -1) -> dict[str, Any]:
    """Return where a client stands after the event at ``place``."""
    [welcome] = [one for one in socket.seen if one["type"] == "welcome"]
    event = socket.numbered()[place]
    return {"epoch": welcome["epoch"], "offset": event["offset"], "key": event["key"]}


def plain(events: list[Event]) -> list[Event]:
    return [{k: v for k, v in event.items() if k != "replayed"} for event in events]


async def talked(node: Node) -> tuple[Any, dict[str, Any], Socket]:
    """Return a client, its session and a socket that saw a whole answer."""
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={"tab": "t"}) as socket:
        await socket.ask(QUESTION)
        await socket.until_end()
    return client, session, socket


@pytest.mark.parametrize("seen", [1, 2, 4, -2, -1])
async def test_exactly_the_missed_events_are_sent_again(node: Node, seen: int) -> None:
    client, session, before = await talked(node)
    events = before.numbered()
    place = seen - 1 if seen > 0 else seen

    async with client.socket(session, hello={"after": position(before, place)}) as socket:
        welcome, *replayed, live = socket.seen

    missed = events[place + 1 :] if place != -1 else []
    assert (welcome["resumed"], welcome["replay"]) == (True, len(missed))
    assert "reason" not in welcome
    assert all(event["replayed"] is True for event in replayed)
    assert plain(replayed) == missed
    assert live["offset"] == events[-1]["offset"]


async def test_a_client_of_the_empty_beginning_gets_everything(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        start = {"epoch": socket.seen[0]["epoch"], "offset": 0}
        await socket.ask("say:hello")
        await socket.until_end()

    async with client.socket(session, hello={"after": start}) as again:
        assert again.seen[0]["resumed"] is True

    assert plain(again.numbered()) == socket.numbered()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"epoch": "another"}, "epoch"),
        ({"offset": 10_000}, "ahead"),
        ({"key": "another"}, "rewound"),
        ({"key": None}, "rewound"),
    ],
)
async def test_what_cannot_be_proved_gets_a_snapshot_and_its_reason(
    node: Node, change: dict[str, Any], reason: str
) -> None:
    client, session, before = await talked(node)

    async with client.socket(session, hello={"after": position(before, 2) | change}) as socket:
        welcome, snapshot, live = socket.seen

    assert (welcome["resumed"], welcome["reason"], welcome["replay"]) == (False, reason, 0)
    assert [one["text"] for one in snapshot["messages"]] == [QUESTION, "Hello!"]
    assert snapshot["offset"] == live["offset"] == before.numbered()[-1]["offset"]


async def test_a_log_that_is_lost_costs_a_snapshot_and_no_message(node: Node, redis: Redis) -> None:
    client, session, before = await talked(node)
    await redis.delete(f"{{{session['chat_id']}}}:meta", f"{{{session['chat_id']}}}:log")

    async with client.socket(session, hello={"after": position(before)}) as socket:
        assert socket.seen[0]["reason"] == "epoch"
        assert [one["text"] for one in socket.seen[1]["messages"]] == [QUESTION, "Hello!"]
        await socket.ask("say:more")
        await socket.until_end()

    assert socket.numbered()[0]["offset"] == 1


async def test_a_reload_in_the_middle_of_an_answer_shows_all_of_it(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    gate = uuid.uuid4().hex
    async with client.socket(session, hello={"tab": "before"}) as socket:
        await socket.ask(f"say:Hel progress:planning_started wait:{gate} say:lo")
        await socket.until("planning_started")
    await GATES.wait_until_reached(gate)

    async with client.socket(session, hello={"tab": "after"}) as socket:
        [run] = socket.seen[1]["runs"]
        GATES.open(gate)
        await socket.until_end()

    shown = run["partial"]["text"]
    rest = [event for event in socket.numbered() if event["type"] == "message_delta"]
    assert shown == "Hel"
    assert rest[0]["chunk"] == run["partial"]["chunk"] + 1
    assert shown + "".join(event["text"] for event in rest) == "Hello"
    [completed] = [event for event in socket.numbered() if event["type"] == "message_completed"]
    assert completed["text"] == "Hello"
    assert run["message_id"] != completed["message_id"]


async def test_a_drop_in_the_middle_of_an_answer_goes_on_where_it_was(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    gate = uuid.uuid4().hex
    async with client.socket(session, hello={"tab": "t"}) as first:
        await first.ask(f"say:Hel wait:{gate} say:lo")
        await first.until("message_delta")
        first.raw.transport.abort()
    await GATES.wait_until_reached(gate)

    async with client.socket(session, hello={"tab": "t", "after": position(first)}) as second:
        GATES.open(gate)
        await second.until_end()

    assert second.seen[0]["resumed"] is True
    events = first.numbered() + second.numbered()
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    words = [event["text"] for event in events if event["type"] == "message_delta"]
    assert "".join(words) == "Hello"


async def test_two_tabs_see_the_same_events_in_the_same_order(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with (
        client.socket(session, hello={"tab": "a"}) as one,
        client.socket(session, hello={"tab": "b"}) as other,
    ):
        await one.ask("say:from say:one")
        await other.until_end()
        await other.ask("say:from say:other")
        for socket in (one, other):
            await socket.until(
                lambda event: event["type"] == "run_completed" and event["offset"] > 7
            )

    assert one.numbered() == other.numbered()
    assert [event["offset"] for event in one.numbered()] == list(range(1, len(one.numbered()) + 1))
    assert [one.types().count("ack"), other.types().count("ack")] == [1, 1]


async def test_two_sessions_of_one_chat_see_the_same_events(node: Node) -> None:
    client = node.client()
    first = await client.start(agent=NAME)
    second = await client.start(chat_id=first["chat_id"])

    async with (
        client.socket(first, hello={}) as one,
        client.socket(second, hello={}) as other,
    ):
        await one.ask("say:hello")
        await other.until_end()
        await client.http.delete(path_of(second))
        assert (await other.closed())[0] == 4010
        await one.ask("say:still")
        await one.until_end()


async def test_the_next_welcome_says_why_the_server_closed_before(node: Node) -> None:
    client = node.client()
    session = await client.start()
    async with client.socket(session, hello={"tab": "t"}) as socket:
        welcome = socket.seen[0]
        after = {"epoch": welcome["epoch"], "offset": welcome["offset"]}
        await socket.raw.send(b"binary")
        await socket.closed()

    async with client.socket(session, hello={"tab": "other", "after": after}) as stranger:
        assert "previous_close" not in stranger.seen[0]
    async with client.socket(session, hello={"tab": "t", "after": after}) as again:
        assert again.seen[0]["previous_close"] == {"code": 4000}
    async with client.socket(session, hello={"tab": "t", "after": after}) as third:
        assert "previous_close" not in third.seen[0]


@pytest.mark.parametrize(
    "after",
    [
        {},
        {"epoch": "e"},
        {"offset": 1},
        {"epoch": "e", "offset": -1},
        {"epoch": "e", "offset": "1"},
        {"epoch": "e", "offset": 1.5},
        {"epoch": 5, "offset": 1},
        {"epoch": "e", "offset": 2**70},
        {"epoch": "e" * 65, "offset": 1},
        [],
        "7",
    ],
    ids=str,
)
async def test_a_position_that_cannot_be_read_is_an_error_and_the_chat_is_shown(
    node: Node, after: Any
) -> None:
    client = node.client()
    session = await client.start()

    async with client.socket(session) as socket:
        await socket.send("hello", tab="t", after=after)
        await socket.until("live")
        if after == {"epoch": "e", "offset": 2**70}:
            assert socket.seen[0]["reason"] in {"epoch", "first"}
            return
        error = await socket.until("error")

    assert error["code"] == "malformed_frame"
    assert socket.seen[0]["reason"] == "first"


async def test_one_who_was_away_over_a_failover_is_not_told_that_nothing_is_missing(
    node: Node, redis: Redis, postgres: Postgres
) -> None:
    """Redis went back to where the client stands: the log looked as if nothing had been said."""
    client, session, before = await talked(node)
    chat_id = ChatId(uuid.UUID(session["chat_id"]))
    copy = await copy_of(redis, chat_id)
    async with client.socket(session) as socket:
        await socket.ask("say:later")
        await socket.until_end()

    async def all_is_sent() -> bool:
        return not await unsent(postgres, chat_id)

    await until(all_is_sent)
    await go_back(redis, copy)

    async with client.socket(session, hello={"after": position(before)}) as again:
        welcome, snapshot = again.seen[:2]
        assert (welcome["resumed"], welcome["reason"]) == (False, "epoch")
        assert [one["text"] for one in snapshot["messages"]][-2:] == ["say:later", "later"]
        await again.ask("say:more")
        await again.until_end()
