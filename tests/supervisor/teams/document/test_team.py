"""The document team: which text, what work, in which language."""

import json

import pytest

from app.supervisor.offline.types import TeamResult, Turn
from app.supervisor.teams.document import request
from app.supervisor.teams.document.team import read

ENGLISH = """Project Aurora status report

On March 3, 2026 the steering committee met in Berlin to review Project Aurora. Dr. Elena \
Fischer, who leads the engineering group, reported that the prototype now runs for 14 hours on \
one charge. The budget stands at $1.2 million, of which $840,000 has been spent. Two suppliers, \
Nordic Cells and BlueWave Energy, missed their deadlines in February. As a result, the pilot \
launch has moved from April 15 to May 20, 2026. Marketing expects 25% more orders than last year. \
Questions should go to aurora-team@example.com or +49 30 1234 5678. Overall, the project remains \
on track, but the delay must not grow any further."""
KOREAN = """2026년 3월 2일, 서울시는 새 대중교통 요금 체계를 발표했다. \
지하철 기본요금은 1,550원에서 1,700원으로 150원 오른다. 버스 요금은 1,500원으로 동결된다. \
김민수 교통국장은 "적자가 매년 1조 2천억 원에 이르러 인상이 불가피하다"고 설명했다. \
시민단체는 반발했다. 요금 인상은 5월 1일부터 시행된다. \
서울시는 인상분의 70%를 노후 차량 교체에 쓰겠다고 밝혔다. \
결국 성패는 서비스 품질에 달려 있다."""
GUIDE = "# Guide\nIntro.\n## Install\nRun it. It takes a minute.\n## Configure\nSet the port."


def run(task: str, body: str = "", history: list[Turn] | None = None) -> TeamResult:
    message = f"{task}\n\n{body}" if body else task
    korean = any("가" <= letter <= "힣" for letter in task)
    return read(task, message=message, history=history or [], language="ko" if korean else "en")


def bullets(result: TeamResult) -> list[str]:
    return [line[2:] for line in result["markdown"].splitlines() if line.startswith("- ")]


def test_a_result_is_plain_data() -> None:
    result = run("Summarise this", ENGLISH)

    assert json.loads(json.dumps(result)) == result
    assert result["ok"]
    assert result["summary"].startswith("Summary:")


@pytest.mark.parametrize(
    ("task", "body", "count"),
    [
        ("Summarise this in 3 sentences", ENGLISH, 3),
        ("Summarise this in two sentences", ENGLISH, 2),
        ("Give me 4 bullet points", ENGLISH, 4),
        ("세 문장으로 요약해줘", KOREAN, 3),
        ("두 줄로 요약해 주세요", KOREAN, 2),
        ("핵심 5가지만 정리해줘", KOREAN, 5),
    ],
)
def test_the_number_of_sentences_asked_for_is_kept(task: str, body: str, count: int) -> None:
    assert len(bullets(run(task, body))) == count


@pytest.mark.parametrize(("task", "body"), [("Summarise this", ENGLISH), ("요약해줘", KOREAN)])
def test_a_summary_holds_only_sentences_of_the_text_in_its_order(task: str, body: str) -> None:
    chosen = bullets(run(task, body))
    places = [body.replace("\n", " ").index(sentence) for sentence in chosen]

    assert len(chosen) >= 2
    assert places == sorted(places)


def test_a_heading_is_not_taken_for_a_sentence_that_says_much() -> None:
    assert "Project Aurora status report" not in bullets(run("Summarise this", ENGLISH))


def test_one_sentence_is_given_without_a_bullet() -> None:
    assert bullets(run("Summarise this in one sentence", ENGLISH)) == []


def test_a_short_text_is_given_back_whole_and_said_to_be_short() -> None:
    result = run("Summarise this", "It rained all day long here. We stayed at home and read.")

    assert "only 2 sentences" in result["markdown"]


def test_a_summary_keeps_to_a_number_of_words() -> None:
    result = run("Summarise this in 30 words", ENGLISH)

    assert sum(len(line.split()) for line in bullets(result)) <= 30


def test_facts_are_found_by_kind() -> None:
    text = run("Extract the facts", ENGLISH)["markdown"]

    assert "- **Dates**: March 3, 2026, April 15, May 20, 2026" in text
    assert "- **Amounts**: $1.2 million, $840,000, 25%" in text
    assert "BlueWave Energy" in text
    assert "Dr. Elena Fischer" in text
    assert "aurora-team@example.com" in text
    assert "+49 30 1234 5678" in text


