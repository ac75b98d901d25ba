"""Numbers in text: digits and words, English and Korean."""

from fractions import Fraction

import pytest

from app.supervisor.teams.analysis.display import figure, fraction_text, money, rounded
from app.supervisor.teams.analysis.figures import spans
from app.supervisor.teams.analysis.korean_numbers import sino
from app.supervisor.teams.analysis.spelling import english, korean
from app.supervisor.teams.analysis.working import Refused


def values(text: str) -> list[str]:
    return [str(number.value) for _, _, number in spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17% of 2,340", ["17", "2340"]),
        ("three hundred and five plus twenty-five", ["305", "25"]),
        ("two thirds of 90, half of 8", ["2/3", "90", "1/2", "8"]),
        ("a dozen, half a dozen, 4 dozen", ["12", "6", "48"]),
        ("2 1/2 cups and ½ cup".replace("½", "1/2"), ["5/2", "1/2"]),
        ("$3.2M, 5k and 1.5 billion", ["3200000", "5000", "1500000000"]),
        ("-3, -5 and 10 - 3", ["-3", "-5", "10", "3"]),
        ("1,2,3 and 10,200", ["1", "2", "3", "10200"]),
        ("version 1.2.3, 0xff, the 1990s, x86", []),
        ("which one is it, this one?", []),
        ("3만 5천원과 1억 2천만", ["35000", "120000000"]),
        ("2만 5000원, 1.5억, 3,500만원", ["25000", "150000000", "35000000"]),
        ("10만 20만 30만", ["100000", "200000", "300000"]),
        ("이십오 곱하기 삼", ["25", "3"]),
        ("네 명이서 세 시간", ["4", "3"]),
        ("천만에요, 만일 사과를", []),
        ("만원과 천만원", ["10000", "10000000"]),
        ("3할의 확률", ["30"]),
    ],
)
def test_numbers_are_found_as_people_write_them(text: str, expected: list[str]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("$5", "$"),
        ("5 dollars", "$"),
        ("5달러", "달러"),
        ("5천원", "원"),
        ("£3.20", "£"),
        ("5", ""),
    ],
)
def test_a_currency_belongs_to_its_number(text: str, currency: str) -> None:
    assert [number.currency for _, _, number in spans(text)] == [currency]


def test_a_number_with_too_many_digits_is_refused() -> None:
    with pytest.raises(Refused, match="too large"):
        spans("1" * 201)


@pytest.mark.parametrize(
    ("word", "value"),
    [("이십오", 25), ("삼천오백", 3500), ("일억이천만", 120_000_000), ("이삼", None)],
)
def test_sino_korean_words_have_their_value(word: str, value: int | None) -> None:
    assert sino(word) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Fraction(1234567), "1,234,567"),
        (Fraction(1, 3), "0.333333"),
        (Fraction("397.80"), "397.8"),
        (Fraction(-5, 2), "-2.5"),
        (Fraction(1, 10**9), "1 × 10⁻⁹"),
        (Fraction("0.000123456789"), "0.000123456789"),
    ],
)
def test_figures_are_exact_when_short_and_rounded_when_long(value: Fraction, shown: str) -> None:
    assert figure(value) == shown


def test_money_has_cents_unless_whole_and_no_part_of_a_won() -> None:
    assert money(Fraction("7.5"), "$") == "$7.50"
    assert money(Fraction(80), "$") == "$80"
    assert money(Fraction("2333.33"), "원") == "2,333원"
    assert money(Fraction("-3.456"), "€") == "-€3.46"


def test_halves_round_away_from_zero() -> None:
    assert rounded(Fraction("2.5"), 0) == "3"
    assert rounded(Fraction("-2.5"), 0) == "-3"
    assert rounded(Fraction("-0.04"), 1) == "0.0"


def test_fractions_show_their_whole_part() -> None:
    assert fraction_text(Fraction(7, 4)) == "1 3/4"
    assert fraction_text(Fraction(-1, 4)) == "-1/4"


def test_numbers_are_spelled_out() -> None:
    assert english(1_000_021) == "one million twenty-one"
    assert korean(10_320) == "만 삼백이십"
    assert korean(-5) == "마이너스 오"
