"""What the service stands on, without the service: the graph alone, and plain INSERTs."""

import asyncio
import contextlib
import sys
import time
from typing import Any
from uuid import uuid4

import asyncpg
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Durability
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from app.agents.fenced import Pool
from app.agents.saver import Savers
from app.kit.ids import new_session_id, uuid7
from app.storage.addresses import for_psycopg
from bench import graph
from bench.savers import Saving, StockSavers
from bench.worker import work

_SAVER_CONNECTIONS = 8  # as many as the service's own saver has
_INSERT_CONNECTIONS = 16

_INSERT = (
    "INSERT INTO bench_sessions (session_id, chat_id, visitor_id, agent, expires_at)"
    " VALUES ($1, $2, $3, $4, now() + interval '1 day')"
)

_GRAPH = graph.build()
_pools: dict[str, Pool] = {}


async def turns(concurrency: int, seconds: float) -> dict[str, Any]:
    """Run the graph again and again, a new thread each time, and keep nothing of it."""
    return await _turns(concurrency, seconds, None, "async")


async def saved_turns(
    concurrency: int, seconds: float, database_url: str, saving: str
) -> dict[str, Any]:
    """Do the same and keep checkpoints in Postgres, in one of the ways of ``Saving``."""
    pool = await _pool(database_url)
    savers = StockSavers(pool) if saving == Saving.STOCK else Savers(pool)
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(savers.run())
        durability: Durability = "exit" if saving == Saving.EXIT else "async"
        measured = await _turns(concurrency, seconds, savers, durability)
        writing.cancel()
    return measured


async def _turns(
    concurrency: int, seconds: float, savers: Savers | None, durability: Durability
) -> dict[str, Any]:
    ends = time.perf_counter() + seconds
    times: list[float] = []

    async def one() -> None:
        async with contextlib.AsyncExitStack() as stack:
            compiled = _GRAPH
            config: RunnableConfig = {"configurable": {"thread_id": str(uuid4())}}
            if savers is not None:
                saver = await stack.enter_async_context(savers.buffered())
                compiled = _GRAPH.copy(update={"checkpointer": saver})
                config["metadata"] = {"run_id": str(uuid4())}
            events = 0
            async for _ in compiled.astream(
                {"messages": [HumanMessage("What does a turn cost?")]},
                config,
                stream_mode="custom",
                durability=durability if savers else None,
            ):
                events += 1
        if events != len(graph.TOKENS) + 6:
            raise RuntimeError(f"a turn has {events} events")

    async def again() -> None:
        while (began := time.perf_counter()) < ends:
            await one()
            times.append(time.perf_counter() - began)

    return await _measured(again, concurrency, times)


async def inserts(concurrency: int, seconds: float, database_url: str) -> dict[str, Any]:
    """Insert rows like those of ``sessions``, each committed by itself."""
    count = min(concurrency, _INSERT_CONNECTIONS)
    connections = [await asyncpg.connect(database_url) for _ in range(count)]
    await connections[0].execute(
        "CREATE TABLE IF NOT EXISTS bench_sessions (LIKE sessions INCLUDING ALL)"
    )
    free: asyncio.Queue[Any] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(await connection.prepare(_INSERT))
    ends = time.perf_counter() + seconds
    times: list[float] = []

    async def again() -> None:
        while (began := time.perf_counter()) < ends:
            statement = await free.get()
            await statement.fetch(new_session_id(), uuid7(), uuid7(), graph.TURN)
            free.put_nowait(statement)
            times.append(time.perf_counter() - began)

    measured = await _measured(again, concurrency, times)
    for connection in connections:
        await connection.close()
    return measured


async def _measured(again: Any, concurrency: int, times: list[float]) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(again())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    count = len(times)
    return {
        "count": count,
        "per_second": count / wall,
        "cpu_ms": cpu * 1000 / count,
        "ms": [round(one * 1000, 3) for one in times],
    }


async def _pool(database_url: str) -> Pool:
    if database_url not in _pools:
        pool: Pool = AsyncConnectionPool(
            for_psycopg(database_url),
            min_size=_SAVER_CONNECTIONS,
            max_size=_SAVER_CONNECTIONS,
            open=False,
            kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        )
        await pool.open(wait=True)
        _pools[database_url] = pool
    return _pools[database_url]


async def close() -> None:
    for pool in _pools.values():
        await pool.close()


if __name__ == "__main__":
    work(
        int(sys.argv[1]),
        {"turns": turns, "saved_turns": saved_turns, "inserts": inserts},
        last=close,
    )
