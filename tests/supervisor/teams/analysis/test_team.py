"""The analysis team as a whole: what it hands back, and follow-ups."""

import json
from datetime import UTC, datetime

import pytest

from app.supervisor.offline.language import detect
from app.supervisor.offline.types import TeamResult, Turn
from app.supervisor.teams.analysis.team import analyse

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def run(task: str, history: list[Turn] | None = None) -> TeamResult:
    return analyse(task, history=history or [], now=NOW, language=detect(task))


def after(question: str, answer: str) -> list[Turn]:
    return [{"role": "user", "text": question}, {"role": "assistant", "text": answer}]


def test_a_result_is_plain_data_with_the_result_first_and_the_steps_after() -> None:
    result = run("What is 17% of 2,340?")

    assert json.loads(json.dumps(result)) == result
    assert result["ok"]
    assert result["summary"] == "17% of 2,340 = 397.8"
    assert result["markdown"] == "**17% of 2,340 = 397.8**\n\n- 2,340 × 17 ÷ 100 = 397.8"


def test_each_step_is_told_as_it_is_made() -> None:
    said: list[str] = []

    analyse("(3 + 4) * 2 / 7", history=[], now=NOW, language="en", progress=said.append)

    assert said == ["3 + 4 = 7", "7 × 2 = 14", "14 ÷ 7 = 2"]


@pytest.mark.parametrize(
    ("task", "code"),
    [
        ("10 / 0", "division_by_zero"),
        ("9^9^9", "too_large"),
        ("1000!", "too_large"),
        ("convert 5 kg to miles", "unit_mismatch"),
        ("What day is February 30, 2026?", "no_such_date"),
        ("sqrt(-4)", "not_real"),
        ("$5 + €3", "mixed_currencies"),
        ("x + 1 = x", "no_solution"),
        ("integrate x^2 dx", "not_understood"),
    ],
)
def test_what_cannot_be_worked_out_has_a_code_and_a_sentence(task: str, code: str) -> None:
    result = run(task)

    assert not result["ok"]
    assert result["code"] == code
    assert result["markdown"].endswith((".", ")"))


def test_a_refusal_is_in_the_language_of_the_question() -> None:
    assert run("10을 0으로 나누면?")["markdown"] == "0으로 나누는 계산이라 값이 없어요."


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("and 20%?", "20% of 2,340 = 468"),
        ("what about 25%?", "25% of 2,340 = 585"),
        ("how about 3,000?", "17% of 3,000 = 510"),
        ("divide that by 3", "397.8 ÷ 3 = 132.6"),
        ("double it", "2 × 397.8 = 795.6"),
        ("plus 5", "397.8 + 5 = 402.8"),
        ("round that to the nearest ten", "397.8 ≈ 400"),
    ],
)
def test_a_follow_up_is_read_with_what_came_before(task: str, expected: str) -> None:
    history = after("What is 17% of 2,340?", "**17% of 2,340 = 397.8**\n\n- 2,340 × 17 ÷ 100")

    result = run(task, history)

    assert f"**{expected}**" in result["markdown"]
    assert "Read as" in result["markdown"]


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("그럼 30%는?", "35,000원의 30% = 10,500원"),
        ("그럼 5만원은?", "50,000원의 20% = 10,000원"),
        ("거기에 5000원을 더하면?", "7,000원 + 5,000원 = 12,000원"),
        ("2로 나누면?", "7,000원 ÷ 2 = 3,500원"),
    ],
)
def test_a_korean_follow_up_is_read_with_what_came_before(task: str, expected: str) -> None:
    history = after("35,000원의 20%는?", "**35,000원의 20% = 7,000원**")

    assert f"**{expected}**" in run(task, history)["markdown"]


@pytest.mark.parametrize(
    ("task", "expected"),
    [("and in meters?", "10 km = 10,000 m"), ("what about 20 km?", "20 km ≈ 12.427424 miles")],
)
def test_a_conversion_is_followed_up_by_unit_or_by_amount(task: str, expected: str) -> None:
    history = after("convert 10 km to miles", "**10 km ≈ 6.213712 miles**")

    assert expected in run(task, history)["markdown"]


@pytest.mark.parametrize("task", ["thanks", "why?", "and then?", "20", "그리고?"])
def test_talk_after_a_sum_is_not_taken_for_a_follow_up(task: str) -> None:
    history = after("What is 3 + 4?", "**3 + 4 = 7**")

    assert run(task, history)["code"] == "not_understood"


def test_an_answer_without_a_figure_leaves_nothing_to_follow_up() -> None:
    assert run("double it", after("hello", "**Hello!**"))["code"] == "not_understood"


def test_markup_in_data_does_not_become_markup_of_the_answer() -> None:
    result = run("name,score\n*Kim*,90\n_Lee_,80\nwho has the highest score?")

    assert r"\*Kim\*" in result["markdown"]


@pytest.mark.parametrize(
    "task",
    [
        "9**9**9**9",
        "(9^9^9)^9",
        "(-9)^9^9^9",
        "1/(9^9^9)",
        "9^9^9 mod 10",
        "9^9^9 + 1 - 9^9^9",
        "sqrt(9^9^9)",
        "1000! / 3",
    ],
)
def test_the_size_of_a_part_is_not_given_for_the_whole(task: str) -> None:
    result = run(task)

    assert result["code"] == "too_large"
    assert "×" not in result["markdown"]
    assert "It is about" not in result["markdown"]
    assert "has about" not in result["markdown"]
