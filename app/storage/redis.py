"""The Redis client: one pool for commands, and errors that say to come back."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection, UnixDomainSocketConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import TimeoutError as RedisTimeout

from app.kit.errors import Unavailable
from app.settings import RedisSettings
from app.storage.addresses import BadAddress

RETRY_AFTER_MS = 2_000

# Answers that mean "not now": full, failing over, stopped writing, busy with a script. The
# client has classes for some of them and cuts the code from their text; the others keep it.
_TEMPORARY_CLASSES = (
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
_TEMPORARY_REPLIES = ("BUSY ", "MISCONF ", "NOREPLICAS ")


class _Cancellable(AbstractConnection):
    """Writes without ``asyncio.wait_for``, which may lose a cancellation before Python 3.12.

    A task that loses its own goes on as if nothing had been said: a run that cannot be
    stopped, a node that does not end.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        seconds, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(seconds):
                await super().send_packed_command(command, check_health)
        except TimeoutError:
            raise RedisTimeout("Timeout writing to socket") from None
        finally:
            self.socket_timeout = seconds


class _Tcp(_Cancellable, Connection):
    """``redis://``."""


class _Tls(_Cancellable, SSLConnection):
    """``rediss://``."""


class _Unix(_Cancellable, UnixDomainSocketConnection):
    """``unix://``."""


_KINDS: dict[object, type[AbstractConnection]] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}


def connect(url: str, settings: RedisSettings) -> Redis:
    """Return a client for ``redis://``, ``rediss://`` or ``unix://``; connects when used.

    A command is never repeated by the client: whether one that timed out took effect is
    not known here, and the callers know how to ask again safely.

    Raises:
        BadAddress: not such a URL.
    """
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        raise BadAddress("COLLOQUY_REDIS_URL must begin with redis://, rediss:// or unix://") from (
            error
        )
    kind = options.pop("connection_class", Connection)
    ours: dict[str, Any] = {
        "max_connections": settings.connections,
        "timeout": settings.command_seconds,
        "socket_timeout": settings.command_seconds,
        "socket_connect_timeout": settings.command_seconds,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
        "client_name": "colloquy",
    }
    # what the URL says beyond an address does not outweigh what the code relies on
    pool = BlockingConnectionPool(connection_class=_KINDS[kind], **{**options, **ours})
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
        if isinstance(error, _TEMPORARY_CLASSES) or str(error).startswith(_TEMPORARY_REPLIES):
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
