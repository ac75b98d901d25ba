"""Merging words that wait for a slow client."""

from collections.abc import Iterable
from typing import Any

from app.protocol.codec import decode, encode

_MARK = b'"type":"message_delta"'
_HEAD_BYTES = 96  # the type stands within the first bytes of an encoded event


def merge_deltas(frames: Iterable[bytes]) -> list[bytes]:
    """Join adjacent deltas of one message and attempt; everything else stays as it is.

    A merged delta carries the offset and key of its last one, and ``from`` and
    ``from_chunk``, the offset and chunk of its first. The text is the same. Linear in the
    bytes given, however many deltas make one.
    """
    merged: list[bytes] = []
    group: list[dict[str, Any]] = []  # deltas that will be one; the first is merged[-1]
    for frame in frames:
        delta = _delta(frame)
        if delta is not None and group and _adjacent(group[-1], delta):
            group.append(delta)
            continue
        _close(group, merged)
        group = [] if delta is None else [delta]
        merged.append(frame)
    _close(group, merged)
    return merged


def _delta(frame: bytes) -> dict[str, Any] | None:
    if _MARK not in frame[:_HEAD_BYTES]:
        return None
    value = decode(frame)
    return value if value.get("type") == "message_delta" else None


def _close(group: list[dict[str, Any]], merged: list[bytes]) -> None:
    if len(group) > 1:
        first = group[0]
        merged[-1] = encode(
            {
                **group[-1],
                "from": first.get("from", first["offset"]),
                "from_chunk": first.get("from_chunk", first["chunk"]),
                "text": "".join(one["text"] for one in group),
            }
        )


def _adjacent(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return bool(
        second.get("from", second["offset"]) == first["offset"] + 1
        and second["message_id"] == first["message_id"]
        and second["attempt"] == first["attempt"]
        and second.get("from_chunk", second["chunk"]) == first["chunk"] + 1
    )
