"""The Redis client: a pool for commands, and errors that say to come back."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import TimeoutError as RedisTimeout
from redis.maint_notifications import MaintNotificationsConfig

from app.kit.errors import Unavailable
from app.settings import RedisSettings
from app.storage.addresses import BadAddress, parse_redis_url
from app.storage.cluster import ClusterRedis

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
    """Return a client for what ``parse_redis_url`` reads; connects when used.

    A command is never repeated by the client: whether one that timed out took effect is
    not known here, and the callers know how to ask again safely.

    Raises:
        BadAddress: not such a URL.
    """
    address = parse_redis_url(url)
    kind = address.options.pop("connection_class", Connection)
    ours: dict[str, Any] = {
        "max_connections": settings.connections,
        "timeout": settings.command_seconds,
        "socket_timeout": settings.command_seconds,
        "socket_connect_timeout": settings.command_seconds,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
        "client_name": "colloquy",
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),  # few servers can
    }

    def open_server(**place: Any) -> Redis:
        # what the URL says beyond an address does not outweigh what the code relies on
        options = {**address.options, **place, **ours}
        return Redis.from_pool(BlockingConnectionPool(connection_class=_KINDS[kind], **options))

    if not address.nodes:
        return open_server()
    return ClusterRedis(
        address.nodes,
        lambda node: open_server(host=node.host, port=node.port),
        command_seconds=settings.command_seconds,
    )


@contextlib.contextmanager
def redis_errors() -> Iterator[None]:
    """Turn "Redis does not answer" into ``Unavailable``.

    Raises:
        Unavailable: Redis is gone, slow, full or loading.
        BadAddress: it is a node of a cluster, and the address does not say so.
    """
    try:
        yield
    except MovedError as error:
        raise BadAddress(
            "COLLOQUY_REDIS_URL is a node of a cluster: ?cluster=true is missing."
        ) from error
    except ResponseError as error:
        if isinstance(error, _TEMPORARY_CLASSES) or _answer(error).startswith(_TEMPORARY_REPLIES):
            raise _unavailable(error) from error
        raise
    except (RedisError, OSError, TimeoutError) as error:
        raise _unavailable(error) from error


def _answer(error: ResponseError) -> str:
    """Return what the server said, without what a pipeline puts before it."""
    return str(error).rpartition("of pipeline caused error: ('")[2]


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(
        "The live channel does not answer for the moment.",
        retry_after_ms=RETRY_AFTER_MS,
        cause=type(error).__name__,
    )
