"""Recovery: a client continues only where its state plus the replay is the whole truth."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from app.protocol.frames import Position
from app.protocol.replay import Entry, Gap, Reason, Rewound, Top, judge, key_at, merge

SIZE = 10  # bytes of every event below
EVENTS, BYTES = 8, 100 * SIZE


def entry(offset: int, version: str = "") -> Entry:
    return Entry(offset, f"k{offset}{version}", b"x" * SIZE)


def position(offset: int, *, epoch: str = "e", version: str = "") -> Position:
    return Position(epoch=epoch, offset=offset, key=f"k{offset}{version}" if offset else None)


def top(offset: int) -> Top:
    return Top("e", offset, f"k{offset}" if offset else None)


def verdict(after: Position | None, end: Top, held: range, **limits: int) -> Reason | None:
    """Judge a client against a log that holds the events of ``held``."""
    limits = {"max_events": EVENTS, "max_bytes": BYTES, **limits}
    first = max(after.offset, 1) if after else 0
    stored = [entry(offset) for offset in held if after and offset >= first]
    return judge(after, end, stored, **limits)


RECOVERIES = {
    "none": (None, 5, range(1, 6), Reason.FIRST),
    "none, empty log": (None, 0, range(0), Reason.FIRST),
    "empty log": (position(0), 0, range(0), None),
    "from the beginning": (position(0), 3, range(1, 4), None),
    "from a position": (position(2), 5, range(1, 6), None),
    "same position": (position(5), 5, range(1, 6), None),
    "same position, all else trimmed": (position(5), 5, range(5, 6), None),
    "at the edge of the log": (position(3), 6, range(3, 7), None),
    "already gone": (position(3), 6, range(4, 7), Reason.TRIMMED),
    "the beginning is gone": (position(0), 6, range(2, 7), Reason.TRIMMED),
    "a hole in the log": (position(1), 4, [1, 2, 4], Reason.TRIMMED),
    "not yet existing": (position(7), 6, range(1, 7), Reason.AHEAD),
    "anything of an empty log": (position(1), 0, range(0), Reason.AHEAD),
    "expired stream, same position": (position(6), 6, range(0), None),
    "expired stream, behind": (position(5), 6, range(0), Reason.TRIMMED),
    "expired stream, from the beginning": (position(0), 6, range(0), Reason.TRIMMED),
    "other epoch": (position(5, epoch="old"), 5, range(1, 6), Reason.EPOCH),
    "other epoch, empty log": (position(0, epoch="old"), 0, range(0), Reason.EPOCH),
    "other epoch, ahead": (position(9, epoch="old"), 5, range(1, 6), Reason.EPOCH),
    "rewound": (position(3, version="'"), 5, range(1, 6), Reason.REWOUND),
    "rewound, same position": (position(5, version="'"), 5, range(1, 6), Reason.REWOUND),
    "rewound, expired stream": (position(5, version="'"), 5, range(0), Reason.REWOUND),
    "no key": (Position(epoch="e", offset=3), 5, range(1, 6), Reason.REWOUND),
    "as many as may be": (position(2), 2 + EVENTS, range(1, 3 + EVENTS), None),
    "one event too many": (position(2), 3 + EVENTS, range(1, 4 + EVENTS), Reason.TOO_FAR),
}


@pytest.mark.parametrize(
    ("after", "offset", "held", "expected"), RECOVERIES.values(), ids=RECOVERIES
)
def test_the_recovery_table(
    after: Position | None, offset: int, held: range, expected: Reason | None
) -> None:
    assert verdict(after, top(offset), held) == expected


@pytest.mark.parametrize(
    ("max_bytes", "expected"), [(3 * SIZE, None), (3 * SIZE - 1, Reason.TOO_FAR)]
)
def test_missed_bytes_have_a_limit_too(max_bytes: int, expected: Reason | None) -> None:
    assert verdict(position(2), top(5), range(1, 6), max_bytes=max_bytes) == expected


def test_the_clients_own_event_does_not_count_as_missed() -> None:
    assert verdict(position(5), top(5), range(1, 6), max_bytes=1) is None


def test_a_log_read_only_up_to_the_limit_of_bytes_is_too_far_not_trimmed() -> None:
    """The log stops reading with the event that passes the limit."""
    stored = [entry(2), entry(3), entry(4)]

    reason = judge(position(2), top(7), stored, max_events=EVENTS, max_bytes=2 * SIZE - 1)

    assert reason == Reason.TOO_FAR


def test_the_key_of_the_end_outlives_the_log() -> None:
    assert key_at(5, top(5), []) == "k5"
    assert key_at(4, top(5), []) is None
    assert key_at(4, top(5), [entry(4), entry(5)]) == "k4"


@dataclass
class Log:
    """A log as it really is: trimmed, expired, lost and rewound as Redis may do it."""

    epochs: int = 0
    made: int = 0
    events: list[str] = field(default_factory=list)  # all of this epoch: the truth
    held: int = 0  # how many of the newest are stored

    @property
    def top(self) -> Top:
        return Top(f"e{self.epochs}", len(self.events), self.events[-1] if self.events else None)

    def append(self, count: int = 1) -> list[Entry]:
        for _ in range(count):
            self.made += 1
            self.events.append(f"k{self.made}")
            self.held += 1
        return self.slice(len(self.events) - count + 1) if count else []

    def slice(self, first: int, limit: int | None = None) -> list[Entry]:
        gone = len(self.events) - self.held
        entries = [
            Entry(offset, key, b"x" * SIZE)
            for offset, key in enumerate(self.events, 1)
            if offset > gone and offset >= first
        ]
        return entries[:limit]

    def rewind(self, count: int) -> None:
        for _ in range(min(count, len(self.events))):
            self.events.pop()
            self.held = max(self.held - 1, 0)


@dataclass
class Held:
    """What a client that left still holds."""

    at: Position
    state: list[str]


class Recovery(RuleBasedStateMachine):
    """Clients leave and come back at any time; none may continue on a wrong history."""

    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()

    @rule(count=st.integers(1, 4))
    def append(self, count: int) -> None:
        self.log.append(count)

    @rule(keep=st.integers(0, 5))
    def trim(self, keep: int) -> None:
        self.log.held = min(self.log.held, keep)

    @rule()
    def lose(self) -> None:
        self.log = Log(self.log.epochs + 1, self.log.made)

    @rule(count=st.integers(1, 3))
    def fail_over(self, count: int) -> None:
        self.log.rewind(count)

    @rule(target=clients)
    def leave(self) -> Held:
        end = self.log.top
        at = Position(epoch=end.epoch, offset=end.offset, key=end.key)
        return Held(at, list(self.log.events))

    @rule(client=clients, max_bytes=st.sampled_from([BYTES, 3 * SIZE]))
    def come_back(self, client: Held, max_bytes: int) -> None:
        limits = {"max_events": EVENTS, "max_bytes": max_bytes}
        stored = self.log.slice(max(client.at.offset, 1), EVENTS + 1)

        reason = judge(client.at, self.log.top, stored, **limits)

        follows = client.at.epoch == self.log.top.epoch and (
            self.log.events[: client.at.offset] == client.state
        )
        missed = len(self.log.events) - client.at.offset
        if reason is None:
            replayed = merge(stored, [], after=client.at.offset, key=client.at.key)
            assert client.state + [one.key for one in replayed] == self.log.events
            assert len(replayed) * SIZE <= max_bytes
        else:  # and never without need
            assert (
                not follows
                or missed > EVENTS
                or missed * SIZE > max_bytes
                or client.at.offset < len(self.log.events) - self.log.held + bool(client.at.offset)
            )


TestRecovery = Recovery.TestCase


@given(
    before=st.integers(0, 6),
    after=st.integers(0, 6),
    late=st.integers(0, 3),
    arriving=st.lists(st.booleans(), max_size=6),
)
def test_what_was_read_and_what_arrived_make_one_history_or_a_gap(
    before: int, after: int, late: int, arriving: list[bool]
) -> None:
    """Publications may be lost (False) and may begin before what was read ends."""
    log = Log()
    log.append(before)
    base = min(after, before)
    key = log.events[base - 1] if base else None
    stored = log.slice(max(base, 1))
    overlap = log.slice(before - late + 1)
    arrived = [one for one, heard in zip(log.append(len(arriving)), arriving, strict=True) if heard]

    try:
        merged = merge(stored, overlap + arrived, after=base, key=key)
    except Gap as gap:
        assert gap.after < gap.before - 1  # noqa: PT017 - either way is right
        missing = range(gap.after + 1, gap.before)
        assert all(not arriving[offset - before - 1] for offset in missing)
    else:
        history = log.events[:base] + [one.key for one in merged]
        assert history == log.events[: len(history)]  # only the last ones may be missing
        assert len(history) >= before
        assert not any(arriving[len(history) - before :])


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 8))
def test_a_log_that_went_back_meanwhile_is_noticed(before: int, back: int, more: int) -> None:
    """Every rewind whose new events reach the client's own number is seen by their keys."""
    log = Log()
    log.append(before)
    base, key, stored = before, log.events[-1], log.slice(before)
    log.rewind(min(back, before))
    arrived = log.append(more)

    if len(log.events) >= base:
        with pytest.raises(Rewound):
            merge(stored, arrived, after=base, key=key)
    else:  # nothing new has come: the comparison of the ends will tell
        assert merge(stored, arrived, after=base, key=key) == []


def test_events_that_arrive_backwards_prove_a_rewind() -> None:
    with pytest.raises(Rewound):
        merge([], [entry(11), entry(12), entry(9, "'")], after=10, key="k10")


def test_one_number_with_two_events_proves_a_rewind() -> None:
    with pytest.raises(Rewound):
        merge([entry(11)], [entry(11, "'")], after=10, key="k10")


def test_the_same_event_read_and_heard_is_one() -> None:
    assert merge([entry(10), entry(11)], [entry(11), entry(12)], after=10, key="k10") == [
        entry(11),
        entry(12),
    ]


def test_a_gap_names_what_is_missing() -> None:
    with pytest.raises(Gap) as caught:
        merge([entry(10), entry(11)], [entry(14)], after=10, key="k10")

    assert (caught.value.after, caught.value.before) == (11, 14)
    assert str(caught.value) == "nothing between 11 and 14"
