"""Use the servers of a data directory until standard input ends: ``user.py DATA_DIR [UID]``.

Prints one line of JSON: the addresses, or the error's code and message.
"""

import asyncio
import dataclasses
import json
import os
import sys
from pathlib import Path

from app.embedded.servers import servers
from app.kit.errors import AppError


async def use(data_dir: Path) -> None:
    try:
        async with servers(data_dir) as addresses:
            say(dataclasses.asdict(addresses))
            await asyncio.to_thread(sys.stdin.read)
    except AppError as error:
        say({"code": error.code, "message": error.message})


def say(what: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(asyncio.to_thread(int))  # imports what is imported late
    if len(sys.argv) > 2:  # after the imports: that account may not be able to read them
        os.setgroups([])
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
    asyncio.run(use(Path(sys.argv[1])))
