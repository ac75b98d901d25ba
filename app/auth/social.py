"""Accounts that providers vouch for: signing up and in, linking, unlinking."""

import re
import secrets
from collections.abc import Mapping

from app.auth.attempts import Attempt, AttemptStore, Begun
from app.auth.errors import (
    AccountDisabled,
    AlreadyLinked,
    BadEmail,
    BadIdentity,
    LastSignIn,
    SignInExpired,
    SignInRefused,
    Unauthenticated,
    UnknownProvider,
)
from app.auth.local import folded
from app.auth.logins import Logins, SignedIn
from app.auth.providers import Provider
from app.auth.repository import AuthRepository
from app.auth.types import Caller, Linked, Person
from app.kit.ids import UserId
from app.storage.postgres import Db, Postgres
from app.users.errors import EmailTaken
from app.users.repository import UserRepository

_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # printable ASCII, no backslash
_SUBJECT_CHARS = 255  # OpenID Connect Core, section 2
_NAME_CHARS = 100


class SocialAuth:
    """Signs people in by the word of a provider.

    Args:
        postgres: where accounts are.
        logins: begins sign-ins.
        attempts: what has begun.
        providers: whose word counts, by name.
        public_url: what redirect URIs begin with; never what a request says of its host.
    """

    def __init__(
        self,
        *,
        postgres: Postgres,
        logins: Logins,
        attempts: AttemptStore,
        providers: Mapping[str, Provider],
        public_url: str,
    ) -> None:
        self._postgres = postgres
        self._logins = logins
        self._attempts = attempts
        self._providers = providers
        self._public_url = public_url.rstrip("/")

    @property
    def names(self) -> list[str]:
        return list(self._providers)

    def posts(self, name: str) -> bool:
        """Whether a provider's page posts its answer here."""
        return self._provider(name).posts

    async def begin(self, name: str, *, then: str, caller: Caller, link: bool) -> tuple[str, Begun]:
        """Return where to send the browser, and what to know it by when it comes back.

        Args:
            name: the provider.
            then: the path to end at; whatever is no path of ours is taken for ``/``.
            caller: who begins.
            link: whether the provider is to be linked with the caller's account.

        Raises:
            UnknownProvider: it is not configured.
            Unauthenticated: nobody has signed in whose account could be linked.
            ProviderUnavailable: it does not answer.
        """
        provider = self._provider(name)
        login = caller.login if caller.token is None else None
        if link and login is None:
            raise Unauthenticated("Sign in first.")
        attempt = Attempt(
            provider=name,
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            next=then if _LOCAL_PATH.fullmatch(then) else "/",
            visitor_id=caller.visitor_id,
            login_id=login.id if link and login else None,
        )
        begun = await self._attempts.begin(attempt)
        return await provider.address(attempt, begun.state, self._redirect_uri(name)), begun

    async def finish(
        self, name: str, answer: Mapping[str, str], *, cookie: str, address: str
    ) -> tuple[Attempt, SignedIn | None]:
        """Sign in whomever the provider vouches for; return the attempt that ends, and the
        sign-in, or None if an account was linked, whose sign-in goes on.

        Raises:
            SignInExpired: this browser has not begun it, or too long ago, or it is over.
            SignInRefused: the provider or the person says no.
            BadIdentity: the answer proves nothing.
            ProviderUnavailable: the provider does not answer.
            EmailTaken: somebody has the address, and it is not proved that they are the same.
            AlreadyLinked: the person belongs to another account.
            AccountDisabled: the operator says no.
            Unauthenticated: the sign-in that began the linking has ended meanwhile.
        """
        provider = self._provider(name)
        attempt = await self._attempts.end(Begun(answer.get("state", ""), cookie))
        if attempt is None or attempt.provider != name:
            raise SignInExpired("Begin to sign in once more.")
        if "error" in answer:
            raise SignInRefused("The provider does not accept this sign-in.")
        person = _cleaned(await provider.identify(attempt, answer, self._redirect_uri(name)))
        if attempt.login_id is not None:
            login = await self._logins.find_by_id(attempt.login_id)
            if login is None:
                raise Unauthenticated("Sign in first.")
            await self._link(login.user_id, name, person, address=address)
            return attempt, None
        return attempt, await self._sign_in(name, person, address=address)

    async def linked(self, user_id: UserId) -> list[Linked]:
        """Return the providers that an account is linked with."""
        async with self._postgres.statement() as db:
            return await AuthRepository(db).linked(user_id)

    async def unlink(self, user_id: UserId, name: str, *, address: str) -> list[Linked]:
        """Take a provider from an account; return those that are left.

        Raises:
            UnknownProvider: the account is not linked with it.
            LastSignIn: there would be no way left to sign in.
        """
        async with self._postgres.unit() as db:
            repository = AuthRepository(db)
            await repository.lock_user(user_id)
            if not await repository.unlink(user_id, name):
                raise UnknownProvider("The account is not linked with this provider.")
            left = await repository.linked(user_id)
            if not left and await repository.password_of(user_id) is None:
                raise LastSignIn("Choose a password first, or link another provider.")
            await UserRepository(db).audit("unlinked", user_id, actor="user", address=address)
        return left

    async def _link(self, user_id: UserId, name: str, person: Person, *, address: str) -> None:
        async with self._postgres.unit() as db:
            repository = AuthRepository(db)
            owner = await repository.find_person(name, person.subject)
            if owner is None:
                await self._add(db, user_id, name, person, address=address)
            elif owner != user_id:
                raise AlreadyLinked("Another account is linked with this sign-in.")

    async def _sign_in(self, name: str, person: Person, *, address: str) -> SignedIn:
        async with self._postgres.unit() as db:
            users = UserRepository(db)
            user_id = await AuthRepository(db).find_person(name, person.subject)
            if user_id is None:
                user_id = await self._welcome(db, name, person, address=address)
            signed_in = await self._logins.begin(db, user_id)
            if not signed_in.user.is_active:
                raise AccountDisabled("This account is disabled.")
            await users.audit("signed_in", user_id, actor="user", address=address)
        return signed_in

    async def _welcome(self, db: Db, name: str, person: Person, *, address: str) -> UserId:
        """Return the account of somebody who is new here: theirs by e-mail, or a new one."""
        users = UserRepository(db)
        # An address that nobody has checked would keep its owner out, so the account has none.
        theirs = person.email if person.email_verified else None
        there = await users.find_by_email(person.email) if person.email else None
        if there is None:
            user_id = await users.create(
                theirs, display_name=person.name, kind="person", verified=theirs is not None
            )
            if user_id is None:  # somebody was faster
                raise _email_taken()
            await users.audit("registered", user_id, actor="user", address=address)
        elif theirs is not None and there.email_verified_at is not None:
            user_id = there.id
        else:
            raise _email_taken()
        await self._add(db, user_id, name, person, address=address)
        return user_id

    async def _add(
        self, db: Db, user_id: UserId, name: str, person: Person, *, address: str
    ) -> None:
        await AuthRepository(db).add_person(user_id, name, person)
        await UserRepository(db).audit("linked", user_id, actor="user", address=address)

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            raise UnknownProvider("One cannot sign in with this provider here.")
        return self._providers[name]

    def _redirect_uri(self, name: str) -> str:
        return f"{self._public_url}/auth/{name}/callback"


def _email_taken() -> EmailTaken:
    return EmailTaken(
        "There is an account with this e-mail address. Sign in to it first, then link this"
        " provider with it."
    )


def _cleaned(person: Person) -> Person:
    """Return what may be stored of what a provider says.

    Raises:
        BadIdentity: it does not name anybody.
    """
    subject = person.subject
    if not subject or len(subject) > _SUBJECT_CHARS or not subject.isprintable():
        raise BadIdentity("The provider does not say who this is.")
    email = None
    if isinstance(person.email, str):
        try:
            email = folded(person.email)
        except BadEmail:
            email = None
    name = person.name if isinstance(person.name, str) else ""
    name = "".join(filter(str.isprintable, name)).strip()[:_NAME_CHARS]
    return Person(subject, email, person.email_verified, name or None)
