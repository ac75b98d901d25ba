"""What a random walk knows of the questions that were asked in it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.client import Tab, Turn
from tests.faults.journal import Frame


@dataclass
class Asked:
    """A question, and what the model knows of it.

    Attributes:
        gate: what its run waits for before it can end, if anything.
        tool: what its run's tool marks, if it calls one.
        is_held: the gate is shut.
        stops: tell whether somebody's wish that the run stops was acknowledged.
        must_stop: one was while the run could not have ended.
        held_by: a question that went to a chat which was surely busy with that one, and said
            not to wait.
        must_run: one that did so when the chat was surely idle.
    """

    turn: Turn
    policy: str
    gate: str | None
    tool: str | None
    is_held: bool
    stops: list[Callable[[], bool]] = field(default_factory=list)
    must_stop: bool = False
    held_by: "Asked | None" = None
    must_run: bool = False

    @property
    def is_answered(self) -> bool:
        return self.turn.ack is not None or self.turn.error is not None

    @property
    def is_surely_open(self) -> bool:
        return self.turn.ack is not None and self.is_held and not self.stops


@dataclass
class Chat:
    session: Frame
    tabs: list[Tab] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    @property
    def open_tabs(self) -> list[Tab]:
        return [tab for tab in self.tabs if not tab.has_left]

    def is_over(self, one: Asked) -> bool:
        """Whether everybody could know that a question's run is no more, or never was."""
        if one.turn.ack is None:
            return one.turn.error is not None
        return any(one.turn.run_id in tab.state.ends for tab in self.tabs)
