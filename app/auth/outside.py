"""Other servers, asked over HTTPS within a time."""

import ssl
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]

from app.auth.attempts import Attempt
from app.auth.errors import ProviderUnavailable, SignInRefused

_RETRY_AFTER_MS = 5_000


class Outside:
    """Asks providers. What they answer is not believed to have any shape.

    Args:
        seconds: how long one answer may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def oauth(self, **given: Any) -> Any:
        """Return a client of an OAuth 2 provider, with PKCE by S256 (RFC 7636)."""
        return AsyncOAuth2Client(code_challenge_method="S256", **given, **self._options())

    async def get(self, url: str, *, token: str | None = None) -> dict[str, Any]:
        """Return the JSON object at an address, shown to whoever holds ``token``.

        Raises:
            ProviderUnavailable: there is none.
        """
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            async with httpx2.AsyncClient(**self._options()) as client:
                answer = await client.get(url, headers=headers)
                found = answer.raise_for_status().json()
        except (httpx2.HTTPError, ValueError) as error:
            raise unavailable() from error
        if not isinstance(found, dict):
            raise unavailable()
        return found

    def _options(self) -> dict[str, Any]:
        return {"timeout": self._seconds, "verify": self._certificates}

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        return httpx2.create_ssl_context()  # takes 30 ms


def unavailable() -> ProviderUnavailable:
    return ProviderUnavailable(
        "The provider does not answer as it should.", retry_after_ms=_RETRY_AFTER_MS
    )


async def fetch_token(
    client: Any, url: str, attempt: Attempt, answer: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the provider gives for a code.

    Raises:
        SignInRefused: nothing.
        ProviderUnavailable: it does not answer, or not as it should.
    """
    try:
        token: dict[str, Any] = await client.fetch_token(
            url,
            grant_type="authorization_code",
            code=answer.get("code", ""),
            code_verifier=attempt.verifier,
        )
    except OAuthError as error:
        raise SignInRefused("The provider does not accept this sign-in.") from error
    except (httpx2.HTTPError, ValueError) as error:
        raise unavailable() from error
    if "access_token" not in token:
        raise unavailable()
    return token
