"""What an agent is, and what running one yields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from langgraph.pregel import Pregel

from app.kit.ids import ChatId, MessageId, RunId, SessionId, UserId


class Task(NamedTuple):
    """One run, as an agent sees it."""

    run_id: RunId
    chat_id: ChatId
    session_id: SessionId
    user_id: UserId | None
    thread_id: UUID
    message_id: MessageId
    text: str


class Hold(NamedTuple):
    """What proves in Postgres that a run is this process's: its row has this fence."""

    run_id: RunId
    fence: int


class Progress(NamedTuple):
    """Something the agent says about its work: a name and JSON."""

    name: str
    payload: Mapping[str, Any]


class Words(NamedTuple):
    """More of the answer."""

    text: str


class Answer(NamedTuple):
    """The whole answer, at the end. ``usage`` counts tokens where a model says so."""

    text: str
    citations: list[Any]
    usage: dict[str, int]


Step = Progress | Words | Answer


class ToolCall(NamedTuple):
    """A call of a tool, as it can be known again when a crash has repeated what made it."""

    scope: str  # the step of a graph that begins anew after a crash
    call_id: str
    tool: str


class PastCall(NamedTuple):
    """A call that an earlier attempt of the run made."""

    call: ToolCall
    has_ended: bool
    result: tuple[str, bytes] | None  # how it is encoded, and what; None: it was not kept


class CallLog(Protocol):
    """Where calls are noted. Each method raises ``Unavailable`` if that cannot be reached."""

    async def earlier(self, run_id: RunId, fence: int) -> Sequence[PastCall]:
        """Return the calls of the run's attempts before ``fence``, oldest first."""
        ...

    async def begin(self, run_id: RunId, fence: int, call: ToolCall) -> int:
        """Note that a call begins and return the note's number, once that is committed.

        Raises:
            StaleFence: the run is another process's by now.
        """
        ...

    async def end(self, note: int, result: tuple[str, bytes] | None) -> None:
        """Note that the call has ended, and its result unless it is too large."""
        ...

    async def withdraw(self, note: int) -> None:
        """Forget a call: its tool asks a person first, and is called again with the answer."""
        ...

    async def forget(self, run_id: RunId) -> None:
        """Forget a run's calls: nothing of it can be repeated any more."""
        ...


@dataclass(frozen=True, slots=True)
class Agent:
    """A named graph people can talk to.

    Attributes:
        name: how clients call it.
        description: for people.
        graph: compiled, without a checkpointer: each run brings its own.
        context: makes what the graph's ``context_schema`` asks for, anew for every attempt;
            it is never stored.
        closing_node: a node whose only successor is the end; a stopped run's messages are
            closed in its name.
    """

    name: str
    description: str
    graph: Pregel[Any, Any, Any, Any]
    context: Callable[[Task], Any] | None = None
    closing_node: str | None = None
