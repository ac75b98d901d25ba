"""Whatever it was, every store and every client can take it."""

import dataclasses
import enum
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from app.kit.plain import plain, storable


class Model(BaseModel):
    name: str


@dataclasses.dataclass
class Point:
    x: int
    inner: Any = None


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain", "plain"),
        ("한국어", "한국어"),
        ("a\x00b\x00", "ab"),
        ("\ud83d\ude00", "😀"),
        ("half \ud83d", "half \ufffd"),
        ("\ude00 other half", "\ufffd other half"),
    ],
)
def test_text_keeps_all_that_can_be_kept(text: str, kept: str) -> None:
    assert storable(text) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"a": [1, 2.5, True, None, "x"]}, {"a": [1, 2.5, True, None, "x"]}),
        ({1: "one", None: 2}, {"1": "one", "None": 2}),
        ((1, {2}), [1, [2]]),
        (Model(name="n\x00"), {"name": "n"}),
        (Point(1, Point(2)), {"x": 1, "inner": {"x": 2, "inner": None}}),
        (math.inf, None),
        (1 << 63, str(1 << 63)),
        (-(1 << 63) + 1, -(1 << 63) + 1),
        (b"\xff", "b'\\xff'"),
        (Colour.RED, "Colour.RED"),
        (Point, str(Point)),
    ],
)
def test_values_become_json(value: Any, kept: Any) -> None:
    assert plain(value) == kept


def test_what_is_nested_without_end_is_cut_off() -> None:
    endless: list[Any] = []
    endless.append(endless)

    assert len(orjson.dumps(plain(endless))) < 1_000


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)


@given(json)
def test_anything_can_be_encoded_and_needs_no_second_pass(value: Any) -> None:
    kept = plain(value)

    assert orjson.loads(orjson.dumps(kept)) == kept
    assert "\\u0000" not in orjson.dumps(kept).decode()
    assert plain(kept) == kept
