"""What a scenario is given, what it returns, and how one is run."""

import asyncio
import contextlib
import gc
import importlib
import pkgutil
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import checker
from tests.faults.client import Door, Habits, Tab
from tests.faults.evidence import Evidence, Violation
from tests.faults.fleet import Fleet, Groups
from tests.faults.journal import Frame, Journal
from tests.faults.rows import Rows
from tests.faults.script import Script

_PAGE_RUNS = 20  # a snapshot tells of those of its messages, and holds 50
_SLACK_SECONDS = 5  # of invariant I8: what a takeover may take beyond lease and poll


@dataclass
class Result:
    """What a scenario found."""

    number: str
    seed: int
    rounds: int
    clients: int
    events: int
    """That were applied by clients, and checked."""
    violations: list[Violation]
    checks: Counter[str]
    """How often each invariant was looked at."""
    recoveries: list[float] = field(default_factory=list)
    """Seconds, each from a fault to the moment a client was served again."""
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @classmethod
    def broken(cls, number: str, seed: int, violations: list[Violation]) -> "Result":
        """Return the result of a scenario that did not come to its end."""
        checks = Counter(violation.invariant for violation in violations)
        return cls(number, seed, 0, 0, 0, violations, checks)

    @property
    def is_broken(self) -> bool:
        """Whether it did not come to its end."""
        return self.rounds == 0

    def explain(self, logs: str = "") -> str:
        """Return what went wrong, and how to see it again."""
        shown = [f"{one.invariant}: {one.what}" for one in self.violations[:20]]
        more = len(self.violations) - len(shown)
        return "\n".join(
            [
                f"{self.number} {self.figures.get('journal', '')}",
                *shown,
                *([f"and {more} more"] if more > 0 else []),
                logs,
            ]
        )


@dataclass
class Context:
    """A scenario's tools.

    Attributes:
        fleet: the nodes and stores, all well at the beginning.
        dice: the only source of randomness.
        seed: of the dice.
        size: 1 in the fixed set of ``make test``; a report or a soak takes more.
        journal: where everything is noted.
        recoveries: seconds from a fault until a client was served again; append to it.
    """

    fleet: Fleet
    number: str
    dice: random.Random
    seed: int
    size: int
    journal: Journal = field(default_factory=Journal)
    recoveries: list[float] = field(default_factory=list)
    tabs: list[Tab] = field(default_factory=list)
    sessions: list[Frame] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    _scripts: int = 0

    def seconds(self, real: float) -> float:
        """Return what ``real`` seconds are at the fleet's pace."""
        return self.fleet.pace.seconds(real)

    def script(self, *parts: str, pace: float = 0.0) -> Script:
        """Make a script that no other run has."""
        self._scripts += 1
        return Script(f"{self.number}-{self._scripts}", parts or ("say:20",), self.seed, pace)

    async def start(self, *, beside: Frame | None = None) -> Frame:
        """Start a session through a random node: on a new chat, or on that of another session."""
        session = await self.fleet.start(self.dice.choice(self.fleet.running), beside=beside)
        self.sessions.append(session)
        return session

    async def tab(
        self,
        session: Frame,
        *,
        on: Door | Sequence[Door] | None = None,
        first: Door | None = None,
        habits: Habits | None = None,
        live: bool = True,
    ) -> Tab:
        """Open a page on a session and wait until it is live.

        Args:
            session: whose chat it follows.
            on: the node or nodes it may connect to; by default any that runs.
            first: the node of its first connection.
            habits: how well it behaves.
            live: whether to wait.
        """
        dice = random.Random(self.dice.random())
        pick = _picker(self.fleet, dice, on, first)
        name = f"{session['chat_id'][-4:]}/{len(self.tabs)}"
        tab = Tab(name, session, pick, self.journal, dice, self.fleet.pace, habits or Habits())
        self.tabs.append(tab)
        tab.open()
        if live:
            await tab.live()
        return tab

    def tabs_of(self, session: Frame) -> list[Tab]:
        return [tab for tab in self.tabs if tab.session is session]

    def check(self, invariant: str, holds: bool, what: str) -> None:
        """Judge something the checker cannot see: times, memory, codes."""
        self.checks[invariant] += 1
        if not holds:
            self.violations.append(Violation(invariant, what))

    async def rest(self, seconds: float | None = None) -> Rows:
        """Wait until every run has ended, every durable event is told and every tab that
        comes back knows all of it. What does not happen in ``seconds`` is a violation of I8.
        """
        if seconds is None:
            seconds = self.fleet.pace.takeover + _SLACK_SECONDS
        deadline = time.monotonic() + seconds
        while True:
            rows = await self.rows()
            open_runs = [run for run in rows.runs if not run.is_ended]
            behind = [tab.name for tab in self.tabs if self._is_behind(tab, rows)]
            if not open_runs and not rows.unsent and not behind:
                return rows
            if time.monotonic() > deadline:
                self.check("I8", False, f"no rest after {seconds:.1f} s: {open_runs} {behind}")
                return rows
            await asyncio.sleep(0.05)

    async def rows(self) -> Rows:
        """Return what Postgres holds of this scenario's chats."""
        return await self.fleet.rows(session["chat_id"] for session in self.sessions)

    async def finish(
        self,
        *,
        rounds: int,
        seconds: float | None = None,
        ends: Collection[str] = ("completed",),
        **figures: Any,
    ) -> Result:
        """Wait for rest, let the checker look at everything, and return the result.

        Args:
            rounds: how often the fault was done.
            seconds: how long rest may take; by default lease, poll and 5 s.
            ends: how runs may have ended here.
            figures: anything else that is worth telling.
        """
        rows = await self.rest(seconds)
        for run in rows.runs:
            what = f"run {run.id} ended as {run.status} {run.error_code or ''}"
            self.check("I8", run.status in ends, what)
        evidence = Evidence(self.journal, rows)
        for verdict in checker.check_all(evidence):
            self.checks[verdict.invariant] += verdict.checks
            self.violations += verdict.violations
        await self.close()
        return Result(
            number=self.number,
            seed=self.seed,
            rounds=rounds,
            clients=len(self.tabs),
            events=sum(1 for _ in self.journal.of("applied")),
            violations=self.violations,
            checks=self.checks,
            recoveries=self.recoveries,
            figures=figures,
        )

    async def close(self) -> None:
        """Close every tab."""
        for tab in self.tabs:
            await tab.close()

    @staticmethod
    def _is_behind(tab: Tab, rows: Rows) -> bool:
        if tab.stopped is not None or tab.has_left or not tab.habits.reads:
            return False
        runs = [run.id for run in rows.runs if run.chat_id == tab.session["chat_id"]]
        latest = runs[-_PAGE_RUNS:]
        return not tab.is_live or not tab.state.ends.keys() >= set(latest)


