"""Accounts with a password: sign up, sign in, another password, links in mails."""

import secrets

from email_validator import EmailNotValidError, validate_email

from app.auth.errors import (
    AccountDisabled,
    BadEmail,
    BadPassword,
    LinkExpired,
    WrongPassword,
)
from app.auth.logins import Logins, SignedIn
from app.auth.mail import Mailer
from app.auth.passwords import Passwords
from app.auth.repository import AuthRepository
from app.auth.throttle import Throttle
from app.auth.tokens import secret_hash
from app.kit.ids import LoginId, UserId
from app.settings import AuthSettings
from app.storage.postgres import Db, Postgres
from app.users.errors import EmailTaken
from app.users.repository import UserRepository
from app.users.types import User

_PASSWORD_CHARS = (8, 128)  # NIST SP 800-63B asks for eight, and to allow at least 64


class LocalAuth:
    """Signs people up and in by their e-mail address and a password.

    Args:
        postgres: where accounts are.
        logins: begins and ends sign-ins.
        passwords: hashes and checks.
        throttle: counts tries.
        mailer: sends links.
        public_url: what the links begin with; never what a request says of its host.
        settings: how long links are good.
    """

    def __init__(
        self,
        *,
        postgres: Postgres,
        logins: Logins,
        passwords: Passwords,
        throttle: Throttle,
        mailer: Mailer,
        public_url: str,
        settings: AuthSettings,
    ) -> None:
        self._postgres = postgres
        self._logins = logins
        self._passwords = passwords
        self._throttle = throttle
        self._mailer = mailer
        self._public_url = public_url.rstrip("/")
        self._settings = settings

    async def register(
        self, email: str, password: str, *, display_name: str | None, address: str
    ) -> SignedIn:
        """Make an account and sign it in; a mail asks whether the address is theirs.

        Raises:
            BadEmail, BadPassword: they are none.
            EmailTaken: somebody has that address.
            TooManyTries: too many from this address.
        """
        email = folded(email)
        check_password(password, email)
        await self._throttle.enter(account=f"register {email}", address=address)
        hashed = await self._passwords.hash(password)
        async with self._postgres.unit() as db:
            users = UserRepository(db)
            user_id = await users.create(
                email, display_name=display_name, kind="person", verified=False
            )
            if user_id is None:
                raise EmailTaken("There is an account with this e-mail address.")
            await AuthRepository(db).set_password(user_id, hashed)
            await users.audit("registered", user_id, actor="user", address=address)
            link = await self._new_link(db, user_id, "verify", email)
            signed_in = await self._logins.begin(db, user_id)
        await self._throttle.succeeded(account=f"register {email}", address=address)
        self._mailer.send(email, "Is this your address?", _VERIFY.format(link=link))
        return signed_in

    async def sign_in(self, email: str, password: str, *, address: str) -> SignedIn:
        """Begin a sign-in.

        Raises:
            WrongPassword: no such account, or not its password; which, is not told, and
                takes as long.
            AccountDisabled: the password is right, but the operator says no.
            TooManyTries: for this account, or from this address.
        """
        email = _sought(email)
        await self._throttle.enter(account=email, address=address)
        async with self._postgres.statement() as db:
            found = await AuthRepository(db).find_password(email)
        is_right = await self._passwords.check(
            password[: _PASSWORD_CHARS[1] + 1], found.password_hash if found else None
        )
        if found is None or not is_right:
            raise WrongPassword("The e-mail address or the password is wrong.")
        if not found.is_active:
            raise AccountDisabled("This account is disabled.")
        async with self._postgres.unit() as db:
            await UserRepository(db).audit(
                "signed_in", found.user_id, actor="user", address=address
            )
            signed_in = await self._logins.begin(db, found.user_id)
        await self._throttle.succeeded(account=email, address=address)
        return signed_in

    async def check(self, user: User, password: str, *, address: str) -> None:
        """Make sure that whoever is signed in knows the password, if the account has one.

        Raises:
            WrongPassword: it is another.
            TooManyTries: as when signing in.
        """
        async with self._postgres.statement() as db:
            stored = await AuthRepository(db).password_of(user.id)
        if stored is None:
            return
        account = user.email or str(user.id)
        await self._throttle.enter(account=account, address=address)
        if not await self._passwords.check(password, stored):
            raise WrongPassword("The password is wrong.")
        await self._throttle.succeeded(account=account, address=address)

    async def change_password(
        self, user: User, old: str, new: str, *, keep: LoginId, address: str
    ) -> list[LoginId]:
        """Give an account another password; return the sign-ins that end, all but ``keep``.

        Raises:
            WrongPassword: ``old`` is another.
            BadPassword: ``new`` is none.
        """
        check_password(new, user.email or "")
        await self.check(user, old, address=address)
        hashed = await self._passwords.hash(new)
        return await self._set_password(user.id, hashed, but=keep, address=address)

    async def ask_reset(self, email: str, *, address: str) -> None:
        """Send a link that lets the account's owner set a new password. Tells nobody whether
        there is such an account.

        Raises:
            TooManyTries: too many from this address.
        """
        email = _sought(email)
        await self._throttle.enter(account=f"reset {email}", address=address)
        async with self._postgres.unit() as db:
            user = await UserRepository(db).find_by_email(email)
            if user is None or not user.is_active:
                return
            link = await self._new_link(db, user.id, "reset", email)
            await UserRepository(db).audit("reset_asked", user.id, actor="nobody", address=address)
        self._mailer.send(email, "A new password", _RESET.format(link=link))

    async def reset(self, token: str, new: str, *, address: str) -> list[LoginId]:
        """Set a password by a link; return the sign-ins that end: all there are.

        Raises:
            BadPassword: it is none; the link stays good.
            LinkExpired: the link is used or too old.
        """
        check_password(new, "")
        hashed = await self._passwords.hash(new)
        async with self._postgres.unit() as db:
            user_id = await self._use_link(db, token, "reset")
        return await self._set_password(user_id, hashed, but=None, address=address)

    async def ask_verification(self, user: User, *, address: str) -> None:
        """Send the link that proves the address once more."""
        if user.email is None or user.email_verified_at is not None:
            return
        await self._throttle.enter(account=f"verify {user.email}", address=address)
        async with self._postgres.unit() as db:
            link = await self._new_link(db, user.id, "verify", user.email)
        self._mailer.send(user.email, "Is this your address?", _VERIFY.format(link=link))

    async def verify(self, token: str, *, address: str) -> None:
        """Believe that an address is its account's, by the link that was sent there.

        Raises:
            LinkExpired: the link is used or too old.
        """
        async with self._postgres.unit() as db:
            user_id = await self._use_link(db, token, "verify")
            await UserRepository(db).audit("verified", user_id, actor="user", address=address)

    async def _set_password(
        self, user_id: UserId, hashed: str, *, but: LoginId | None, address: str
    ) -> list[LoginId]:
        async with self._postgres.unit() as db:
            repository = AuthRepository(db)
            await repository.set_password(user_id, hashed)
            await UserRepository(db).audit(
                "password_changed", user_id, actor="user", address=address
            )
            return await repository.end_logins(user_id, but=but)

    async def _new_link(self, db: Db, user_id: UserId, purpose: str, email: str) -> str:
        token = secrets.token_urlsafe(32)
        await AuthRepository(db).add_mail_token(
            secret_hash(token), user_id, purpose, email, seconds=self._settings.link_seconds
        )
        # After the #, where neither proxies nor logs see it.
        return f"{self._public_url}/#{purpose}={token}"

    async def _use_link(self, db: Db, token: str, purpose: str) -> UserId:
        used = await AuthRepository(db).use_mail_token(secret_hash(token), purpose)
        if used is not None and purpose == "reset":
            # Whoever signed up with somebody else's address may have linked a provider.
            await AuthRepository(db).unlink_unverified(used[0])
        if used is None or not await UserRepository(db).verify(*used):
            raise LinkExpired("The link was used already, or is too old.")
        return used[0]


