"""A conversation in the terminal."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import pytest

from app.connections.connection import Connection
from app.embedded.servers import Addresses
from app.terminal import NoServer, converse
from tests.conftest import make_settings
from tests.support.commands import Commands
from tests.support.node import Node, running_node
from tests.support.scripted import NAME
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def hasty(stores: Addresses, quick_watch: None) -> AsyncIterator[Node]:
    """A node that soon asks for pongs, and whose agent is the scripted one."""
    settings = make_settings(
        stores, agent=NAME, protocol={"heartbeat_seconds": 0.2, "pong_seconds": 0.2}
    )
    async with running_node(settings) as node:
        yield node


@pytest.fixture
async def commands() -> AsyncIterator[Commands]:
    async with Commands() as commands:
        yield commands


async def test_one_question_is_answered_on_standard_output(
    hasty: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await converse(hasty.url, "say:Hello, progress:planning_started say:you")

    said = capsys.readouterr()
    assert (code, said.out) == (0, "Hello,you\n")


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("fail", "✗ Something went wrong while answering."),
        ("x" * 16_001, "✗ A message has at most 16000 characters."),
        ("   ", "✗ The message is blank."),
    ],
)
async def test_a_question_that_is_not_answered_is_said_so(
    hasty: Node, capsys: pytest.CaptureFixture[str], question: str, sentence: str
) -> None:
    code = await converse(hasty.url, question)

    assert code == 1
    assert sentence in capsys.readouterr().err


async def test_a_person_may_think_longer_than_a_ping_waits(hasty: Node, commands: Commands) -> None:
    """The client had said hello and answered no ping while somebody typed: 4111."""
    chat = await commands.start("chat", "--url", hasty.url)
    await chat.says("you> ")
    chat.type("say:one")
    await chat.says("one\n")
    protocol = hasty.services.settings.protocol
    patience = protocol.heartbeat_seconds * 1.1 + protocol.pong_seconds + 0.5
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(patience):
            await chat.ended()
    chat.type("say:two")
    await chat.says("two\n")
    chat.type("")

    assert await chat.ended() == 0
    assert chat.out.split() == ["one", "two"]


async def test_lines_that_come_at_once_are_asked_one_after_the_other(
    hasty: Node, commands: Commands
) -> None:
    chat = await commands.start("chat", "--url", hasty.url)
    chat.type("say:one\nsay:two\nsay:세")
    assert chat.process.stdin is not None
    chat.process.stdin.close()

    assert await chat.ended() == 0, chat.err
    assert chat.out.split() == ["one", "two", "세"]


async def test_ctrl_c_leaves_at_once_although_somebody_could_type(
    hasty: Node, commands: Commands
) -> None:
    """It waited for the line to be finished."""
    chat = await commands.start("chat", "--url", hasty.url)
    await chat.says("you> ")

    chat.signal(signal.SIGINT, group=True)

    async with asyncio.timeout(5):
        assert await chat.ended() == 130
    assert "Traceback" not in chat.err


async def test_a_conversation_that_the_server_ends_is_said_so_while_somebody_types(
    hasty: Node, commands: Commands
) -> None:
    chat = await commands.start("chat", "--url", hasty.url)
    await chat.says("you> ")
    [connection] = await eventually(lambda: _connections(hasty))
    await hasty.services.sessions.end(connection.session_id)
    hasty.services.watch.ended(connection.session_id)

    assert await chat.ended() == 1
    assert "(4010)" in chat.err


async def _connections(node: Node) -> list[Connection]:
    return list(node.services.hub)


# Servers that are none


@contextlib.asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[str]:
    """Something that answers every request with ``reply``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def http(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        http("404 Not Found", "{}"),
        http("503 Service Unavailable", "{}"),
        http("200 OK", "<html>"),
        http("200 OK", "[]"),
        http("200 OK", '{"name":"another service"}'),
        http("201 Created", '{"ws_path":"/ws/x","token":"t"}'),
    ],
)
async def test_what_is_no_colloquy_server_is_said_so(reply: bytes) -> None:
    async with answering(reply) as url:
        with pytest.raises(NoServer, match=r"^[^\n]+\.$|colloquy serve$"):
            await converse(url, "hello")


@pytest.mark.parametrize("url", ["", "localhost:8000", "http://", "ftp://x", "http://[", "\n"])
async def test_what_is_no_address_is_said_so(url: str) -> None:
    with pytest.raises(NoServer):
        await converse(url, "hello")
