"""Values of the chats room that other rooms see."""

import datetime as dt
from typing import Any, Literal, NamedTuple
from uuid import UUID

from app.kit.ids import ChatId, MessageId, RunId

Role = Literal["user", "assistant"]
MessageStatus = Literal["complete", "stopped", "failed"]


class Chat(NamedTuple):
    id: ChatId
    agent: str
    thread_id: UUID
    title: str | None
    message_count: int
    created_at: dt.datetime
    updated_at: dt.datetime


class Message(NamedTuple):
    id: MessageId
    seq: int
    role: Role
    text: str
    status: MessageStatus
    run_id: RunId
    client_message_id: str | None
    citations: list[Any]
    created_at: dt.datetime


class Conversation(NamedTuple):
    """A line of the history list."""

    chat_id: ChatId
    agent: str
    title: str | None
    created_at: dt.datetime
    updated_at: dt.datetime
    last_message: str | None
    message_count: int


class Numbers(NamedTuple):
    """What a chat's locked row gave out."""

    thread_id: UUID
    agent: str
    title: str | None
    message_seq: int  # the last message's
    outbox_seq: int  # the last durable event's
    fence: int
