"""When the embedded Valkey counts as one that answers."""

import asyncio
from pathlib import Path

import pytest

from app.embedded import valkey
from app.embedded.place import Place


@pytest.mark.parametrize(
    ("says", "answers"),
    [
        (b"+PONG\r\n", True),
        (b"-MISCONF Errors writing to the AOF file: No space left on device\r\n", True),
        (b"-LOADING Valkey is loading the dataset in memory\r\n", False),
        (b"", False),
    ],
)
async def test_a_full_disk_is_an_answer_and_loading_is_none(
    folder: Path, says: bytes, answers: bool
) -> None:
    """Whoever came to a full disk used to wait two minutes, with the directory locked."""
    place = Place(root=folder, account=None, sockets=folder)

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        writer.close()

    async with await asyncio.start_unix_server(speak, valkey.socket_path(place)):
        assert await valkey.program(place).answers() is answers
