"""Thousands of comings and goings while events are appended and some of them get lost."""

import asyncio
import random

import pytest
from redis.asyncio import Redis

from app.events.log import Publication
from app.kit.ids import ChatId, new_chat_id
from app.protocol.close import NO_CONTINUITY, ConnectionEnded
from tests.connections.scene import Client, Station, client, station

BROWSERS = 12
ROUNDS = 250  # each browser joins as often


class Browser:
    """Comes and goes with its position, and now and then without."""

    def __init__(self, here: Station, chat_id: ChatId, rng: random.Random) -> None:
        self._here = here
        self._chat_id = chat_id
        self._rng = rng
        self.now: Client | None = None
        self.continued = 0

    async def stay(self) -> Client:
        """Join, watch for a moment, and return what the page holds then. If too much is lost
        meanwhile, it is sent away and comes again.
        """
        while not await self._has_stayed():
            pass
        return self.page

    @property
    def page(self) -> Client:
        assert self.now is not None
        return self.now

    async def _has_stayed(self) -> bool:
        before, self.now = self.now, client(self._here, self._chat_id)
        position = None
        if before is not None and self._rng.random() < 0.8:
            position = before.position
            self.now.keys, self.now.offset = list(before.keys), before.offset
        self._here.hub.admit(self.now.connection)
        entrance = await self.now.enter(position)
        await self._dawdle()
        try:
            await self.now.go_live(entrance)
        except ConnectionEnded as ended:
            if ended.close != NO_CONTINUITY:
                raise
            self._here.hub.leave(self.now.connection)
            self.now = before
            return False
        self.continued += self.now.reason is None
        await self._dawdle()
        self.now.read_waiting()
        return True

    def leave(self) -> None:
        assert self.page.connection.ended is None
        self._here.hub.leave(self.page.connection)

    async def _dawdle(self) -> None:
        for _ in range(self._rng.choice([0, 0, 1, 5, 20])):
            await asyncio.sleep(0)


@pytest.mark.parametrize("loss", [0.0, 0.1], ids=["nothing lost", "a tenth lost"])
async def test_no_browser_misses_an_event_or_gets_one_twice(redis: Redis, loss: float) -> None:
    rng = random.Random(5)
    chat_id = new_chat_id()
    async with station(redis, log_events=1_000_000, tick_active_seconds=0.2) as here:
        browsers = [Browser(here, chat_id, rng) for _ in range(BROWSERS)]
        appended: list[str] = []
        enough = asyncio.Event()

        def lose(_: Publication) -> bool:
            return rng.random() < loss

        async def write() -> None:
            while not enough.is_set():
                batch = [f"{len(appended) + n}" for n in range(rng.choice([1, 1, 1, 3]))]
                appended.extend(batch)
                await here.append(chat_id, *batch)
                await asyncio.sleep(rng.choice([0, 0.001]))

        async def come_and_go(browser: Browser) -> None:
            for _ in range(ROUNDS):
                await browser.stay()
                browser.leave()

        here.wire.loses = lose
        async with asyncio.timeout(60):
            writer = asyncio.create_task(write())
            await asyncio.gather(*map(come_and_go, browsers))
            enough.set()
            await writer

            here.wire.loses = lambda _: False
            pages = [await browser.stay() for browser in browsers]
            await here.append(chat_id, "end")
            for page in pages:
                await page.read(until="end")

    stored = [*appended, "end"]
    assert len(stored) > 200
    for page in pages:
        assert page.keys == stored
    assert sum(browser.continued for browser in browsers) > BROWSERS * ROUNDS / 2
