"""Chats with a past, and clients that come back to them."""

import json
import time
from typing import Any

from bench.wire import HOST, Http, Socket, start_of

_AGENT = "talk-bounded"  # as bench/server.py names it
_TURNS_PER_SOCKET = 15  # a client may not send more often than that
_HELLO = '{"type":"hello","tab":"%s","client":"bench","after":%s}'
_QUERY = b'{"type":"query","id":"%d","query":"%d","client_message_id":"m%d"}'


class NotResumed(Exception):
    """The server sent something else than what was missed."""


async def fill(port: int, turns: int, progress: int, behind: int) -> dict[str, Any]:
    """Make a chat of so many turns, each with so much progress.

    Returns where it is found, how many events it has, and the position ``behind`` its end.
    """
    http = await Http.connect(HOST, port)
    started = json.loads(await http.post("/chat/start", start_of(_AGENT)))
    http.close()
    epoch, keys = "", {}
    for first in range(0, turns, _TURNS_PER_SOCKET):
        socket = await Socket.connect(HOST, port, started["ws_path"])
        socket.heard = []
        socket.send(b'{"type":"hello","tab":"%d","client":"bench"}' % first)
        await socket.until(b"live")
        for turn in range(first, min(turns, first + _TURNS_PER_SOCKET)):
            socket.first.clear()
            socket.send(_QUERY % (turn, progress, turn))
            await socket.until(b"run_completed")
            await socket.until(b"ack")
        socket.close()
        for frame in map(json.loads, socket.heard):
            epoch = frame.get("epoch", epoch)
            if "offset" in frame and "key" in frame:
                keys[frame["offset"]] = frame["key"]
    last = max(keys)
    after = {"epoch": epoch, "offset": last - behind, "key": keys[last - behind]}
    return {"path": started["ws_path"], "after": after, "events": last}


async def resume(port: int, path: str, after: dict[str, Any], count: int) -> list[float]:
    """Come back ``count`` times, one after the other, each time from the same position.

    Returns the milliseconds from the hello to ``live``, with all that was missed before it.
    """
    times = []
    for number in range(count):
        socket = await Socket.connect(HOST, port, path)
        socket.heard = []
        began = time.perf_counter()
        socket.send((_HELLO % (f"r{number}", json.dumps(after))).encode())
        live = await socket.until(b"live")
        socket.close()
        welcome, *missed, end = map(json.loads, socket.heard)
        missed = [frame["offset"] for frame in missed]
        if not welcome["resumed"] or missed != [*range(after["offset"] + 1, end["offset"] + 1)]:
            raise NotResumed(welcome)
        times.append(round((live - began) * 1000, 3))
    return times
