"""One chat's fan-out: each member gets each event once, in order, or is ended."""

import pytest

from app.connections.connection import Connection
from app.connections.feed import Feed
from app.events.log import Publication
from app.kit.ids import new_chat_id
from app.protocol.close import NO_CONTINUITY
from app.protocol.codec import decode
from app.protocol.replay import Top
from app.settings import EventSettings
from tests.connections.scene import new_connection
from tests.events.scene import outgoing

START = 10


@pytest.fixture
def feed() -> Feed:
    return Feed(new_chat_id(), settings=EventSettings(park_events=3, replay_events=4), now=0.0)


def member(feed: Feed, *, offset: int = START, key: str | None = None) -> Connection:
    """Let somebody in who has everything up to ``offset``."""
    connection = new_connection(feed.chat_id)
    feed.joining[connection] = []
    connection.offset = offset
    feed.add(connection, Top("e", offset, key or f"k{offset}"))
    return connection


def publish(feed: Feed, first: int, *keys: str, epoch: str = "e", now: float = 1.0) -> None:
    payloads = [outgoing(key).payload for key in keys]
    feed.deliver(Publication(epoch, first, payloads), now)


def sent(connection: Connection) -> list[tuple[int, str]]:
    frames = [decode(frame) for frame in connection._queue]
    return [(frame["offset"], frame["key"]) for frame in frames]


def test_events_go_to_every_member_with_their_numbers(feed: Feed) -> None:
    one, other = member(feed), member(feed)

    publish(feed, 11, "a", "b")

    assert sent(one) == sent(other) == [(11, "a"), (12, "b")]
    assert feed.top == Top("e", 12, "b")


def test_an_event_that_was_read_from_the_log_and_is_published_late_is_not_sent_twice(
    feed: Feed,
) -> None:
    connection = member(feed)

    publish(feed, 10, "k10", "a")
    publish(feed, 11, "a")

    assert sent(connection) == [(11, "a")]
    assert not feed.must_be_checked


def test_one_who_read_ahead_gets_nothing_twice(feed: Feed) -> None:
    behind = member(feed)
    ahead = member(feed, offset=12)

    publish(feed, 11, "a", "b", "c")

    assert sent(behind) == [(11, "a"), (12, "b"), (13, "c")]
    assert sent(ahead) == [(13, "c")]


def test_events_beyond_a_gap_wait_for_it_to_be_filled(feed: Feed) -> None:
    connection = member(feed)

    publish(feed, 12, "b")
    publish(feed, 13, "c")
    before = sent(connection), feed.must_be_checked
    feed.take([(11, outgoing("a").payload), (12, outgoing("b").payload)])

    assert before == ([], True)
    assert sent(connection) == [(11, "a"), (12, "b"), (13, "c")]
    assert feed.parked == {}
    assert not feed.must_be_checked


def test_a_filled_gap_leaves_nothing_waiting(feed: Feed) -> None:
    """What was parked and then read from the log stayed parked: from then on every event cost
    a read, and after some more gaps everyone was ended.
    """
    connection = member(feed)
    for start in range(11, 51, 2):
        publish(feed, start + 1, f"{start + 1}")
        feed.take(
            [(offset, outgoing(f"{offset}").payload) for offset in (start - 1, start, start + 1)]
        )

    assert [offset for offset, _ in sent(connection)] == list(range(11, 51))
    assert not feed.must_be_checked
    assert connection.ended is None


def test_too_much_beyond_a_gap_ends_the_members(feed: Feed) -> None:
    connection = member(feed)

    publish(feed, 12, "b", "c", "d")
    was_open = connection.ended is None
    publish(feed, 15, "e")

    assert was_open
    assert connection.ended == NO_CONTINUITY
    assert (feed.members, feed.parked) == (set(), {})


def test_another_epoch_ends_the_members(feed: Feed) -> None:
    connection = member(feed)

    publish(feed, 11, "a", epoch="new")

    assert connection.ended == NO_CONTINUITY
    assert sent(connection) == []


def test_another_event_of_the_last_number_ends_the_members(feed: Feed) -> None:
    """The log went back: whatever else follows, the history the members hold is gone."""
    connection = member(feed)

    publish(feed, 10, "other", "a")

    assert connection.ended == NO_CONTINUITY
    assert sent(connection) == []


def test_another_event_of_the_last_number_sent_ends_the_members(feed: Feed) -> None:
    connection = member(feed)
    publish(feed, 11, "a")

    publish(feed, 11, "other")

    assert connection.ended == NO_CONTINUITY


def test_an_older_number_holds_everything_back_until_the_log_was_looked_at(feed: Feed) -> None:
    connection = member(feed)

    publish(feed, 9, "k9 or another")
    publish(feed, 11, "a")
    before = sent(connection), feed.must_be_checked
    feed.reassure(feed.doubts)
    feed.take([])

    assert before == ([], True)
    assert sent(connection) == [(11, "a")]
    assert not feed.must_be_checked


def test_a_look_answers_only_the_doubts_from_before_it(feed: Feed) -> None:
    member(feed)
    feed.doubts += 1
    looked = feed.doubts
    feed.doubts += 1

    doubtful = []
    for answered in (looked, feed.doubts, looked):  # a slow answer takes nothing back
        feed.reassure(answered)
        doubtful.append(feed.doubtful)

    assert doubtful == [True, False, False]


def test_a_member_that_lost_its_place_is_ended_alone(feed: Feed) -> None:
    fine, lost = member(feed), member(feed)
    lost.offset = START - 1

    publish(feed, 11, "a")

    assert lost.ended == NO_CONTINUITY
    assert sent(fine) == [(11, "a")]


def test_the_first_to_come_into_an_empty_feed_sets_its_place(feed: Feed) -> None:
    first = member(feed)
    publish(feed, 12, "parked")
    feed.members.discard(first)

    second = member(feed, offset=20)
    publish(feed, 21, "a")

    assert sent(second) == [(21, "a")]
    assert feed.top == Top("e", 21, "a")


def test_what_comes_while_somebody_joins_is_kept_for_them(feed: Feed) -> None:
    joining = new_connection(feed.chat_id)
    feed.joining[joining] = []

    publish(feed, 11, "a", "b")

    kept = feed.joining[joining]
    assert [(epoch, entry.offset, entry.key) for epoch, entry in kept] == [
        ("e", 11, "a"),
        ("e", 12, "b"),
    ]


def test_one_who_takes_too_long_to_join_is_ended_and_keeps_nothing(feed: Feed) -> None:
    """Events used to pile up for it, however long it took."""
    joining = new_connection(feed.chat_id)
    feed.joining[joining] = []

    for offset in range(11, 31):
        publish(feed, offset, "x")

    assert joining.ended == NO_CONTINUITY
    assert feed.joining[joining] == []


def test_a_feed_without_members_only_remembers_when_it_was_left(feed: Feed) -> None:
    connection = member(feed)
    feed.end_members(7.0)

    publish(feed, 11, "a")

    assert (feed.is_abandoned, feed.empty_since) == (True, 7.0)
    assert (feed.parked, sent(connection)) == ({}, [])
    assert not feed.must_be_checked
