"""The operator's own login: whoever brings a token that it has signed is signed in."""

from typing import Any

from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from app.auth.errors import BadIdentity, ProviderUnavailable, Unauthenticated
from app.auth.jwts import Keys, RemoteKeys, SharedSecret, check_signature
from app.auth.logins import Logins
from app.auth.outside import Outside
from app.auth.repository import AuthRepository
from app.auth.types import Login, Person
from app.identity_settings import ExternalSettings
from app.kit.clock import Clock
from app.kit.errors import Unavailable
from app.kit.ids import UserId
from app.storage.postgres import Db, Postgres
from app.users.repository import UserRepository

_PARTS = 3  # of a token, with dots between them; ours have none
_SUBJECT_CHARS = 255
_NAME_CHARS = 100


def is_jwt(token: str) -> bool:
    return token.count(".") == _PARTS - 1


class ExternalAuth:
    """Checks tokens, and keeps for each a sign-in that ends when the token does: so sockets
    and tickets hang on it as on any other, and disabling the account ends it.

    Args:
        postgres: where accounts are.
        logins: where sign-ins are.
        settings: whose tokens are believed, and how they are checked.
        clock: the clock.
    """

    def __init__(
        self, postgres: Postgres, logins: Logins, settings: ExternalSettings, clock: Clock
    ) -> None:
        self._postgres = postgres
        self._logins = logins
        self._settings = settings
        self._clock = clock
        self._keys = _keys(settings, clock)
        self._provider = f"external:{settings.issuer}"

    async def sign_in(self, token: str) -> Login:
        """Return the sign-in of a token; the first one of a person makes an account.

        Raises:
            Unauthenticated: the token is not good, or the account is disabled here.
            Unavailable: the issuer's keys, or the database, are not to be had.
        """
        claims = await self._check(token)
        login = await self._logins.find(token)
        if login is None:
            await self._keep(token, claims)
            login = await self._logins.find(token)
        if login is None:  # it ran out a moment ago
            raise _not_good()
        return login

    async def _check(self, token: str) -> dict[str, Any]:
        settings = self._settings
        registry = JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=settings.leeway_seconds,
            iss={"essential": True, "value": settings.issuer or ""},
            aud={"essential": True, "value": settings.audience or ""},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
        )
        try:
            _, claims = await check_signature(token, self._keys, allowed=settings.allowed)
            registry.validate(claims)
        except ProviderUnavailable as error:
            raise Unavailable(error.message, retry_after_ms=error.retry_after_ms) from error
        except (BadIdentity, JoseError, TypeError, ValueError) as error:
            raise _not_good() from error
        subject = claims["sub"]
        if claims["exp"] - claims["iat"] > settings.max_seconds:
            raise _not_good()
        if len(subject) > _SUBJECT_CHARS or not subject.isprintable():
            raise _not_good()
        return claims

    async def _keep(self, token: str, claims: dict[str, Any]) -> None:
        good_for = claims["exp"] + self._settings.leeway_seconds - self._clock.now().timestamp()
        async with self._postgres.unit() as db:
            subject = claims["sub"]
            user_id = await AuthRepository(db).find_person(self._provider, subject)
            if user_id is None:
                user_id = await self._welcome(db, claims)
            user = await UserRepository(db).find(user_id)
            if user is None or not user.is_active:
                raise _not_good()
            await self._logins.keep(db, user_id, token, seconds=good_for)

    async def _welcome(self, db: Db, claims: dict[str, Any]) -> UserId:
        """Make an account. Its address is the issuer's affair: ours would be one to sign in by."""
        users = UserRepository(db)
        name, email = (_text(claims.get(one)) for one in ("name", "email"))
        user_id = await users.create(None, display_name=name, kind="external", verified=False)
        if user_id is None:
            raise RuntimeError("an account without an address is in nobody's way")
        await AuthRepository(db).add_person(user_id, self._provider, Person(claims["sub"], email))
        await users.audit("registered", user_id, actor="user")
        return user_id


def _keys(settings: ExternalSettings, clock: Clock) -> Keys:
    if settings.secret is not None:
        return SharedSecret(settings.secret.get_secret_value())
    outside = Outside(settings.answer_seconds)
    address = settings.jwks_url or ""
    return RemoteKeys(
        lambda: outside.get(address),
        cache_seconds=settings.cache_seconds,
        refresh_seconds=settings.refresh_seconds,
        monotonic=clock.monotonic,
    )


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return "".join(filter(str.isprintable, value)).strip()[:_NAME_CHARS] or None


def _not_good() -> Unauthenticated:
    return Unauthenticated("The token is not valid.")
