"""The tokeniser: what it finds, what it survives, and what Postgres will accept of it."""

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.tokens import WORD_CHARS, fold, tokens, tsquery_literal, tsvector_literal

# Any code point at all, with much weight on what breaks tokenisers.
_NASTY = st.sampled_from(
    "\0\ud800\udfff'’\\\"|:&!()*_-\n\t\u00a0\u200b\u0301\u0316\u3099ﷺ①ŉİß가ㄱ中ーｶﾞ"
)
_TEXT = st.lists(
    st.one_of(st.characters(), st.characters(exclude_categories=()), _NASTY), max_size=80
).map("".join)


def test_english_words_lose_case_endings_and_stop_words() -> None:
    assert tokens("How does Colloquy resume a dropped connection?") == [
        "colloquy",
        "resum",
        "drop",
        "connect",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sessions expiring", "session expires"),
        ("Ｒｅｓｔａｒｔ", "restart"),
        ("cafe\u0301", "CAFÉ"),
        ("STRASSE", "straße"),
        ("Colloquy's", "colloquy’s"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"),
        ("ﾃﾞｰﾀ", "データ"),
    ],
)
def test_spellings_of_one_word_give_the_same_tokens(one: str, other: str) -> None:
    assert tokens(one) == tokens(other) != []


def test_names_in_code_are_found_by_their_parts() -> None:
    assert tokens("COLLOQUY_DATABASE_URL app/kit/tokens.py v1.2") == [
        "colloquy",
        "databas",
        "url",
        "app",
        "kit",
        "token",
        "py",
        "v1",
        "2",
    ]


def test_korean_chinese_and_japanese_become_pairs_of_neighbours() -> None:
    assert tokens("연결이 끊기면") == ["연결", "결이", "끊기", "기면"]
    assert tokens("数据库") == ["数据", "据库"]
    assert tokens("中 데이터") == ["中", "데이", "이터"]


def test_mixed_scripts_in_one_word_are_told_apart() -> None:
    assert tokens("LangGraph에서 3월") == ["langgraph", "에서", "3", "월"]


def test_repeated_words_stay_in_order() -> None:
    assert tokens("drop, resume, drop") == ["drop", "resum", "drop"]


def test_contractions_of_stop_words_leave_nothing() -> None:
    assert tokens("It’s what we don't and they'll won't-ever do; I'm AT&T") == ["won", "t"]


@given(_TEXT)
def test_any_text_gives_clean_tokens(text: str) -> None:
    for token in tokens(text):
        token.encode()
        assert "\0" not in token
        assert 1 <= len(token) <= WORD_CHARS
        assert not any(character.isspace() for character in token)


@given(_TEXT)
def test_a_text_in_any_unicode_form_gives_the_same_tokens(text: str) -> None:
    assert tokens(unicodedata.normalize("NFD", text)) == tokens(unicodedata.normalize("NFC", text))


@given(_TEXT, _TEXT)
def test_texts_apart_by_a_space_are_tokenised_apart(left: str, right: str) -> None:
    assert tokens(f"{left} \n {right}") == tokens(left) + tokens(right)


@given(st.text(alphabet="ab 가나\u0301é", max_size=2_000))
def test_folding_does_not_depend_on_where_long_texts_are_cut(text: str) -> None:
    # the cut falls on a space, unless 512 characters have none
    spaced = re.sub(r"(\S{100})", r"\1 ", text)
    whole = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", spaced).casefold())
    assert fold(spaced) == whole


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "resuming a dropped connection " * 33_000,
        "연결이 끊기면 " * 125_000,
        "a\u0301\u0316" + "\u0301\u0316" * 500_000,
        "\0\ud800" * 500_000,
        "a가" * 500_000,
        "'s" * 500_000,
        "가" * 1_000_000,
    ],
    ids=["word", "english", "korean", "accents", "rubbish", "mixed", "quotes", "run"],
)
def test_a_million_characters_take_linear_time(text: str) -> None:
    started = time.perf_counter()
    vector = tsvector_literal(tokens(text))
    assert time.perf_counter() - started < 10  # seconds; quadratic work would take minutes
    assert len(vector) < 1_500_000


def test_a_vector_keeps_how_often_and_where() -> None:
    assert tsvector_literal(["drop", "resum", "drop"]) == "'drop':1,3 'resum':2"


def test_literals_quote_what_would_end_them() -> None:
    assert tsvector_literal(["it's", "a\\b"]) == "'it''s':1 'a\\\\b':2"
    assert tsquery_literal(["it's", "a\\b"]) == "'it''s' | 'a\\\\b'"


def test_a_vector_stays_within_the_limits_of_postgres() -> None:
    far = tsvector_literal([*["x"] * 300, *(f"w{n}" for n in range(20_000)), "x"])
    places = {
        name: [int(place) for place in spots.split(",")]
        for name, spots in re.findall(r"'(\w+)':([\d,]+)", far)
    }
    assert len(places["x"]) == 255
    assert places["w19999"] == [16_383]
    assert tsvector_literal(["é" * 2_000, "", "\0", "\ud800", "ok"]) == "'ok':5"
    huge = tsvector_literal(f"{n:060d}" for n in range(40_000))
    assert 900_000 < len(huge) < 1_300_000


def test_a_query_asks_for_any_of_its_terms_once_and_for_a_bounded_number() -> None:
    assert tsquery_literal(["a", "b", "a", "", "\0", "\udc00"]) == "'a' | 'b'"
    assert tsquery_literal([]) == ""
    assert tsquery_literal((f"t{n}" for n in range(10**6)), max_terms=3) == "'t0' | 't1' | 't2'"
