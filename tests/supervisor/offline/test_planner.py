"""What the planner makes of whole messages."""

import json
import subprocess
import sys

import pytest

from app.supervisor.offline.planner import plan
from tests.supervisor.offline.conversation import NOW, ask, assistant, user

TEXT = (
    "The committee met on March 3, 2026 in Berlin. It reviewed the budget of $1.2 million. "
    "Two suppliers missed their deadlines. As a result the launch moved to May 20, 2026. "
    "Overall the project remains on track."
)
TABLE = "name,team,score\nKim,Red,90\nLee,Blue,80\nPark,Red,70"


def test_the_example_of_the_issue_goes_to_both_teams_with_a_citation() -> None:
    made, answer = ask("What is 17% of 2,340, and how does Colloquy resume a dropped connection?")

    assert made["intent"] == "mixed"
    assert [step["team"] for step in made["steps"]] == ["analysis", "search"]
    assert "**17% of 2,340 = 397.8**" in answer["text"]
    assert "[1]" in answer["text"]
    assert answer["citations"][0]["source"] == "docs/protocol.md#resume"


def test_the_same_question_in_korean_is_answered_in_korean() -> None:
    made, answer = ask("2,340의 17%는 얼마고, 콜로퀴는 끊어진 연결을 어떻게 재개해?")

    assert made["language"] == "ko"
    assert [step["team"] for step in made["steps"]] == ["analysis", "search"]
    assert "397.8" in answer["text"]
    assert "원문은 영어예요" in answer["text"]
    assert answer["citations"]


def test_a_plan_is_plain_data() -> None:
    made = plan("What is 2+2? And write a haiku.", history=(), now=NOW)

    assert json.loads(json.dumps(made)) == made


def test_a_refused_part_keeps_its_place_beside_the_answered_one() -> None:
    made, answer = ask("Write a haiku. What is 2+2?")

    assert made["asides"][0]["position"] == 0
    assert answer["text"].index("language model") < answer["text"].index("2 + 2 = 4")


def test_a_greeting_before_a_question_does_not_hide_it() -> None:
    made, _ = ask("Hi! Can you tell me what 15% of 240 is? Thanks")

    assert made["intent"] == "analysis"
    assert len(made["steps"]) == 1


def test_a_statement_is_kept_with_the_question_that_needs_it() -> None:
    _, answer = ask("A jacket costs $80. It is 25% off. What do I pay with 8% tax?")

    assert "$80 → $64.80" in answer["text"]


def test_a_statement_that_a_question_does_not_need_is_left_out() -> None:
    made, _ = ask("I like tea very much. What is 12 * 12?")

    assert made["steps"] == [{"team": "analysis", "task": "What is 12 * 12?"}]


@pytest.mark.parametrize(
    ("message", "task"),
    [
        (f"Summarise this in two sentences:\n\n{TEXT}", "Summarise this in two sentences"),
        (f"{TEXT}\n\nSummarise the above.", "Summarise the above."),
        (f"What are the dates?\n{TEXT}", "What are the dates?"),
        (f"```\n{TEXT}\n```\nGive me the key points", "Give me the key points"),
    ],
)
def test_pasted_text_goes_to_the_document_team(message: str, task: str) -> None:
    made, _ = ask(message)

    assert made["steps"] == [{"team": "document", "task": task}]


def test_a_sum_beside_pasted_text_goes_to_the_analysis_team() -> None:
    made, _ = ask(f"Summarise this article and tell me what 15% of 840 is:\n{TEXT}")

    assert [step["team"] for step in made["steps"]] == ["document", "analysis"]


def test_a_pasted_table_goes_to_the_analysis_team_whole() -> None:
    made, answer = ask(f"What is the average score?\n{TABLE}")

    assert [step["team"] for step in made["steps"]] == ["analysis"]
    assert TABLE in made["steps"][0]["task"]
    assert "score – Mean: 80" in answer["text"]


def test_a_summary_of_a_subject_of_the_documents_is_looked_up() -> None:
    made, _ = ask("Summarise how Colloquy handles sessions")

    assert [step["team"] for step in made["steps"]] == ["search"]


def test_an_earlier_text_serves_a_request_that_points_at_it() -> None:
    made, answer = ask("summarise the above in one sentence", history=[user(TEXT), assistant("ok")])

    assert made["intent"] == "document"
    assert "1 of 5 sentences" in answer["text"]


def test_the_language_of_a_message_without_words_is_that_of_the_conversation() -> None:
    made, _ = ask("2+2", history=[user("안녕하세요"), assistant("안녕하세요!")])

    assert made["language"] == "ko"


