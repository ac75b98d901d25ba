"""What a report says of results."""

from collections import Counter

from tests.faults.evidence import Violation
from tests.faults.report import GOALS, goals, table, totals, verdicts
from tests.faults.scenario import Result, load_scenarios
from tests.faults.soak import Slope


def _result(*recoveries: float, violations: int = 0) -> Result:
    broken = [Violation("I8", "no end")] * violations
    checks = Counter({"I8": 10})
    return Result("R10", 1, 2, 30, 4_000, broken, checks, list(recoveries), seconds=90)


def test_a_row_tells_of_the_usual_recovery_and_of_the_worst() -> None:
    row = table([("a kill", _result(*([0.1] * 98), 3.0, 4.0))]).splitlines()[-1]

    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["R10", "a kill", "2", "30", "4,000", "0", "0.10 s", "4.00 s"]


def test_a_verdict_names_what_is_broken_and_what_nobody_looked_at() -> None:
    lines = verdicts([_result(violations=3), _result()]).splitlines()

    assert lines[7].split() == ["I8", "end", "3", "of", "20", "BROKEN"]
    assert lines[0].endswith("not looked at")


def test_a_goal_is_missed_by_a_slow_result_and_by_none() -> None:
    goal = next(goal for goal in GOALS if goal.number == "R10")
    fast, slow = _result(0.5), _result(2.5)
    none = Result.broken("R10", 1, [Violation("I8", "broke down")])

    reached = [goal.is_reached(result) for result in (fast, slow, none)]

    assert reached == [True, False, False]
    assert "0.50 s" in goals([(goal, fast)])
    assert "nothing" in goals([(goal, none)])


def test_every_goal_has_its_scenario() -> None:
    assert {goal.number for goal in GOALS} <= {one.number for one in load_scenarios()}


def test_totals_add_up() -> None:
    said = totals([_result(), _result()])

    assert said == "2 scenarios of 4 rounds, 60 clients and 8,000 events in 3 minutes"


def test_a_slope_leaves_the_warm_up_out() -> None:
    slope = Slope("n1", [0.1 * lap for lap in range(10)], [50, 90, 100, *range(101, 108)])

    assert slope.per_hour is not None
    assert round(slope.per_hour) == 10
    assert "+10.0 MiB/hour" in slope.told()


def test_a_slope_of_too_few_looks_is_none() -> None:
    assert Slope("n1", [0.1, 0.2], [1, 2]).per_hour is None
