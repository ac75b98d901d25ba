"""Serves one node until it is told to stop: listener, uvicorn, drain."""

import asyncio
import contextlib
import errno
import resource
import socket
import sys
from collections.abc import Iterator, Sequence

import uvicorn

from app.agents.types import Agent
from app.background import calm_collector
from app.gateway.transport import AbortableProtocol
from app.kit.clock import Clock
from app.kit.errors import AppError, Kind
from app.main import create_app
from app.services import Services, build
from app.settings import Settings
from app.stopping import Stopper
from app.threads import use_threads
from app.web.transport import BoundedHttp

_OTHER_FILES = 500  # pools, logs, documents


class PortTaken(AppError):
    """The address to listen on cannot be had."""

    code = "port_taken"
    kind = Kind.CONFLICT


async def serve_node(
    settings: Settings, *, agents: Sequence[Agent] = (), clock: Clock | None = None
) -> None:
    """Serve until a signal says to stop, with ``agents`` beside the built-in one."""
    use_threads()
    allow_files(settings.connections.per_node + _OTHER_FILES)
    listener = _listen(settings)
    with contextlib.closing(listener):
        async with build(settings, agents=agents, clock=clock) as services:
            calm_collector()
            await _serve_until_stopped(settings, services, listener)


def allow_files(count: int) -> None:
    """Let this process open ``count`` files, or as many as the system allows it: a shell's
    own limit is often 1,024, which is that many sockets less what else is open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS: less than its "unlimited"
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve_until_stopped(
    settings: Settings, services: Services, listener: socket.socket
) -> None:
    config = uvicorn.Config(
        create_app(settings, contextlib.nullcontext(services)),
        ws=AbortableProtocol,
        # ours is what a client sees (4009), so the transport's is a little larger
        ws_max_size=settings.protocol.frame_bytes + 65_536,
        ws_per_message_deflate=False,
        http=BoundedHttp,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.server.trusted_proxies,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)

    async def drain(seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(services.gateway.drain(seconds))
            group.create_task(services.worker.drain(seconds))

    def stop() -> None:
        server.should_exit = True

    stopper = Stopper(drain=drain, seconds=settings.runs.drain_seconds, stop=stop)
    host, port = listener.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    async with asyncio.TaskGroup() as group:
        stopper.listen(group)
        group.create_task(_say_ready(server, f"http://{name}:{port}"))
        await server.serve(sockets=[listener])
        stopper.done()


async def _say_ready(server: uvicorn.Server, url: str) -> None:
    while not server.started:
        if server.should_exit:
            return
        await asyncio.sleep(0.01)
    sys.stdout.write(f"Colloquy is ready. Open {url}\n")
    sys.stdout.flush()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: it would close every socket at once."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(settings: Settings) -> socket.socket:
    """Bind the address.

    Raises:
        PortTaken: somebody else has it, or it is not this machine's.
    """
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # accepted sockets inherit it; Linux only
        timeout = settings.connections.tcp_user_timeout_ms
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout)
    try:
        listener.bind((host, port))
        listener.listen(2_048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} is in use. Choose another: colloquy serve --port {port + 1}"
            ) from error
        raise PortTaken(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error
    listener.setblocking(False)
    return listener
