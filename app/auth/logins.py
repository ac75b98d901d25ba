"""Sign-ins: each is an opaque token on one device, which can be ended from anywhere."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from app.auth.repository import AuthRepository
from app.auth.tokens import secret_hash
from app.auth.types import Login
from app.kit.ids import LoginId, UserId, new_login_id
from app.settings import AuthSettings
from app.storage.postgres import Db, Postgres
from app.users.errors import UserNotFound
from app.users.repository import UserRepository
from app.users.types import User

LOGIN_PREFIX = "clg_"  # a Colloquy login
_SWEEP_AT_ONCE = 1_000


class SignedIn(NamedTuple):
    """An account, a new sign-in of it, and the token that proves it."""

    user: User
    login: Login
    token: str


class Logins:
    """Begins, finds and ends sign-ins. Whoever ends some tells the sockets that hang on them."""

    def __init__(self, *, postgres: Postgres, settings: AuthSettings) -> None:
        self._postgres = postgres
        self._settings = settings

    async def begin(self, db: Db, user_id: UserId) -> SignedIn:
        """Store a sign-in in the caller's transaction. Its token has 256 random bits.

        Raises:
            UserNotFound: there is no such account.
        """
        token = f"{LOGIN_PREFIX}{secrets.token_urlsafe(32)}"
        login = await AuthRepository(db).add_login(
            new_login_id(), user_id, secret_hash(token), seconds=self._settings.login_seconds
        )
        user = await UserRepository(db).find(user_id)
        if user is None:
            raise UserNotFound("There is no such account.")
        return SignedIn(user, login, token)

    async def keep(self, db: Db, user_id: UserId, token: str, *, seconds: float) -> None:
        """Store a sign-in by a token that others have made, once, in the caller's transaction."""
        await AuthRepository(db).keep_login(
            new_login_id(), user_id, secret_hash(token), seconds=seconds
        )

    async def find(self, token: str) -> Login | None:
        """Return the sign-in of a token, if it is good and its account active. One statement."""
        async with self._postgres.statement() as db:
            return await AuthRepository(db).find_login(secret_hash(token))

    async def find_by_id(self, login_id: LoginId) -> Login | None:
        async with self._postgres.statement() as db:
            return await AuthRepository(db).find_login_by_id(login_id)

    async def good_among(self, login_ids: Sequence[LoginId]) -> set[LoginId]:
        """Return those of the sign-ins that are good. One statement, none for nobody."""
        if not login_ids:
            return set()
        async with self._postgres.statement() as db:
            return await AuthRepository(db).good_among(list(login_ids))

    async def end(self, login: Login, *, everywhere: bool, address: str) -> list[LoginId]:
        """End a sign-in, or all of its account's; return which."""
        async with self._postgres.unit() as db:
            action = "signed_out_everywhere" if everywhere else "signed_out"
            await UserRepository(db).audit(action, login.user_id, actor="user", address=address)
            repository = AuthRepository(db)
            if everywhere:
                return await repository.end_logins(login.user_id, but=None)
            await repository.end_login(login.id)
            return [login.id]

    async def sweep(self) -> int:
        """Delete sign-ins and links of mails whose time has passed; return how many."""
        async with self._postgres.statement() as db:
            repository = AuthRepository(db)
            ended = await repository.end_expired_for_system(limit=_SWEEP_AT_ONCE)
            return ended + await repository.end_old_mail_tokens_for_system()
