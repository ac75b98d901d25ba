"""What the HTTP API says about chats and messages."""

from typing import Any

from pydantic import BaseModel

from app.chats.types import Chat, Conversation, Message
from app.kit.clock import wire_time


class MessageView(BaseModel):
    message_id: str
    role: str
    text: str
    status: str
    run_id: str
    client_message_id: str | None
    citations: list[Any]
    created_at: str


class ChatView(BaseModel):
    chat_id: str
    agent: str
    title: str | None
    message_count: int
    created_at: str
    updated_at: str


class MessagesView(BaseModel):
    messages: list[MessageView]  # oldest first
    next: str | None  # give it as ``before`` for the page of older ones


class ConversationView(BaseModel):
    chat_id: str
    session_id: str | None  # the newest session on it
    agent: str
    title: str | None
    created_at: str
    updated_at: str
    last_message: str | None
    message_count: int


class ConversationsView(BaseModel):
    conversations: list[ConversationView]  # most recent first
    next: str | None  # give it as ``cursor`` for the next page


class SnapshotView(BaseModel):
    type: str
    epoch: str
    offset: int
    key: str | None
    chat: dict[str, Any]
    messages: list[MessageView]
    has_more: bool
    next: str | None  # give it as ``before`` for the page of older messages
    ended: list[dict[str, Any]]
    runs: list[dict[str, Any]]


def message_view(message: Message) -> MessageView:
    return MessageView(
        message_id=str(message.id),
        role=message.role,
        text=message.text,
        status=message.status,
        run_id=str(message.run_id),
        client_message_id=message.client_message_id,
        citations=message.citations,
        created_at=wire_time(message.created_at),
    )


def chat_view(chat: Chat) -> ChatView:
    return ChatView(
        chat_id=str(chat.id),
        agent=chat.agent,
        title=chat.title,
        message_count=chat.message_count,
        created_at=wire_time(chat.created_at),
        updated_at=wire_time(chat.updated_at),
    )


def conversation_view(chat: Conversation, session_id: str | None) -> ConversationView:
    return ConversationView(
        chat_id=str(chat.chat_id),
        session_id=session_id,
        agent=chat.agent,
        title=chat.title,
        created_at=wire_time(chat.created_at),
        updated_at=wire_time(chat.updated_at),
        last_message=chat.last_message,
        message_count=chat.message_count,
    )
