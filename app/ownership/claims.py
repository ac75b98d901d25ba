"""Claim: what somebody said as a visitor becomes their account's, once, with proof."""

from typing import NamedTuple

from app.kit.ids import ChatId, SessionId, UserId, VisitorId
from app.ownership.repository import OwnershipRepository
from app.sessions.errors import SessionNotFound
from app.storage.postgres import Postgres
from app.users.repository import UserRepository


class Claimed(NamedTuple):
    """What changed hands. The sessions' sockets must come back as the user."""

    chats: list[ChatId]
    sessions: list[SessionId]


class ClaimService:
    """Makes a visitor's chats a user's. One transaction, under the visitor's or the chat's
    lock: of two people who race for a chat, one gets it, and the other is told that there
    is none.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def claim_visitor(
        self, visitor_id: VisitorId, user_id: UserId, *, address: str
    ) -> Claimed:
        """Take over all chats of a visitor, whose cookie is the proof. A second time there is
        nothing left to take.
        """
        async with self._postgres.unit() as db:
            ownership = OwnershipRepository(db)
            if not await ownership.lock_visitor(visitor_id):
                return Claimed([], [])
            chats = await ownership.give_chats_of(visitor_id, user_id)
            sessions = await ownership.give_sessions_of(visitor_id, user_id)
            await ownership.delete_visitors([visitor_id])
            if chats:
                await UserRepository(db).audit("claimed", user_id, actor="user", address=address)
            return Claimed(chats, sessions)

    async def claim_session(
        self, session_id: SessionId, user_id: UserId, *, address: str
    ) -> Claimed:
        """Take over the chat of one anonymous session, whose token was the proof, with all
        sessions on it.

        Raises:
            SessionNotFound: there is none, or somebody has it already.
        """
        async with self._postgres.unit() as db:
            ownership = OwnershipRepository(db)
            chat_id = await ownership.lock_anonymous_chat_of(session_id)
            if chat_id is None:
                raise SessionNotFound("There is no such session.")
            sessions = await ownership.give_chat(chat_id, user_id)
            await UserRepository(db).audit("claimed", user_id, actor="user", address=address)
            return Claimed([chat_id], sessions)
