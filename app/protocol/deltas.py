"""Merging words that wait for a slow client."""

from collections.abc import Iterable
from typing import Any

from app.protocol.codec import decode, encode

_MARK = b'"type":"message_delta"'
_HEAD_BYTES = 64  # the type stands within the first bytes of an encoded event


def merge_deltas(frames: Iterable[bytes]) -> list[bytes]:
    """Join adjacent deltas of one message and attempt; everything else stays as it is.

    A merged delta carries the offset and key of its last one, and ``from`` and
    ``from_chunk``, the offset and chunk of its first. The text is the same.
    """
    merged: list[bytes] = []
    held: dict[str, Any] | None = None
    for frame in frames:
        delta = decode(frame) if _MARK in frame[:_HEAD_BYTES] else None
        if delta is not None and held is not None and _adjacent(held, delta):
            delta = {
                **delta,
                "from": held.get("from", held["offset"]),
                "from_chunk": held.get("from_chunk", held["chunk"]),
                "text": held["text"] + delta["text"],
            }
            merged[-1] = b""
            held = delta
            continue
        if held is not None:
            merged[-1] = encode(held)
        held = delta
        merged.append(frame)
    if held is not None:
        merged[-1] = encode(held)
    return merged


def _adjacent(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return bool(
        second.get("from", second["offset"]) == first["offset"] + 1
        and second["message_id"] == first["message_id"]
        and second["attempt"] == first["attempt"]
        and second.get("from_chunk", second["chunk"]) == first["chunk"] + 1
    )
