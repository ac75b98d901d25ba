from collections import Counter

from tests.faults.mutate import Hunt, Look, failures, table
from tests.faults.patches import Mutation

MUTATION = Mutation("I2-again", "I2", "It stutters.", ["R1", "R2"], [])
NOTHING = Look("R1", Counter(), "", 1.0)
OTHERS = Look("R1", Counter(I8=1), "", 1.0)
BREAKS_DOWN = Look("R2", Counter(), "broke down: TimeoutError", 1.0)
ITSELF = Look("R7", Counter(I3=2, I2=4), "", 1.0)


def test_a_break_is_noticed_by_who_names_the_invariant() -> None:
    hunt = Hunt(MUTATION, [NOTHING, BREAKS_DOWN, ITSELF])

    assert hunt.noticed is ITSELF
    assert failures([NOTHING], [hunt]) == []
    assert table([hunt]).splitlines()[-1] == (
        "| I2 | It stutters.   | R7         | I2 4, I3 2 |     3.0 |"
    )


def test_a_break_is_noticed_by_who_should_and_breaks_down() -> None:
    assert Hunt(MUTATION, [NOTHING, BREAKS_DOWN]).noticed is BREAKS_DOWN
    assert Hunt(MUTATION, [NOTHING, BREAKS_DOWN._replace(number="R7")]).noticed is None


def test_a_break_that_hurts_another_invariant_only_is_not_noticed() -> None:
    hunt = Hunt(MUTATION, [OTHERS])

    assert hunt.noticed is None
    assert failures([], [hunt]) == ["I2 can be broken unnoticed: I2-again"]
    assert "NOBODY" in table([hunt])


def test_a_scenario_that_fails_on_the_code_as_it_is_proves_nothing() -> None:
    assert failures([NOTHING, OTHERS], []) == ["R1 fails on the code as it is: I8 1"]
