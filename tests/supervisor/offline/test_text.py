"""Languages, sentences, particles and pasted texts."""

import pytest

from app.supervisor.offline import pasted, sentences
from app.supervisor.offline.language import detect
from app.supervisor.offline.particles import companion, means, subject, topic


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How does it work?", "en"),
        ("어떻게 동작해?", "ko"),
        ("PostgreSQL은 뭐야?", "ko"),
        ("What does 세션 mean in the documentation of this project?", "en"),
        ("2 + 2", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_that_of_a_reasonable_share_of_the_letters(
    text: str, language: str
) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (topic("30"), "30은"),
        (topic("34"), "34는"),
        (topic("3월"), "3월은"),
        (subject("7,000원"), "7,000원이"),
        (companion("사과"), "사과와"),
        (means("서울"), "서울로"),
        (means("16"), "16으로"),
        (topic("km"), "km은"),
        (topic("?"), "?은(는)"),
    ],
)
def test_a_particle_fits_the_sound_before_it(made: str, expected: str) -> None:
    assert made == expected


def test_sentences_end_where_people_end_them() -> None:
    text = "Dr. Smith paid $3.50, e.g. for tea. Was it good? Yes! See fig. 2."

    assert sentences.split(text) == [
        "Dr. Smith paid $3.50, e.g. for tea.",
        "Was it good?",
        "Yes!",
        "See fig. 2.",
    ]


def test_korean_sentences_may_follow_without_a_blank() -> None:
    text = "날씨가 좋았다.우리는 걸었다! 버전 1.2는 어때? 3.5만 원이다."

    assert sentences.split(text) == [
        "날씨가 좋았다.",
        "우리는 걸었다!",
        "버전 1.2는 어때?",
        "3.5만 원이다.",
    ]


def test_list_items_and_headings_are_sentences_and_wrapped_lines_are_not() -> None:
    text = "# Title\n- one item\n- two items\n\nA line that is\nonly wrapped here."

    assert sentences.split(text) == [
        "Title",
        "one item",
        "two items",
        "A line that is only wrapped here.",
    ]


def test_a_run_without_an_end_is_cut_at_a_space() -> None:
    assert max(map(len, sentences.split("word " * 2000))) <= 1_200


BODY = "The cat sat on the mat. It was a sunny day in March. The dog slept all day long."


@pytest.mark.parametrize(
    ("message", "request_", "body"),
    [
        (f"Summarise this: {BODY}", "Summarise this", BODY),
        (
            f"Summarize the text in 2 sentences:\n\n{BODY}",
            "Summarize the text in 2 sentences",
            BODY,
        ),
        (f"{BODY}\n\nSummarise the above.", "Summarise the above.", BODY),
        (f"{BODY} Please summarise this text.", "Please summarise this text.", BODY),
        (f"summarize {BODY}", "summarize", BODY),
        (f'How many words are in "{BODY}"?', "How many words are in ?", BODY),
        (f"```text\n{BODY}\n```\nextract the dates", "extract the dates", BODY),
        (
            "요약해줘\n오늘은 날씨가 좋았다. 우리는 걸었다.",
            "요약해줘",
            "오늘은 날씨가 좋았다. 우리는 걸었다.",
        ),
        (BODY * 10, "", BODY * 10),
    ],
)
def test_the_pasted_text_and_the_request_are_told_apart(
    message: str, request_: str, body: str
) -> None:
    assert pasted.find(message) == pasted.Pasted(request_, body)


@pytest.mark.parametrize(
    "message",
    ["What is 2+2?", "Summarise how sessions work", "Hello\nWhat is 2+2?\nHow does it resume?", ""],
)
def test_a_message_that_is_all_request_holds_no_text(message: str) -> None:
    assert pasted.find(message) is None
