"""What the checker looks at, and what it says."""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from tests.faults.journal import Entry, Frame, Journal
from tests.faults.rows import Rows, RunRow
from tests.faults.script import Script


class Violation(NamedTuple):
    invariant: str
    what: str


@dataclass
class Verdict:
    """How often an invariant was looked at, and where it did not hold."""

    invariant: str
    checks: int = 0
    violations: list[Violation] = field(default_factory=list)

    def check(self, holds: bool, what: str) -> None:
        self.checks += 1
        if not holds:
            self.violations.append(Violation(self.invariant, what))


@dataclass(frozen=True)
class Evidence:
    """Everything the checker looks at: journals at rest, and the rows of their chats."""

    journal: Journal
    rows: Rows

    @cached_property
    def tabs(self) -> dict[str, list[Entry]]:
        return self.journal.by_tab()

    @cached_property
    def runs(self) -> dict[str, RunRow]:
        return {run.id: run for run in self.rows.runs}

    @cached_property
    def chat_of(self) -> dict[str, str]:
        """Whose each chat, run and message is, by id."""
        whose = {row.id: row.chat_id for row in self.rows.messages}
        for run in self.rows.runs:
            whose |= dict.fromkeys((run.id, run.message_id, run.answer_id), run.chat_id)
        return whose | {entry.chat: entry.chat for entry in self.journal.of("welcome")}

    @cached_property
    def scripts(self) -> dict[str, Script]:
        """The script of each run whose question is one."""
        return {
            row.run_id: Script.parse(row.text)
            for row in self.rows.messages
            if row.role == "user" and row.text.startswith("seed=")
        }

    @cached_property
    def lost_at(self) -> dict[str, float]:
        """When each chat's log was last found to have lost something, if it ever was: it numbers
        anew, or what somebody held is not in it.
        """
        lost: dict[str, float] = {}
        for entries in self.tabs.values():
            held: tuple[str, int] | None = None
            for entry in entries:
                if entry.kind == "welcome" and entry.data.get("reason") in {"ahead", "rewound"}:
                    lost[entry.chat] = max(entry.at, lost.get(entry.chat, 0.0))
                elif entry.kind == "snapshot":
                    has = entry.data["epoch"], entry.data["offset"]
                    if held is not None and (has[0] != held[0] or has[1] < held[1]):
                        lost[entry.chat] = max(entry.at, lost.get(entry.chat, 0.0))
                    held = has
                elif entry.kind == "applied" and held is not None:
                    held = held[0], entry.data["offset"]
        return lost

    @cached_property
    def newest_epoch(self) -> dict[str, str]:
        """The epoch of each chat's log at the end."""
        return {entry.chat: entry.data["epoch"] for entry in self.journal.of("welcome")}

    @cached_property
    def told(self) -> dict[tuple[str, str], dict[int, Frame]]:
        """All events that anybody applied, by chat and epoch, by offset; merged ones left out."""
        told: defaultdict[tuple[str, str], dict[int, Frame]] = defaultdict(dict)
        for entries in self.tabs.values():
            for event in held_events(entries):
                if "from" not in event.frame:
                    told[event.chat, event.epoch][event.frame["offset"]] = event.frame
        return dict(told)


class Event(NamedTuple):
    chat: str
    epoch: str
    frame: Frame


def held_events(entries: list[Entry]) -> list[Event]:
    """Return the events a tab vouches for: what it took back when the log fell back is not
    among them.
    """
    events: list[Event] = []
    epoch, reason = "", ""
    for entry in entries:
        if entry.kind == "welcome":
            reason = entry.data.get("reason", "")
        elif entry.kind == "snapshot":
            epoch = entry.data["epoch"]
            if reason in {"first", "ahead", "rewound"}:
                events = [one for one in events if one.epoch != epoch]
        elif entry.kind == "applied":
            events.append(Event(entry.chat, epoch, entry.data))
    return events
