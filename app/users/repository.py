"""Every statement on accounts, profiles and the audit log."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.ids import UserId
from app.users.types import Actor, Profile, User

_SELECT = (
    "SELECT users.id, email, email_verified_at, is_active, users.created_at, display_name,"
    " locale, timezone, avatar_url FROM users LEFT JOIN user_profiles ON user_id = users.id"
)
_FIND = text(f"{_SELECT} WHERE users.id = :user_id")
_FIND_BY_EMAIL = text(f"{_SELECT} WHERE email = :email")
_LIST = text(f"{_SELECT} WHERE users.id > :after ORDER BY users.id LIMIT :limit")
_CREATE = text(
    "WITH new AS (INSERT INTO users (email, type, email_verified_at)"
    "  VALUES (:email, :type, CASE WHEN :verified THEN now() END)"
    "  ON CONFLICT (email) DO NOTHING RETURNING id)"
    " INSERT INTO user_profiles (user_id, display_name) SELECT id, :display_name FROM new"
    " RETURNING user_id"
)
_UPDATE_PROFILE = text(
    "INSERT INTO user_profiles AS p (user_id, display_name, locale, timezone, avatar_url)"
    " VALUES (:user_id, nullif(:display_name, ''), nullif(:locale, ''), nullif(:timezone, ''),"
    "  nullif(:avatar_url, ''))"
    " ON CONFLICT (user_id) DO UPDATE SET "
    + ", ".join(
        f"{name} = CASE WHEN CAST(:{name} AS text) IS NULL THEN p.{name} ELSE EXCLUDED.{name} END"
        for name in Profile._fields
    )
)
_VERIFY = text(
    "UPDATE users SET email_verified_at = coalesce(email_verified_at, now())"
    " WHERE id = :user_id AND email = :email"
)
_SET_ACTIVE = text("UPDATE users SET is_active = :is_active WHERE id = :user_id")
_DELETE = text("DELETE FROM users WHERE id = :user_id")
_AUDIT = text(
    "INSERT INTO audit_log (actor, action, user_id, address)"
    " VALUES (:actor, :action, :user_id, nullif(:address, ''))"
)


class UserRepository:
    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def create(
        self, email: str | None, *, display_name: str | None, kind: str, verified: bool
    ) -> UserId | None:
        """Store an account; return its id, or None if another one has the address."""
        values: dict[str, Any] = {
            "email": email,
            "display_name": display_name,
            "type": kind,
            "verified": verified,
        }
        found = await self._db.scalar(_CREATE, values)
        return None if found is None else UserId(found)

    async def find(self, user_id: UserId) -> User | None:
        row = (await self._db.execute(_FIND, {"user_id": user_id})).first()
        return User._make(row) if row else None

    async def find_by_email(self, email: str) -> User | None:
        row = (await self._db.execute(_FIND_BY_EMAIL, {"email": email})).first()
        return User._make(row) if row else None

    async def list_for_operator(self, *, after: int, limit: int) -> list[User]:
        """Return accounts in the order they were made."""
        rows = await self._db.execute(_LIST, {"after": after, "limit": limit})
        return [User._make(row) for row in rows]

    async def update_profile(self, user_id: UserId, profile: Profile) -> None:
        await self._db.execute(_UPDATE_PROFILE, {"user_id": user_id, **profile._asdict()})

    async def verify(self, user_id: UserId, email: str) -> bool:
        """Note that the account's address is theirs; False if it has another one by now."""
        given = {"user_id": user_id, "email": email}
        return (await self._db.execute(_VERIFY, given)).rowcount == 1

    async def set_active(self, user_id: UserId, *, is_active: bool) -> bool:
        given = {"user_id": user_id, "is_active": is_active}
        return (await self._db.execute(_SET_ACTIVE, given)).rowcount == 1

    async def delete(self, user_id: UserId) -> bool:
        """Delete an account with its chats, sessions and sign-ins (foreign keys cascade)."""
        return (await self._db.execute(_DELETE, {"user_id": user_id})).rowcount == 1

    async def audit(
        self, action: str, user_id: UserId | None, *, actor: Actor, address: str = ""
    ) -> None:
        """Note what was done to an account, in the transaction that does it."""
        given = {"actor": actor, "action": action, "user_id": user_id, "address": address}
        await self._db.execute(_AUDIT, given)
