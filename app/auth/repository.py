"""Every statement on passwords, providers, sign-ins and links in mails."""

from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.types import Linked, Login, Person
from app.kit.ids import LoginId, UserId

_FIND_PASSWORD = text(
    "SELECT users.id AS user_id, is_active, password_hash FROM users"
    " LEFT JOIN local_auths ON user_id = users.id WHERE email = :email"
)
_PASSWORD_OF = text("SELECT password_hash FROM local_auths WHERE user_id = :user_id")
_SET_PASSWORD = text(
    "INSERT INTO local_auths (user_id, password_hash) VALUES (:user_id, :hash)"
    " ON CONFLICT (user_id) DO UPDATE SET password_hash = EXCLUDED.password_hash,"
    " changed_at = now()"
)
# One person's first sign-ins come one after the other, whichever nodes they come to.
_LOCK_PERSON = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(CAST(:provider AS text) || ' ' || :subject, 0))"
)
_FIND_PERSON = text(
    "SELECT user_id FROM social_auths WHERE provider = :provider AND subject = :subject"
)
_ADD_PERSON = text(
    "INSERT INTO social_auths (user_id, provider, subject, email)"
    " VALUES (:user_id, :provider, :subject, :email)"
)
_LINKED = text(
    "SELECT provider, email, linked_at FROM social_auths WHERE user_id = :user_id"
    " ORDER BY linked_at, id"
)
_LOCK_USER = text("SELECT id FROM users WHERE id = :user_id FOR UPDATE")
_UNLINK = text("DELETE FROM social_auths WHERE user_id = :user_id AND provider = :provider")
_UNLINK_UNVERIFIED = text(
    "DELETE FROM social_auths USING users WHERE users.id = user_id AND user_id = :user_id"
    " AND email_verified_at IS NULL"
)
_LOGIN = (
    "logins.id, user_id, expires_at, extract(epoch FROM expires_at - now())::float8 AS seconds_left"
)
_ADD_LOGIN = text(
    "INSERT INTO logins (id, user_id, token_hash, expires_at)"
    " VALUES (:id, :user_id, :hash, now() + make_interval(secs => :seconds))"
    f" RETURNING {_LOGIN}"
)
_KEEP_LOGIN = text(
    "INSERT INTO logins (id, user_id, token_hash, expires_at)"
    " VALUES (:id, :user_id, :hash, now() + make_interval(secs => :seconds))"
    " ON CONFLICT (token_hash) DO NOTHING"
)
_GOOD = "JOIN users ON users.id = user_id AND is_active WHERE expires_at > now()"
_FIND_LOGIN = text(f"SELECT {_LOGIN} FROM logins {_GOOD} AND token_hash = :hash")
_FIND_LOGIN_BY_ID = text(f"SELECT {_LOGIN} FROM logins {_GOOD} AND logins.id = :id")
_GOOD_AMONG = text(f"SELECT logins.id FROM logins {_GOOD} AND logins.id = ANY(:ids)")
_END_LOGIN = text("DELETE FROM logins WHERE id = :id")
_END_LOGINS = text(
    "DELETE FROM logins WHERE user_id = :user_id"
    " AND (CAST(:but AS uuid) IS NULL OR id <> :but) RETURNING id"
)
_END_EXPIRED = text(
    "DELETE FROM logins WHERE id IN (SELECT id FROM logins WHERE expires_at <= now()"
    " LIMIT :limit FOR UPDATE SKIP LOCKED)"
)
_ADD_MAIL_TOKEN = text(
    "INSERT INTO mail_tokens (token_hash, user_id, purpose, email, expires_at)"
    " VALUES (:hash, :user_id, :purpose, :email, now() + make_interval(secs => :seconds))"
)
_USE_MAIL_TOKEN = text(
    "DELETE FROM mail_tokens WHERE token_hash = :hash AND purpose = :purpose"
    " RETURNING user_id, email, expires_at > now() AS is_good"
)
_END_MAIL_TOKENS = text("DELETE FROM mail_tokens WHERE user_id = :user_id AND purpose = :purpose")
_END_OLD_MAIL_TOKENS = text("DELETE FROM mail_tokens WHERE expires_at <= now()")


class Password(NamedTuple):
    user_id: UserId
    is_active: bool
    password_hash: str | None


