"""Settings of identities that others vouch for: social sign-in, and the operator's own login."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from app.kit.group import Group

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MIN_SECRET = 32  # bytes: a key as long as the digest (RFC 7518, section 3.2)


def is_safe_url(url: str) -> bool:
    """Whether secrets may go there: by HTTPS, or to this very machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _checked(url: str) -> str:
    if not is_safe_url(url):
        raise ValueError("must begin with https:// (http:// only on this machine)")
    return url


SafeUrl = Annotated[str, AfterValidator(_checked)]


class ClientSettings(Group):
    """What a provider knows this service by. It is offered once there is a ``client_id``."""

    client_id: str | None = None
    """This service's name at the provider. Unset: not offered."""
    client_secret: SecretStr | None = None
    """Its secret there."""

    @property
    def secret(self) -> str:
        return self.client_secret.get_secret_value() if self.client_secret else ""


class GoogleSettings(ClientSettings):
    issuer: SafeUrl = "https://accounts.google.com"
    """Whose tokens are believed; everything else is discovered there."""
    scopes: str = "openid email profile"
    """What is asked for."""


class AppleSettings(Group):
    client_id: str | None = None
    """The Services ID. Unset: not offered."""
    team_id: str = ""
    """The team's id."""
    key_id: str = ""
    """The id of the private key."""
    private_key: SecretStr | None = None
    """The private key (the text of the ``.p8`` file), which signs the client secret."""
    issuer: SafeUrl = "https://appleid.apple.com"
    """Whose tokens are believed; everything else is discovered there."""
    scopes: str = "openid name email"
    """What is asked for."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.client_id and not (self.team_id and self.key_id and self.private_key):
            raise ValueError("team_id, key_id and private_key belong to a client_id")
        return self


class KakaoSettings(ClientSettings):
    authorize_url: SafeUrl = "https://kauth.kakao.com/oauth/authorize"
    """Where people are sent."""
    token_url: SafeUrl = "https://kauth.kakao.com/oauth/token"  # noqa: S105 - an address
    """Where a code becomes a token."""
    user_url: SafeUrl = "https://kapi.kakao.com/v2/user/me"
    """Where a token says who it is."""
    scopes: str = "account_email profile_nickname"
    """What is asked for."""


class NaverSettings(ClientSettings):
    authorize_url: SafeUrl = "https://nid.naver.com/oauth2.0/authorize"
    """Where people are sent."""
    token_url: SafeUrl = "https://nid.naver.com/oauth2.0/token"  # noqa: S105 - an address
    """Where a code becomes a token."""
    user_url: SafeUrl = "https://openapi.naver.com/v1/nid/me"
    """Where a token says who it is."""


class IssuerSettings(Group):
    """Any OpenID Connect issuer."""

    issuer: SafeUrl
    """Whose tokens are believed; everything else is discovered there."""
    client_id: str
    """This service's name there."""
    client_secret: SecretStr | None = None
    """Its secret there."""
    scopes: str = "openid email profile"
    """What is asked for."""


class SocialSettings(Group):
    google: GoogleSettings = GoogleSettings()
    """Sign in with Google."""
    apple: AppleSettings = AppleSettings()
    """Sign in with Apple."""
    kakao: KakaoSettings = KakaoSettings()
    """Sign in with Kakao."""
    naver: NaverSettings = NaverSettings()
    """Sign in with Naver."""
    oidc: dict[str, IssuerSettings] = Field(default={})
    """Any other OpenID Connect issuers by name, as JSON:
    ``{"work": {"issuer": "https://…", "client_id": "…", "client_secret": "…"}}``."""
    attempt_seconds: int = Field(default=600, ge=1)
    """How long somebody may take at the provider."""
    answer_seconds: float = Field(default=10, gt=0)
    """How long a provider may take for one answer."""
    cache_seconds: float = Field(default=3_600, gt=0)
    """How long a provider's addresses and keys are believed without asking again."""
    refresh_seconds: float = Field(default=10, gt=0)
    """An unknown key is asked for at most once in this time."""
    leeway_seconds: int = Field(default=30, ge=0)
    """How far a provider's clock may be off."""

    @model_validator(mode="after")
    def _names_are_good(self) -> Self:
        for name in self.oidc:
            if not _NAME.fullmatch(name) or name in type(self).model_fields:
                raise ValueError(f"{name!r} cannot be the name of an issuer")
        return self


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "HS256", "HS384", "HS512"]


class ExternalSettings(Group):
    issuer: str | None = None
    """Who signs the tokens of your own login (``iss``). Unset: there is none."""
    audience: str | None = None
    """Whom the tokens must be for (``aud``); required with an issuer."""
    jwks_url: SafeUrl | None = None
    """Where the issuer's public keys are. Either this or a secret."""
    secret: SecretStr | None = None
    """The secret that you share with the issuer, at least 32 bytes."""
    algorithms: list[Algorithm] = Field(default=[])
    """Allowed signatures. Empty: RS256 and ES256 with ``jwks_url``, HS256 with a secret."""
    leeway_seconds: int = Field(default=10, ge=0)
    """How far the issuer's clock may be off; a token is good for so much longer."""
    max_seconds: int = Field(default=3_600, ge=1)
    """Longest a token may live; one that was made for longer is refused."""
    answer_seconds: float = Field(default=5, gt=0)
    """How long the issuer may take to tell its keys."""
    cache_seconds: float = Field(default=300, gt=0)
    """How long its keys are believed without asking again."""
    refresh_seconds: float = Field(default=10, gt=0)
    """An unknown key is asked for at most once in this time."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.issuer is None:
            return self
        if not self.audience:
            raise ValueError("an issuer needs an audience")
        if (self.jwks_url is None) == (self.secret is None):
            raise ValueError("an issuer needs either jwks_url or secret")
        if self.secret and len(self.secret.get_secret_value().encode()) < _MIN_SECRET:
            raise ValueError(f"secret has at least {_MIN_SECRET} bytes")
        for name in self.algorithms:  # a public key must never serve as a shared secret
            if name.startswith("HS") != (self.secret is not None):
                raise ValueError(f"{name} does not fit the kind of key")
        return self

    @property
    def allowed(self) -> list[str]:
        """Signatures that are accepted."""
        return list(self.algorithms) or (["HS256"] if self.secret else ["RS256", "ES256"])
