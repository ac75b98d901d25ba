"""Durable events: whatever was committed reaches the log, once, in the order of commit."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from app.events import outbox
from app.events.errors import StaleFence
from app.events.log import Appended, EventLog
from app.events.outbox import EventPublisher
from app.kit.errors import Unavailable
from app.kit.ids import ChatId
from app.settings import EventSettings
from app.storage.postgres import Postgres
from tests.events.scene import (
    commit,
    copy_of,
    durable_event,
    go_back,
    new_chat,
    outgoing,
    titles,
    unsent,
)


@pytest.fixture
async def chat(postgres: Postgres) -> ChatId:
    return await new_chat(postgres)


@asynccontextmanager
async def full_store(redis: Redis) -> AsyncIterator[None]:
    """Have Redis refuse every write."""
    await redis.config_set("maxmemory", "1")
    try:
        yield
    finally:
        await redis.config_set("maxmemory", "0")


async def test_a_committed_event_is_published_and_its_row_removed(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    durable = await commit(publisher, postgres, chat, "a", "b")
    assert await unsent(postgres, chat) == [1, 2]

    appended = await publisher.publish_durable(durable)
    await publisher.sent.flush()

    assert appended is not None
    assert (appended.first_offset, appended.added) == (1, 2)
    assert await titles(event_log, chat) == ["a", "b"]
    assert await unsent(postgres, chat) == []


async def test_an_event_of_a_transaction_that_fails_never_existed(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    async def fail_late() -> None:
        async with postgres.unit() as db:
            await publisher.store(db, chat, [durable_event("a")], last_seq=1)
            raise KeyError

    with pytest.raises(KeyError):
        await fail_late()
    await publisher.publish_durable(await commit(publisher, postgres, chat, "b"))

    assert await titles(event_log, chat) == ["b"]


async def test_what_a_crash_left_behind_is_relayed(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    await commit(publisher, postgres, chat, "a", "b", age_seconds=60)
    await commit(publisher, postgres, chat, "c", age_seconds=60)

    restarted = EventPublisher(event_log=event_log, postgres=postgres, settings=EventSettings())
    assert await restarted.relay() >= 1
    await restarted.sent.flush()

    assert await titles(event_log, chat) == ["a", "b", "c"]
    assert await unsent(postgres, chat) == []


async def test_what_is_still_on_its_way_is_not_relayed(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    await commit(publisher, postgres, chat, "a")

    await publisher.relay()

    assert await titles(event_log, chat) == []


async def test_a_relay_repeats_nothing(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    """The row was sent, but the node died before it was removed."""
    durable = await commit(publisher, postgres, chat, "a", age_seconds=60)
    await publisher.publish_durable(durable)

    restarted = EventPublisher(event_log=event_log, postgres=postgres, settings=EventSettings())
    await asyncio.gather(restarted.relay(), publisher.relay())
    await restarted.sent.flush()

    assert await titles(event_log, chat) == ["a"]
    assert await unsent(postgres, chat) == []


async def test_older_events_that_are_missing_go_first(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    await commit(publisher, postgres, chat, "a")
    await commit(publisher, postgres, chat, "b", "c")
    durable = await commit(publisher, postgres, chat, "d", "e")

    appended = await publisher.publish_durable(durable)
    await publisher.sent.flush()

    assert appended is not None
    assert (appended.first_offset, appended.added) == (4, 2)
    assert await titles(event_log, chat) == ["a", "b", "c", "d", "e"]
    assert await unsent(postgres, chat) == []


async def test_more_than_a_batch_is_relayed_in_order(
    publisher: EventPublisher,
    event_log: EventLog,
    postgres: Postgres,
    chat: ChatId,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "_BATCH", 7)
    monkeypatch.setattr(outbox, "_AFTER", outbox._AFTER.limit(7))
    said = [str(n) for n in range(40)]
    await commit(publisher, postgres, chat, *said)
    durable = await commit(publisher, postgres, chat, "last")

    await publisher.publish_durable(durable)
    await publisher.sent.flush()

    assert await titles(event_log, chat) == [*said, "last"]
    assert await unsent(postgres, chat) == []


async def test_commits_published_in_any_order_by_anyone_are_in_the_log_in_theirs(
    event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    rng = random.Random(7)
    nodes = [
        EventPublisher(event_log=event_log, postgres=postgres, settings=EventSettings())
        for _ in range(3)
    ]

    async def work(node: EventPublisher, worker: int) -> None:
        for turn in range(12):
            durable = await commit(node, postgres, chat, f"{worker}-{turn}-a", f"{worker}-{turn}-b")
            for _ in range(rng.randint(0, 3)):
                await asyncio.sleep(0)
            if rng.random() < 0.7:  # the others are lost on the way, as by a crash
                await node.publish_durable(durable)

    await asyncio.gather(*(work(rng.choice(nodes), worker) for worker in range(6)))
    await nodes[0].publish_durable(await commit(nodes[0], postgres, chat, "end"))
    for node in nodes:
        await node.sent.flush()

    said = await titles(event_log, chat)
    assert len(said) == len(set(said)) == 6 * 12 * 2 + 1
    for worker in range(6):
        own = [title for title in said if title.startswith(f"{worker}-")]
        assert own == [f"{worker}-{turn}-{part}" for turn in range(12) for part in "ab"]
    assert await unsent(postgres, chat) == []


async def test_an_event_of_an_owner_who_was_replaced_is_dropped_and_its_row_removed(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    await publisher.publish_durable(await commit(publisher, postgres, chat, "a", fence=2))
    stale = await commit(publisher, postgres, chat, "stale", fence=1, age_seconds=60)

    with pytest.raises(StaleFence):
        await publisher.publish_durable(stale)
    await publisher.relay()
    await publisher.sent.flush()
    await publisher.publish_durable(await commit(publisher, postgres, chat, "b", fence=2))

    assert await titles(event_log, chat) == ["a", "b"]
    await publisher.sent.flush()
    assert await unsent(postgres, chat) == []


async def test_a_store_that_is_away_delays_durable_events_and_loses_none(
    publisher: EventPublisher,
    event_log: EventLog,
    postgres: Postgres,
    redis: Redis,
    chat: ChatId,
) -> None:
    durable = await commit(publisher, postgres, chat, "a")

    async with full_store(redis):
        assert await publisher.publish_durable(durable) is None
    await publisher.relay()  # at once: this node knows that it is behind
    await publisher.sent.flush()

    assert await titles(event_log, chat) == ["a"]
    assert await unsent(postgres, chat) == []


async def test_a_new_runs_words_do_not_overtake_the_last_runs_end(
    publisher: EventPublisher,
    event_log: EventLog,
    postgres: Postgres,
    redis: Redis,
    chat: ChatId,
) -> None:
    """The words' newer fence had the log drop the older events as overtaken: a chat then
    never saw how its last run ended.
    """
    end = await commit(publisher, postgres, chat, "end of 1", fence=1)
    start = await commit(publisher, postgres, chat, "start of 2", fence=2)
    async with full_store(redis):
        assert await publisher.publish_durable(end) is None
        assert await publisher.publish_durable(start) is None

    await publisher.publish(chat, [outgoing("word", size=1)], fence=2)

    assert await titles(event_log, chat) == ["end of 1", "start of 2", "x"]


async def test_after_the_log_was_lost_only_what_was_not_sent_is_sent_again(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    await publisher.publish_durable(await commit(publisher, postgres, chat, "a", "b"))
    await publisher.sent.flush()
    await event_log.forget(chat)
    await commit(publisher, postgres, chat, "c")

    await publisher.publish_durable(await commit(publisher, postgres, chat, "d"))

    assert await titles(event_log, chat) == ["c", "d"]


async def test_removing_rows_reaches_only_what_was_sent(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    other = await new_chat(postgres)
    first = await commit(publisher, postgres, chat, "a")
    await commit(publisher, postgres, chat, "b")
    await commit(publisher, postgres, other, "a")

    await publisher.publish_durable(first)
    await publisher.sent.flush()

    assert await unsent(postgres, chat) == [2]
    assert await unsent(postgres, other) == [1]


async def test_a_relay_goes_on_after_a_chat_that_is_stale(
    redis: Redis, postgres: Postgres, chat: ChatId
) -> None:
    event_log = EventLog(redis, EventSettings())
    publisher = EventPublisher(event_log=event_log, postgres=postgres, settings=EventSettings())
    await event_log.append(chat, [outgoing("newer")], fence=9)
    await commit(publisher, postgres, chat, "stale", fence=1, age_seconds=60)
    other = await new_chat(postgres)
    await commit(publisher, postgres, other, "a", age_seconds=60)

    await publisher.relay()

    assert await titles(event_log, other) == ["a"]


@asynccontextmanager
async def spoilt(redis: Redis, chat_id: ChatId) -> AsyncIterator[None]:
    """Have every append to the chat fail, and not because the store is away."""
    meta = f"{{{chat_id}}}:meta"
    await redis.set(meta, "not a hash")
    try:
        yield
    finally:
        await redis.delete(meta)


async def test_a_chat_that_always_fails_holds_up_no_other(
    *,
    publisher: EventPublisher,
    event_log: EventLog,
    postgres: Postgres,
    redis: Redis,
    chat: ChatId,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was the end of every pass: whatever came after it waited for ever."""
    monkeypatch.setattr(outbox, "_BATCH", 2)  # the bad chat's old rows fill a look by themselves
    await commit(publisher, postgres, chat, "a", "b", "c", age_seconds=1e6)
    others = [await new_chat(postgres) for _ in range(2)]
    for other in others:
        await commit(publisher, postgres, other, "a", age_seconds=1e5)

    async with spoilt(redis, chat):
        await publisher.relay()
        await publisher.relay()

    assert [await titles(event_log, other) for other in others] == [["a"], ["a"]]
    assert await unsent(postgres, chat) == [1, 2, 3]  # nothing is given up