def test_only_the_kinds_asked_for_are_given() -> None:
    text = run("날짜와 금액을 뽑아줘", KOREAN)["markdown"]

    assert "- **날짜**: 2026년 3월 2일, 5월 1일" in text
    assert "1조 2천억 원" in text
    assert "이름" not in text


def test_a_kind_that_is_not_there_is_said_to_be_missing() -> None:
    assert "**Links**: none found" in run("List all the links", ENGLISH)["markdown"]


def test_an_outline_follows_the_headings() -> None:
    text = run("Give me an outline", GUIDE)["markdown"]

    assert "- **Guide** – Intro." in text
    assert "  - **Install** – Run it." in text


def test_an_outline_without_headings_has_a_line_for_each_paragraph() -> None:
    body = "First thing here is long. More on it.\n\nSecond thing there. And more of that."

    text = run("outline this", body)["markdown"]

    assert "1. First thing here is long." in text
    assert "2. " in text


def test_counts_and_reading_time() -> None:
    text = run("How many words are in this text?", "one two three. four five six seven.")[
        "markdown"
    ]

    assert "7 words, 35 characters, 2 sentences" in text
    assert "Reading time: about 1 min" in text


def test_a_word_is_counted_where_it_stands_alone() -> None:
    body = "the cat and the other cat went there in the end"

    assert "occurs 3 times" in run('How many times does "the" appear in:', body)["markdown"]


def test_keywords_are_words_of_the_text() -> None:
    text = run("keywords of this", ENGLISH)["markdown"]

    assert "Aurora" in text


def test_a_question_is_answered_with_a_sentence_of_the_text() -> None:
    text = run("When is the pilot launch?", ENGLISH)["markdown"]

    assert "> As a result, the pilot launch has moved from April 15 to May 20, 2026." in text


def test_several_works_are_done_in_the_order_asked() -> None:
    text = run("요약하고 글자 수도 알려줘", KOREAN)["markdown"]

    assert text.index("요약") < text.index("글자")


def test_an_earlier_text_is_used_when_the_message_holds_none() -> None:
    history: list[Turn] = [
        {"role": "user", "text": ENGLISH},
        {"role": "assistant", "text": "Thank you."},
    ]

    assert "of 9 sentences" in run("summarise the above", history=history)["markdown"]


def test_the_last_answer_can_be_made_shorter() -> None:
    history: list[Turn] = [
        {"role": "user", "text": "hello"},
        {"role": "assistant", "text": f"**{ENGLISH}**"},
    ]

    result = run("make it shorter", history=history)

    assert result["ok"]
    assert "**On" not in result["markdown"]


def test_without_a_text_the_team_asks_for_one() -> None:
    result = run("위 글 요약해줘")

    assert not result["ok"]
    assert result["code"] == "no_text"
    assert result["markdown"].startswith("정리할 글이 보이지 않아요")


def test_a_working_team_says_what_it_reads() -> None:
    said: list[str] = []

    read(
        "Summarise",
        message=f"Summarise:\n{ENGLISH}",
        history=[],
        language="en",
        progress=said.append,
    )

    assert len(said) == 1
    assert said[0].startswith("Reading ")


@pytest.mark.parametrize(
    ("text", "works"),
    [
        ("Summarise the key points", ("points",)),
        ("tl;dr", ("summary",)),
        ("간추려줘", ("summary",)),
        ("extract all dates", ("facts",)),
        ("목차를 만들어줘", ("outline",)),
        ("몇 글자야?", ("counts",)),
        ("Who wrote it?", ("answer",)),
    ],
)
def test_the_work_is_read_from_the_words(text: str, works: tuple[str, ...]) -> None:
    assert request.read(text).works == works


def test_amounts_are_found_with_the_currency_on_either_side() -> None:
    text = (
        "The invoice is EUR 1,249.50, then 1,249.50 EUR, USD 300 and 1,200 dollars, GBP 2 million."
    )

    found = read(
        "List the amounts", message=f"List the amounts:\n{text}", history=[], language="en"
    )

    for amount in ("EUR 1,249.50", "1,249.50 EUR", "USD 300", "1,200 dollars", "GBP 2 million"):
        assert amount in found["markdown"]
