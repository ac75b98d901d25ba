"""The command ``colloquy``, as a person types it."""

import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from tests.support.client import Client, Socket
from tests.support.commands import Commands, data_directory, done, until_unused, users_of
from tests.support.waiting import eventually

QUESTION = "What is 17% of 2,340?"


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """One data directory for this file: making one takes longer than all the rest."""
    with data_directory() as path:
        yield path


@pytest.fixture
async def commands() -> AsyncIterator[Commands]:
    async with Commands() as commands:
        yield commands


# Words and mistakes


async def test_help_names_every_command() -> None:
    code, out, _ = await done("--help")

    assert code == 0
    for name in ("serve", "worker", "db", "user", "doctor", "ingest", "chat"):
        assert f"  {name} " in out


ELSEWHERE = {
    "COLLOQUY_DATABASE_URL": "postgresql://someone@127.0.0.1:1/none",
    "COLLOQUY_REDIS_URL": "redis://127.0.0.1:1",
    "COLLOQUY_SECRET": "x" * 32,
}


@pytest.mark.parametrize(
    ("line", "environ", "sentence"),
    [
        ("dance", {}, "No such command 'dance'."),
        ("serve --port 70000", {}, "70000 is not in the range 0<=x<=65535."),
        ("serve", {"COLLOQUY_PROT": "1"}, "There is no setting COLLOQUY_PROT"),
        ("serve", {"COLLOQUY_PORT": "many"}, "COLLOQUY_PORT: "),
        ("serve", {"COLLOQUY_SESSIONS": "{"}, "COLLOQUY_SESSIONS"),
        ("serve", {"COLLOQUY_SESSIONS__TTL_SECONDS": "0"}, "COLLOQUY_SESSIONS__TTL_SECONDS: "),
        ("serve --host 203.0.113.9", {}, "Cannot listen on 203.0.113.9:8000"),
        ("serve --port 0", ELSEWHERE, "The database cannot be used: "),
        (
            "serve --port 0",
            ELSEWHERE | {"COLLOQUY_DATABASE_URL": "mysql://x/y"},
            "COLLOQUY_DATABASE_URL must begin with postgresql://",
        ),
        ("worker", ELSEWHERE, "The database cannot be used: "),
        ("worker --concurrency 0", {}, "0 is not in the range x>=1."),
        ("worker", {"COLLOQUY_RUNS__CONCURRENCY": "0"}, "a worker would execute nothing"),
        ("db upgrade", ELSEWHERE, "The database cannot be used: "),
        ("user list", ELSEWHERE, "The database cannot be used: "),
        ("chat --url http://127.0.0.1:1 hi", {}, "No Colloquy server answers at"),
        ("chat --url nonsense hi", {}, "No Colloquy server answers at nonsense."),
    ],
)
def test_a_mistake_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, line: str, environ: dict[str, str], sentence: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    result = CliRunner().invoke(main, line.split())

    assert result.exit_code in {1, 2}
    assert isinstance(result.exception, SystemExit)  # no other one got through
    assert result.stdout == ""
    assert sentence in result.stderr
    assert len([one for one in result.stderr.splitlines() if one.startswith("Error: ")]) == 1


async def test_accounts_are_added_listed_and_disabled(data_dir: Path) -> None:
    where = ("--data-dir", str(data_dir))
    code, out, _ = await done("db", "upgrade", *where)
    added = await done("user", "add", "Ann@example.org", "--password", "a long one", *where)
    again = await done("user", "add", "ann@example.org", "--password", "a long one", *where)
    off = await done("user", "disable", "ann@example.org", *where)
    _, listed, _ = await done("user", "list", *where)

    assert code == 0, out
    assert added[0] == 0, added
    assert (again[0], "There is an account with this e-mail address." in again[2]) == (1, True)
    assert off[0] == 0
    assert "ann@example.org  disabled" in listed


