"""What a client sends: any text is a frame or an error it can be told, in linear time."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.kit.errors import AppError, Kind
from app.protocol.frames import (
    Cancel,
    Hello,
    MalformedFrame,
    Ping,
    Pong,
    Position,
    Query,
    UnknownFrame,
    decode_frame,
    frame_ref,
)

SIZE = 262_144  # the largest frame that is read
SECONDS = 0.5  # it takes a few milliseconds; anything worse than linear takes minutes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
frame_like = st.fixed_dictionaries(
    {"type": st.sampled_from(["hello", "query", "cancel", "pong", "ping"]) | json_values},
    optional={
        "id": json_values,
        "query": json_values,
        "client_message_id": json_values,
        "agent": json_values,
        "on_busy": st.sampled_from(["queue", "reject", "replace"]) | json_values,
        "run_id": json_values,
        "tab": json_values,
        "after": st.fixed_dictionaries(
            {}, optional={"epoch": json_values, "offset": json_values, "key": json_values}
        )
        | json_values,
    },
)


def decodes_or_refuses(text: str) -> None:
    """Decode, or fail in the one way that is answered to the client."""
    try:
        frame = decode_frame(text)
    except AppError as error:
        assert isinstance(error, (MalformedFrame, UnknownFrame))  # noqa: PT017
        assert error.kind is Kind.INVALID  # noqa: PT017
        assert error.message.endswith(".")  # noqa: PT017
        assert len(error.message) < 300  # noqa: PT017 - nothing of the frame is echoed at length
    else:
        assert isinstance(frame, (Hello, Query, Cancel, Pong, Ping))
    ref = frame_ref(text)
    assert ref is None or 1 <= len(ref) <= 64


def frame(**fields: Any) -> str:
    return json.dumps(fields)


@given(st.text(alphabet=st.characters(exclude_categories=())))
@example("\ud800")
@example('"\ud800"')
@example("\x00")
@example("\ufeff{}")
def test_any_text_is_a_frame_or_a_refusal(text: str) -> None:
    decodes_or_refuses(text)


@given(st.binary())
def test_any_bytes_are_a_frame_or_a_refusal(data: bytes) -> None:
    decodes_or_refuses(data.decode("latin-1"))
    decodes_or_refuses(data.decode("utf-8", "surrogateescape"))


@given(frame_like)
def test_anything_that_looks_like_a_frame_is_one_or_refused(fields: dict[str, Any]) -> None:
    decodes_or_refuses(json.dumps(fields))
    decodes_or_refuses(json.dumps(fields, ensure_ascii=False))


@given(frame_like, st.data())
def test_a_frame_cut_short_is_refused(fields: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(fields)
    cut = data.draw(st.integers(min_value=0, max_value=len(text) - 1))

    with pytest.raises(AppError):
        decode_frame(text[:cut])


@pytest.mark.parametrize(
    "text",
    [
        '"' * SIZE,
        '\\"' * (SIZE // 2),
        "\\" * SIZE,
        "[" * SIZE,
        '{"a":' * (SIZE // 5),
        "[]" * (SIZE // 2),
        "[" * 17 + '"' * SIZE,
        "[]" * 17 + '\\"' * (SIZE // 2),
        "[" * 9 + ("]" * 17 + '"\\') * (SIZE // 20),
        '{"type":"query","query":"' + "[{" * (SIZE // 2),
        '{"type":"query","query":"' + '\\"[' * (SIZE // 3) + '"}',
        '{"type":"query","query":"' + "\\" * SIZE,
        '{"type":"query","query":"' + "\\ud800" * (SIZE // 6) + '"}',
        '{"type":"query","query":"' + "\\u0000" * (SIZE // 6) + '"}',
        '{"type":"query","x":' + "9" * SIZE + "}",
        '{"type":"query","x":' + "1e9" * (SIZE // 3) + "}",
        "{" + '"type":"query",' * (SIZE // 15) + '"query":"x"}',
        "{" + ",".join(f'"{n}":[]' for n in range(SIZE // 12)) + "}",
        '{"type":"ping","id":"' + "가" * SIZE + '"}',
        " " * SIZE + "{}",
    ],
    ids=[
        "quotes",
        "escaped quotes",
        "backslashes",
        "brackets",
        "nested objects",
        "siblings",
        "brackets, then quotes",
        "brackets, then escaped quotes",
        "closing, then half strings",
        "brackets in an open string",
        "brackets in a string",
        "an open escape",
        "lone surrogates",
        "NUL characters",
        "a long number",
        "broken numbers",
        "one key again and again",
        "many keys",
        "a long id",
        "blanks",
    ],
)
def test_the_largest_frame_is_judged_in_linear_time(text: str) -> None:
    began = time.process_time()

    decodes_or_refuses(text)

    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("depth", [1, 2, 15, 16])
def test_json_may_be_nested_as_deep_as_the_limit(depth: int) -> None:
    text = '{"type":"ping","x":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"

    decoded = decode_frame(text if depth > 1 else '{"type":"ping"}', max_depth=depth)

    assert decoded == Ping(type="ping")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [17, 100, 5_000])
def test_deeper_json_is_refused(opening: str, depth: int) -> None:
    with pytest.raises(MalformedFrame, match="deeper than 16"):
        decode_frame('{"type":"ping","x":' + opening * (depth - 1))


def test_brackets_in_a_text_are_not_depth() -> None:
    text = '[{"' * 50 + '\\"]'

    decoded = decode_frame(frame(type="query", query=text, x=[[["]", '"[']]]))

    assert decoded == Query(type="query", query=text)


def test_a_shallow_list_is_not_deep_however_long() -> None:
    assert decode_frame(frame(type="pong", x=[[]] * 1_000)) == Pong(type="pong")


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("", MalformedFrame, "The frame is not valid JSON."),
        ("{", MalformedFrame, "The frame is not valid JSON."),
        ("[]", MalformedFrame, "A frame is a JSON object with a type."),
        ('"query"', MalformedFrame, "A frame is a JSON object with a type."),
        ("{}", MalformedFrame, "A frame is a JSON object with a type."),
        ('{"type":null}', UnknownFrame, "The frame's type is not known here."),
        ('{"type":"nonsense"}', UnknownFrame, "The frame's type is not known here."),
        ('{"type":"QUERY","query":"x"}', UnknownFrame, "The frame's type is not known here."),
        ('{"type":"query"}', MalformedFrame, "query: Field required."),
        ('{"type":"query","query":7}', MalformedFrame, "query: Input should be a valid string."),
        (
            '{"type":"query","query":"a\\u0000b"}',
            MalformedFrame,
            "query: must not hold the character U+0000.",
        ),
        (
            '{"type":"query","query":"\\ud83d"}',
            MalformedFrame,
            "The frame is not valid JSON.",
        ),
        (
            '{"type":"query","query":"x","on_busy":"wait"}',
            MalformedFrame,
            "on_busy: Input should be 'queue', 'reject' or 'replace'.",
        ),
        (
            '{"type":"query","query":"x","id":""}',
            MalformedFrame,
            "id: String should have at least 1 character.",
        ),
        (
            frame(type="cancel", id="x" * 65),
            MalformedFrame,
            "id: String should have at most 64 characters.",
        ),
        (
            frame(type="hello", after={"epoch": "e", "offset": -1}),
            MalformedFrame,
            "after.offset: Input should be greater than or equal to 0.",
        ),
        (
            frame(type="hello", after={"epoch": "e", "offset": 2**53}),
            MalformedFrame,
            "after.offset: Input should be less than or equal to 9007199254740991.",
        ),
        (
            frame(type="hello", after={"epoch": "e", "offset": True}),
            MalformedFrame,
            "after.offset: Input should be a valid integer.",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, error: type[AppError], says: str) -> None:
    """An offset no store can count to used to pass, and to fail in Redis as an internal error."""
    with pytest.raises(error) as caught:
        decode_frame(text)

    assert caught.value.message == says


def test_a_query_needs_nothing_but_its_text() -> None:
    assert decode_frame('{"type":"query","query":"hi"}') == Query(type="query", query="hi")


def test_unknown_fields_are_ignored() -> None:
    text = frame(type="hello", tab="t", colour="red", after=None)

    assert decode_frame(text) == Hello(type="hello", tab="t")


def test_every_field_arrives_as_it_was_sent() -> None:
    after = {"epoch": "7Qk2", "offset": 2**53 - 1, "key": "x9Fa"}

    decoded = decode_frame(
        frame(type="hello", ticket="t", client="web/1.0", tab="b3f1", after=after)
    )

    assert decoded == Hello(
        type="hello",
        ticket="t",
        client="web/1.0",
        tab="b3f1",
        after=Position(epoch="7Qk2", offset=2**53 - 1, key="x9Fa"),
    )


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ('{"type":"nonsense","id":"c1"}', "c1"),
        ('{"type":"query","query":7,"id":"c1"}', "c1"),
        ('{"type":"query","query":7}', None),
        ('{"type":"query","id":7}', None),
        ('{"type":"query","id":""}', None),
        (frame(id="x" * 65), None),
        (frame(id="a\x00"), None),
        ('{"id":"c1"', None),
        ('["id"]', None),
    ],
)
def test_the_id_of_an_unreadable_frame_is_found_if_it_has_one(text: str, ref: str | None) -> None:
    assert frame_ref(text) == ref
