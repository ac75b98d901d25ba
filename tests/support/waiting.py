"""Waiting for a condition, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], *, seconds: float = 10) -> T:
    """Return what ``look`` returns once it is true. Raises ``TimeoutError`` after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110 - anything may be looked at
            await asyncio.sleep(0.02)
        return found
