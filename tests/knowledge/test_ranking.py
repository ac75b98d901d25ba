"""Which of the matching passages are about what is asked."""

from app.knowledge.query import Question
from app.knowledge.ranking import rank
from app.knowledge.types import Passage

_SESSION = Question(("session", "세션"), (0, 0), (1.0, 1.0))


def _passage(text: str, *, score: float = 0.5, title: str = "Guide") -> Passage:
    return Passage(title=title, source="f", url=None, text=text, score=score, coverage=1.0)


def _first(*passages: Passage, question: Question = _SESSION) -> str:
    return rank(list(passages), question, 1)[0].text


def test_a_definition_comes_before_places_that_use_the_word() -> None:
    used = _passage("Every session of every session keeps sessions.", score=0.6)
    for definition in (
        "A session is one client's engagement.",
        "| **Session** (`session_id`) | one client's engagement |",
        "- **Sessions**: one client's engagements",
        "Session — one client's engagement",
        "세션은 한 클라이언트의 참여이다.",
    ):
        assert _first(used, _passage(definition, score=0.5)) == definition


def test_a_line_about_something_else_as_well_is_no_definition() -> None:
    used = _passage("plain", score=0.6)
    for other in ("Session rows: three", "sessions.ttl_seconds: 60", "| chat, session | x |"):
        assert _first(used, _passage(other, score=0.5)) == "plain"


def test_a_heading_that_is_the_question_counts() -> None:
    under = _passage("text", title="Guide › Sessions", score=0.45)
    assert _first(_passage("other", score=0.5), under) == "text"


def test_scores_stay_between_zero_and_one_and_a_text_comes_once() -> None:
    twice = [_passage("Session: x", score=1.0), _passage("Session: x", score=0.9)]
    (only,) = rank(twice, _SESSION, 5)
    assert only.score == 1.0


def test_the_order_of_equal_passages_is_kept() -> None:
    found = rank([_passage("one"), _passage("two"), _passage("three")], _SESSION, 2)
    assert [passage.text for passage in found] == ["one", "two"]
