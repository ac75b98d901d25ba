"""Providers that vouch for people, each with its way of saying who somebody is."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from app.auth.attempts import Attempt
from app.auth.errors import BadIdentity
from app.auth.openid import Apple, Issuer, OpenId
from app.auth.outside import Outside, fetch_token
from app.auth.types import Person
from app.identity_settings import KakaoSettings, NaverSettings, SocialSettings
from app.kit.clock import Clock


class Provider(Protocol):
    """One way to have somebody vouched for."""

    posts: bool  # whether its page posts the answer, which Lax cookies do not accompany

    async def address(self, attempt: Attempt, state: str, redirect_uri: str) -> str:
        """Return where to send the browser."""

    async def identify(
        self, attempt: Attempt, answer: Mapping[str, str], redirect_uri: str
    ) -> Person:
        """Return for whom the provider vouches by its answer.

        Raises:
            SignInRefused: for nobody: the code is used, wrong or too old.
            BadIdentity: its word proves nothing.
            ProviderUnavailable: it does not answer.
        """


class OAuth:
    """OAuth 2 without OpenID Connect: a token shows the person in the provider's own shape.

    Args:
        settings: its addresses, and what it knows us by.
        scopes: what is asked for.
        read: takes the person from that shape.
        outside: asks it.
    """

    posts = False

    def __init__(
        self,
        settings: KakaoSettings | NaverSettings,
        scopes: str | None,
        read: Callable[[dict[str, Any]], Person],
        outside: Outside,
    ) -> None:
        self._settings = settings
        self._scopes = scopes
        self._read = read
        self._outside = outside

    async def address(self, attempt: Attempt, state: str, redirect_uri: str) -> str:
        url, _ = self._client(redirect_uri).create_authorization_url(
            self._settings.authorize_url, state=state, code_verifier=attempt.verifier
        )
        return str(url)

    async def identify(
        self, attempt: Attempt, answer: Mapping[str, str], redirect_uri: str
    ) -> Person:
        async with self._client(redirect_uri) as client:
            token = await fetch_token(client, self._settings.token_url, attempt, answer)
        shown = await self._outside.get(self._settings.user_url, token=str(token["access_token"]))
        try:
            return self._read(shown)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadIdentity("The provider does not say who this is.") from error

    def _client(self, redirect_uri: str) -> Any:
        return self._outside.oauth(
            client_id=self._settings.client_id,
            client_secret=self._settings.secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - names a way
            redirect_uri=redirect_uri,
            scope=self._scopes,
        )


def kakao_person(shown: dict[str, Any]) -> Person:
    """Read ``/v2/user/me`` of Kakao."""
    account = shown.get("kakao_account") or {}
    return Person(
        subject=str(shown["id"]),
        email=account.get("email"),
        email_verified=account.get("is_email_valid") is True
        and account.get("is_email_verified") is True,
        name=(account.get("profile") or {}).get("nickname"),
    )


def naver_person(shown: dict[str, Any]) -> Person:
    """Read ``/v1/nid/me`` of Naver, which does not say whether it has checked an address."""
    if shown["resultcode"] != "00":
        raise KeyError("response")
    response = shown["response"]
    return Person(
        subject=str(response["id"]),
        email=response.get("email"),
        name=response.get("name") or response.get("nickname"),
    )


def providers(settings: SocialSettings, clock: Clock) -> dict[str, Provider]:
    """Return what is configured, by name."""
    outside = Outside(settings.answer_seconds)
    found: dict[str, Provider] = {}

    def issuer(url: str) -> Issuer:
        return Issuer(url, outside, settings, clock)

    if settings.google.client_id:
        google = settings.google
        found["google"] = OpenId(
            issuer(google.issuer), google.client_id or "", google.secret, google.scopes
        )
    if settings.apple.client_id:
        found["apple"] = Apple(issuer(settings.apple.issuer), settings.apple, clock)
    if settings.kakao.client_id:
        found["kakao"] = OAuth(settings.kakao, settings.kakao.scopes, kakao_person, outside)
    if settings.naver.client_id:
        found["naver"] = OAuth(settings.naver, None, naver_person, outside)
    for name, one in settings.oidc.items():
        secret = one.client_secret.get_secret_value() if one.client_secret else ""
        found[name] = OpenId(issuer(one.issuer), one.client_id, secret, one.scopes)
    return found
