"""Appending: numbers without gaps, each durable event once and in order, one owner at a time."""

import asyncio
import random
import re
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

import app.events.log as module
from app.events.errors import StaleFence
from app.events.log import EventLog, OutboxGap, Outgoing, channel, chat_of, parse_publication
from app.kit.errors import Unavailable
from app.kit.ids import ChatId
from app.protocol.codec import encode
from app.settings import EventSettings
from tests.events.scene import history, keys_of, names, outgoing


async def test_events_are_numbered_from_one(event_log: EventLog, chat: ChatId) -> None:
    first = await event_log.append(chat, [outgoing("a"), outgoing("b")])
    second = await event_log.append(chat, [outgoing("c")])

    assert (first.first_offset, first.added) == (1, 2)
    assert (second.first_offset, second.added) == (3, 1)
    assert first.epoch == second.epoch
    assert await history(event_log, chat) == ["a", "b", "c"]


async def test_writers_at_the_same_time_leave_no_gap_and_nothing_twice(
    event_log: EventLog, chat: ChatId
) -> None:
    rng = random.Random(4)

    async def write(writer: int) -> list[tuple[int, list[str]]]:
        appended = []
        for turn in range(40):
            batch = [f"{writer}-{turn}-{n}" for n in range(rng.randint(1, 4))]
            result = await event_log.append(chat, [outgoing(name) for name in batch])
            appended.append((result.first_offset, batch))
        return appended

    results = await asyncio.gather(*(write(writer) for writer in range(10)))

    written = await history(event_log, chat)
    batches = [one for appended in results for one in appended]
    assert len(written) == sum(len(batch) for _, batch in batches)
    for first, batch in batches:  # each append is whole, and where its answer says
        assert written[first - 1 : first - 1 + len(batch)] == batch
    for appended in results:  # each writer's own order is kept
        assert [first for first, _ in appended] == sorted(first for first, _ in appended)


async def test_only_the_newest_owner_may_write(event_log: EventLog, chat: ChatId) -> None:
    await event_log.append(chat, [outgoing("a")], fence=2)

    with pytest.raises(StaleFence) as caught:
        await event_log.append(chat, [outgoing("stale")], fence=1)
    await event_log.append(chat, [outgoing("b")], fence=2)
    await event_log.append(chat, [outgoing("c")], fence=3)
    with pytest.raises(StaleFence):
        await event_log.append(chat, [outgoing("stale")], fence=2)

    assert caught.value.context == {"highest": 2}
    assert await history(event_log, chat) == ["a", "b", "c"]


async def test_events_of_no_run_need_no_fence(event_log: EventLog, chat: ChatId) -> None:
    await event_log.append(chat, [outgoing("a")], fence=7)
    await event_log.append(chat, [outgoing("b")])
    await event_log.append(chat, [outgoing("c")], fence=7)

    assert await history(event_log, chat) == ["a", "b", "c"]


async def test_a_durable_event_is_taken_once(event_log: EventLog, chat: ChatId) -> None:
    first = await event_log.append(chat, [outgoing("a", seq=1)])
    again = await event_log.append(chat, [outgoing("a", seq=1)])
    after = await event_log.append(chat, [outgoing("b", seq=2)])

    assert [one.added for one in (first, again, after)] == [1, 0, 1]
    assert await history(event_log, chat) == ["a", "b"]


async def test_a_durable_event_is_taken_once_in_one_batch_too(
    event_log: EventLog, chat: ChatId
) -> None:
    await event_log.append(chat, [outgoing("a", seq=1)])

    appended = await event_log.append(
        chat,
        [
            outgoing("a", seq=1),
            outgoing("word"),
            outgoing("b", seq=2),
            outgoing("b", seq=2),
            outgoing("a", seq=1),
            outgoing("c", seq=3),
        ],
    )

    assert appended.added == 3
    assert await history(event_log, chat) == ["a", "word", "b", "c"]