def folded(email: str) -> str:
    """Return an e-mail address as it is stored.

    Raises:
        BadEmail: it is none.
    """
    try:
        found = validate_email(email.strip(), check_deliverability=False)
    except EmailNotValidError as error:
        raise BadEmail("This is not an e-mail address.") from error
    if "=?" in found.local_part:  # an encoded word (RFC 2047): another address in a header
        raise BadEmail("This is not an e-mail address.")
    return found.normalized.casefold()


def _sought(email: str) -> str:
    """Return what to look for; nothing is found under what is no address."""
    try:
        return folded(email)
    except BadEmail:
        return ""


def check_password(password: str, email: str) -> None:
    """Refuse what is no password.

    Raises:
        BadPassword: it is too short, too long, or the address itself.
    """
    least, most = _PASSWORD_CHARS
    if not least <= len(password) <= most:
        raise BadPassword(f"A password has {least} to {most} characters.")
    if password.casefold() == email:
        raise BadPassword("The password must not be the e-mail address.")


_VERIFY = """Hello,

somebody, probably you, has signed up with this address. This link says that it is yours:

{link}

If it was not you, there is nothing to do.
"""
_RESET = """Hello,

this link lets you choose a new password:

{link}

If you did not ask for it, there is nothing to do: your password stays as it is.
"""