async def test_a_port_that_is_taken_is_noticed_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = await done("serve", "--port", str(port), "--data-dir", str(tmp_path / "d"))

    assert code == 1
    assert err == (
        f"Error: Port {port} is in use. Choose another: colloquy serve --port {port + 1}\n"
    )
    assert not (tmp_path / "d").exists()


# Serving


async def test_nodes_on_one_data_directory_are_one_service_that_outlives_each_of_them(
    data_dir: Path, commands: Commands
) -> None:
    where = ("--port", "0", "--data-dir", str(data_dir))
    one = await commands.start("serve", *where)
    here = Client(await one.ready())
    other = await commands.start("serve", *where)
    there = Client(await other.ready())
    session = await here.start()
    there.http.cookies.update(here.http.cookies)

    async with (
        here.socket(session, hello={"tab": "a"}) as first,
        there.socket(session, hello={"tab": "b"}) as second,
    ):
        await first.ask(QUESTION)
        assert "397.8" in await answer(first)
        assert "397.8" in await answer(second)

        one.signal(signal.SIGINT, group=True)  # Ctrl-C in its terminal
        assert (await first.closed())[0] == 4200
        assert await one.ended() == 0
        assert users_of(data_dir) != []

        await second.ask("What is 6 times 7?")
        assert "42" in await answer(second)

    other.signal(signal.SIGKILL)  # the last one, which stops the servers no more
    await other.ended()
    assert users_of(data_dir) != []
    third = await commands.start("serve", *where)
    again = Client(await third.ready())
    again.http.cookies.update(here.http.cookies)
    page = (await again.http.get(f"/chats/{session['chat_id']}/messages")).json()
    assert [one["text"] for one in page["messages"]][::2] == [QUESTION, "What is 6 times 7?"]

    code, out, err = await done("chat", "--url", again.url, "What", "is", "3 + 4?")
    assert (code, "7" in out) == (0, True)
    assert "· plan: " in err

    code, out, _ = await done("doctor", "--data-dir", str(data_dir))
    assert code == 0, out
    assert {line[:5] for line in out.splitlines()} == {"ok   "}
    for what in ("Postgres", "Redis", "clock", "tables", "pools"):
        assert f"ok   {what}: " in out

    async with again.socket(session, hello={}) as socket_:
        assert len(socket_.seen[1]["messages"]) == 4
        third.signal(signal.SIGTERM)
        closed, reason = await socket_.closed()
        assert (closed, json.loads(reason)) == (4200, {"delay_ms": 1_000})
        assert await third.ended() == 0

    await until_unused(data_dir)
    for command in (one, other, third):  # what was said, and to whom, is in no log
        said = command.out + command.err
        for secret in (session["session_id"], session["token"], QUESTION):
            assert secret not in said
    for client in (here, there, again):
        await client.close()


async def answer(socket_: Socket) -> str:
    event = await socket_.until("message_completed")
    await socket_.until_end()
    return str(event["text"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_start_that_is_broken_off_leaves_no_server_behind(
    commands: Commands, number: signal.Signals
) -> None:
    """SIGTERM ended the process at once: the servers it had begun to start ran on."""
    with data_directory() as path:
        command = await commands.start("serve", "--port", "0", "--data-dir", str(path))
        await eventually(lambda: _begun(path), seconds=20)

        command.signal(number)
        code = await command.ended()

        assert code in {130, 143}
        assert "Traceback" not in command.err
        await until_unused(path)


async def _begun(path: Path) -> bool:
    return (path / "postgres" / "postmaster.pid").exists()


# The other commands


async def test_tables_and_documents_are_brought_in_from_the_command_line(
    data_dir: Path, tmp_path: Path
) -> None:
    page = tmp_path / "gardens.md"
    page.write_text("# Gardens\n\nThe quince blossoms in May, after the pear.\n")
    where = ("--data-dir", str(data_dir))

    upgraded = await done("db", "upgrade", *where)
    added = await done("ingest", str(page), *where)

    assert (upgraded[0], upgraded[1][:26]) == (0, "The tables are at revision")
    assert (added[0], added[1][:8]) == (0, "1 added,")
    await until_unused(data_dir)
