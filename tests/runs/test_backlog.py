"""Runs that nobody takes are counted, and warned of when they wait too long."""

from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import LogCapture

from app.embedded.servers import Addresses
from app.liveness.store import LivenessStore
from app.observability.metrics import RUNS_WAITING
from app.runs.backlog import Backlog
from tests.conftest import make_settings
from tests.runs.agents import new_gate
from tests.runs.conftest import PATIENT, begin
from tests.runs.scene import answers, until
from tests.runs.test_snapshot import start
from tests.support.node import Node
from tests.support.scripted import GATES

NOTHING = {**PATIENT, "concurrency": 0}


class Watch:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def warned() -> Iterator[LogCapture]:
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    yield capture
    structlog.configure(processors=before)


def backlog(node: Node, liveness: LivenessStore, watch: Watch) -> Backlog:
    return Backlog(
        postgres=node.services.postgres,
        liveness=liveness,
        settings=node.services.settings.runs,
        monotonic=watch,
    )


def waiting() -> float:
    [metric] = RUNS_WAITING.collect()
    return metric.samples[0].value


def warnings(capture: LogCapture) -> list[tuple[int, int]]:
    return [
        (entry["count"], entry["seconds"])
        for entry in capture.entries
        if entry["event"] == "runs_wait"
    ]


async def test_runs_that_nobody_takes_are_warned_of_until_somebody_does(
    own: Addresses, warned: LogCapture
) -> None:
    gate, watch = new_gate(), Watch()
    async with begin(make_settings(own, runs=NOTHING)) as node:
        looking = backlog(node, node.services.liveness, watch)
        sessions = [await start(node) for _ in range(3)]
        for session in sessions:
            await node.services.runs.accept(session, f"wait:{gate} say:done")
        await node.services.runs.accept(sessions[0], "say:after")  # waits for its chat, too

        assert await looking.look() == 0
        watch.now += 29
        await looking.look()
        assert warnings(warned) == []
        assert waiting() == 3  # the fourth is nobody's yet

        watch.now += 1
        await looking.look()
        assert warnings(warned) == [(3, 30)]

        async with begin(make_settings(own, runs=PATIENT)) as worker:
            await until(lambda: worker.services.worker.running == 3)
            await looking.look()
            GATES.open(gate)
            await until(lambda: answers(node, sessions[0].chat_id, 2))
            watch.now += 100
            await looking.look()

    assert warnings(warned) == [(3, 30)]
    assert waiting() == 0


async def test_a_run_counts_from_when_its_chat_is_free_for_it(
    own: Addresses, warned: LogCapture
) -> None:
    """Its row is as old as its message, which may have waited for a long answer."""
    watch = Watch()
    async with begin(make_settings(own, runs=NOTHING)) as node:
        looking = backlog(node, node.services.liveness, watch)
        session = await start(node)
        first = await node.services.runs.accept(session, "say:first")
        await node.services.runs.accept(session, "say:second")
        await looking.look()
        watch.now += 20
        await node.services.runs.cancel(session.chat_id, session.owner, first.run_id)

        await looking.look()
        watch.now += 20
        await looking.look()

    assert warnings(warned) == []
