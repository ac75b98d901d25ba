"""What an agent is, and what running one yields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
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
