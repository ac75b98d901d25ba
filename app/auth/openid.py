"""OpenID Connect: an issuer describes itself, and signs who somebody is."""

from collections.abc import Mapping
from typing import Any

import orjson
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from app.auth.attempts import Attempt
from app.auth.errors import BadIdentity
from app.auth.jwts import RemoteKeys, check_signature
from app.auth.outside import Outside, fetch_token, unavailable
from app.auth.types import Person
from app.identity_settings import AppleSettings, SocialSettings, is_safe_url
from app.kit.clock import Clock

_ALGORITHMS = ("RS256", "ES256")
_SECRET_SECONDS = 300
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Issuer:
    """What an issuer says of itself (OpenID Connect Discovery), kept for a while.

    Args:
        url: its name, and where to ask.
        outside: asks.
        settings: for how long its answers are believed.
        clock: the clock.
    """

    def __init__(self, url: str, outside: Outside, settings: SocialSettings, clock: Clock) -> None:
        self.url = url
        self.outside = outside
        self._settings = settings
        self._clock = clock
        self._said: dict[str, Any] = {}
        self._said_at = float("-inf")
        self._keys = RemoteKeys(
            self._read_keys,
            cache_seconds=settings.cache_seconds,
            refresh_seconds=settings.refresh_seconds,
            monotonic=clock.monotonic,
        )

    async def described(self) -> dict[str, Any]:
        """Return its description.

        Raises:
            ProviderUnavailable: it does not answer, or as somebody else.
        """
        now = self._clock.monotonic()
        if now - self._said_at > self._settings.cache_seconds:
            address = f"{self.url.rstrip('/')}/.well-known/openid-configuration"
            said = await self.outside.get(address)
            safe = all(is_safe_url(str(said.get(name, ""))) for name in _ENDPOINTS)
            if said.get("issuer") != self.url or not safe:
                raise unavailable()
            self._said, self._said_at = said, now
        return self._said

    async def claims(self, token: str, *, client_id: str, nonce: str, access_token: str) -> Any:
        """Return what the issuer has signed of somebody, for us and as the answer to ``nonce``.

        Raises:
            BadIdentity: it has not, or it is too old.
            ProviderUnavailable: its keys are not to be had.
        """
        checked = await check_signature(token, self._keys, allowed=_ALGORITHMS)
        claims = CodeIDToken(
            checked.claims,
            checked.header,
            options={
                "iss": {"essential": True, "value": self.url},
                "aud": {"essential": True, "value": client_id},
                "sub": {"essential": True},
            },
            params={"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        try:
            claims.validate(
                now=int(self._clock.now().timestamp()), leeway=self._settings.leeway_seconds
            )
        except (JoseError, TypeError, ValueError, AttributeError) as error:
            raise BadIdentity("The provider's token is not for this sign-in.") from error
        return claims

    async def _read_keys(self) -> dict[str, Any]:
        return await self.outside.get((await self.described())["jwks_uri"])


class OpenId:
    """Any issuer of OpenID Connect.

    Args:
        issuer: which.
        client_id: what it knows us by.
        client_secret: our secret there, if we have one.
        scopes: what is asked for.
    """

    posts = False

    def __init__(self, issuer: Issuer, client_id: str, client_secret: str, scopes: str) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = scopes

    async def address(self, attempt: Attempt, state: str, redirect_uri: str) -> str:
        said = await self._issuer.described()
        more = {"response_mode": "form_post"} if self.posts else {}
        url, _ = self._client(said, redirect_uri).create_authorization_url(
            said["authorization_endpoint"],
            state=state,
            nonce=attempt.nonce,
            code_verifier=attempt.verifier,
            **more,
        )
        return str(url)

    async def identify(
        self, attempt: Attempt, answer: Mapping[str, str], redirect_uri: str
    ) -> Person:
        said = await self._issuer.described()
        async with self._client(said, redirect_uri) as client:
            token = await fetch_token(client, said["token_endpoint"], attempt, answer)
        access_token = str(token["access_token"])
        claims = await self._issuer.claims(
            str(token.get("id_token", "")),
            client_id=self._client_id,
            nonce=attempt.nonce,
            access_token=access_token,
        )
        shown = {**await self._user_info(said, claims, access_token), **claims}
        return Person(
            subject=claims["sub"],
            email=shown.get("email"),
            email_verified=shown.get("email_verified") in (True, "true"),  # Apple's is a text
            name=self._name(shown, answer),
        )

    async def _user_info(
        self, said: dict[str, Any], claims: dict[str, Any], access_token: str
    ) -> dict[str, Any]:
        """Return what some issuers keep out of the token."""
        address = str(said.get("userinfo_endpoint", ""))
        if "email" in claims or not is_safe_url(address):
            return {}
        shown = await self._issuer.outside.get(address, token=access_token)
        if shown.get("sub") != claims["sub"]:
            raise BadIdentity("The provider speaks of two people.")
        return shown

    def _name(self, shown: dict[str, Any], answer: Mapping[str, str]) -> str | None:  # noqa: ARG002
        return shown.get("name")

    def _secret(self) -> str:
        return self._client_secret

    def _client(self, said: dict[str, Any], redirect_uri: str) -> Any:
        ways = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        way = "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"
        return self._issuer.outside.oauth(
            client_id=self._client_id,
            client_secret=self._secret(),
            token_endpoint_auth_method=way if self._secret() else "none",
            redirect_uri=redirect_uri,
            scope=self._scopes,
        )


class Apple(OpenId):
    """Apple posts its answer, tells a name the first time only and beside its token, and
    takes as the secret a token that the team has signed.
    """

    posts = True

    def __init__(self, issuer: Issuer, settings: AppleSettings, clock: Clock) -> None:
        super().__init__(issuer, settings.client_id or "", "", settings.scopes)
        self._settings = settings
        self._clock = clock

    def _secret(self) -> str:
        key = self._settings.private_key
        now = int(self._clock.now().timestamp())
        return jwt.encode(
            {"alg": "ES256", "kid": self._settings.key_id},
            {
                "iss": self._settings.team_id,
                "iat": now,
                "exp": now + _SECRET_SECONDS,
                "aud": self._issuer.url,
                "sub": self._client_id,
            },
            jwk.import_key(key.get_secret_value() if key else "", "EC"),
        )

    def _name(self, shown: dict[str, Any], answer: Mapping[str, str]) -> str | None:  # noqa: ARG002
        try:
            name = orjson.loads(answer.get("user", ""))["name"]
            return f"{name.get('firstName') or ''} {name.get('lastName') or ''}".strip()
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
