"""Corners of the solvers that the tables of questions do not reach."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from app.supervisor.offline.language import detect
from app.supervisor.teams.analysis import moments, primes, quantities
from app.supervisor.teams.analysis.clause import pattern, read, tidy
from app.supervisor.teams.analysis.solve import solve
from app.supervisor.teams.analysis.unit_names import aliases
from app.supervisor.teams.analysis.working import Refused

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def lead(question: str) -> str | None:
    working = solve(question, NOW, detect(question))
    return working.lead if working is not None else None


def test_every_unit_is_known_to_the_library_and_has_a_size() -> None:
    for unit in set(aliases().values()):
        if unit.kind != "temperature":
            assert quantities.factor(unit) > 0


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        ("1", "mile", "m", "1609.344"),
        ("212", "F", "C", "100"),
        ("1", "acre", "m2", "4046.8564224"),
        ("121", "m2", "평", "36.6025"),
        ("1", "GiB", "MB", "1073.741824"),
        ("100", "km/h", "m/s", "250/9"),
    ],
)
def test_conversions_are_exact(value: str, source: str, target: str, expected: str) -> None:
    known = aliases()

    assert quantities.convert(Fraction(value), known[source], known[target]) == Fraction(expected)


def test_a_shape_has_one_character_for_each_number_and_date() -> None:
    clause = read("17% of 2,340 on March 1, 2026 at 3pm", TODAY)

    assert len(clause.shape) == len("x of x on x at x")
    assert [str(number.value) for number in clause.numbers] == ["17", "2340"]
    assert clause.days[0].found == date(2026, 3, 1)
    assert clause.times[0].seconds == 15 * 3600


def test_a_pattern_must_use_every_number() -> None:
    form = pattern(r"<P:share> of <N:whole>")

    assert read("5% of 80", TODAY).match(form) is not None
    assert read("5% of 80 and 90", TODAY).match(form) is None


def test_powers_and_fractions_survive_the_tidying() -> None:
    assert tidy("5² ½ １２\u200b㎞") == "5^2 1/2 12km"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-03-01", date(2026, 3, 1)),
        ("13/4/2026", date(2026, 4, 13)),
        ("4/13/2026", date(2026, 4, 13)),
        ("the 4th of July 1776", date(1776, 7, 4)),
        ("내년 3월 1일", date(2027, 3, 1)),
        ("next Friday", date(2026, 11, 27)),
        ("다음 주 금요일", date(2026, 11, 27)),
        ("Thanksgiving", date(2026, 11, 26)),
        ("내년 설날", date(2027, 2, 7)),
        ("Feb 30, 2026", None),
    ],
)
def test_dates_are_read_in_many_forms(text: str, found: date | None) -> None:
    assert max(moments.days(text, TODAY), key=lambda span: span[1] - span[0])[2].found == found


def test_an_ambiguous_date_says_how_it_was_read() -> None:
    working = solve("what day was 9/11/2001", NOW, "en")

    assert working is not None
    assert working.note == "“9/11/2001” read as month/day/year."


def test_a_feast_beyond_the_known_calendar_is_refused() -> None:
    with pytest.raises(Refused, match="lunar calendar"):
        solve("2035년 추석은 언제야?", NOW, "ko")


@pytest.mark.parametrize(
    "question",
    [
        "Does a session last 24 hours?",
        "How many sessions in total can 3 nodes with 5 workers handle?",
        "Which port does it use, 8000 or 8080?",
        "Call me at 010-1234-5678",
        "Is 4 GB of RAM enough to run 3 nodes?",
        "I have 3 kids and 2 dogs",
        "version 3.11 or 3.12",
    ],
)
def test_figures_in_a_sentence_are_not_enough_for_a_sum(question: str) -> None:
    assert lead(question) is None


def test_prime_tests_and_factors_agree_up_to_a_thousand() -> None:
    for number in range(2, 1000):
        factors = primes.factors_of(number)
        product = 1
        for prime, power in factors:
            product *= prime**power
        assert product == number
        assert primes.is_prime(number) == (factors == [(number, 1)])


def test_two_large_primes_are_told_apart() -> None:
    assert primes.factors_of(999_983 * 999_979) == [(999_979, 1), (999_983, 1)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("gcd of 12 and 18 and the lcm of 4 and 6", None),
        ("mean of 1, 2, 3 and median of 4, 5, 6", None),
    ],
)
def test_figures_of_two_lists_are_not_mixed(question: str, expected: str | None) -> None:
    assert lead(question) == expected
