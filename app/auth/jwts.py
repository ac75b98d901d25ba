"""Signed tokens of others (RFC 7519), and the keys that they are checked with."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Collection
from typing import Any, NamedTuple, Protocol

import structlog
from joserfc import jwk, jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from app.auth.errors import BadIdentity, ProviderUnavailable

log = structlog.get_logger()

_BROKEN = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
_PUBLIC = frozenset({"RSA", "EC", "OKP"})


class Checked(NamedTuple):
    """A token whose signature is right. Whether it is for us, and now, is not checked yet."""

    header: dict[str, Any]
    claims: dict[str, Any]


class Keys(Protocol):
    """Where the key of a token is found."""

    async def of(self, kid: str | None) -> jwk.KeySet | jwk.OctKey:
        """Return keys, among them the one with this id if there is one."""


class SharedSecret:
    """One secret for all tokens."""

    def __init__(self, secret: str) -> None:
        self._key = jwk.OctKey.import_key(secret)

    async def of(self, kid: str | None) -> jwk.OctKey:  # noqa: ARG002 - there is one only
        return self._key


class RemoteKeys:
    """The public keys of an issuer (RFC 7517), asked for when one is unknown or all are old.

    Args:
        read: asks the issuer for its key set.
        cache_seconds: how long keys are believed.
        refresh_seconds: it is asked at most once in this time, so that nobody can have it
            asked at will with made-up key ids.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[dict[str, Any]]],
        *,
        cache_seconds: float,
        refresh_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._read = read
        self._cache_seconds = cache_seconds
        self._refresh_seconds = refresh_seconds
        self._monotonic = monotonic
        self._keys: jwk.KeySet | None = None
        self._read_at = self._asked_at = float("-inf")
        self._one_asks = asyncio.Lock()

    async def of(self, kid: str | None) -> jwk.KeySet:
        """Return the keys.

        Raises:
            ProviderUnavailable: none are known, and the issuer does not tell them.
        """
        if self._keys is not None and self._knows(kid) and self._one_asks.locked():
            return self._keys  # old ones are good enough while somebody asks for new ones
        async with self._one_asks:
            now = self._monotonic()
            is_due = now - self._read_at > self._cache_seconds or not self._knows(kid)
            if is_due and now - self._asked_at > self._refresh_seconds:
                self._asked_at = now
                await self._renew()
            if self._keys is None:
                raise ProviderUnavailable(
                    "The issuer's keys are not known.",
                    retry_after_ms=round(self._refresh_seconds * 1_000),
                )
            return self._keys

    def _knows(self, kid: str | None) -> bool:
        if self._keys is None:
            return False
        return kid is None or any(key.kid == kid for key in self._keys)

    async def _renew(self) -> None:
        try:
            self._keys = _public_keys(await self._read())
        except (ProviderUnavailable, *_BROKEN) as error:  # older ones serve meanwhile
            log.warning("keys_not_read", error=type(error).__name__)
        else:
            self._read_at = self._monotonic()


def _public_keys(found: dict[str, Any]) -> jwk.KeySet:
    """Return the keys of a set that can check a signature; one of another kind spoils nothing."""
    keys = [
        jwk.import_key(one)
        for one in found["keys"]
        if one.get("kty") in _PUBLIC and one.get("use", "sig") == "sig"
    ]
    if not keys:
        raise ValueError("no keys")
    return jwk.KeySet(keys)


async def check_signature(token: str, keys: Keys, *, allowed: Collection[str]) -> Checked:
    """Return what a token says, if one of the keys has signed it in an allowed way.

    Raises:
        BadIdentity: it is no such token. ``none`` is never allowed.
        ProviderUnavailable: the keys are not to be had.
    """
    found = await keys.of(_kid(token))
    try:
        # What issuers add to a header is theirs; what is critical must still be known.
        registry = JWSRegistry(algorithms=allowed, strict_check_header=False)
        checked = jwt.decode(token, found, algorithms=allowed, registry=registry)
    except _BROKEN as error:
        raise BadIdentity("The token is not valid.") from error
    return Checked(checked.header, checked.claims)


def _kid(token: str) -> str | None:
    """Return which key a token names; not checked yet, as this is needed to check it."""
    head = token.partition(".")[0]
    try:
        kid = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    except KeyError:
        return None
    except _BROKEN as error:
        raise BadIdentity("The token is not valid.") from error
    return str(kid)
