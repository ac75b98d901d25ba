"""Somebody who opens sockets as fast as they can: ``python -m tests.gateway.flood PORT COUNT``.

A process of its own, so that a node is slow only from what it does itself.
"""

import asyncio
import json
import sys
import uuid
from collections import Counter

from tests.support.limits import new_address

AT_ONCE = 50


async def flood(port: int, count: int) -> Counter[int]:
    """Open so many sockets from one new address; return how often which status was the answer."""
    request = (
        f"GET /ws/session-{uuid.uuid4()} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"X-Forwarded-For: {new_address()['x-forwarded-for']}\r\n\r\n"
    ).encode()
    statuses: Counter[int] = Counter()
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            statuses[int((await reader.readline()).split()[1])] += 1
            writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return statuses


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(flood(int(sys.argv[1]), int(sys.argv[2])))))
