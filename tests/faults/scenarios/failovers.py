"""Redis that falls back to what it once was, and counts on from there."""

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from app.events.log import EventLog
from app.kit.ids import ChatId
from app.protocol.close import NO_CONTINUITY
from app.settings import EventSettings
from tests.faults.client import Tab, Turn
from tests.faults.journal import Frame
from tests.faults.scenario import Context, Result, scenario
from tests.support.waiting import eventually

_BUSY_SECONDS = 1.5  # what a busy machine may add
_SOON = 10.0  # seconds; who does not know by then never will


@scenario("R9", "failover that lost the tail and reused its numbers")
async def failed_over(context: Context) -> Result:
    """Redis dies, and what takes over was behind: the newest events are gone, and others get
    their numbers. Chats are in the middle of an answer, silent in the middle of one, at rest,
    or younger than the copy; some people were away meanwhile, and some since before the copy:
    the log ends where they left, as if nothing had been said. Recovery: from its return until a
    tab has let go of what is gone.
    """
    rounds = 2 * context.size
    for number in range(rounds):
        await _fail_over(context, f"r9-{context.seed}-{number}")
    await context.rest()
    await _check_kept(context)
    worst = max(context.recoveries)
    limit = context.fleet.pace.seconds(20) + _BUSY_SECONDS  # a client's longest backoff
    context.check("I11", worst <= limit, f"a tab kept what is gone for {worst:.2f} s")
    why = Counter(entry.data.get("reason", "resumed") for entry in context.journal.of("welcome"))
    return await context.finish(rounds=rounds, reasons=dict(why))


@dataclass
class _Chat:
    """A chat that is asked through one node and watched through another."""

    session: Frame
    tabs: list[Tab]
    turns: list[Turn] = field(default_factory=list)

    @classmethod
    async def begin(cls, context: Context, *parts: str, pace: float = 0.0) -> "_Chat":
        session = await context.start()
        nodes = context.dice.sample(context.fleet.nodes, 2)
        chat = cls(session, [await context.tab(session, on=node) for node in nodes])
        await chat.ask(context, *parts, pace=pace)
        return chat

    async def ask(self, context: Context, *parts: str, pace: float = 0.0) -> None:
        turn = await self.tabs[0].ask(context.script(*parts, pace=pace))
        await turn.acked()
        self.turns.append(turn)

    async def all_hear(self, words: int) -> None:
        """Wait until every tab has so many words of the answer."""
        run = self.turns[-1].run_id
        for tab in self.tabs:
            await tab.until(lambda tab=tab: tab.state.partial_of(run).count(" ") >= words)  # type: ignore[misc]

    async def all_know_the_end(self) -> None:
        run = self.turns[-1].run_id
        for tab in self.tabs:
            await tab.until(lambda tab=tab: run in tab.state.ends)  # type: ignore[misc]

    async def talk(self, context: Context) -> None:
        """Have a short question answered."""
        await self.ask(context, f"say:{context.dice.randrange(1, 30)}")
        await self.all_know_the_end()


async def _fail_over(context: Context, gate: str) -> None:
    redis, signs = context.fleet.stores.redis, context.fleet.signs
    streaming = [await _Chat.begin(context, "say:150", pace=0.02) for _ in range(2)]
    silent = await _Chat.begin(context, f"say:5 wait:{gate} say:30 wait:{gate}s say:40", pace=0.01)
    resting = [await _Chat.begin(context, "say:10") for _ in range(6)]
    kept, idle, left, reused, *unaware = resting
    away = {chat.session["chat_id"]: await context.tab(chat.session) for chat in (left, reused)}
    for chat in resting:
        await chat.all_know_the_end()
    for chat in streaming:
        await chat.all_hear(context.dice.randrange(2, 20))
    await silent.all_hear(5)
    long_away = [await context.tab(chat.session) for chat in unaware]
    for chat, tab in zip(unaware, long_away, strict=True):
        await _leaves(chat, tab)

    redis.save()
    signs.open(gate)
    for chat in (idle, left, reused, *unaware):
        for _ in range(context.dice.randrange(1, 3)):
            await chat.talk(context)
    young = await _Chat.begin(context, "say:10")
    await young.all_know_the_end()
    await eventually(lambda: _is(signs.is_reached(f"{gate}s")))
    for chat in (left, reused):
        await _leaves(chat, away[chat.session["chat_id"]])
    await silent.all_hear(35)

    lost = (*streaming, silent, idle, left, reused, *unaware, young)
    held = [(tab, tab.state) for chat in lost for tab in chat.tabs]
    context.journal.fault("fails over")
    await redis.restart(data="saved", kill=True)
    back_at = context.journal.fault("back")
    async with asyncio.TaskGroup() as group:
        for tab, state in held:
            group.create_task(_lets_go(context, tab, state, back_at))
        group.create_task(_comes_back(context, away[left.session["chat_id"]], "ahead"))
        group.create_task(_numbers_reused(context, reused, away[reused.session["chat_id"]]))
        for chat, tab, is_early in zip(unaware, long_away, (True, False), strict=True):
            group.create_task(_returns_unaware(context, chat, tab, is_early=is_early))
    signs.open(f"{gate}s")
    for chat in (*streaming, silent, kept):
        await chat.all_know_the_end()


