"""What a question asks for, and the glossary that helps to say it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.knowledge.errors import BadGlossary
from app.knowledge.glossary import Glossary
from app.knowledge.query import MAX_GROUPS, MAX_TERMS, Question, understand


@pytest.fixture(scope="module")
def glossary() -> Glossary:
    return Glossary.load()


def _ideas(question: Question) -> list[dict[str, float]]:
    """The groups, each with its tokens and weights."""
    groups: dict[int, dict[str, float]] = {}
    for token, group, weight in zip(
        question.tokens, question.groups, question.weights, strict=True
    ):
        groups.setdefault(group, {})[token] = weight
    return list(groups.values())


def test_words_outside_the_glossary_stand_for_themselves(glossary: Glossary) -> None:
    assert _ideas(understand("How do zebras migrate?", glossary))[0] == {"zebra": 1.0}


def test_a_concept_brings_its_words_in_every_language(glossary: Glossary) -> None:
    (idea,) = _ideas(understand("세션이 뭐야?", glossary))
    assert idea == {"세션": 1.0, "session": 1.0}
    (idea,) = _ideas(understand("what is a session", glossary))
    assert idea == {"세션": 1.0, "session": 1.0}


def test_synonyms_count_less_than_what_was_said_and_its_usual_translation(
    glossary: Glossary,
) -> None:
    (idea,) = _ideas(understand("연결", glossary))
    assert idea["연결"] == idea["connect"] == 1.0
    assert idea["socket"] == 0.5


def test_the_pairs_of_a_long_word_are_the_word_once(glossary: Glossary) -> None:
    (idea,) = _ideas(understand("데이터베이스", glossary))
    pairs = ["데이", "이터", "터베", "베이", "이스"]
    assert sum(idea[pair] for pair in pairs) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("question", "concepts"),
    [
        ("연결이 끊기면 어떻게 되나요?", ["연결", "끊기"]),
        ("세션에서는 메시지를 어떻게 보내나요", ["세션", "메시", "보내"]),
        ("세션연결이끊어졌을때", ["세션", "연결", "끊어"]),
        ("Colloquy는 무엇인가요?", ["colloquy"]),
        ("Redis에서는 데이터가 사라지나요", ["redi", "데이", "사라"]),
        ("How do I log in after signing out?", ["log", "sign"]),
        ("프로그램을 설치하려면", ["프로", "설치"]),
        ("리포트를 포트로 보내", ["리포", "포트", "보내"]),
    ],
)
def test_concepts_are_found_whatever_is_attached(
    glossary: Glossary, question: str, concepts: list[str]
) -> None:
    ideas = _ideas(understand(question, glossary))
    assert [next(iter(idea)) for idea in ideas] == concepts


def test_particles_and_endings_are_taken_off_unknown_words(glossary: Glossary) -> None:
    assert list(understand("고양이에게 생선을", glossary).tokens) == ["고양", "양이", "생선"]
    assert list(understand("도서 예약했어요", glossary).tokens) == ["도서", "예약"]


def test_a_long_unknown_word_is_one_idea_and_most_of_it_is_enough(glossary: Glossary) -> None:
    (idea,) = _ideas(understand("고객센터전화", glossary))
    assert list(idea) == ["고객", "객센", "센터", "터전", "전화"]
    assert 4 * idea["고객"] >= 1.0


def test_fillers_are_left_out_unless_nothing_else_is_there(glossary: Glossary) -> None:
    assert understand("please explain zebras", glossary).tokens == ("zebra",)
    assert understand("please explain", glossary).tokens == ("pleas", "explain")
    assert understand("어떻게 되나요?", glossary).tokens != ()


@given(st.text(max_size=400))
def test_any_question_is_understood_within_bounds(text: str) -> None:
    question = understand(text, _SHARED)
    assert len(question.tokens) == len(question.groups) == len(question.weights) <= MAX_TERMS
    assert all(0 < weight <= 1 for weight in question.weights)
    assert all(0 <= group < MAX_GROUPS for group in question.groups)


_SHARED = Glossary.load()


def test_a_long_question_is_bounded(glossary: Glossary) -> None:
    question = understand(" ".join(f"word{n}" for n in range(10_000)), glossary)
    assert len(question.tokens) == MAX_GROUPS


def _file(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "words.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_an_operator_s_glossary_adds_words_and_languages(tmp_path: Path) -> None:
    more = {
        "concepts": {
            "session": {"ja": ["セッション"]},
            "invoice": {"en": ["invoice"], "ko": ["청구서"]},
        }
    }
    glossary = Glossary.load(_file(tmp_path, more))
    assert "セッ" in understand("session", glossary).tokens
    assert "invoic" in understand("청구서는 어디서 받나요", glossary).tokens


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"concepts": {"thing": {"en": ["session"]}}}, "given to both 'session' and 'thing'"),
        ({"concepts": {"thing": {"en": [""]}}}, "concepts › thing › en"),
        ({"concept": {}}, "concept"),
        ([], "valid dictionary"),
    ],
)
def test_a_bad_glossary_is_refused_with_the_place(
    tmp_path: Path, content: object, message: str
) -> None:
    with pytest.raises(BadGlossary, match=message):
        Glossary.load(_file(tmp_path, content))


def test_a_glossary_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGlossary, match="cannot be read"):
        Glossary.load(tmp_path / "no.json")
