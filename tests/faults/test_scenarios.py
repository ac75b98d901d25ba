"""Every scenario once, small, with a fixed seed, on real processes."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.fleet import Fleet, open_fleet
from tests.faults.scenario import Scenario, load_scenarios, run_scenario

SEED = 1


@pytest.fixture(scope="module")
async def fleet() -> AsyncIterator[Fleet]:
    async with open_fleet() as fleet:
        yield fleet


@pytest.mark.parametrize("one", [pytest.param(one, id=one.number) for one in load_scenarios()])
async def test_scenario(fleet: Fleet, one: Scenario) -> None:
    result = await run_scenario(fleet, one, seed=SEED)

    assert not result.violations, result.explain(fleet.logs())
    assert result.rounds > 0