Body = Callable[[Context], Awaitable[Result]]


@dataclass(frozen=True)
class Scenario:
    number: str
    sentence: str
    body: Body
    settings: Groups


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    number: str, sentence: str, *, settings: Groups | None = None
) -> Callable[[Body], Body]:
    """Register a scenario. ``settings`` are groups that differ from the fleet's usual ones;
    nodes are restarted for them, which costs about two seconds.
    """

    def register(body: Body) -> Body:
        assert number not in SCENARIOS, f"{number} is registered twice"
        SCENARIOS[number] = Scenario(number, sentence, body, settings or {})
        return body

    return register


def load_scenarios() -> list[Scenario]:
    """Import every module of ``scenarios`` and return what they registered, in order."""
    package = importlib.import_module("tests.faults.scenarios")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return sorted(SCENARIOS.values(), key=_place)


class BrokeDown(Exception):
    """A scenario did not come to its end; ``violations`` were seen until then."""

    def __init__(self, what: str, violations: list[Violation]) -> None:
        seen = [": ".join(one) for one in violations[:20]]
        super().__init__("\n".join([what, *seen]))
        self.violations = violations


async def run_scenario(
    fleet: Fleet, one: Scenario, *, seed: int, size: int = 1, seconds: float | None = None
) -> Result:
    """Run one scenario on a fleet that is well. A failure leaves its journal behind.

    Raises:
        BrokeDown: from whatever the scenario raised, or because it took so many ``seconds``.
    """
    await fleet.ready(one.settings)
    context = Context(fleet, one.number, random.Random(f"{one.number}/{seed}"), seed, size)
    began = time.monotonic()
    gc.disable()  # with a large journal it pauses for seconds, and every wire with it
    try:
        async with asyncio.timeout(seconds):
            result = await one.body(context)
    except Exception as error:
        seen = checker.check_journal(context.journal)  # perhaps it tells why
        broken = [violation for verdict in seen for violation in verdict.violations]
        why = f"{one.number} broke down: {error!r}; {_keep(context, repr(error))}"
        raise BrokeDown(why, [*context.violations, *broken]) from error
    finally:
        gc.enable()
        with contextlib.suppress(Exception):
            await context.close()
    result.seconds = time.monotonic() - began
    if result.violations:
        result.figures["journal"] = _keep(context, f"{len(result.violations)} violations")
    return result


def _keep(context: Context, why: str) -> str:
    """Write the journal where a person can read it; return what to say about it."""
    path = Path(tempfile.gettempdir()) / f"faults-{context.number}-{context.seed}.jsonl"
    context.journal.dump(path, scenario=context.number, seed=context.seed, why=why)
    again = f"python -m tests.faults run {context.number} --seed {context.seed}"
    return f"seed {context.seed}; journal {path}; again: {again} --size {context.size}"


def _picker(
    fleet: Fleet, dice: random.Random, on: Door | Sequence[Door] | None, first: Door | None
) -> Callable[[], Door]:
    beginning = iter([] if first is None else [first])

    def pick() -> Door:
        doors = fleet.running if on is None else on if isinstance(on, Sequence) else [on]
        return next(beginning, None) or dice.choice(doors or fleet.nodes)

    return pick


def _place(one: Scenario) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, one.number))
    return int(digits), one.number
