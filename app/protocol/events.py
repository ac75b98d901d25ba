"""Events of a chat: what the server tells every socket that follows it.

Each event is a flat JSON object. The log adds ``offset`` when it numbers the event (see
``codec``); ``key`` is random and tells two events apart that got the same number before
and after a failover. Plain dictionaries with checked shapes: an event is made once and
encoded once, whoever and however many read it.
"""

import base64
import random
import secrets
from typing import Any, Literal, NotRequired, cast

from typing_extensions import TypedDict  # pydantic reads these below Python 3.12

PROTOCOL = "colloquy.v1"


class EventBase(TypedDict):
    key: str
    timestamp: str  # RFC 3339 UTC, for display: nothing is ordered by it
    offset: NotRequired[int]  # 1, 2, 3, … within the chat's epoch


class RunEvent(EventBase):
    run_id: str
    attempt: int  # counts the executions of the run, from 1


class Citation(TypedDict):
    n: int  # the number used in the text, as [1]
    title: str
    source: str
    url: str | None
    quote: str


class PlanStep(TypedDict):
    team: str
    task: str


class Memory(TypedDict):
    id: str
    kind: str
    title: str
    snippet: str
    date: str
    score: float
    reasons: list[str]


class UserMessage(EventBase):
    type: Literal["user_message"]
    message_id: str
    client_message_id: str | None
    text: str
    run_id: str


class RunQueued(EventBase):
    type: Literal["run_queued"]
    run_id: str


class RunStarted(RunEvent):
    type: Literal["run_started"]
    message_id: str  # the message being answered


class RunResumed(RunEvent):
    type: Literal["run_resumed"]
    reason: str


class RunCompleted(RunEvent):
    type: Literal["run_completed"]
    usage: dict[str, int]
    seconds: float


class RunFailed(RunEvent):
    type: Literal["run_failed"]
    code: str
    message: str
    retryable: bool
    abandoned: NotRequired[bool]  # its graph did not let itself be stopped: it may still work


class RunCancelled(RunEvent):
    type: Literal["run_cancelled"]
    abandoned: NotRequired[bool]


class MemoryLoaded(RunEvent):
    type: Literal["memory_loaded"]
    user_id: int | None
    memory_count: int
    memories: list[Memory]
    status: str  # ok, anonymous, off, degraded


class PlanningStarted(RunEvent):
    type: Literal["planning_started"]


class PlanReady(RunEvent):
    type: Literal["plan_ready"]
    intent: str
    steps: list[PlanStep]


class TeamStarted(RunEvent):
    type: Literal["team_started"]
    team: str
    task: str


class TeamProgress(RunEvent):
    type: Literal["team_progress"]
    team: str
    task: NotRequired[str]  # which one, where a team has several
    fraction: NotRequired[float]  # 0 to 1
    text: NotRequired[str]


class TeamCompleted(RunEvent):
    type: Literal["team_completed"]
    team: str
    task: NotRequired[str]  # which one, where a team has several
    summary: str
    seconds: float


class TeamFailed(RunEvent):
    type: Literal["team_failed"]
    team: str
    task: NotRequired[str]  # which one, where a team has several
    code: str


class ToolStarted(RunEvent):
    type: Literal["tool_started"]
    call_id: str  # the model's own where it has one; the same in every attempt
    tool: str


class ToolCompleted(RunEvent):
    type: Literal["tool_completed"]
    call_id: str
    tool: str


class ToolFailed(RunEvent):
    type: Literal["tool_failed"]
    call_id: str
    tool: str
    code: str  # tool_failed; tool_interrupted: it is not known what it did, nor is it repeated


class Aggregating(RunEvent):
    type: Literal["aggregating"]


class Responding(RunEvent):
    type: Literal["responding"]


class MemorySaved(RunEvent):
    type: Literal["memory_saved"]
    memory_count: int


class MemorySaveFailed(RunEvent):
    type: Literal["memory_save_failed"]
    code: str


class Custom(RunEvent):
    type: Literal["custom"]
    name: str
    payload: Any


class MessageStarted(RunEvent):
    type: Literal["message_started"]
    message_id: str


class MessageDelta(RunEvent):
    """More words. Deltas that waited for a slow socket may reach it merged into one.

    ``from`` (offset) and ``from_chunk`` then name the first one in it.
    """

    type: Literal["message_delta"]
    message_id: str
    chunk: int  # counts from 0 within message and attempt
    text: str


class MessageText(RunEvent):
    type: Literal["message_text"]
    message_id: str
    text: str  # the whole text so far; replaces what is held
    chunk: int  # the next delta's number is one more


class MessageCompleted(RunEvent):
    type: Literal["message_completed"]
    message_id: str
    text: str
    sha256: str
    status: Literal["complete", "stopped", "failed"]
    citations: list[Citation]


class MessageReset(RunEvent):
    type: Literal["message_reset"]
    message_id: str


Event = (
    UserMessage
    | RunQueued
    | RunStarted
    | RunResumed
    | RunCompleted
    | RunFailed
    | RunCancelled
    | MemoryLoaded
    | PlanningStarted
    | PlanReady
    | TeamStarted
    | TeamProgress
    | TeamCompleted
    | TeamFailed
    | ToolStarted
    | ToolCompleted
    | ToolFailed
    | Aggregating
    | Responding
    | MemorySaved
    | MemorySaveFailed
    | Custom
    | MessageStarted
    | MessageDelta
    | MessageText
    | MessageCompleted
    | MessageReset
)

# What a graph may say about its progress, by its own name; anything else is ``custom``.
PROGRESS_TYPES = frozenset(
    {
        "memory_loaded",
        "planning_started",
        "plan_ready",
        "team_started",
        "team_progress",
        "team_completed",
        "team_failed",
        "tool_started",
        "tool_completed",
        "tool_failed",
        "aggregating",
        "responding",
        "memory_saved",
        "memory_save_failed",
    }
)
RUN_ENDS = frozenset({"run_completed", "run_failed", "run_cancelled"})


# Keys tell events apart and guard nothing; the system's own source costs a call for each.
_RANDOM = random.Random(secrets.token_bytes(32))  # noqa: S311


def new_key() -> str:
    """Return six random bytes, as eight characters."""
    return base64.urlsafe_b64encode(_RANDOM.randbytes(6)).decode()


def event(type_: str, *, timestamp: str, **fields: Any) -> Event:
    """Make one event. The shapes above are checked against every emitter by tests."""
    return cast("Event", {"type": type_, "key": new_key(), "timestamp": timestamp, **fields})
