"""Small graphs that keep checkpoints, and what Postgres then has of them."""

import asyncio
import itertools
import operator
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from app.agents.saver import Savers
from tests.runs.scene import until


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]
    plain: str


def joined(state: list[str], new: list[list[str]]) -> list[str]:
    return [*state, *itertools.chain(*new)]


class History(TypedDict, total=False):
    said: Annotated[list[str], DeltaChannel(joined)]


class Works:
    """Nodes that count how often they run and wait where a test tells them to."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.gate = asyncio.Event()

    def node(self, name: str, *, waits: bool = False) -> Any:
        async def work(_: Any) -> dict[str, Any]:
            self.ran.append(name)
            if waits:
                await self.gate.wait()
            return {"said": [name]}

        return work


def fan_out(works: Works) -> StateGraph[State]:
    """First, then two at once of which one waits at the gate, then last."""
    graph = StateGraph(State)
    graph.add_node("first", works.node("first"))
    graph.add_node("quick", works.node("quick"))
    graph.add_node("slow", works.node("slow", waits=True))
    graph.add_node("last", works.node("last"))
    graph.add_edge(START, "first")
    graph.add_conditional_edges(
        "first", lambda _: [Send("quick", {}), Send("slow", {})], ["quick", "slow"]
    )
    graph.add_edge("quick", "last")
    graph.add_edge("slow", "last")
    graph.add_edge("last", END)
    return graph


def line(*nodes: tuple[str, Any], state: Any = State) -> StateGraph[Any]:
    graph = StateGraph(state)
    graph.add_sequence(list(nodes))
    graph.add_edge(START, nodes[0][0])
    return graph


def config() -> RunnableConfig:
    return {"configurable": {"thread_id": str(uuid4())}, "metadata": {"run_id": str(uuid4())}}


def turn_of(at: RunnableConfig, run_id: str) -> RunnableConfig:
    """Return the same thread for another run."""
    return {**at, "metadata": {"run_id": run_id}}


async def run(graph: StateGraph[Any], saver: BaseCheckpointSaver[str], at: Any, given: Any) -> Any:
    return await graph.compile(checkpointer=saver).ainvoke(given, at, durability="async")


async def read(graph: StateGraph[Any], savers: Savers, at: RunnableConfig) -> Any:
    """Read the thread's state with LangGraph's own saver."""
    return await graph.compile(checkpointer=AsyncPostgresSaver(savers._pool)).aget_state(at)


async def rows(sql: psycopg.AsyncConnection[Any], at: RunnableConfig) -> dict[str, int]:
    """Count what the thread has in each table."""
    counts = {}
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        query = f"SELECT count(*) FROM {table} WHERE thread_id = %s"
        found = await (
            await sql.execute(query.encode(), [at["configurable"]["thread_id"]])
        ).fetchone()
        counts[table] = found[0] if found else 0
    return counts


async def until_stored(
    sql: psycopg.AsyncConnection[Any], at: RunnableConfig, table: str, count: int
) -> None:
    async def are_there() -> bool:
        return (await rows(sql, at))[table] >= count

    await until(are_there)
