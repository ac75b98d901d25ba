"""Sign-ins at providers that have begun. In Redis, as the answer may come to any node."""

import hashlib
import secrets
from typing import NamedTuple
from uuid import UUID

import orjson
from redis.asyncio import Redis

from app.kit.ids import LoginId, VisitorId
from app.storage.redis import redis_errors


class Attempt(NamedTuple):
    """What must be known again when somebody comes back from a provider.

    Who began it is kept here, too: cookies do not accompany an answer that the provider's
    page posts.
    """

    provider: str
    nonce: str  # must be in the provider's token, so that it is the answer to this attempt
    verifier: str  # of PKCE (RFC 7636): whoever intercepts the code cannot use it
    next: str  # a path of ours
    visitor_id: VisitorId | None
    login_id: LoginId | None  # the sign-in whose account is to be linked, if that is the wish


class Begun(NamedTuple):
    state: str  # goes to the provider and comes back
    cookie: str  # stays in the browser


class AttemptStore:
    """Each attempt can be ended once, by the browser that began it and in time."""

    def __init__(self, redis: Redis, *, seconds: int) -> None:
        self._redis = redis
        self._seconds = seconds

    async def begin(self, attempt: Attempt) -> Begun:
        begun = Begun(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        with redis_errors():
            await self._redis.set(
                _key(begun), orjson.dumps(attempt._asdict(), default=str), ex=self._seconds
            )
        return begun

    async def end(self, begun: Begun) -> Attempt | None:
        """Return the attempt that state and cookie belong to, and void it."""
        with redis_errors():
            found = await self._redis.getdel(_key(begun))
        if found is None:
            return None
        kept = orjson.loads(found)
        visitor, login = kept.pop("visitor_id"), kept.pop("login_id")
        return Attempt(
            **kept,
            visitor_id=VisitorId(UUID(visitor)) if visitor else None,
            login_id=LoginId(UUID(login)) if login else None,
        )


def _key(begun: Begun) -> str:
    # Neither the one nor the other finds anything alone.
    return f"sign_in:{hashlib.sha256(' '.join(begun).encode()).hexdigest()}"
