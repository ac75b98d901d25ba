"""A node in a process of its own, so that it can be killed or frozen.

Takes its addresses as arguments, prints its own, and lives until its input is closed.
"""

import asyncio
import sys

from app.embedded.servers import Addresses
from tests.conftest import make_settings
from tests.runs.conftest import HASTY, begin


async def main(database_url: str, redis_url: str) -> None:
    settings = make_settings(Addresses(database_url, redis_url), runs=HASTY)
    async with begin(settings) as node:
        sys.stdout.write(f"{node.url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