class AuthRepository:
    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def find_password(self, email: str) -> Password | None:
        row = (await self._db.execute(_FIND_PASSWORD, {"email": email})).first()
        return Password._make(row) if row else None

    async def password_of(self, user_id: UserId) -> str | None:
        found = await self._db.scalar(_PASSWORD_OF, {"user_id": user_id})
        return None if found is None else str(found)

    async def set_password(self, user_id: UserId, password_hash: str) -> None:
        await self._db.execute(_SET_PASSWORD, {"user_id": user_id, "hash": password_hash})

    async def find_person(self, provider: str, subject: str) -> UserId | None:
        """Return whose account a provider's person is. Until the transaction ends, nobody
        else learns of them or adds them.
        """
        given = {"provider": provider, "subject": subject}
        await self._db.execute(_LOCK_PERSON, given)
        found = await self._db.scalar(_FIND_PERSON, given)
        return None if found is None else UserId(found)

    async def add_person(self, user_id: UserId, provider: str, person: Person) -> None:
        given = {"user_id": user_id, "provider": provider}
        given |= {"subject": person.subject, "email": person.email}
        await self._db.execute(_ADD_PERSON, given)

    async def linked(self, user_id: UserId) -> list[Linked]:
        """Return the providers of an account, the oldest first."""
        rows = await self._db.execute(_LINKED, {"user_id": user_id})
        return [Linked._make(row) for row in rows]

    async def lock_user(self, user_id: UserId) -> None:
        """Let nobody else change how to sign in to an account until the transaction ends."""
        await self._db.execute(_LOCK_USER, {"user_id": user_id})

    async def unlink(self, user_id: UserId, provider: str) -> bool:
        given = {"user_id": user_id, "provider": provider}
        return (await self._db.execute(_UNLINK, given)).rowcount > 0

    async def unlink_unverified(self, user_id: UserId) -> None:
        """Forget an account's providers if nobody has proved its address yet."""
        await self._db.execute(_UNLINK_UNVERIFIED, {"user_id": user_id})

    async def keep_login(
        self, login_id: LoginId, user_id: UserId, token_hash: bytes, *, seconds: float
    ) -> None:
        """Store a sign-in by a token that somebody else has made, unless it is there already."""
        given = {"id": login_id, "user_id": user_id, "hash": token_hash, "seconds": seconds}
        await self._db.execute(_KEEP_LOGIN, given)

    async def add_login(
        self, login_id: LoginId, user_id: UserId, token_hash: bytes, *, seconds: float
    ) -> Login:
        given = {"id": login_id, "user_id": user_id, "hash": token_hash, "seconds": seconds}
        return Login._make((await self._db.execute(_ADD_LOGIN, given)).one())

    async def find_login(self, token_hash: bytes) -> Login | None:
        row = (await self._db.execute(_FIND_LOGIN, {"hash": token_hash})).first()
        return Login._make(row) if row else None

    async def find_login_by_id(self, login_id: LoginId) -> Login | None:
        row = (await self._db.execute(_FIND_LOGIN_BY_ID, {"id": login_id})).first()
        return Login._make(row) if row else None

    async def good_among(self, login_ids: list[LoginId]) -> set[LoginId]:
        """Return those of the sign-ins that are good."""
        return {LoginId(row.id) for row in await self._db.execute(_GOOD_AMONG, {"ids": login_ids})}

    async def end_login(self, login_id: LoginId) -> None:
        await self._db.execute(_END_LOGIN, {"id": login_id})

    async def end_logins(self, user_id: UserId, *, but: LoginId | None) -> list[LoginId]:
        """End all of an account's sign-ins, ``but`` one; return which."""
        rows = await self._db.execute(_END_LOGINS, {"user_id": user_id, "but": but})
        return [LoginId(row.id) for row in rows]

    async def end_expired_for_system(self, *, limit: int) -> int:
        return (await self._db.execute(_END_EXPIRED, {"limit": limit})).rowcount

    async def add_mail_token(
        self, token_hash: bytes, user_id: UserId, purpose: str, email: str, *, seconds: float
    ) -> None:
        """Store what a link proves; an older link for the same purpose is void."""
        given = {"user_id": user_id, "purpose": purpose}
        await self._db.execute(_END_MAIL_TOKENS, given)
        given |= {"hash": token_hash, "email": email, "seconds": seconds}
        await self._db.execute(_ADD_MAIL_TOKEN, given)

    async def use_mail_token(self, token_hash: bytes, purpose: str) -> tuple[UserId, str] | None:
        """Void a link; return whose it was and the address it was sent to, if it was good."""
        given = {"hash": token_hash, "purpose": purpose}
        row = (await self._db.execute(_USE_MAIL_TOKEN, given)).first()
        return (UserId(row.user_id), row.email) if row and row.is_good else None

    async def end_old_mail_tokens_for_system(self) -> int:
        return (await self._db.execute(_END_OLD_MAIL_TOKENS)).rowcount
