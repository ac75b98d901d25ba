"""Identifiers: their form, their order, and that nothing else passes for one."""

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit import ids


def test_a_chat_id_is_a_version_7_uuid_of_this_moment() -> None:
    before = dt.datetime.now(dt.UTC).timestamp()

    made = ids.new_chat_id()

    after = dt.datetime.now(dt.UTC).timestamp()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert int(before * 1000) <= made.int >> 80 <= int(after * 1000)


def test_ids_made_in_later_milliseconds_sort_later() -> None:
    first = ids.uuid7()
    while (second := ids.uuid7()).int >> 80 == first.int >> 80:
        pass

    assert first < second


def test_ids_made_at_once_are_all_different() -> None:
    assert len({ids.uuid7() for _ in range(10_000)}) == 10_000


def test_every_kind_of_id_has_its_own_form() -> None:
    assert ids.new_visitor_id().version == 7
    assert ids.new_message_id().version == 7
    assert ids.new_run_id().version == 7
    assert re.fullmatch(r"conn_[\w-]{16}", ids.new_connection_id())
    assert re.fullmatch(r"n_[0-9a-f]{8}", ids.new_node_id())


def test_a_new_session_id_can_be_read_back() -> None:
    session_id = ids.new_session_id()

    assert ids.parse_session_id(session_id) == session_id


@pytest.mark.parametrize(
    "spelling",
    [
        "",
        "session-",
        "3f2a6c1e-8f5b-4f53-9a25-0c7d1f6b2e11",
        "session-3F2A6C1E-8F5B-4F53-9A25-0C7D1F6B2E11",
        "session-3f2a6c1e8f5b4f539a250c7d1f6b2e11",
        "session-{3f2a6c1e-8f5b-4f53-9a25-0c7d1f6b2e11}",
        "session-urn:uuid:3f2a6c1e-8f5b-4f53-9a25-0c7d1f6b2e11",
        "session-session-3f2a6c1e-8f5b-4f53-9a25-0c7d1f6b2e11",
        "session-3f2a6c1e-8f5b-4f53-9a25-0c7d1f6b2e1１",
        "session-3f2a6c1e-8f5b-4f53-9a25-0c7d1f6b2e11\n",
        "session-\x00",
    ],
)
def test_a_session_id_has_one_spelling(spelling: str) -> None:
    assert ids.parse_session_id(spelling) is None


@given(st.text())
def test_no_text_makes_the_parsers_raise(text: str) -> None:
    ids.parse_uuid(text)
    ids.parse_session_id(text)
    assert ids.parse_session_id(f"session-{text}") in {None, f"session-{text}"}


def test_a_log_line_gets_only_the_tail_of_a_session_id() -> None:
    session_id = ids.new_session_id()

    shown = ids.short(session_id)

    assert shown == "…" + session_id[-6:]
