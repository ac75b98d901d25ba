"""How words become events: at once, then collected, and never without bound."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from app.embedded.servers import Addresses
from app.events.log import Appended, EventLog, Outgoing
from app.events.outbox import Durable, EventPublisher
from app.kit.clock import SystemClock
from app.kit.errors import Unavailable
from app.kit.ids import ChatId, SessionId, new_chat_id, new_message_id, new_run_id
from app.protocol.codec import decode, encode
from app.protocol.events import new_key
from app.runs import emitter as module
from app.runs.emitter import Emitter
from app.runs.errors import AnswerTooLong
from app.runs.types import Claim
from app.settings import EventSettings, RedisSettings, RunSettings
from app.storage.postgres import Postgres
from app.storage.redis import connect
from app.users.types import Owner
from tests.runs.scene import until
from tests.support.client import Event
from tests.support.proxy import LOST, proxied

NEVER = 3_600_000  # milliseconds


def claim() -> Claim:
    chat_id = new_chat_id()
    return Claim(
        run_id=new_run_id(),
        chat_id=chat_id,
        session_id=SessionId("session-x"),
        message_id=new_message_id(),
        answer_id=new_message_id(),
        agent="any",
        thread_id=chat_id,
        text="",
        owner=Owner(None, None),
        attempt=1,
        fence=3,
    )


class Scene:
    """An emitter on the real log, without a run around it."""

    def __init__(
        self, redis: Redis, postgres: Postgres, *, log: EventLog | None = None, **settings: int
    ) -> None:
        self.run = claim()
        self.log = log or EventLog(redis, EventSettings())
        self.was_lost = False
        first = {"type": "first", "key": new_key()}
        self.emitter = Emitter(
            self.run,
            first=Durable(
                self.run.chat_id, self.run.fence, [Outgoing(encode(first), first["key"], seq=1)]
            ),
            publisher=EventPublisher(
                event_log=self.log, postgres=postgres, settings=EventSettings()
            ),
            settings=RunSettings(**settings),
            clock=SystemClock(),
            on_stale=self.lost,
        )

    def lost(self) -> None:
        self.was_lost = True

    @contextlib.asynccontextmanager
    async def pumping(self) -> AsyncIterator[Emitter]:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(self.emitter.pump())
            yield self.emitter
            self.emitter.close()

    async def told(self) -> list[Event]:
        found = await self.log.read(self.run.chat_id, first=1, limit=10_000)
        return [decode(one.payload) for one in found.entries]

    async def deltas(self) -> list[str]:
        return [one["text"] for one in await self.told() if one["type"] == "message_delta"]


async def test_the_first_words_go_at_once_and_later_ones_are_collected(
    redis: Redis, postgres: Postgres
) -> None:
    scene = Scene(redis, postgres, delta_ms=NEVER, delta_chars=10)
    async with scene.pumping() as emitter:

        async def have_come(count: int) -> None:
            async def come() -> bool:
                return len(await scene.deltas()) == count

            await until(come)

        emitter.say("a")
        await have_come(1)
        for letter in "bcdefghij":
            emitter.say(letter)
        assert await scene.deltas() == ["a"]
        emitter.say("k")
        await have_come(2)
        emitter.say("rest")

    assert await scene.deltas() == ["a", "bcdefghijk", "rest"]
    told = await scene.told()
    assert [one["type"] for one in told] == ["first", "message_started", *["message_delta"] * 3]
    assert [one["chunk"] for one in told[2:]] == [0, 1, 2]


async def test_collected_words_go_when_their_time_has_come(
    redis: Redis, postgres: Postgres
) -> None:
    scene = Scene(redis, postgres, delta_ms=40, delta_chars=1_000_000)
    async with scene.pumping() as emitter:
        for number in range(100):
            emitter.say(f"{number} ")
            await asyncio.sleep(0.005)

    deltas = await scene.deltas()
    assert "".join(deltas) == "".join(f"{number} " for number in range(100))
    assert deltas[0] == "0 "
    # about 100 × 5 ms: some twelve times 40 ms; a slow machine makes fewer of them
    assert 3 <= len(deltas) <= 30


async def test_progress_never_overtakes_the_words_before_it(
    redis: Redis, postgres: Postgres
) -> None:
    scene = Scene(redis, postgres, delta_ms=NEVER)
    async with scene.pumping() as emitter:
        emitter.say("a")
        await until(lambda: not emitter._words)
        emitter.say("b")
        emitter.emit("aggregating")
        emitter.say("c")

    told = [one.get("text", one["type"]) for one in await scene.told()]
    assert told == ["first", "message_started", "a", "b", "aggregating", "c"]


async def test_an_answer_that_outgrows_its_limit_is_refused_with_the_words_before_kept(
    redis: Redis, postgres: Postgres
) -> None:
    scene = Scene(redis, postgres, answer_chars=1_000)
    async with scene.pumping() as emitter:
        emitter.say("x" * 1_000)
        with pytest.raises(AnswerTooLong):
            emitter.say("y")

    assert scene.emitter.text == "x" * 1_000


async def test_a_newer_owner_is_noticed_and_nothing_more_is_written(
    redis: Redis, postgres: Postgres
) -> None:
    scene = Scene(redis, postgres)
    newer = {"type": "newer", "key": new_key()}
    async with scene.pumping() as emitter:
        emitter.say("a")
        await until(lambda: not emitter._words)
        await scene.log.append(
            scene.run.chat_id, [Outgoing(encode(newer), newer["key"])], fence=scene.run.fence + 1
        )

        emitter.say("b")
        await until(lambda: scene.was_lost)
        emitter.say("c")
        emitter.emit("aggregating")

    assert [one["type"] for one in await scene.told()][-1] == "newer"
    assert scene.emitter.text == "abc"  # what was said is still known here
    assert scene.emitter._pending == []


async def test_what_a_failover_has_lost_of_the_answer_is_said_again(
    redis: Redis, postgres: Postgres
) -> None:
    scene = Scene(redis, postgres, delta_ms=0)
    keys = [f"{{{scene.run.chat_id}}}:{name}" for name in ("meta", "log")]
    async with scene.pumping() as emitter:

        async def is_told(text: str) -> None:
            async def told() -> bool:
                return text in str(await scene.told())

            await until(told)

        emitter.say("kept ")
        await is_told("kept")
        copies = [await redis.dump(key) for key in keys]
        emitter.say("lost ")
        await is_told("lost")
        for key, copy in zip(keys, copies, strict=True):
            assert copy is not None
            await redis.restore(key, 0, copy, replace=True)
        await scene.log.append(
            scene.run.chat_id, [Outgoing(b'{"type":"x","key":"x"}', "x")] * 9
        )  # others

        emitter.say("new ")
        await is_told("message_text")

    [whole] = [one for one in await scene.told() if one["type"] == "message_text"]
    assert whole["text"] == "kept lost new "


async def test_an_append_whose_answer_was_lost_is_not_repeated(
    stores: Addresses, postgres: Postgres
) -> None:
    async with proxied(stores) as proxies:
        redis = connect(proxies.addresses.redis_url, RedisSettings(command_seconds=0.3))
        scene = Scene(redis, postgres, delta_ms=0)
        async with scene.pumping() as emitter:
            emitter.say("one ")
            await until(lambda: emitter._said == 2)
            proxies.redis.fault(down=LOST)  # commands arrive, answers do not
            emitter.emit("aggregating")
            await until(lambda: bool(emitter._unsettled))
            emitter.emit("responding")
            emitter.say("two")
            proxies.redis.fault()
            await until(lambda: "two" in emitter.text and not emitter._unsettled)
        told = [one["type"] for one in await scene.told()]
        await redis.aclose()

    assert told == [
        *("first", "message_started", "message_delta", "aggregating", "responding"),
        "message_text",
    ]


class Refusing(EventLog):
    """The real log, but out of reach whenever something with this text is to be appended."""

    text = b"refused"

    async def append(self, chat_id: ChatId, events: Sequence[Outgoing], **given: Any) -> Appended:
        if any(self.text in one.payload for one in events):
            raise Unavailable("Redis is away for a moment.")
        return await super().append(chat_id, events, **given)


async def test_words_at_the_end_are_not_said_without_those_before_them(
    redis: Redis, postgres: Postgres
) -> None:
    """Redis was back between the two last appends: a screen showed an answer with a hole."""
    scene = Scene(redis, postgres, log=Refusing(redis, EventSettings()), delta_ms=0, delta_chars=1)
    async with scene.pumping() as emitter:
        emitter.say("told ")

        async def told() -> bool:
            return await scene.deltas() == ["told "]

        await until(told)
        emitter.say("refused ")

        async def refused() -> bool:
            return bool(emitter._unsettled)

        await until(refused)
        emitter.say("later ")

    assert await scene.deltas() == ["told "]
    assert emitter.text == "told refused later "


async def test_what_piles_up_while_nobody_takes_it_is_bounded(
    redis: Redis, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PENDING_EVENTS", 10)
    scene = Scene(redis, postgres)
    for number in range(100):
        scene.emitter.say(f"{number} ")
        scene.emitter.emit("custom", name="n", payload=number)
        assert len(scene.emitter._pending) <= 10

    async with scene.pumping():
        pass

    told = await scene.told()
    [whole] = [one for one in told if one["type"] == "message_text"]
    assert whole["text"] == scene.emitter.text
    assert [one["payload"] for one in told if one["type"] == "custom"] == list(range(95, 100))


async def test_after_the_close_nobody_hears_it(redis: Redis, postgres: Postgres) -> None:
    """An abandoned graph goes on talking: that must not pile up either."""
    scene = Scene(redis, postgres)
    async with scene.pumping() as emitter:
        emitter.say("a")
    before = await scene.told()

    emitter.say("b")
    emitter.emit("aggregating")

    assert (emitter.text, emitter._pending, emitter._words) == ("a", [], [])
    assert await scene.told() == before


async def test_an_event_that_breaks_the_log_does_not_break_the_run(
    redis: Redis, postgres: Postgres
) -> None:
    """The pump's death took the run with it and left its graph running for nobody."""
    scene = Scene(redis, postgres)
    async with scene.pumping() as emitter:
        emitter.emit("custom", name="n", payload=object())
        await until(lambda: emitter._is_dead)
        emitter.say("the answer")

    assert emitter.text == "the answer"
    assert scene.was_lost is False
