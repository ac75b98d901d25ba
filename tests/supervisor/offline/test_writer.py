"""How results become one answer."""

from hypothesis import given
from hypothesis import strategies as st

from app.supervisor.offline.types import Citation, Plan, TeamResult
from app.supervisor.offline.writer import chunks, compose


def citation(n: int, source: str) -> Citation:
    return {"n": n, "title": f"Title {source}", "source": source, "url": "", "quote": source}


def result(team: str, task: str, markdown: str, citations: list[Citation]) -> TeamResult:
    return {
        "team": team,
        "task": task,
        "ok": True,
        "summary": "",
        "markdown": markdown,
        "citations": citations,
        "code": None,
    }


def planned(*steps: tuple[str, str]) -> Plan:
    return {
        "intent": "mixed",
        "language": "en",
        "steps": [{"team": team, "task": task} for team, task in steps],  # type: ignore[typeddict-item]
        "reply": None,
        "asides": [],
    }


def test_one_part_has_no_heading() -> None:
    made = planned(("analysis", "2+2"))

    answer = compose(
        "2+2", plan=made, results=[result("analysis", "2+2", "**4**", [])], failed=[], language="en"
    )

    assert answer["text"] == "**4**"
    assert answer["citations"] == []


def test_parts_are_headed_and_in_the_order_asked() -> None:
    made = planned(("analysis", "first"), ("search", "second"))
    results = [result("search", "second", "two", []), result("analysis", "first", "one", [])]

    answer = compose("q", plan=made, results=results, failed=[], language="en")

    assert answer["text"] == "### First\n\none\n\n### Second\n\ntwo"


def test_citations_of_several_searches_are_numbered_through() -> None:
    made = planned(("search", "a"), ("search", "b"))
    results = [
        result("search", "a", "> x [1]", [citation(1, "a.md")]),
        result("search", "b", "> y [1] z [2]", [citation(1, "b.md"), citation(2, "a.md")]),
    ]

    answer = compose("q", plan=made, results=results, failed=[], language="en")

    assert "> x [1]" in answer["text"]
    assert "> y [2] z [1]" in answer["text"]
    assert [one["n"] for one in answer["citations"]] == [1, 2]
    assert "a.md" not in answer["text"]


def test_a_failed_team_is_named_and_the_rest_is_answered() -> None:
    made = planned(("analysis", "2+2"), ("search", "sessions"))
    results = [result("analysis", "2+2", "**4**", [])]
    failed = [{"team": "search", "code": "team_timeout"}]

    answer = compose("q", plan=made, results=results, failed=failed, language="en")  # type: ignore[arg-type]

    assert "**4**" in answer["text"]
    assert "The search team could not finish (`team_timeout`)" in answer["text"]


def test_without_any_result_the_answer_says_so() -> None:
    answer = compose("q", plan=planned(), results=[], failed=[], language="ko")

    assert answer["text"].startswith("모델 없이는 답할 수 없는")


def test_a_heading_keeps_no_markup_of_the_question() -> None:
    made = planned(("analysis", "# a [link](x) **b**"), ("analysis", "2+2"))
    results = [result("analysis", step["task"], "x", []) for step in made["steps"]]

    answer = compose("q", plan=made, results=results, failed=[], language="en")

    assert r"### \# a \[link\](x) \*\*b\*\*" in answer["text"]


@given(st.text())
def test_chunks_join_to_exactly_the_text(text: str) -> None:
    assert "".join(chunks(text)) == text


def test_chunks_are_words() -> None:
    assert list(chunks("Two words.\n\nThen more")) == ["Two ", "words.\n\n", "Then ", "more"]
