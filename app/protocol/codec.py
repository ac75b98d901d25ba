"""Events and control frames as bytes.

An event is encoded once, before it has a number: the log numbers it in Redis. A reader
puts the number in front, so a thousand sockets cost one encoding.
"""

from collections.abc import Mapping
from typing import Any, cast

import orjson


def encode(value: Mapping[str, Any]) -> bytes:
    """Return ``value`` as JSON in UTF-8, on one line."""
    return orjson.dumps(value)


def decode(data: bytes) -> dict[str, Any]:
    return cast("dict[str, Any]", orjson.loads(data))


def numbered(payload: bytes, offset: int, *, replayed: bool = False) -> bytes:
    """Return an encoded event with its offset, and a mark if it was sent before."""
    head = b'{"offset":%d,"replayed":true,' if replayed else b'{"offset":%d,'
    return head % offset + payload[1:]
