"""Several hundred questions in English and Korean, each with what its answer must hold.

The tables lie beside this package, one question a line, with a tab before what is expected;
``\\n`` stands for a line break.
"""

from pathlib import Path

import pytest

from tests.supervisor.offline.conversation import ask

TABLES = Path(__file__).parent.parent / "questions"


def rows(name: str) -> list[tuple[str, ...]]:
    lines = (TABLES / f"{name}.tsv").read_text("utf-8").splitlines()
    return [tuple(cell.replace("\\n", "\n") for cell in line.split("\t")) for line in lines]


@pytest.mark.parametrize(("question", "expected"), rows("analysis_en"))
def test_an_english_calculation_is_worked_out(question: str, expected: str) -> None:
    plan, answer = ask(question)

    assert [step["team"] for step in plan["steps"]] == ["analysis"]
    assert plan["language"] == "en"
    assert expected in answer["text"]


@pytest.mark.parametrize(("question", "expected"), rows("analysis_ko"))
def test_a_korean_calculation_is_worked_out(question: str, expected: str) -> None:
    plan, answer = ask(question)

    assert [step["team"] for step in plan["steps"]] == ["analysis"]
    assert plan["language"] == "ko"
    assert expected in answer["text"]


@pytest.mark.parametrize(("question", "teams"), rows("parts"))
def test_each_part_of_a_question_goes_to_its_team(question: str, teams: str) -> None:
    plan, _ = ask(question)

    assert ",".join(step["team"] for step in plan["steps"]) == teams


@pytest.mark.parametrize(("question", "intent", "language"), rows("refusals"))
def test_what_no_team_can_do_is_answered_at_once(question: str, intent: str, language: str) -> None:
    plan, answer = ask(question)

    assert plan["intent"] == intent
    assert plan["language"] == language
    assert plan["steps"] == []
    assert answer["text"] == plan["reply"]


@pytest.mark.parametrize("question", [question for (question,) in rows("searched")])
def test_a_question_about_the_world_is_looked_up_and_not_computed(question: str) -> None:
    plan, answer = ask(question, passages=())

    assert {step["team"] for step in plan["steps"]} == {"search"}
    assert answer["citations"] == []
    assert "without a model" in answer["text"] or "모델 없이는" in answer["text"]


def test_the_tables_are_as_broad_as_they_should_be() -> None:
    assert len(rows("analysis_en")) + len(rows("analysis_ko")) >= 500
    assert len(rows("refusals")) >= 40
