"""What people may do with their chats."""

from app.chats.errors import ChatNotFound
from app.chats.repository import ChatRepository
from app.chats.types import Chat, Conversation, Message
from app.kit.ids import ChatId
from app.kit.paging import Cursor
from app.storage.postgres import Postgres
from app.users.types import Owner

LATEST = 1 << 62  # a page that begins with the newest message


class ChatService:
    """Reads chats, messages and the history list, for their owner only."""

    def __init__(self, *, postgres: Postgres) -> None:
        self._postgres = postgres

    async def get(self, chat_id: ChatId, owner: Owner) -> Chat:
        """Return a chat.

        Raises:
            ChatNotFound: there is none, or it is not this owner's.
        """
        async with self._postgres.statement() as db:
            chat = await ChatRepository(db).find(chat_id, owner)
        if chat is None:
            raise ChatNotFound("There is no such chat.")
        return chat

    async def messages(
        self, chat_id: ChatId, owner: Owner, *, before: int = LATEST, limit: int = 50
    ) -> tuple[list[Message], int | None]:
        """Return a page of messages, oldest first, and where the page before it begins.

        Raises:
            ChatNotFound: there is no such chat, or it is not this owner's.
        """
        async with self._postgres.statement() as db:
            repository = ChatRepository(db)
            page = await repository.list_messages(chat_id, owner, before=before, limit=limit + 1)
            if not page and await repository.find(chat_id, owner) is None:
                raise ChatNotFound("There is no such chat.")
        more = len(page) > limit
        page = page[:limit][::-1]
        return page, page[0].seq if more else None

    async def conversations(
        self, owner: Owner, *, after: Cursor | None, limit: int
    ) -> tuple[list[Conversation], str | None]:
        """Return a page of an owner's chats, most recent first, and the next cursor."""
        async with self._postgres.statement() as db:
            page = await ChatRepository(db).list_recent(owner, after=after, limit=limit + 1)
        more = len(page) > limit
        page = page[:limit]
        return page, Cursor(page[-1].updated_at, page[-1].chat_id).encode() if more else None