async def test_what_is_repeated_is_not_published_again(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    await event_log.append(chat, [outgoing("a", seq=1)])
    async with redis.pubsub() as listener:
        await listener.subscribe(channel(chat))
        await listener.get_message(timeout=5)

        await event_log.append(chat, [outgoing("a", seq=1)])
        await event_log.append(chat, [outgoing("end")])
        heard = await listener.get_message(timeout=5)

    assert heard is not None
    assert parse_publication(heard["data"]).payloads == [outgoing("end").payload]


async def test_a_durable_event_does_not_overtake_older_ones(
    event_log: EventLog, chat: ChatId
) -> None:
    await event_log.append(chat, [outgoing("a", seq=1)])

    with pytest.raises(OutboxGap) as caught:
        await event_log.append(chat, [outgoing("word"), outgoing("c", seq=3)])

    assert caught.value.sent == 1
    assert await history(event_log, chat) == ["a"]


async def test_a_gap_inside_a_batch_is_a_gap(event_log: EventLog, chat: ChatId) -> None:
    with pytest.raises(OutboxGap) as caught:
        await event_log.append(chat, [outgoing("a", seq=1), outgoing("c", seq=3)])

    assert caught.value.sent == 0
    assert await history(event_log, chat) == []


async def test_numbers_that_no_longer_exist_can_be_skipped(
    event_log: EventLog, chat: ChatId
) -> None:
    await event_log.append(chat, [outgoing("i", seq=9)], force=True)

    await event_log.append(chat, [outgoing("j", seq=10)])
    late = await event_log.append(chat, [outgoing("h", seq=8)])

    assert late.added == 0
    assert await history(event_log, chat) == ["i", "j"]


async def test_a_stale_durable_event_is_dropped_and_counts_as_sent(
    event_log: EventLog, chat: ChatId
) -> None:
    await event_log.append(chat, [outgoing("a", seq=1)], fence=2)

    with pytest.raises(StaleFence):
        await event_log.append(chat, [outgoing("stale", seq=2)], fence=1)
    await event_log.append(chat, [outgoing("b", seq=3)], fence=2)  # and no gap

    assert await history(event_log, chat) == ["a", "b"]


async def test_a_stale_writer_with_a_gap_is_told_of_the_gap_first(
    event_log: EventLog, chat: ChatId
) -> None:
    """Else it would drop what it skipped over, unseen."""
    await event_log.append(chat, [outgoing("a")], fence=2)

    with pytest.raises(OutboxGap):
        await event_log.append(chat, [outgoing("stale", seq=2)], fence=1)
    await event_log.append(chat, [outgoing("b", seq=1)], fence=2)

    assert await history(event_log, chat) == ["a", "b"]


async def test_a_publication_says_epoch_first_offset_and_events_line_by_line(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    await event_log.append(chat, [outgoing("a")])
    event = Outgoing(encode({"type": "x", "key": "b", "text": "two\nlines, 두 줄"}), "b")
    async with redis.pubsub() as listener:
        await listener.subscribe(channel(chat))
        await listener.get_message(timeout=5)

        appended = await event_log.append(chat, [event, outgoing("c")])
        heard = await listener.get_message(timeout=5)

    assert heard is not None
    assert heard["data"].split(b"\n") == [
        appended.epoch.encode(),
        b"2",
        event.payload,
        outgoing("c").payload,
    ]
    publication = parse_publication(heard["data"])
    assert publication == (appended.epoch, 2, [event.payload, outgoing("c").payload])
    assert chat_of(heard["channel"]) == chat


async def test_a_lost_log_begins_a_new_epoch_at_one(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    before = await event_log.append(chat, [outgoing("a"), outgoing("b")], fence=5)

    await event_log.forget(chat)
    after = await event_log.append(chat, [outgoing("c")], fence=1)

    assert after.epoch != before.epoch
    assert after.first_offset == 1
    assert await history(event_log, chat) == ["c"]


async def test_a_flushed_store_begins_new_epochs(redis: Redis, chat: ChatId) -> None:
    """In a database of its own: everything else in this one stays."""
    options = redis.connection_pool.connection_kwargs
    async with Redis(unix_socket_path=options["path"], db=9) as other:
        event_log = EventLog(other, EventSettings())
        before = await event_log.append(chat, [outgoing("a", seq=1)])

        await other.flushdb()
        with pytest.raises(OutboxGap) as caught:
            await event_log.append(chat, [outgoing("b", seq=2)])
        after = await event_log.append(chat, [outgoing("b", seq=2)], force=True)

        assert caught.value.sent == 0
        assert (after.epoch != before.epoch, after.first_offset) == (True, 1)
        await other.flushdb()


async def test_nothing_of_an_older_numbering_is_left_in_a_new_one(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    """A full store may evict the one key and keep the other."""
    await event_log.append(chat, [outgoing(name) for name in "abc"])

    await redis.delete(f"{{{chat}}}:meta")
    await event_log.append(chat, [outgoing("d")])

    assert await history(event_log, chat) == ["d"]


async def test_numbers_go_on_when_only_the_events_are_lost(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    before = await event_log.append(chat, [outgoing("a"), outgoing("b")])

    await redis.delete(f"{{{chat}}}:log")
    after = await event_log.append(chat, [outgoing("c")])

    assert after[:3] == (before.epoch, 3, 1)


async def test_every_key_goes_away_by_itself(redis: Redis, chat: ChatId) -> None:
    event_log = EventLog(redis, EventSettings(log_seconds=100))

    async def seconds_left() -> dict[str, int]:
        left = await keys_of(redis, chat)
        assert all(0 < seconds <= 200 for seconds in left.values()), left
        return left

    await event_log.read(chat)
    assert set(await seconds_left()) == {f"{{{chat}}}:meta"}
    await event_log.append(chat, [])
    await event_log.append(chat, [outgoing("a", seq=1)], fence=2)
    assert await seconds_left() == {f"{{{chat}}}:log": 100, f"{{{chat}}}:meta": 200}
    await redis.persist(f"{{{chat}}}:meta")
    await event_log.append(chat, [outgoing("a", seq=1)], fence=3)
    await seconds_left()
    with pytest.raises(StaleFence):
        await event_log.append(chat, [outgoing("b", seq=2)], fence=1)
    await seconds_left()


async def test_a_new_chats_first_append_is_not_left_for_ever(redis: Redis, chat: ChatId) -> None:
    event_log = EventLog(redis, EventSettings(log_seconds=100))

    await event_log.append(chat, [])

    assert await keys_of(redis, chat) == {f"{{{chat}}}:meta": 200}


async def test_a_log_keeps_its_newest_events_only(redis: Redis, chat: ChatId) -> None:
    """Redis trims in blocks of a hundred."""
    event_log = EventLog(redis, EventSettings(log_events=50))

    for start in range(0, 1_000, 100):
        await event_log.append(chat, [outgoing(str(n + 1)) for n in range(start, start + 100)])
    slice_ = await event_log.read(chat, first=1, limit=10_000)

    assert slice_.top.offset == 1_000
    assert 50 <= len(slice_.entries) <= 250
    assert names(slice_.entries) == [str(entry.offset) for entry in slice_.entries]
    assert slice_.entries[-1].offset == 1_000


async def test_a_full_store_takes_nothing_and_says_so(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    await event_log.append(chat, [outgoing("a")])

    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unavailable):
            await event_log.append(chat, [outgoing("b")])
    finally:
        await redis.config_set("maxmemory", "0")

    assert await history(event_log, chat) == ["a"]


async def test_an_append_may_be_large(event_log: EventLog, chat: ChatId) -> None:
    batch = [outgoing(str(n)) for n in range(3_000)]

    appended = await event_log.append(chat, [*batch, outgoing("big", size=3_000_000)])

    assert appended.added == 3_001


def test_a_chats_keys_and_channel_are_in_one_slot_of_a_cluster(chat: ChatId) -> None:
    meta, stream = module._keys(chat)

    slots = {key_slot(key) for key in (meta.encode(), stream.encode(), channel(chat))}

    assert slots == {key_slot(str(chat).encode())}


@pytest.mark.parametrize("script", sorted(Path(module.__file__).parent.glob("*.lua")))
def test_scripts_name_every_key_they_use(script: Path) -> None:
    """A cluster finds the node by ``KEYS``; a key made up inside may be on another."""
    calls = re.findall(r"redis\.call\(\s*'(\w+)'\s*,\s*([^,)]+)", script.read_text("utf-8"))

    keys = [key for command, key in calls if command != "PUBLISH"]  # a channel is no key
    assert keys
    assert all(re.fullmatch(r"KEYS\[\d\]", key) for key in keys), calls


async def test_the_owner_learns_how_much_the_log_has_of_what_it_said(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    meta, stream = f"{{{chat}}}:meta", f"{{{chat}}}:log"
    first = await event_log.append(chat, [outgoing("a"), outgoing("b")], fence=1)
    copy = await redis.dump(meta)
    second = await event_log.append(chat, [outgoing("c"), outgoing("d", seq=1)], fence=1)
    others = await event_log.append(chat, [outgoing("e")])

    assert copy is not None
    await redis.restore(meta, 0, copy, replace=True)  # as after a failover
    await redis.delete(stream)
    after = await event_log.append(chat, [outgoing("f")], fence=1)
    newer = await event_log.append(chat, [outgoing("g")], fence=2)

    assert [one.said for one in (first, second, others, after, newer)] == [2, 3, 3, 3, 1]


async def test_a_log_that_went_back_behind_durable_events_begins_anew(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    """Redis failed over to a copy without b: who came after a would be told nothing is missing."""
    before = await event_log.append(chat, [outgoing("a", seq=1), outgoing("word")], fence=1)
    async with redis.pubsub() as listener:
        await listener.subscribe(channel(chat))
        await listener.get_message(timeout=5)

        after = await event_log.append(chat, [outgoing("c", seq=3)], fence=1, force=True)
        heard = await listener.get_message(timeout=5)

    assert after.epoch != before.epoch
    assert (after.first_offset, after.said) == (1, 0)
    assert await history(event_log, chat) == ["c"]
    assert heard is not None
    assert parse_publication(heard["data"])[:2] == (after.epoch, 1)
    assert (await event_log.append(chat, [outgoing("d", seq=4)], fence=1)).epoch == after.epoch


async def test_a_log_is_begun_anew_only_if_it_lacks_what_it_should_hold(
    event_log: EventLog, chat: ChatId
) -> None:
    first = await event_log.append(chat, [outgoing("a", seq=1), outgoing("b", seq=2)], fence=4)

    assert not await event_log.renew(chat, sent=2)
    assert (await event_log.read(chat)).top == (first.epoch, 2, "b")
    assert await event_log.renew(chat, sent=5)
    epoch, offset, key = (await event_log.read(chat)).top
    assert (epoch != first.epoch, offset, key) == (True, 0, None)
    with pytest.raises(StaleFence):
        await event_log.append(chat, [outgoing("stale")], fence=3)
    assert (await event_log.append(chat, [outgoing("f", seq=6)], fence=4)).first_offset == 1
