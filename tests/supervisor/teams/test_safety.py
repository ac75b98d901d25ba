"""Nothing a person can send hangs or breaks the planner, the teams or the writer."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.supervisor.offline.planner import plan
from app.supervisor.offline.writer import chunks
from tests.supervisor.offline.conversation import ask

MOST = 16_000  # characters the gateway lets through
SECONDS = 5.0  # usual is below half a second; the rest is for a loaded machine

HOSTILE = {
    "digits": "1" * MOST,
    "thanks and no end": "thanks " * 22 + "x",
    "praise and no end": "정말 " * 50 + "x",
    "laughter and no end": "ㅋ" * 80 + "x",
    "table with questions": "name,score\n" + "a,1\n" * 3_000 + "who? " * 500,
    "digits apart": "1 " * (MOST // 2),
    "digits with commas": "1," * (MOST // 2),
    "open brackets": "(" * MOST,
    "nested brackets": "(" * 7_999 + "1" + ")" * 7_999,
    "long sum": "1+" * 7_999 + "1",
    "tower of powers": "2^" * 7_999 + "2",
    "factorials": "5" + "!" * 15_990,
    "signs": "-" * 15_990 + "1",
    "roots": "sqrt " * 3_000 + "4",
    "shares": "5% of " * 2_600 + "100",
    "fractions": "1/2 " * 4_000,
    "slashes": "1/" * 8_000,
    "superscripts": "²" * MOST,
    "equations": "2x+3=11, " * 1_700,
    "one long equation": "x+1" * 5_000 + "=0",
    "ratios": "1:" * 8_000,
    "units": "5 ft 3 in " * 1_600,
    "dates": "2026-01-01 " * 1_450,
    "weekdays": "next friday " * 1_300,
    "clock times": "10:30 " * 2_600,
    "prices": "3 apples at $1.20 each and " * 590,
    "taxes": "5% tax " * 2_200 + "$100",
    "sums joined by and": "2+2 and " * 2_000,
    "questions": "what is 5? " * 1_450,
    "question words": "how does a and what is b and " * 550,
    "requests": "summarize this: " + "The cat sat. " * 1_200,
    "korean syllables": "가" * MOST,
    "korean endings": "인가요" * 5_000,
    "korean units": "1만" * 8_000,
    "korean chain": "3에 5를 더하고 " * 1_700,
    "korean questions": "이것은 무엇인가요? " * 1_450,
    "letters": "a" * MOST,
    "title case": "Abc Def " * 2_000,
    "quotes": '"' * MOST,
    "fences": "```\n" * 4_000,
    "pipes": "|a" * 8_000,
    "markdown table": "|a|b|\n|--|--|\n" + "|1|2|\n" * 2_600,
    "csv": "a,1\n" * 4_000,
    "links": "[a](b) " * 2_200,
    "emphasis": "**a** " * 2_600,
    "html": "<!--" * 4_000,
    "addresses": "a@b.co " * 2_200,
    "key values": "key: value\n" * 1_450,
    "marks": "?!." * 5_000,
    "emoji": "😀" * 8_000,
    "accents": "a" + "\u0301" * 15_999,
    "nul": "\x00" * MOST,
    "lone surrogates": "\ud800" * 2_000,
    "private use": "\U000f0000" * 8_000,
    "roman": "M" * MOST,
    "hexadecimal": "0x" + "f" * 15_990,
    "average of many": "average of " + ", ".join(map(str, range(2_900))),
}
COSTLY = [
    "9^9^9^9",
    "2**10**10",
    "99999999!",
    "1.0000001^99999999999999",
    "9" * 199 + " ^ " + "9" * 199,
    " * ".join(["99!"] * 40),
    "sqrt(" * 39 + "2" + ")" * 39,
    "1e400 * " * 60 + "1",
    "200 choose 100",
    "1000000 choose 500000",
    "factors of 999999999999989",
    "factors of 999999000000001",
    "primes up to 999999",
    "the 50000th prime",
    "5000th fibonacci number",
    "lcm of " + " ".join(str(10**14 + i) for i in range(40)),
    "how long to download 999999999 PB at 1 bps",
    "999999999999 days after today",
    "compound interest on $1000 at 5% for 999 years",
    "sum of numbers from 1 to 999999999999999999",
    "sin(99999999999999999999)",
    "1" + "0" * 150 + " in words",
    "x^99999 = 1",
]


def spent(message: str) -> float:
    start = time.perf_counter()
    _, answer = ask(message)
    took = time.perf_counter() - start
    assert answer["text"].strip()
    assert "".join(chunks(answer["text"])) == answer["text"]
    return took


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_of_full_length_is_answered_in_bounded_time(message: str) -> None:
    assert spent(message[:MOST]) < SECONDS


@pytest.mark.parametrize("length", [80, 300, 590, 2_000])
def test_hostile_text_of_any_length_is_answered_in_bounded_time(length: int) -> None:
    slowest = max(spent(message[:length]) for message in HOSTILE.values())

    assert slowest < SECONDS


@pytest.mark.parametrize("message", COSTLY)
def test_a_costly_calculation_is_done_or_refused_at_once(message: str) -> None:
    assert spent(message) < SECONDS


WORDS = """
1 2 17 2,340 0.5 1/3 $5 3만 원 % percent of + - * / ^ ( ) ! = x km miles 평 to in and , . ? what is
how many 은 는 의 을 로 몇 얼마 더하면 나누면 2026-03-01 days after until today 오늘 3pm average
sum prime factors tax off tip split each at summarise this : session 세션
"""
PIECES = st.sampled_from(WORDS.split())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES, max_size=14).map(" ".join))
def test_any_mixture_of_known_words_is_answered(message: str) -> None:
    assert spent(message) < SECONDS


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=300))
def test_any_text_is_answered(message: str) -> None:
    assert spent(message) < SECONDS


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=80), st.lists(st.text(max_size=200), max_size=4))
def test_any_history_is_borne(message: str, earlier: list[str]) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    roles = ("user", "assistant")
    history = [{"role": roles[i % 2], "text": text} for i, text in enumerate(earlier)]

    made = plan(message, history=history, now=now)  # type: ignore[arg-type]

    assert made["steps"] or made["reply"]


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.sampled_from("+-*"))
def test_whole_numbers_are_worked_out_exactly(left: int, right: int, sign: str) -> None:
    expected = {"+": left + right, "-": left - right, "*": left * right}[sign]

    _, answer = ask(f"{left} {sign} ({right})")

    assert f"= {expected:,}**" in answer["text"]
