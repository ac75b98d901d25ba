"""Tries that fail take ever longer: passwords shall not be found by trying them."""

import hashlib
from pathlib import Path

from redis.asyncio import Redis

from app.auth.errors import TooManyTries
from app.limits.places import place_of
from app.settings import AuthSettings
from app.storage.redis import redis_errors


class Throttle:
    """Counts tries for an account and from an address, on all nodes together.

    A try is counted before it is made, so that many at once are no way around it, and
    whether there is such an account makes no difference.
    """

    def __init__(self, redis: Redis, settings: AuthSettings) -> None:
        self._redis = redis
        self._settings = settings
        script = (Path(__file__).parent / "throttle.lua").read_text("utf-8")
        self._count = redis.register_script(script)

    async def enter(self, *, account: str, address: str) -> None:
        """Count a try.

        Raises:
            TooManyTries: there were too many; it says when the next one may be made.
            Unavailable: Redis does not answer.
        """
        for key, free in (
            (_key("account", account), self._settings.tries_per_account),
            (_address_key(address), self._settings.tries_per_address),
        ):
            args = [free, self._settings.tries_seconds, self._settings.wait_seconds]
            with redis_errors():
                wait_ms = int(await self._count(keys=[key], args=args))
            if wait_ms:
                raise TooManyTries("Too many tries. Wait a little.", retry_after_ms=wait_ms)

    async def succeeded(self, *, account: str, address: str) -> None:
        """Forget an account's tries, and one of the address."""
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                _ = pipe.delete(_key("account", account))
                _ = pipe.hincrby(_address_key(address), "count", -1)
                _ = pipe.expire(_address_key(address), self._settings.tries_seconds)
                await pipe.execute()


def _key(kind: str, name: str) -> str:
    return f"tries:{kind}:{hashlib.sha256(name.encode()).hexdigest()}"


def _address_key(address: str) -> str:
    return _key("address", place_of(address) or address)
