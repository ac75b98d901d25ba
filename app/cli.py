"""The command ``colloquy``: serve, worker, db, user, doctor, ingest, chat."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from app.kit.errors import AppError
from app.observability import logs
from app.settings import Settings, load_settings

# What a command needs is imported when it runs: the service takes a second to import, and
# `--help` and `chat` need none of it.

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the fastest event loop there is; say an ``AppError`` in one sentence."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_told(work))
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
    except AppError as error:
        raise click.ClickException(error.message) from None
    except BaseExceptionGroup as group:
        errors = _expected(group)
        if not errors:
            raise
        raise click.ClickException(errors[0].message) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


async def _until_told(work: Coroutine[Any, Any, T]) -> T:
    """Do ``work``; SIGTERM ends it in order, so that nothing it has started is left behind."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


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
    gc.disable()  # two thousand modules are loaded now, and none of them is garbage
    from app.serving import serve_node

    gc.enable()
    settings = settings_from(host=host, port=port, data_dir=data_dir)
    logs.configure(settings.log)
    run(serve_node(settings))


@main.command()
@click.option("--concurrency", type=click.IntRange(1), help="Runs to execute at once.")
@_data_dir
def worker(concurrency: int | None, data_dir: Path | None) -> None:
    """Execute runs, listening on no port, for the nodes that serve."""
    gc.disable()  # as above
    from app.working import work_node

    gc.enable()
    settings = settings_from(data_dir=data_dir)
    if concurrency is not None:
        runs = settings.runs.model_copy(update={"concurrency": concurrency})
        settings = settings.model_copy(update={"runs": runs})
    logs.configure(settings.log)
    run(work_node(settings))


@main.group()
def db() -> None:
    """The database's tables."""


@db.command()
@_data_dir
def upgrade(data_dir: Path | None) -> None:
    """Bring the tables up to date."""
    from app.storage import migrations
    from app.stores import addresses

    settings = settings_from(data_dir=data_dir)
    logs.configure(settings.log)

    async def work() -> tuple[str | None, str | None]:
        async with contextlib.AsyncExitStack() as stack:
            url, _ = await addresses(settings, stack)
            await asyncio.to_thread(migrations.upgrade, url)
            return await asyncio.to_thread(migrations.revisions, url)

    revision, _ = run(work())
    click.echo(f"The tables are at revision {revision}.")


@main.group()
def user() -> None:
    """Accounts: add, disable, enable, list."""


@user.command()
@click.argument("email")
@click.option("--name", help="How the person is shown.")
@click.password_option(help="Asked for if it is not given.")
@_data_dir
def add(email: str, name: str | None, password: str, data_dir: Path | None) -> None:
    """Make an account. Its e-mail address needs no proof."""
    from app.operators import operating

    async def work(settings: Settings) -> int:
        async with operating(settings) as operators:
            return await operators.add(email, password, display_name=name)

    click.echo(f"{email} has account {run(work(_quiet(data_dir)))}.")


@user.command()
@click.argument("who")
@_data_dir
def disable(who: str, data_dir: Path | None) -> None:
    """Let nobody use an account, named by e-mail address or number. Its sign-ins and sockets
    end at once, on all nodes.
    """
    _set_active(who, data_dir, is_active=False)
    click.echo(f"{who} is disabled.")


@user.command()
@click.argument("who")
@_data_dir
def enable(who: str, data_dir: Path | None) -> None:
    """Let a disabled account, named by e-mail address or number, be used again."""
    _set_active(who, data_dir, is_active=True)
    click.echo(f"{who} is enabled.")


@user.command("list")
@_data_dir
def list_users(data_dir: Path | None) -> None:
    """Print every account: number, e-mail address, state, name."""
    from app.operators import operating

    async def work(settings: Settings) -> None:
        async with operating(settings) as operators:
            async for one in operators.all():
                state = "active" if one.is_active else "disabled"
                proof = "" if one.email_verified_at else ", address not proved"
                name = f"  {one.display_name}" if one.display_name else ""
                click.echo(f"{one.id:>6}  {one.email or '-'}  {state}{proof}{name}")

    run(work(_quiet(data_dir)))


def _set_active(who: str, data_dir: Path | None, *, is_active: bool) -> None:
    from app.operators import operating

    async def work(settings: Settings) -> None:
        async with operating(settings) as operators:
            await operators.set_active(who, is_active=is_active)

    run(work(_quiet(data_dir)))


def _quiet(data_dir: Path | None) -> Settings:
    settings = settings_from(data_dir=data_dir)
    logs.configure(settings.log)
    return settings


@main.command()
@_data_dir
def doctor(data_dir: Path | None) -> None:
    """Check addresses, versions, pools, clock and tables; say what to do."""
    from app.doctor import examine

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
    from app.kit.clock import SystemClock
    from app.node import open_knowledge
    from app.stores import open_stores

    settings = settings_from(data_dir=data_dir)
    logs.configure(settings.log)

    async def work() -> Any:
        async with open_stores(settings) as stores:
            return await open_knowledge(settings, stores, clock=SystemClock()).ingest(path)

    report = run(work())
    click.echo(
        f"{len(report.added)} added, {len(report.replaced)} replaced,"
        f" {len(report.removed)} removed, {report.unchanged} unchanged;"
        f" {report.passages} passages in {report.seconds:.1f} s."
    )
    for remark in (*report.rejected, *report.incomplete):
        click.echo(f"  {remark.source} {remark.reason}", err=True)
    if report.rejected:
        raise SystemExit(1)


@main.command()
@click.argument("question", nargs=-1)
@click.option("--url", help="The server. Default: where `serve` would listen.")
def chat(question: tuple[str, ...], url: str | None) -> None:
    """Talk in the terminal. With a QUESTION, ask just that and leave."""
    settings = settings_from()
    url = url or f"http://{settings.host}:{settings.port}"
    from app.terminal import converse

    sys.exit(run(converse(url, " ".join(question) or None)))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
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
