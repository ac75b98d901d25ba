"""The Redis client: one pool for commands, and errors that say to come back."""

import contextlib
from collections.abc import Iterator

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from app.kit.errors import Unavailable
from app.settings import RedisSettings

RETRY_AFTER_MS = 2_000

# Answers that mean "not now": full, loading its data, failing over, stopped writing.
_TEMPORARY_REPLIES = ("OOM", "LOADING", "READONLY", "MASTERDOWN", "MISCONF", "CLUSTERDOWN", "BUSY")


def connect(url: str, settings: RedisSettings) -> Redis:
    """Return a client for ``redis://``, ``rediss://`` or ``unix://``; connects when used.

    A command is never repeated by the client: whether one that timed out took effect is
    not known here, and the callers know how to ask again safely.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=settings.connections,
        timeout=settings.command_seconds,
        socket_timeout=settings.command_seconds,
        socket_connect_timeout=settings.command_seconds,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
        client_name="colloquy",
    )
    return Redis.from_pool(pool)


@contextlib.contextmanager
def redis_errors() -> Iterator[None]:
    """Turn "Redis does not answer" into ``Unavailable``.

    Raises:
        Unavailable: Redis is gone, slow, full or loading.
    """
    try:
        yield
    except ResponseError as error:
        if str(error).startswith(_TEMPORARY_REPLIES):
            raise _unavailable(error) from error
        raise
    except (RedisError, OSError, TimeoutError) as error:
        raise _unavailable(error) from error


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(
        "The live channel does not answer for the moment.",
        retry_after_ms=RETRY_AFTER_MS,
        cause=type(error).__name__,
    )