async def test_a_chat_that_failed_is_tried_again_after_a_while(
    publisher: EventPublisher,
    event_log: EventLog,
    postgres: Postgres,
    redis: Redis,
    chat: ChatId,
) -> None:
    await commit(publisher, postgres, chat, "a", age_seconds=60)
    async with spoilt(redis, chat):
        await publisher.relay()

    await publisher.relay()
    left_out = await titles(event_log, chat)
    for _ in range(outbox._SKIPPED_PASSES):
        await publisher.relay()

    assert left_out == []
    assert await titles(event_log, chat) == ["a"]


@pytest.mark.parametrize(("chats", "each", "batch"), [(4, 12, 50), (1, 40, 7)])
async def test_a_pass_is_bounded_and_the_next_one_goes_on(
    publisher: EventPublisher,
    event_log: EventLog,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    *,
    chats: int,
    each: int,
    batch: int,
) -> None:
    monkeypatch.setattr(outbox, "_PASS_EVENTS", 10)
    monkeypatch.setattr(outbox, "_BATCH", batch)
    monkeypatch.setattr(outbox, "_AFTER", outbox._AFTER.limit(batch))
    waiting = [await new_chat(postgres) for _ in range(chats)]
    said = [str(n) for n in range(each)]
    for one in waiting:
        await commit(publisher, postgres, one, *said, age_seconds=1e7)

    passes, sent = list[int](), 0
    async with asyncio.timeout(10):
        while sent < chats * each:
            await publisher.relay()
            await publisher.sent.flush()
            now = sum([len(await titles(event_log, one)) for one in waiting])
            passes.append(now - sent)
            sent = now

    assert max(passes) < 10 + min(each, batch)  # the batch that reaches the bound is finished
    assert [await titles(event_log, one) for one in waiting] == [said] * chats
    assert [await unsent(postgres, one) for one in waiting] == [[]] * chats


