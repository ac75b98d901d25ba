"""Values of the runs room."""

import datetime as dt
from typing import Any, NamedTuple
from uuid import UUID

from app.agents.types import Answer
from app.kit.errors import AppError
from app.kit.ids import ChatId, MessageId, RunId, SessionId
from app.users.types import Owner


class Claim(NamedTuple):
    """A run this node may execute, and the fence that proves it."""

    run_id: RunId
    chat_id: ChatId
    session_id: SessionId
    message_id: MessageId
    answer_id: MessageId
    agent: str
    thread_id: UUID
    text: str
    owner: Owner
    attempt: int
    fence: int
    losses: int = 0  # how often its node was lost
    stopping: bool = False  # its person has asked it to stop


class Outcome(NamedTuple):
    """What became of one execution."""

    status: str  # completed, failed, cancelled
    text: str
    answer: Answer | None = None
    error: AppError | None = None
    abandoned: bool = False  # the graph did not let itself be stopped: it may still be at work


class Accepted(NamedTuple):
    """What a client is told when its message is stored."""

    message_id: MessageId
    run_id: RunId
    duplicate: bool


class NewMessage(NamedTuple):
    """A message on its way into its chat, and the run that will answer it."""

    message_id: MessageId
    chat_id: ChatId
    session_id: SessionId
    seq: int
    text: str
    client_message_id: str | None
    run_id: RunId
    answer_id: MessageId


class Stored(NamedTuple):
    """What became of a new message. Unless all of it is well, nothing may be committed."""

    is_live: bool  # its session is
    is_new: bool  # the chat has no message with this ``client_message_id``
    status: str | None  # of its run; None: too many wait
    elsewhere: int  # other chats of the user that are being answered


class End(NamedTuple):
    """How a run ends, as it is stored. Without a text there is no answer to keep."""

    run_id: RunId
    chat_id: ChatId
    fence: int
    status: str
    answer_id: MessageId | None = None
    seq: int = 0  # the answer's number in the chat
    text: str = ""
    message_status: str = ""
    citations: list[Any] | None = None
    error_code: str | None = None
    usage: dict[str, int] | None = None


class OpenRun(NamedTuple):
    """A run that has not ended."""

    run_id: RunId
    message_id: MessageId
    answer_id: MessageId
    status: str
    attempt: int


class Lease(NamedTuple):
    """The state of a run this node holds, as Postgres sees it."""

    run_id: RunId
    fence: int
    cancel_requested_at: dt.datetime | None


class Candidate(NamedTuple):
    """A run that somebody should execute."""

    run_id: RunId
    chat_id: ChatId
    status: str
    attempt: int
    lease_owner: str | None  # whose lease has lapsed; None if nobody held it
