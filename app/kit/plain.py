"""Values from elsewhere made fit for every store: text without NUL, plain JSON."""

import dataclasses
import math
from collections.abc import Mapping, Set
from typing import Any

from pydantic import BaseModel

_DEEPEST = 32  # deeper values become their text
_INT_BITS = 63  # what JSON readers and Postgres agree on


def storable(text: str) -> str:
    """Return ``text`` without what Postgres or UTF-8 refuse. Linear.

    NUL is left out. Two halves of a surrogate pair become their character, a lone one
    becomes U+FFFD.
    """
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def plain(value: Any, *, _depth: int = 0) -> Any:  # noqa: PLR0911 - one for each kind of value
    """Return ``value`` as JSON values that every store and every client can read.

    Models and dataclasses become objects, sets and tuples lists, numbers that JSON does not
    know None or text, everything else its text.
    """
    match value:
        case None | bool():
            return value
        case str():
            return storable(value)
        case int():
            return value if value.bit_length() <= _INT_BITS else str(value)
        case float():
            return value if math.isfinite(value) else None
        case _ if _depth >= _DEEPEST:
            return storable(str(value))
        case Mapping():
            return {storable(str(key)): plain(one, _depth=_depth + 1) for key, one in value.items()}
        case list() | tuple() | Set():
            return [plain(one, _depth=_depth + 1) for one in value]
        case BaseModel():
            return plain(value.model_dump(), _depth=_depth + 1)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return plain(fields, _depth=_depth + 1)
        case _:
            return storable(str(value))