async def _leaves(chat: _Chat, tab: Tab) -> None:
    """Have somebody leave who knows all that was said."""
    await tab.until(lambda: tab.cursor == chat.tabs[0].cursor)
    await tab.close()


async def _lets_go(context: Context, tab: Tab, held: object, since: float) -> None:
    """Wait for a tab's snapshot; nothing less rids it of events that are gone."""
    await tab.until(lambda: tab.state is not held)
    context.recoveries.append(time.monotonic() - since)


async def _comes_back(context: Context, tab: Tab, why: Literal["ahead", "rewound"]) -> None:
    """Have somebody return who was away, and holds what is gone."""
    before = len(context.journal.entries)
    tab.open()
    await tab.live()
    came = [entry for entry in context.journal.entries[before:] if entry.tab == tab.name]
    said = next(entry.data.get("reason") for entry in came if entry.kind == "welcome")
    # Where somebody still counts by the log that is no more, the proof itself may fail.
    failed = any(entry.data.get("code") == NO_CONTINUITY.code for entry in came)
    # Once the loss has been found by somebody else, the log may have begun anew.
    right = said in {why, "epoch"} or (failed and said == "first")
    context.check("I11", right, f"{tab.name} should be told {why}, and was told {said}")


async def _numbers_reused(context: Context, chat: _Chat, tab: Tab) -> None:
    """Let others talk until the numbers that somebody holds belong to other events."""
    here = chat.tabs[0]
    assert tab.cursor is not None
    offset = tab.cursor["offset"]
    while here.cursor is None or here.cursor["offset"] <= offset:
        await chat.talk(context)
    await _comes_back(context, tab, "rewound")


async def _returns_unaware(context: Context, chat: _Chat, tab: Tab, *, is_early: bool) -> None:
    """Have somebody return whose last event is the log's last again. That more was said, and is
    gone, shows when the chat goes on: before the return, or after it.
    """
    if not is_early:
        await chat.talk(context)
    tab.open()
    await tab.live()
    if is_early:
        await chat.talk(context)
    runs = {turn.run_id for turn in chat.turns}
    with contextlib.suppress(TimeoutError):
        await tab.until(lambda: tab.is_live and tab.state.ends.keys() >= runs, _SOON)
    lacks = runs - tab.state.ends.keys()
    when = "before" if is_early else "after"
    context.check("I11", not lacks, f"{tab.name} came {when} the chat went on, and lacks {lacks}")


async def _check_kept(context: Context) -> None:
    """Nobody may hold an event that is not the log's, at its number."""
    log = EventLog(context.fleet.stores.redis.client, EventSettings())
    for session in context.sessions:
        slice_ = await log.read(ChatId(UUID(session["chat_id"])), first=1, limit=5_000)
        keys = {entry.offset: entry.key for entry in slice_.entries}
        for tab in context.tabs_of(session):
            same = tab.cursor == slice_.top._asdict()
            context.check("I3", same, f"{tab.name} is at {tab.cursor}, the log at {slice_.top}")
            for event in context.journal.held(tab.name):
                right = keys.get(event["offset"]) == event["key"]
                context.check("I3", right, f"{tab.name} holds what is not the log's: {event}")


async def _is(value: bool) -> bool:
    return value
