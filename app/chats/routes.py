"""HTTP: chats and their messages."""

from starlette.requests import Request

from app.auth.identity import Identity
from app.chats.errors import ChatNotFound
from app.chats.schemas import ChatView, MessagesView, chat_view, message_view
from app.chats.service import LATEST, ChatService
from app.kit.endpoint import Endpoint, Reply
from app.kit.ids import ChatId, parse_uuid
from app.kit.paging import BadCursor, parse_limit
from app.users.types import Owner


async def chat_of(request: Request) -> tuple[ChatId, Owner]:
    """Return the chat a path names, and who asks for it."""
    identity: Identity = request.state.identity
    chat_id = parse_uuid(request.path_params["chat_id"])
    owner = (await identity.caller(request)).owner
    if chat_id is None or owner is None:
        raise ChatNotFound("There is no such chat.")
    return ChatId(chat_id), owner


async def get_chat(request: Request) -> Reply:
    chats: ChatService = request.state.chats
    return Reply(chat_view(await chats.get(*await chat_of(request))))


async def list_messages(request: Request) -> Reply:
    chats: ChatService = request.state.chats
    before = request.query_params.get("before") or str(LATEST)
    if not (before.isascii() and before.isdigit() and len(before) <= len(str(LATEST))):
        raise BadCursor("before is a number from the answer to an earlier request.")
    limit = parse_limit(request.query_params.get("limit"), default=50)
    page, following = await chats.messages(
        *await chat_of(request), before=min(int(before), LATEST), limit=limit
    )
    return Reply(
        MessagesView(
            messages=[message_view(message) for message in page],
            next=None if following is None else str(following),
        )
    )


_LIMIT = {"limit": {"type": "integer", "minimum": 1, "maximum": 200}}

ENDPOINTS = [
    Endpoint(
        "GET",
        "/chats/{chat_id}",
        get_chat,
        "A chat of the caller's.",
        answer=ChatView,
        errors=(401, 404, 503),
    ),
    Endpoint(
        "GET",
        "/chats/{chat_id}/messages",
        list_messages,
        "A page of a chat's messages, oldest first, the newest page first.",
        answer=MessagesView,
        query={"before": {"type": "string"}, **_LIMIT},
        errors=(401, 404, 422, 503),
    ),
]
