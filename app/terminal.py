"""A conversation in the terminal, over the same socket that browsers use."""

import asyncio
import json
import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

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
        async with connect(
            address,
            subprotocols=[PROTOCOL],  # type: ignore[list-item]
            additional_headers={"Authorization": f"Bearer {session['token']}"},
            max_size=None,
        ) as socket:
            await socket.send(json.dumps({"type": "hello", "client": "terminal/1.0"}))
            if question is not None:
                return await _ask(socket, question)
            _say("Ask something; an empty line or Ctrl-D ends the conversation.")
            while line := (await asyncio.to_thread(_read_line)).strip():
                await _ask(socket, line)
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 1006
        row = close_table().get(code, {})
        _say(f"The server closed the connection ({code}). {row.get('meaning', '')}")
        return 1
    return 0


async def _ask(socket: ClientConnection, question: str) -> int:
    await socket.send(
        json.dumps(
            {
                "type": "query",
                "id": "q",
                "query": question,
                "client_message_id": str(new_message_id()),
            }
        )
    )
    run_id: str | None = None
    shown = ""
    while True:
        event = json.loads(await socket.recv())
        match event["type"]:
            case "ping":
                await socket.send('{"type":"pong"}')
            case "error":
                _say(f"✗ {event['message']}")
                return 1
            case "ack":
                run_id = event["run_id"]
            case "message_delta":
                sys.stdout.write(event["text"])
                sys.stdout.flush()
                shown += event["text"]
            case "message_text" | "message_completed" if event["text"] != shown:
                sys.stdout.write(("\n" if shown else "") + event["text"])
                shown = event["text"]
            case "message_reset":
                _say("\n… starting the answer again")
                shown = ""
            case kind if kind in RUN_ENDS and event["run_id"] == run_id:
                sys.stdout.write("\n")
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


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _read_line() -> str:
    try:
        return input(_PROMPT)
    except EOFError:
        return ""


def _start(url: str) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - the address is the person's own choice
        url.rstrip("/") + "/chat/start",
        data=b"{}",
        headers={"content-type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            session: dict[str, Any] = json.load(answer)
    except (urllib.error.URLError, ValueError, OSError) as error:
        raise NoServer(f"No Colloquy server answers at {url}. Start one: colloquy serve") from error
    return session
