"""LangGraph's own tests of checkpointers, on the savers that runs have."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from app.agents.fenced import FencedSaver
from app.agents.saver import Savers, always

Factory = Callable[[], AsyncGenerator[BaseCheckpointSaver[Any], None]]

# All that LangGraph's own Postgres saver can; the other two no saver of LangGraph's has.
CAN = set(Capability) - {Capability.DELETE_FOR_RUNS, Capability.COPY_THREAD}


@pytest.fixture(params=["langgraph", "fenced", "buffered"])
def factory(request: pytest.FixtureRequest, savers: Savers) -> Factory:
    async def langgraph() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        yield AsyncPostgresSaver(savers._pool)

    async def fenced() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        yield FencedSaver(savers._pool, always)

    async def buffered() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        async with savers.buffered() as saver:
            yield saver

    return {"langgraph": langgraph, "fenced": fenced, "buffered": buffered}[request.param]


async def test_a_saver_passes_what_langgraph_asks_of_savers(factory: Factory) -> None:
    report = await validate(checkpointer_test(name=factory.__name__)(factory))

    failures = {name: result.failures for name, result in report.results.items()}
    assert not any(failures.values()), failures
    assert {name for name, result in report.results.items() if result.passed} == {
        one.value for one in CAN
    }
