"""What a returning client missed, and whether that can be proved. Pure functions.

A client names the last event it has applied: epoch, offset and key. It may continue only
if the log still holds that very event and everything after it, without a hole; in every
other case it is told why and takes a snapshot. The key is what notices a Redis failover
that lost the newest events and gave their numbers to others.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from app.protocol.frames import Position


class Entry(NamedTuple):
    """One event of a log."""

    offset: int
    key: str
    payload: bytes  # encoded, without its offset


class Top(NamedTuple):
    """Where a log ends. An empty log has offset 0 and no key."""

    epoch: str
    offset: int
    key: str | None


class Reason(StrEnum):
    """Why a client cannot continue where it was."""

    FIRST = "first"  # it holds nothing
    EPOCH = "epoch"  # the log was lost and numbers anew
    AHEAD = "ahead"  # it knows events that this log does not
    TRIMMED = "trimmed"  # its last event is gone from the log
    REWOUND = "rewound"  # its last event's number now belongs to another event
    TOO_FAR = "too_far"  # a snapshot is cheaper than what it missed


class Rewound(Exception):
    """Two events have one number: the log went back and counted on from there."""


class Gap(Exception):
    """Events are missing between ``after`` and ``before``."""

    def __init__(self, after: int, before: int) -> None:
        super().__init__(f"nothing between {after} and {before}")
        self.after = after
        self.before = before


def judge(  # noqa: PLR0911 - one line for each reason
    after: Position | None,
    top: Top,
    stored: Sequence[Entry],
    *,
    max_events: int,
    max_bytes: int,
) -> Reason | None:
    """Return why a client at ``after`` must take a snapshot, or None if it may continue.

    Args:
        after: the client's last event, if it holds any state.
        top: the log's end, read in the same instant as ``stored``.
        stored: the log from the client's own event on, that one included.
        max_events: more missed events than this are too many.
        max_bytes: more missed bytes than this are too many.
    """
    if after is None:
        return Reason.FIRST
    if after.epoch != top.epoch:
        return Reason.EPOCH
    if after.offset > top.offset:
        return Reason.AHEAD
    missed = top.offset - after.offset
    if missed > max_events:
        return Reason.TOO_FAR
    if after.offset > 0:
        own = key_at(after.offset, top, stored)
        if own is None:
            return Reason.TRIMMED
        if own != after.key:
            return Reason.REWOUND
    following = [entry for entry in stored if entry.offset > after.offset]
    if sum(len(entry.payload) for entry in following) > max_bytes:
        return Reason.TOO_FAR  # and not all of them may have been read
    if len(following) != missed:
        return Reason.TRIMMED
    return None


def key_at(offset: int, top: Top, stored: Sequence[Entry]) -> str | None:
    """Return the key of the event at ``offset``, from where on ``stored`` was read, if known."""
    if stored and stored[0].offset == offset:
        return stored[0].key
    if offset == top.offset:  # the log may have expired; its end is remembered longer
        return top.key
    return None


def merge(
    stored: Iterable[Entry], live: Iterable[Entry], *, after: int, key: str | None
) -> list[Entry]:
    """Join what was read with what arrived meanwhile: each event after ``after`` once, in order.

    Args:
        stored: what was read of the log.
        live: what arrived, in the order of arrival.
        after: the last event that is there already; 0 if there is none.
        key: that event's key.

    Raises:
        Gap: there is a hole, so completeness cannot be proved.
        Rewound: one offset came with two events, or the arriving ones went backwards.
    """
    by_offset: dict[int, Entry] = {}
    last_live = 0
    for entry in live:
        if entry.offset <= last_live or (entry.offset == after and entry.key != key):
            raise Rewound
        last_live = entry.offset
        by_offset[entry.offset] = entry
    for entry in stored:
        if by_offset.setdefault(entry.offset, entry).key != entry.key:
            raise Rewound
    merged = [by_offset[offset] for offset in sorted(by_offset) if offset > after]
    expected = after + 1
    for entry in merged:
        if entry.offset != expected:
            raise Gap(expected - 1, entry.offset)
        expected += 1
    return merged
