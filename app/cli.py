"""The command ``colloquy``: serve, db, doctor, ingest, chat."""

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import structlog
import uvicorn

from app.agents.types import Agent
from app.doctor import examine
from app.gateway.transport import AbortableProtocol
from app.kit.errors import AppError, Kind
from app.main import create_app
from app.observability import logs
from app.services import Services, addresses, build
from app.settings import Settings, load_settings
from app.storage import migrations
from app.terminal import converse

log = structlog.get_logger()

T = TypeVar("T")


class PortTaken(AppError):
    """The address to listen on cannot be had."""

    code = "port_taken"
    kind = Kind.CONFLICT


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the fastest event loop there is; say an ``AppError`` in one sentence."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(work)
    except AppError as error:
        raise click.ClickException(error.message) from None
    except BaseExceptionGroup as group:
        errors = _expected(group)
        if not errors:
            raise
        raise click.ClickException(errors[0].message) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def settings_from(**given: Any) -> Settings:
    try:
        return load_settings(**{name: value for name, value in given.items() if value is not None})
    except AppError as error:
        raise click.ClickException(error.message) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="colloquy")
def main() -> None:
    """Turns a LangGraph agent into a real-time conversation a browser can rely on.

    Every setting is an environment variable: see docs/settings.md.
    """


_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the embedded servers keep their data.",
)


@main.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on.")
@_data_dir
def serve(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Serve conversations. Another one on the same data directory joins as a second node."""
    settings = settings_from(host=host, port=port, data_dir=data_dir)
    logs.configure(settings.log)
    run(serve_node(settings))


@main.group()
def db() -> None:
    """The database's tables."""


@db.command()
@_data_dir
def upgrade(data_dir: Path | None) -> None:
    """Bring the tables up to date."""
    settings = settings_from(data_dir=data_dir)
    logs.configure(settings.log)

    async def work() -> tuple[str | None, str | None]:
        async with contextlib.AsyncExitStack() as stack:
            url, _ = await addresses(settings, stack)
            await asyncio.to_thread(migrations.upgrade, url)
            return await asyncio.to_thread(migrations.revisions, url)

    revision, _ = run(work())
    click.echo(f"The tables are at revision {revision}.")


@main.command()
@_data_dir
def doctor(data_dir: Path | None) -> None:
    """Check addresses, versions, pools, clock and tables; say what to do."""
    settings = settings_from(data_dir=data_dir)
    findings = run(examine(settings))
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'BAD '} {finding.what}: {finding.says}")
        if finding.advice:
            click.echo(f"     → {finding.advice}")
    if not all(finding.ok for finding in findings):
        raise SystemExit(1)


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@_data_dir
def ingest(path: Path, data_dir: Path | None) -> None:
    """Give the search team documents: a file or a folder of Markdown, text, HTML, PDF."""
    settings = settings_from(data_dir=data_dir)
    logs.configure(settings.log)

    async def work() -> Any:
        async with build(settings) as services:
            return await services.knowledge.ingest(path)

    report = run(work())
    click.echo(
        f"{len(report.added)} added, {len(report.replaced)} replaced,"
        f" {len(report.removed)} removed, {report.unchanged} unchanged; {report.passages} passages in {report.seconds:.1f} s."
    )
    for remark in (*report.rejected, *report.incomplete):
        click.echo(f"  {remark.source} {remark.reason}", err=True)
    if report.rejected:
        raise SystemExit(1)


@main.command()
@click.argument("question", nargs=-1)
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="The server.")
def chat(question: tuple[str, ...], url: str) -> None:
    """Talk in the terminal. With a QUESTION, ask just that and leave."""
    sys.exit(run(converse(url, " ".join(question) or None)))


async def serve_node(settings: Settings, *, agents: Sequence[Agent] = ()) -> None:
    """Serve until a signal says to stop, with ``agents`` beside the built-in one."""
    listener = _listen(settings.host, settings.port)
    with contextlib.closing(listener):
        async with build(settings, agents=agents) as services:
            await _serve_until_stopped(settings, services, listener)


async def _serve_until_stopped(
    settings: Settings, services: Services, listener: socket.socket
) -> None:
    config = uvicorn.Config(
        create_app(settings, contextlib.nullcontext(services)),
        ws=AbortableProtocol,
        # ours is what a client sees (4009), so the transport's is a little larger
        ws_max_size=settings.protocol.frame_bytes + 65_536,
        ws_per_message_deflate=False,
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.server.trusted_proxies,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    stopper = _Stopper(settings, services, server)
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
    click.echo(f"Colloquy is ready. Open {url}", err=False)
    sys.stdout.flush()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: it would close every socket at once."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Stopper:
    """Turns signals into an orderly end. SIGTERM: drain. SIGINT, a person at a terminal: now.
    A second signal of either kind does not wait any longer.
    """

    def __init__(self, settings: Settings, services: Services, server: uvicorn.Server) -> None:
        self._settings = settings
        self._services = services
        self._server = server
        self._asked = asyncio.Event()
        self._seconds = 0.0
        self._task: asyncio.Task[None] | None = None

    def listen(self, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        drain = self._settings.runs.drain_seconds
        loop.add_signal_handler(signal.SIGTERM, self._ask, drain)
        loop.add_signal_handler(signal.SIGINT, self._ask, 0.0)
        self._task = group.create_task(self._stop())

    def done(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _ask(self, seconds: float) -> None:
        if self._asked.is_set():
            self._server.should_exit = True
        self._seconds = seconds
        self._asked.set()

    async def _stop(self) -> None:
        await self._asked.wait()
        log.info("stopping", drain_seconds=self._seconds)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._services.gateway.drain(self._seconds))
            group.create_task(self._services.worker.drain(self._seconds))
        self._server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    """Bind the address.

    Raises:
        PortTaken: somebody else has it, or it is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def _expected(group: BaseExceptionGroup[BaseException]) -> list[AppError]:
    """Return the ``AppError``s of a group, or nothing if there is anything else in it."""
    found: list[AppError] = []
    for error in group.exceptions:
        if isinstance(error, AppError):
            found.append(error)
        elif isinstance(error, BaseExceptionGroup):
            inner = _expected(error)
            if not inner:
                return []
            found += inner
        else:
            return []
    return found
