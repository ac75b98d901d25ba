"""Quoting found passages: faithful, marked, and honest when nothing fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.supervisor.offline.passages import best_sentences, plain, quote, units
from app.supervisor.offline.types import Passage
from tests.supervisor.offline.conversation import RESUME, SESSION

CODES = Passage(
    title="Protocol › Close codes",
    source="docs/protocol.md#close-codes",
    url="",
    text=(
        "| code | name | meaning |\n|---|---|---|\n"
        "| 4004 | `session_not_found` | The session is unknown or expired. |\n"
        "| 4029 | `too_many_connections` | The session has too many sockets. |\n"
    ),
    score=0.7,
)


def test_the_best_sentences_are_quoted_with_marks_and_sources() -> None:
    markdown, citations = quote(
        "How does Colloquy resume a dropped connection?", [SESSION, RESUME], "en"
    )

    assert "> When a connection drops, the client reconnects to any node" in markdown
    assert markdown.count("[1]") == 1
    assert citations[0]["source"] == RESUME["source"]
    assert citations[0]["quote"] in plain(RESUME["text"])


def test_markup_of_a_source_is_cleaned_and_words_are_kept() -> None:
    _, citations = quote("Does the server send every event in order?", [RESUME], "en")

    assert "**" not in citations[0]["quote"]
    assert "The server resumes from there" in citations[0]["quote"]


def test_a_table_row_is_quoted_as_a_line() -> None:
    markdown, citations = quote("What does close code 4004 mean?", [CODES], "en")

    assert "4004 – `session_not_found` – The session is unknown or expired." in markdown
    assert len(citations) == 1


def test_only_the_row_a_question_names_is_quoted() -> None:
    _, citations = quote("What does close code 4029 mean for a session?", [CODES], "en")

    assert [one["quote"] for one in citations] == [
        "4029 – `too_many_connections` – The session has too many sockets."
    ]


def test_rows_are_found_by_their_names_in_code() -> None:
    settings = Passage(
        title="Settings",
        source="docs/settings.md",
        url="",
        text=(
            "| setting | default | effect |\n|---|---|---|\n"
            "| `idle_seconds` | 900 | A session is idle after so many seconds. |\n"
            "| `drain_seconds` | 20 | A session is drained in so many seconds. |\n"
        ),
        score=0.7,
    )

    _, citations = quote("What is the default of idle_seconds?", [settings], "en")

    assert [one["quote"].split()[0] for one in citations] == ["`idle_seconds`"]
    assert "drain_seconds" not in citations[0]["quote"]


def test_a_korean_question_finds_english_passages_and_says_so() -> None:
    markdown, citations = quote("세션이 뭐야?", [SESSION], "ko")

    assert markdown.startswith("문서에서 찾은 내용이에요 (원문은 영어예요).")
    assert citations[0]["title"] == "Concepts › Session"


@pytest.mark.parametrize(
    "question",
    [
        "Who is the president of France?",
        "How many people live in Tokyo?",
        "What is the best pizza in New York?",
        "한국의 수도는 어디야?",
    ],
)
def test_a_passage_about_something_else_is_not_quoted(question: str) -> None:
    markdown, citations = quote(question, [RESUME, SESSION, CODES], "en")

    assert citations == []
    assert markdown.startswith("That is not in the documents I have")


def test_nearest_titles_are_named_when_a_word_of_the_question_is_in_them() -> None:
    markdown, citations = quote("Which session manager do Berlin libraries use?", [SESSION], "en")

    assert citations == []
    assert "Nearest: *Concepts › Session*" in markdown


def test_nothing_found_is_said_in_the_language_of_the_question() -> None:
    markdown, _ = quote("프랑스 대통령은 누구야?", [], "ko")

    assert markdown.startswith("제가 가진 문서에는")


def test_units_are_sentences_and_rows_but_not_headings_or_code() -> None:
    text = (
        "# Head\n\nFirst sentence here. Second one here.\n\n```\ncode();\n```\n- An item of a "
        "list\n"
    )

    assert units(text) == ["First sentence here.", "Second one here.", "An item of a list"]


def test_code_spans_keep_their_signs() -> None:
    assert plain("Set `a__b__c` and **<b>bold</b>** [link](x)") == "Set `a__b__c` and bold link"


def test_a_question_about_a_text_is_answered_with_its_sentence() -> None:
    body = "The pilot moves to May 20. Elena leads the engineers. The budget is $1.2 million."

    assert best_sentences("Who leads the engineers?", body, limit=2) == [
        "Elena leads the engineers."
    ]


@given(st.text(max_size=400), st.text(max_size=400))
def test_quoting_never_fails_and_marks_every_citation(question: str, text: str) -> None:
    passage = Passage(title="T", source="s", url="", text=text, score=0.5)

    markdown, citations = quote(question, [passage, SESSION], "en")

    for one in citations:
        assert f"[{one['n']}]" in markdown
