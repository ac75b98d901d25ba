"""Who may come, what credential they bring, and whose things they reach for."""

from enum import StrEnum
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NamedTuple

import httpx
from argon2 import PasswordHasher
from sqlalchemy import text

from app.auth.identity import LOGIN_COOKIE, VISITOR_COOKIE
from app.auth.repository import AuthRepository
from app.kit.ids import UserId
from app.storage.postgres import Postgres
from app.users.repository import UserRepository
from tests.auth.scene import PASSWORD, new_email
from tests.support.answers import bearer
from tests.support.node import Node

# Real, but quick to check: some hundred accounts are made with it.
_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


class Who(StrEnum):
    """Everybody of the matrix, in the order of its columns."""

    NOBODY = "nobody"  # without any credential
    STRANGER = "stranger"  # another user, signed in
    WANDERER = "wanderer"  # another visitor
    VISITOR = "visitor"  # the anonymous owner
    OWNER = "owner"  # the owner, signed in
    DISABLED = "disabled"  # the owner, whom the operator has disabled
    AGED = "aged"  # the owner, with a sign-in that has run out
    REVOKED = "revoked"  # the owner, with a sign-in that was ended
    OVER = "over"  # the owner, signed in, when the chat session has run out
    HOLDER = "holder"  # whoever holds the session's own token, and nothing else


DEAD = (Who.DISABLED, Who.AGED, Who.REVOKED)
OTHERS = (Who.NOBODY, Who.STRANGER, Who.WANDERER)


class Account(NamedTuple):
    user_id: UserId
    email: str
    token: str  # of a sign-in

    @property
    def cookie(self) -> dict[str, str]:
        return {"cookie": f"{LOGIN_COOKIE}={self.token}"}

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


class Things(NamedTuple):
    """What belongs to somebody: a chat with a title that nobody else may read, and a session."""

    account: Account | None  # None: to a visitor
    session: dict[str, Any]
    title: str
    cookie: dict[str, str]  # its owner's

    @property
    def marks(self) -> set[str]:
        """What no answer to anybody else may hold."""
        email = {self.account.email} if self.account else set()
        return {self.session["session_id"], self.session["chat_id"], self.title} | email


class People:
    """Makes people and their things on a node, new ones for each cell of the matrix."""

    def __init__(self, node: Node, postgres: Postgres) -> None:
        self.node = node
        self._postgres = postgres
        self.http = node.client().http
        # what a request carries is its own: none keeps a cookie for the next
        self.http.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))

    async def account(self) -> Account:
        email = new_email()
        async with self._postgres.unit() as db:
            user_id = await UserRepository(db).create(
                email, display_name="Ann", kind="person", verified=False
            )
            assert user_id is not None
            await AuthRepository(db).set_password(user_id, _HASH)
            token = (await self.node.services.logins.begin(db, user_id)).token
        return Account(user_id, email, token)

    async def things_of(self, account: Account | None) -> Things:
        headers = account.cookie if account else {}
        answer = await self._start(headers)
        session = answer.json()
        title = f"title of {session['chat_id'][-12:]}"
        await self._sql(
            "UPDATE chats SET title = :title WHERE id = CAST(:id AS uuid)",
            title=title,
            id=session["chat_id"],
        )
        cookie = headers or {"cookie": f"{VISITOR_COOKIE}={answer.cookies[VISITOR_COOKIE]}"}
        return Things(account, session, title, cookie)

    async def scene(self, who: Who, *, anonymous: bool = False) -> tuple[Things, dict[str, str]]:
        """Return somebody's things, and the headers with which ``who`` comes for them.

        Args:
            who: they.
            anonymous: whether the things are a visitor's; those that ``VISITOR`` owns are.
        """
        anonymous = anonymous or who is Who.VISITOR
        account = None if anonymous else await self.account()
        things = await self.things_of(account)
        return things, await self._headers(who, things)

    async def state(self, things: Things) -> list[Any]:
        """Return everything of the owner's that a stranger could wish to change; not what the
        sweeper does with what has run out.
        """
        user_id = things.account.user_id if things.account else None
        ids = {"session": things.session["session_id"], "chat": things.session["chat_id"]}
        return [
            await self._sql(statement, **ids, user=user_id)
            for statement in (
                "SELECT status = 'completed', expires_at, user_id, visitor_id FROM sessions"
                " WHERE session_id = :session",
                "SELECT user_id, visitor_id, title FROM chats WHERE id = CAST(:chat AS uuid)",
                "SELECT email, is_active, email_verified_at, display_name, password_hash FROM users"
                " JOIN user_profiles p ON p.user_id = id JOIN local_auths a ON a.user_id = id"
                " WHERE id = CAST(:user AS int)",
                "SELECT id, expires_at FROM logins WHERE user_id = CAST(:user AS int)"
                " AND expires_at > now() ORDER BY id",
            )
        ]

    async def kill(self, who: Who, account: Account) -> None:
        """Make an account's sign-ins worthless in one of three ways, without a word to nodes."""
        statement = {
            Who.DISABLED: "UPDATE users SET is_active = false WHERE id = :id",
            Who.AGED: "UPDATE logins SET expires_at = now() WHERE user_id = :id",
            Who.REVOKED: "DELETE FROM logins WHERE user_id = :id",
        }[who]
        await self._sql(statement, id=account.user_id)

    async def _headers(self, who: Who, things: Things) -> dict[str, str]:
        headers: dict[str, str] = {}
        match who:
            case Who.NOBODY:
                pass
            case Who.STRANGER:
                headers = (await self.account()).cookie
            case Who.WANDERER:
                headers = (await self.things_of(None)).cookie
            case Who.VISITOR | Who.OWNER:
                headers = things.cookie
            case Who.OVER:
                await self._sql(
                    "UPDATE sessions SET expires_at = now() WHERE session_id = :id",
                    id=things.session["session_id"],
                )
                headers = things.cookie
            case Who.HOLDER:
                headers = bearer(things.session)
            case Who.DISABLED | Who.AGED | Who.REVOKED:
                assert things.account is not None
                await self.kill(who, things.account)
                headers = things.account.bearer
        return headers

    async def _start(self, headers: dict[str, str]) -> httpx.Response:
        answer = await self.http.post("/chat/start", headers=headers)
        assert answer.status_code == 201, answer.text
        return answer

    async def _sql(self, statement: str, **values: Any) -> list[Any]:
        given = {name: value for name, value in values.items() if f":{name}" in statement}
        async with self._postgres.unit() as db:
            found = await db.execute(text(statement), given)
            return list(found) if found.returns_rows else []
