"""What a process holds in memory, counted from inside it."""

import asyncio
import ctypes
import gc
from collections import Counter

from app.connections.connection import Connection
from app.connections.feed import Feed
from app.gateway.transport import AbortableProtocol

_KINDS = (Connection, Feed, AbortableProtocol)


def census() -> dict[str, int]:
    """Return how many connections, feeds, transports and tasks there are, by name; give back
    what is no longer needed, so that the process's size tells what is.

    What was there when the node began to serve is not counted: it is frozen.
    """
    gc.collect()
    found: Counter[str] = Counter()
    for one in gc.get_objects():
        if type(one) in _KINDS:
            found[type(one).__name__] += 1
        elif type(one) is asyncio.Task and not one.done():
            found[f"task {getattr(one.get_coro(), '__qualname__', '?')}"] += 1
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc keeps for itself what was in many pieces
        libc.malloc_trim(0)
    return found
