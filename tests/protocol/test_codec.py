"""Events as bytes: one line of UTF-8, with a number put in front without decoding."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.protocol.codec import decode, encode, numbered

texts = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
events = st.dictionaries(texts, values, max_size=5).map(lambda fields: {"type": "x", **fields})


@given(events)
def test_what_is_encoded_is_read_back(event: dict[str, Any]) -> None:
    assert decode(encode(event)) == event


@given(events)
def test_an_encoded_event_is_one_line(event: dict[str, Any]) -> None:
    """The log joins the events of one append by line feeds."""
    assert b"\n" not in encode(event)


@given(events, st.integers(min_value=1, max_value=2**53), st.booleans())
def test_a_numbered_event_is_the_event_with_its_number(
    event: dict[str, Any], offset: int, replayed: bool
) -> None:
    frame = decode(numbered(encode(event), offset, replayed=replayed))

    mark = {"replayed": True} if replayed else {}
    assert frame == {"offset": offset, **mark, **event}


def test_text_is_not_escaped_for_ascii() -> None:
    assert encode({"text": "가나다"}) == '{"text":"가나다"}'.encode()