async def test_a_relay_gives_up_early_when_the_store_is_away_and_skips_nobody_for_it(
    *,
    publisher: EventPublisher,
    event_log: EventLog,
    postgres: Postgres,
    redis: Redis,
    chat: ChatId,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with postgres.statement() as db:
        await db.execute(text("DELETE FROM outbox"))  # what other tests have left
    chats = [chat, *[await new_chat(postgres) for _ in range(9)]]
    for one in chats:
        await commit(publisher, postgres, one, "a", age_seconds=1e8)
    append, tries = event_log.append, list[ChatId]()

    async def counted(chat_id: ChatId, *given: Any, **named: Any) -> Appended:
        tries.append(chat_id)
        return await append(chat_id, *given, **named)

    monkeypatch.setattr(event_log, "append", counted)
    async with full_store(redis):
        with pytest.raises(Unavailable):
            await publisher.relay()
    tried = len(tries)
    await publisher.relay()

    assert tried == 3
    assert [await titles(event_log, one) for one in chats] == [["a"]] * 10


async def test_a_log_that_lost_durable_events_is_begun_anew(
    publisher: EventPublisher,
    event_log: EventLog,
    postgres: Postgres,
    redis: Redis,
    chat: ChatId,
) -> None:
    await publisher.publish_durable(await commit(publisher, postgres, chat, "a"))
    before, copy = (await event_log.read(chat)).top, await copy_of(redis, chat)
    await publisher.publish_durable(await commit(publisher, postgres, chat, "b"))
    await publisher.sent.flush()
    await go_back(redis, copy)

    await publisher.mend([chat])

    top = (await event_log.read(chat)).top
    assert (top.epoch != before.epoch, top.offset) == (True, 0)
    await publisher.publish_durable(await commit(publisher, postgres, chat, "c"))
    assert await titles(event_log, chat) == ["c"]
    assert (await event_log.read(chat)).top.epoch == top.epoch


async def test_a_log_that_went_back_to_nothing_said_is_begun_anew(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, redis: Redis, chat: ChatId
) -> None:
    before, copy = (await event_log.read(chat)).top, await copy_of(redis, chat)
    await publisher.publish_durable(await commit(publisher, postgres, chat, "a"))
    await publisher.sent.flush()
    await redis.delete(f"{{{chat}}}:log")
    await go_back(redis, copy)

    await publisher.mend([chat])

    assert (await event_log.read(chat)).top.epoch != before.epoch


async def test_what_has_not_been_sent_yet_is_not_taken_for_lost(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    await publisher.publish_durable(await commit(publisher, postgres, chat, "a"))
    await publisher.sent.flush()
    top = (await event_log.read(chat)).top
    durable = await commit(publisher, postgres, chat, "b")

    await publisher.mend([chat])

    assert (await event_log.read(chat)).top == top
    await publisher.publish_durable(durable)
    assert await titles(event_log, chat) == ["a", "b"]


async def test_a_log_that_was_lost_whole_in_the_middle_of_an_answer_stays(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    """Everybody has taken a snapshot of it; a second one would tell them nothing."""
    await publisher.publish_durable(await commit(publisher, postgres, chat, "a"))
    await publisher.sent.flush()
    await event_log.forget(chat)
    await event_log.append(chat, [outgoing("word")])
    epoch = (await event_log.read(chat)).top.epoch

    await publisher.mend([chat])
    await publisher.publish_durable(await commit(publisher, postgres, chat, "b"))

    assert (await event_log.read(chat)).top[:2] == (epoch, 2)


async def test_logs_that_hold_everything_stay_as_they_are_in_any_race(
    publisher: EventPublisher, event_log: EventLog, postgres: Postgres, chat: ChatId
) -> None:
    await publisher.publish_durable(await commit(publisher, postgres, chat, "first"))
    epoch = (await event_log.read(chat)).top.epoch

    async def write() -> None:
        for number in range(40):
            await publisher.publish_durable(await commit(publisher, postgres, chat, str(number)))
            await publisher.sent.flush()

    writing = asyncio.create_task(write())
    while not writing.done():
        await publisher.mend([chat])
    await writing

    assert (await event_log.read(chat)).top[:2] == (epoch, 41)
