"""Reading: where a log ends and what follows a position, in one instant."""

import pytest
from redis.asyncio import Redis

from app.events.log import EventLog
from app.kit.ids import ChatId, new_chat_id
from app.protocol.replay import Entry, Top
from tests.events.scene import names, outgoing


async def fill(event_log: EventLog, chat: ChatId, count: int, *, size: int = 0) -> str:
    appended = await event_log.append(
        chat, [outgoing(f"k{n}", size=size) for n in range(1, count + 1)]
    )
    return appended.epoch


async def test_a_chat_without_events_has_an_epoch_already(
    event_log: EventLog, chat: ChatId
) -> None:
    slice_ = await event_log.read(chat)
    again = await event_log.read(chat)
    appended = await event_log.append(chat, [outgoing("a")])

    assert slice_ == again == (Top(appended.epoch, 0, None), [])


async def test_a_read_without_a_limit_tells_the_end_only(event_log: EventLog, chat: ChatId) -> None:
    epoch = await fill(event_log, chat, 3)

    assert await event_log.read(chat) == (Top(epoch, 3, "k3"), [])


@pytest.mark.parametrize(
    ("first", "limit", "offsets"),
    [
        (1, 100, [1, 2, 3, 4, 5]),
        (4, 100, [4, 5]),
        (5, 100, [5]),
        (6, 100, []),
        (2**53 - 1, 100, []),
        (2, 2, [2, 3]),
        (1, 5, [1, 2, 3, 4, 5]),
    ],
)
async def test_events_are_read_from_one_on(
    event_log: EventLog, chat: ChatId, first: int, limit: int, offsets: list[int]
) -> None:
    await fill(event_log, chat, 5)

    slice_ = await event_log.read(chat, first=first, limit=limit)

    assert [entry.offset for entry in slice_.entries] == offsets
    assert slice_.entries == [Entry(n, f"k{n}", outgoing(f"k{n}").payload) for n in offsets]
    assert slice_.top.offset == 5


@pytest.mark.parametrize("limit", [99, 100, 101, 250, 251, 1_000])
async def test_a_long_log_is_read_whole(event_log: EventLog, chat: ChatId, limit: int) -> None:
    await fill(event_log, chat, 251)

    slice_ = await event_log.read(chat, first=1, limit=limit)

    assert [entry.offset for entry in slice_.entries] == list(range(1, min(limit, 251) + 1))


@pytest.mark.parametrize(("max_bytes", "last"), [(1, 3), (1_200, 4), (2_400, 5), (99_999, 9)])
async def test_a_read_stops_with_the_event_that_passes_its_bytes(
    event_log: EventLog, chat: ChatId, max_bytes: int, last: int
) -> None:
    """Some 1,050 bytes each; the first one, the reader's own, does not count."""
    await fill(event_log, chat, 9, size=1_000)

    slice_ = await event_log.read(chat, first=2, limit=100, max_bytes=max_bytes)

    assert [entry.offset for entry in slice_.entries] == list(range(2, last + 1))


async def test_if_the_first_event_is_gone_the_next_one_counts(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    await fill(event_log, chat, 5, size=1_000)
    await redis.xdel(f"{{{chat}}}:log", "2-0")

    slice_ = await event_log.read(chat, first=2, limit=100, max_bytes=1)

    assert [entry.offset for entry in slice_.entries] == [3]


async def test_the_end_is_remembered_longer_than_the_events(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    epoch = await fill(event_log, chat, 3)
    await redis.delete(f"{{{chat}}}:log")

    slice_ = await event_log.read(chat, first=3, limit=10)

    assert (slice_.top, slice_.entries) == (Top(epoch, 3, "k3"), [])
    assert slice_.holds(3, "k3")
    assert not slice_.holds(3, "other")
    assert not slice_.holds(2, "k2")


async def test_a_new_numbering_has_nothing_of_the_old_one(
    event_log: EventLog, chat: ChatId, redis: Redis
) -> None:
    """Old events used to be read as those of the new numbering when only the end was lost."""
    await fill(event_log, chat, 3)
    await redis.delete(f"{{{chat}}}:meta")

    slice_ = await event_log.read(chat, first=1, limit=10)
    again = await event_log.read(chat, first=1, limit=10)

    assert slice_ == again == (Top(slice_.top.epoch, 0, None), [])


async def test_events_are_read_backwards_in_blocks(event_log: EventLog, chat: ChatId) -> None:
    await fill(event_log, chat, 5)

    assert names(await event_log.read_back(chat, last=4, limit=3)) == ["k4", "k3", "k2"]
    assert names(await event_log.read_back(chat, last=1, limit=3)) == ["k1"]
    assert await event_log.read_back(new_chat_id(), last=1, limit=3) == []


async def test_the_ends_of_many_logs_are_told_in_order(event_log: EventLog) -> None:
    full, empty, unknown = new_chat_id(), new_chat_id(), new_chat_id()
    epoch = await fill(event_log, full, 3)
    begun = (await event_log.read(empty)).top

    tops = await event_log.tops([unknown, full, empty])
    assert tops == {unknown: None, full: Top(epoch, 3, "k3"), empty: begun}
    assert await event_log.tops([]) == {}


async def test_a_forgotten_log_is_gone(event_log: EventLog, chat: ChatId, redis: Redis) -> None:
    await fill(event_log, chat, 3)

    await event_log.forget(chat)

    assert await redis.exists(f"{{{chat}}}:log", f"{{{chat}}}:meta") == 0
    assert await event_log.tops([chat]) == {chat: None}
