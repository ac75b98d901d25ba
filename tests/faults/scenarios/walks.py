"""Anything in any order: random walks, beside which a model says what may come of them."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.faults.client import Refused, Tab
from tests.faults.model import Asked, Chat
from tests.faults.nodes import Node
from tests.faults.scenario import Context, Result, scenario
from tests.faults.script import Script

_STEPS = 30
_CHATS = 2
_MOST_TABS = 4  # of a chat
_MOST_WAITING = 4  # more might be refused, which is another scenario's
_MOST_KILLS = 1  # of a walk: a run that loses its node for the second time ends as failed
_BUSY = "run_in_progress"


@scenario("R30", "random walks over all that people, nodes and Redis may do")
async def walked(context: Context) -> Result:
    """Questions by every policy, some with tools, some held up; stops; connections cut, pages
    loaded again, left and returned to; nodes killed and started, Redis flushed. After each
    walk all comes to rest and is checked, and each question must have ended in a way that the
    model allows. Recovery: from a connection's end until its tab is live again.
    """
    walks = 2 * context.size
    results: list[Result] = []
    for number in range(walks):
        own = Context(context.fleet, context.number, context.dice, context.seed, context.size)
        walk = Walk(own, f"r30-{context.seed}-{number}")
        try:
            results.append(await walk.walk(_STEPS + 5 * (context.size - 1)))
        except BaseException as error:
            error.add_note("\n".join(walk.trace))
            raise
        finally:
            await own.close()
            context.journal.entries += own.journal.entries
        context.recoveries += own.journal.absences()
        if results[-1].violations:
            break
    for result in results:
        context.checks += result.checks
    return Result(
        number=context.number,
        seed=context.seed,
        rounds=len(results),
        clients=sum(result.clients for result in results),
        events=sum(result.events for result in results),
        violations=[one for result in results for one in result.violations],
        checks=context.checks,
        recoveries=context.recoveries,
        figures={"steps": sum(result.rounds for result in results)},
    )


class Walk:
    """One walk, and the model beside it."""

    def __init__(self, context: Context, name: str) -> None:
        self.context = context
        self.name = name
        self.trace: list[str] = []
        self._dice = context.dice
        self._chats: list[Chat] = []
        self._kills = 0
        self._starting: dict[Node, asyncio.Task[None]] = {}
        self._rules: dict[Callable[[], Awaitable[str | None]], int] = {
            self._ask: 8,
            self._open_gate: 4,
            self._stop: 3,
            self._cut: 5,
            self._reload: 2,
            self._open_tab: 2,
            self._leave: 2,
            self._return: 3,
            self._flush: 1,
            self._kill: 1,
            self._start_node: 2,
            self._tick: 4,
        }

    async def walk(self, steps: int) -> Result:
        for _ in range(_CHATS):
            chat = Chat(await self.context.start())
            chat.tabs = [await self.context.tab(chat.session) for _ in range(2)]
            self._chats.append(chat)
        while len(self.trace) < steps:
            [rule] = self._dice.choices(list(self._rules), list(self._rules.values()))
            done = await rule()
            if done is not None:
                self.trace.append(f"{len(self.trace) + 1}. {done}")
                self.context.journal.fault(done)
                await asyncio.sleep(self._dice.random() * 0.1)
        await self._settle()
        await self._judge()
        result = await self.context.finish(rounds=len(self.trace), ends=("completed", "cancelled"))
        if result.violations:
            first = result.violations[0]
            result.violations[0] = first._replace(what="\n  ".join([first.what, *self.trace]))
        return result

    # Rules: each does one thing and says what, or finds nothing to do

    async def _ask(self) -> str | None:
        chat = self._dice.choice(self._chats)
        unsettled = [one for one in chat.asked if not chat.is_over(one)]
        if not chat.open_tabs or len(unsettled) > _MOST_WAITING:
            return None
        tab = self._dice.choice(chat.open_tabs)
        policy = self._dice.choice(["queue", "queue", "reject", "replace"])
        name = f"{self.name}-{sum(len(one.asked) for one in self._chats)}"
        gate = name if self._dice.random() < 0.5 else None
        tool = f"{name}-tool" if self._dice.random() < 0.3 else None
        script = Script(name, self._parts(gate, tool), self.context.seed, 0.01)
        held_by = next((one for one in unsettled if one.is_surely_open), None)
        for one in chat.asked:
            one.must_run = one.must_run and one.is_answered
        turn = await tab.ask(script, on_busy=policy)
        asked = Asked(turn, policy, gate, tool, is_held=gate is not None)
        if policy == "reject":
            asked.held_by, asked.must_run = held_by, not unsettled
        if policy == "replace":
            for one in unsettled:
                self._note_stop(one, lambda: turn.ack is not None)
        chat.asked.append(asked)
        return f"{tab.name} asks {script.question!r}, {policy}"

    def _parts(self, gate: str | None, tool: str | None) -> tuple[str, ...]:
        words, more = self._dice.randrange(1, 30), self._dice.randrange(1, 20)
        if tool is not None:
            at = f"@{gate}" if gate is not None else ""
            return (f"say:{words}", f"tool:{tool}{at} say:{more}")
        if gate is None:
            return (f"say:{words}", f"say:{more}")
        waits = f"wait:{gate} say:{more}"
        apart = self._dice.random() < 0.5
        return (f"say:{words}", waits) if apart else (f"say:{words} {waits}",)

    async def _open_gate(self) -> str | None:
        held = [one for chat in self._chats for one in chat.asked if one.is_held]
        if not held:
            return None
        one = self._dice.choice(held)
        self._let_go(one)
        return f"{one.gate} opens"

    def _let_go(self, one: Asked) -> None:
        """Let a run end; what is not yet certain will never be."""
        assert one.gate is not None
        one.must_stop = one.must_stop or any(is_acked() for is_acked in one.stops)
        one.is_held = False
        self._forget_holder(one)
        self.context.fleet.signs.open(one.gate)

    def _forget_holder(self, holder: Asked) -> None:
        for chat in self._chats:
            for one in chat.asked:
                if one.held_by is holder and not one.is_answered:
                    one.held_by = None

    def _note_stop(self, one: Asked, is_acked: Callable[[], bool]) -> None:
        if one.turn.ack is None:  # perhaps the wish comes first, and is none for this run
            one.stops.append(lambda: False)
        else:
            one.stops.append(is_acked)
        self._forget_holder(one)

    async def _stop(self) -> str | None:
        chat = self._dice.choice(self._chats)
        wanted = [one for one in chat.asked if one.turn.ack and not chat.is_over(one)]
        live = [tab for tab in chat.open_tabs if tab.is_live]
        if not wanted or not live:
            return None
        one, tab = self._dice.choice(wanted), self._dice.choice(live)
        id_ = await tab.send("cancel", run_id=one.turn.run_id)

        def is_acked() -> bool:
            acks = tab.journal.of("ack")
            return any(entry.tab == tab.name and entry.data["id"] == id_ for entry in acks)

        self._note_stop(one, is_acked)
        return f"{tab.name} stops {one.turn.run_id}"

    async def _cut(self) -> str | None:
        tab = self._any_open()
        link = tab.link if tab is not None else None
        if tab is None or link is None:
            return None
        how = self._dice.choice(["reset", "half", "mid-frame", "drop"])
        match how:
            case "reset":
                link.cut()
            case "half":
                link.half_close()
            case "mid-frame":
                link.cut_after(self._dice.randrange(1, 400))
            case _:
                tab.drop()
        return f"{tab.name} is cut: {how}"

    async def _reload(self) -> str | None:
        tab = self._any_open()
        if tab is None:
            return None
        tab.reload()
        return f"{tab.name} is loaded again"

    async def _open_tab(self) -> str | None:
        chat = self._dice.choice(self._chats)
        if len(chat.tabs) >= _MOST_TABS:
            return None
        chat.tabs.append(await self.context.tab(chat.session, live=False))
        return f"{chat.tabs[-1].name} comes"

    async def _leave(self) -> str | None:
        tab = self._any_open()
        if tab is None:
            return None
        await tab.close()
        return f"{tab.name} leaves"

    async def _return(self) -> str | None:
        away = [tab for chat in self._chats for tab in chat.tabs if tab.has_left]
        if not away:
            return None
        tab = self._dice.choice(away)
        tab.open()
        return f"{tab.name} returns"

    async def _flush(self) -> str | None:
        await self.context.fleet.stores.redis.flush()
        return "Redis is flushed"

    async def _kill(self) -> str | None:
        running = [node for node in self.context.fleet.running if node not in self._starting]
        if len(running) < 2 or self._kills == _MOST_KILLS:
            return None
        self._kills += 1
        node = self._dice.choice(running)
        await node.kill()
        return f"{node.name} is killed"

    async def _start_node(self) -> str | None:
        nodes = self.context.fleet.nodes
        down = [one for one in nodes if not one.is_running and one not in self._starting]
        if not down:
            return None
        self._starting[down[0]] = starting = asyncio.create_task(down[0].start())
        starting.add_done_callback(lambda _: self._starting.pop(down[0]))
        return f"{down[0].name} starts"

    async def _tick(self) -> str | None:
        seconds = self._dice.random() * self.context.seconds(8)
        await asyncio.sleep(seconds)
        return f"{seconds:.2f} s pass"

    def _any_open(self) -> Tab | None:
        tabs = [tab for chat in self._chats for tab in chat.open_tabs]
        return self._dice.choice(tabs) if tabs else None

    # The end of the walk

    async def _settle(self) -> None:
        """Let everybody return and everything end."""
        await asyncio.gather(*self._starting.values())
        await self.context.fleet.restart()
        for chat in self._chats:
            for tab in chat.tabs:
                if tab.has_left:
                    tab.open()
            for one in chat.asked:
                if one.is_held:
                    self._let_go(one)
        for chat in self._chats:
            for one in chat.asked:
                try:
                    await one.turn.ended()
                except Refused:
                    continue

    async def _judge(self) -> None:
        """Compare how questions ended with what the model allows."""
        ends = {run.id: run.status for run in (await self.context.rows()).runs}
        for chat in self._chats:
            for one in chat.asked:
                turn = one.turn
                if turn.error is not None:
                    right = one.policy == "reject" and turn.error["code"] == _BUSY
                    right = right and not one.must_run
                    self._check(one, right, f"was refused: {turn.error}")
                    continue
                end = ends[turn.run_id]
                self._check(one, one.held_by is None, f"was taken, and is {end}")
                allowed = {"cancelled"} if one.must_stop else {"completed"}
                if one.stops:
                    allowed.add("cancelled")
                self._check(one, end in allowed, f"is {end}, not {allowed}")
                if one.tool is not None:
                    times = self.context.fleet.signs.marks(one.tool)
                    self._check(one, times <= 1, f"called its tool {times} times")

    def _check(self, one: Asked, holds: bool, what: str) -> None:
        self.context.check("I8", holds, f"{one.turn.text!r} ({one.policy}) {what}")
