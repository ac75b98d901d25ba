"""A node that hears publications late, because it or Redis is busy, loses nobody."""

import asyncio
from collections import deque
from typing import Any

import pytest
from redis.asyncio import Redis

from app.events.log import LogSlice, Publication
from app.kit.ids import ChatId
from tests.connections.scene import Station, client, loses, station
from tests.events.scene import outgoing

LATE_SECONDS = 0.15
EVENTS = 200


async def _hold_back(at: Station) -> None:
    """Have every publication come late from now on, in order."""
    loop = asyncio.get_running_loop()
    deliver, waiting = at.wire.deliver, deque[tuple[ChatId, Publication]]()

    def late(chat_id: ChatId, publication: Publication) -> None:
        waiting.append((chat_id, publication))
        loop.call_later(LATE_SECONDS, lambda: deliver(*waiting.popleft()))

    at.wire.deliver = late  # type: ignore[method-assign]


async def test_everybody_stays_and_gets_everything(redis: Redis, chat: ChatId) -> None:
    """Events that the log told of came again by the subscription, each a doubt; and a doubt
    that came in the middle of a look was taken for a log that had been cut off.
    """
    async with station(redis, tick_active_seconds=LATE_SECONDS + 0.05) as at:
        browser = client(at, chat)
        await browser.join()
        await _hold_back(at)

        for number in range(EVENTS):
            await at.append(chat, f"e{number}")
            await asyncio.sleep(0.002)
        await browser.read(until=f"e{EVENTS - 1}")

        assert browser.connection.ended is None
        assert at.log.reads < EVENTS / 4


async def test_a_doubt_that_comes_while_the_log_is_read_only_makes_it_be_read_again(
    here: Station, chat: ChatId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for a log that had been cut off: everybody was sent away with 4110."""
    browser = client(here, chat)
    await browser.join()
    await here.append_and_wait(chat, "a", "b")
    older = Publication(browser.epoch, 1, [outgoing("a").payload])
    read = here.log.read

    async def interrupted(*args: Any, **options: Any) -> LogSlice:
        slice_ = await read(*args, **options)
        monkeypatch.undo()
        here.hub.deliver(chat, older)
        return slice_

    here.wire.loses = loses("c")
    await here.append_and_wait(chat, "c")
    monkeypatch.setattr(here.log, "read", interrupted)
    await here.append(chat, "d")

    await browser.read(until="d")
    assert browser.keys == ["a", "b", "c", "d"]
