"""A conversation in the terminal, over the same socket that browsers use."""

import asyncio
import json
import os
import sys
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from app.kit.errors import AppError, Kind
from app.kit.ids import new_message_id
from app.protocol.close import close_table
from app.protocol.events import PROTOCOL, RUN_ENDS

_PROMPT = "\nyou> "


class NoServer(AppError):
    """Nothing that speaks Colloquy's protocol answers at the address."""

    code = "no_server"
    kind = Kind.UNAVAILABLE


async def converse(url: str, question: str | None) -> int:
    """Ask ``question``, or what is typed line by line; return the process's exit code.

    Raises:
        NoServer: nothing answers at ``url``.
    """
    session = await asyncio.to_thread(_start, url)
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    address = urlunsplit(
        (scheme, parts.netloc, parts.path.rstrip("/") + session["ws_path"], "", "")
    )
    try:
        # No hello: nobody would answer the server's pings while a person types.
        async with connect(
            address,
            subprotocols=[Subprotocol(PROTOCOL)],
            additional_headers={"Authorization": f"Bearer {session['token']}"},
            max_size=None,
        ) as socket:
            if question is not None:
                return await _ask(socket, question)
            _say("Ask something; an empty line or Ctrl-D ends the conversation.")
            lines = _Lines()
            while line := (await _typed(lines, socket)).strip():
                await _ask(socket, line)
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 1006
        row = close_table().get(code, {})
        _say(f"The server closed the connection ({code}). {row.get('meaning', '')}")
        return 1
    except (WebSocketException, OSError) as error:
        raise NoServer(f"The server at {url} takes no conversation: {error}.") from error
    return 0


class _Lines:
    """Lines of standard input, waited for without a thread: one that waits in ``input``
    keeps the program from ending.
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._data = b""

    async def next(self) -> str:
        """Return the next line, without its end; nothing at the end of the input."""
        while b"\n" not in self._data:
            await self._wait()
            received = os.read(self._fd, 65_536)
            if not received:
                break
            self._data += received
        line, _, self._data = self._data.partition(b"\n")
        return line.decode("utf-8", "replace")

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except OSError:  # a file, which is always ready
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._fd)


async def _typed(lines: _Lines, socket: ClientConnection) -> str:
    """Return what a person types next.

    Raises:
        ConnectionClosed: the server has ended the conversation meanwhile.
    """
    sys.stderr.write(_PROMPT)
    sys.stderr.flush()
    async with asyncio.TaskGroup() as group:
        typing = group.create_task(lines.next())
        closing = group.create_task(socket.wait_closed())
        await asyncio.wait({typing, closing}, return_when=asyncio.FIRST_COMPLETED)
        typing.cancel()
        closing.cancel()
    if not typing.cancelled():
        return typing.result()
    while True:  # what came before the end is of no use any more
        await socket.recv()


async def _ask(socket: ClientConnection, question: str) -> int:
    message = str(new_message_id())
    query = {"type": "query", "id": message, "query": question, "client_message_id": message}
    await socket.send(json.dumps(query))
    run_id: str | None = None
    shown = ""
    while True:
        event = json.loads(await socket.recv())
        match event["type"]:
            case "error" if event["id"] in {message, None}:
                _say(f"✗ {event['message']}")
                return 1
            case "user_message" if event["client_message_id"] == message:
                run_id = event["run_id"]
            case "message_delta":
                sys.stdout.write(event["text"])
                sys.stdout.flush()
                shown += event["text"]
            case "message_text" | "message_completed":
                if event["text"] != shown:
                    sys.stdout.write(("\n" if shown else "") + event["text"])
                    shown = event["text"]
                _sources(event.get("citations", []))
            case "message_reset":
                _say("\n… starting the answer again")
                shown = ""
            case kind if kind in RUN_ENDS and event["run_id"] == run_id:
                sys.stdout.write("\n")
                sys.stdout.flush()
                if kind == "run_failed":
                    _say(f"✗ {event['message']}")
                return 0 if kind == "run_completed" else 1
            case _:
                _progress(event)


def _progress(event: dict[str, Any]) -> None:
    """Say in one line what the agent does."""
    match event["type"]:
        case "memory_loaded":
            line = f"memory: {event['memory_count']} loaded ({event['status']})"
        case "plan_ready":
            teams = ", ".join(step["team"] for step in event["steps"]) or "no team needed"
            line = f"plan: {event['intent']} → {teams}"
        case "team_started":
            line = f"{event['team']}: {event['task']}"
        case "team_completed":
            line = f"{event['team']}: {event['summary']} ({event['seconds']} s)"
        case "team_failed":
            line = f"{event['team']}: failed ({event['code']})"
        case "run_queued":
            line = "waiting for the answer before"
        case "run_resumed":
            line = "another node goes on with the answer"
        case _:
            return
    _say(f"· {line}")


def _sources(citations: list[dict[str, Any]]) -> None:
    if citations:
        sys.stdout.write("\n")
    for citation in citations:
        sys.stdout.write(f"\n[{citation['n']}] {citation['title']} ({citation['source']})")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _start(url: str) -> dict[str, Any]:
    try:
        request = urllib.request.Request(  # noqa: S310 - the address is the person's own choice
            url.rstrip("/") + "/chat/start",
            data=b"{}",
            headers={"content-type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            session = json.load(answer)
    except (HTTPException, ValueError, OSError) as error:
        raise NoServer(f"No Colloquy server answers at {url}. Start one: colloquy serve") from error
    if not isinstance(session, dict) or not {"ws_path", "token"} <= set(session):
        raise NoServer(f"What answers at {url} is no Colloquy server.")
    return session
