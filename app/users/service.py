"""Accounts: their profile, and what operators do to them."""

import structlog

from app.kit.ids import UserId
from app.storage.postgres import Postgres
from app.users.errors import UserNotFound
from app.users.repository import UserRepository
from app.users.types import Actor, Profile, User

log = structlog.get_logger()


class UserService:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def get(self, user_id: UserId) -> User:
        """Return an account.

        Raises:
            UserNotFound: there is none.
        """
        async with self._postgres.statement() as db:
            user = await UserRepository(db).find(user_id)
        return _found(user)

    async def update(self, user_id: UserId, profile: Profile) -> User:
        """Change what a profile says; return the account.

        Raises:
            UserNotFound: there is none.
        """
        async with self._postgres.unit() as db:
            users = UserRepository(db)
            _found(await users.find(user_id))
            await users.update_profile(user_id, profile)
            return _found(await users.find(user_id))

    async def list_for_operator(self, *, after: int = 0, limit: int = 100) -> list[User]:
        """Return accounts in the order they were made, from the one after ``after`` on."""
        async with self._postgres.statement() as db:
            return await UserRepository(db).list_for_operator(after=after, limit=limit)

    async def find_by_email(self, email: str) -> User:
        """Return the account with an address.

        Raises:
            UserNotFound: there is none.
        """
        async with self._postgres.statement() as db:
            return _found(await UserRepository(db).find_by_email(email.strip().casefold()))

    async def delete(self, user_id: UserId, *, actor: Actor, address: str) -> None:
        """Delete an account with everything derived from it: chats, messages, sessions and
        sign-ins at once; their checkpoints and logs in a moment, by the notes that deleting
        chats leaves (``ownership``).

        Raises:
            UserNotFound: there is none.
        """
        async with self._postgres.unit() as db:
            users = UserRepository(db)
            if not await users.delete(user_id):
                raise UserNotFound("There is no such account.")
            await users.audit("deleted", user_id, actor=actor, address=address)


def _found(user: User | None) -> User:
    if user is None:
        raise UserNotFound("There is no such account.")
    return user
