"""What tests of runs look at: rows, stored texts, and conditions that come true."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Row

from tests.support.client import SECONDS
from tests.support.node import Node


async def until(
    condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = SECONDS
) -> None:
    """Wait until ``condition`` is true."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(0.01)


async def rows(node: Node, statement: str, **values: Any) -> list[Row[Any]]:
    async with node.services.postgres.statement() as db:
        return list((await db.execute(text(statement), values)).all())


async def run_row(node: Node, run_id: str) -> Row[Any]:
    [row] = await rows(node, "SELECT * FROM runs WHERE id = CAST(:r AS uuid)", r=str(run_id))
    return row


async def texts(node: Node, chat_id: object, role: str) -> list[str]:
    """Return what was said in a chat by one side, as Postgres holds it."""
    statement = (
        "SELECT text FROM messages WHERE chat_id = CAST(:c AS uuid) AND role = :role ORDER BY seq"
    )
    return [row.text for row in await rows(node, statement, c=str(chat_id), role=role)]


async def answers(node: Node, chat_id: object, count: int) -> bool:
    """Whether so many answers are stored."""
    return len(await texts(node, chat_id, "assistant")) >= count


def vanish(node: Node) -> None:
    """Stop a node's runs and all upkeep of them on the spot, as if its process had died."""
    group = node.services.worker._group
    assert group is not None
    for task in group._tasks:
        task.cancel()
