"""What operators do to accounts, from the command line: the database's word, and every node's."""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import NamedTuple

import structlog

from app.auth.local import check_password, folded
from app.auth.passwords import Passwords
from app.auth.repository import AuthRepository
from app.kit.errors import AppError
from app.kit.ids import LoginId, UserId
from app.runs.signals import Signals
from app.settings import Settings
from app.storage.postgres import Postgres
from app.stores import open_stores
from app.users.errors import EmailTaken, UserNotFound
from app.users.repository import UserRepository
from app.users.types import User

log = structlog.get_logger()

_PAGE = 500
_NUMBER = re.compile(r"[0-9]{1,9}")


class Operators(NamedTuple):
    """The stores that commands on accounts need."""

    postgres: Postgres
    signals: Signals

    async def add(self, email: str, password: str, *, display_name: str | None) -> UserId:
        """Make an account whose address needs no proof: the operator vouches for it.

        Raises:
            BadEmail, BadPassword: they are none.
            EmailTaken: somebody has that address.
        """
        email = folded(email)
        check_password(password, email)
        hashed = await Passwords(at_once=1).hash(password)
        async with self.postgres.unit() as db:
            users = UserRepository(db)
            user_id = await users.create(
                email, display_name=display_name, kind="person", verified=True
            )
            if user_id is None:
                raise EmailTaken("There is an account with this e-mail address.")
            await AuthRepository(db).set_password(user_id, hashed)
            await users.audit("added", user_id, actor="operator")
        return user_id

    async def set_active(self, who: str, *, is_active: bool) -> None:
        """Disable an account, and end its sign-ins and sockets on all nodes; or enable it.

        Args:
            who: its e-mail address, or its number: those whom others vouch for may have none.
            is_active: whether it may be used.

        Raises:
            UserNotFound: there is none.
        """
        ended: list[LoginId] = []
        async with self.postgres.unit() as db:
            users = UserRepository(db)
            if _NUMBER.fullmatch(who):
                user = await users.find(UserId(int(who)))
            else:
                user = await users.find_by_email(folded(who))
            if user is None:
                raise UserNotFound("There is no such account.")
            await users.set_active(user.id, is_active=is_active)
            await users.audit("enabled" if is_active else "disabled", user.id, actor="operator")
            if not is_active:
                ended = await AuthRepository(db).end_logins(user.id, but=None)
        if ended:
            try:
                ids = " ".join(one.hex for one in ended)
                await self.signals.send("signed_out", login_ids=ids, why="disabled")
            except AppError as error:  # nodes see it when they look for themselves
                log.warning("signal_failed", code=error.code)

    async def all(self) -> AsyncIterator[User]:
        """Yield every account, in the order they were made."""
        after = 0
        while True:
            async with self.postgres.statement() as db:
                page = await UserRepository(db).list_for_operator(after=after, limit=_PAGE)
            for user in page:
                yield user
            if len(page) < _PAGE:
                return
            after = page[-1].id


@contextlib.asynccontextmanager
async def operating(settings: Settings) -> AsyncIterator[Operators]:
    """Open what commands on accounts need."""
    async with open_stores(settings) as stores:
        yield Operators(stores.postgres, Signals(stores.redis))