def test_pasted_text_does_not_decide_the_language_of_the_answer() -> None:
    made, answer = ask(f"다음 글을 요약해줘:\n{TEXT}")

    assert made["language"] == "ko"
    assert "요약" in answer["text"]


def test_what_was_asked_before_is_told_from_the_conversation() -> None:
    made, answer = ask("what did I just ask?", history=[user("What is 2+2?"), assistant("4")])

    assert made["intent"] == "recall"
    assert "What is 2+2?" in answer["text"]


def test_a_name_told_before_is_known() -> None:
    _, answer = ask("What is my name?", history=[user("My name is Jiho."), assistant("Hello")])

    assert "Jiho" in answer["text"]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("My name is Alice. What is my name?", "Alice"),
        ("What is my name? I'm Alice.", "Alice"),
        ("My name is Alice and I like tea. What is my name?", "Alice."),
        ("내 이름은 지호야. 내 이름이 뭐야?", "지호라고"),
        ("내 이름이 뭐야? 저는 민준이에요.", "민준이라고"),
    ],
)
def test_a_name_told_in_the_same_message_is_known(message: str, name: str) -> None:
    _, answer = ask(message)

    assert name in answer["text"]


@pytest.mark.parametrize("message", ["who am I? I'm tired.", "내 이름이 뭐야? 나는 학생이야."])
def test_what_a_person_is_does_not_become_a_name(message: str) -> None:
    _, answer = ask(message)

    assert "not told me" in answer["text"] or "않으셨어요" in answer["text"]


def test_a_question_about_the_assistant_does_not_hide_the_one_beside_it() -> None:
    _, answer = ask("who are you and what is 5*5?")

    assert "offline assistant" in answer["text"]
    assert "5 × 5 = 25" in answer["text"]


def test_a_question_beside_a_text_that_does_not_answer_it_is_looked_up() -> None:
    made, answer = ask(f"Explain what a session is. Summarize this text: {TEXT}")

    assert [step["team"] for step in made["steps"]] == ["search", "document"]
    assert "A session is one client's engagement" in answer["text"]
    assert "Summary: 2 of 5 sentences" in answer["text"]


def test_a_question_beside_a_text_is_answered_from_the_text_that_holds_the_answer() -> None:
    made, answer = ask(f"Who missed their deadlines? Summarize this text: {TEXT}")

    assert [step["team"] for step in made["steps"]] == ["document", "document"]
    assert "> Two suppliers missed their deadlines." in answer["text"]
    assert "Summary: 2 of 5 sentences" in answer["text"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            f"{TABLE}\nWho has the highest score and what is the average?",
            ("**Kim (score 90)**", "**score – Mean: 80**"),
        ),
        (
            "이름,점수\n안나,90\n보미,85\n누가 제일 높고 평균은 얼마야?",
            ("**안나 (점수 90)**", "**점수 – 평균: 87.5**"),
        ),
    ],
)
def test_two_questions_about_a_table_are_both_worked_out(
    message: str, expected: tuple[str, ...]
) -> None:
    made, answer = ask(message)

    assert [step["team"] for step in made["steps"]] == ["analysis", "analysis"]
    assert all(one in answer["text"] for one in expected)


def test_rows_of_a_table_are_neither_searched_nor_a_heading() -> None:
    made, answer = ask(f"{TABLE}\nWho has the highest score? How do I install Colloquy?")

    assert [step["team"] for step in made["steps"]] == ["analysis", "search"]
    assert "Name,team" not in answer["text"]
    assert "### Who has the highest score?" in answer["text"]


def test_noise_gets_one_short_line_and_no_team() -> None:
    made, answer = ask("asdfghjkl")

    assert made["intent"] == "irrelevant"
    assert made["steps"] == []
    assert "\n" not in answer["text"]


def test_a_refusal_names_what_is_missing_and_what_can_be_done() -> None:
    _, answer = ask("Translate hello to French")

    assert "I can't translate without a model" in answer["text"]
    assert "calculate exactly" in answer["text"]


def test_the_assistant_never_claims_to_be_a_model() -> None:
    _, answer = ask("Are you ChatGPT?")

    assert "No language model is connected" in answer["text"]


@pytest.mark.parametrize("message", ["", "   ", "\n\n", "?", "…", "\u200b"])
def test_an_empty_message_is_irrelevant(message: str) -> None:
    assert plan(message, history=(), now=NOW)["intent"] == "irrelevant"


def test_planning_does_not_load_the_unit_library() -> None:
    code = (
        "import sys, datetime as dt\n"
        "from app.supervisor.offline.planner import plan\n"
        "plan('What is 17% of 2,340?', history=(), now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))\n"
        "assert 'pint' not in sys.modules and 'langgraph' not in sys.modules\n"
    )

    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
