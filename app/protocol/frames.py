"""Frames a client may send."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from app.kit.errors import AppError, Kind


class MalformedFrame(AppError):
    """The frame is not JSON, or a field is missing, out of range or of another type."""

    code = "malformed_frame"
    kind = Kind.INVALID


class UnknownFrame(AppError):
    """The frame's ``type`` is not known to this server."""

    code = "unknown_type"
    kind = Kind.INVALID


class BlankText(AppError):
    """A message needs at least one visible character."""

    code = "blank_text"
    kind = Kind.INVALID


class TextTooLong(AppError):
    """The text is longer than ``limits.text_chars`` in ``welcome``."""

    code = "text_too_long"
    kind = Kind.TOO_LARGE


def _storable(text: str) -> str:
    if "\x00" in text:
        raise PydanticCustomError("not_storable", "must not hold the character U+0000")
    return text


# Text that Postgres can keep: lone surrogates are refused by the JSON parser, NUL here.
# It stands last in each type, so that lengths are checked, and explained, as lengths of text.
_Storable = AfterValidator(_storable)
Text = Annotated[str, _Storable]
Ref = Annotated[str, Field(min_length=1, max_length=64), _Storable]

_MAX_OFFSET = 2**53 - 1  # what JavaScript, and Lua in Redis, can count to


class Frame(BaseModel):
    """Unknown fields are ignored; known ones are never coerced."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Position(Frame):
    """The last event a client has applied, if it still holds the state it led to."""

    epoch: Annotated[str, Field(max_length=64), _Storable]
    offset: int = Field(ge=0, le=_MAX_OFFSET)
    key: Annotated[str, Field(max_length=64), _Storable] | None = None


class Hello(Frame):
    type: Literal["hello"]
    ticket: Annotated[str, Field(max_length=256), _Storable] | None = None
    client: Annotated[str, Field(max_length=128), _Storable] | None = None
    # made anew at each page load
    tab: Annotated[str, Field(max_length=64), _Storable] | None = None
    after: Position | None = None


class Query(Frame):
    type: Literal["query"]
    query: Text
    id: Ref | None = None  # echoed in the reply; without one no reply is expected
    client_message_id: Ref | None = None  # makes a resend harmless
    agent: Ref | None = None
    on_busy: Literal["queue", "reject", "replace"] = "queue"


class Cancel(Frame):
    type: Literal["cancel"]
    id: Ref | None = None
    run_id: Ref | None = None  # default: the active run


class Auth(Frame):
    """A new ticket for the same session, before the sign-in of the last one ends."""

    type: Literal["auth"]
    ticket: Annotated[str, Field(max_length=256), _Storable]
    id: Ref | None = None


class Pong(Frame):
    type: Literal["pong"]


class Ping(Frame):
    """A client's own check of the connection, answered with ``pong``."""

    type: Literal["ping"]
    id: Ref | None = None


ClientFrame = Hello | Query | Cancel | Auth | Pong | Ping
_TYPES = frozenset({"hello", "query", "cancel", "auth", "pong", "ping"})
_ADAPTER: TypeAdapter[ClientFrame] = TypeAdapter(
    Annotated[ClientFrame, Field(discriminator="type")]
)
# A string that never ends matches to the end of the text: every character is read once.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.?)*+"?|[\[\]{}]', re.DOTALL)


def decode_frame(text: str, *, max_depth: int = 16) -> ClientFrame:
    """Parse one text message from a client. Linear in its length.

    Raises:
        MalformedFrame: not JSON, nested too deeply, or a field that cannot be read.
        UnknownFrame: a ``type`` this server does not know.
    """
    if _too_deep(text, max_depth):
        raise MalformedFrame(f"The frame is nested deeper than {max_depth} levels.")
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise _explained(error) from error


def frame_ref(text: str) -> str | None:
    """Return the ``id`` of a frame that could not be read, for the error's sake, if it has one."""
    try:
        ref = _LOOSE.validate_json(text).id
    except ValidationError:
        return None
    return ref


class _Loose(Frame):
    id: Ref | None = None


_LOOSE: TypeAdapter[_Loose] = TypeAdapter(_Loose)


def _explained(error: ValidationError) -> AppError:
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return MalformedFrame("The frame is not valid JSON.")
    if first["type"] == "union_tag_invalid":
        return UnknownFrame("The frame's type is not known here.")
    if first["type"] == "union_tag_not_found" or not first["loc"]:
        return MalformedFrame("A frame is a JSON object with a type.")
    # the first part of the location is the frame's own type
    field = ".".join(str(part) for part in first["loc"][1:]) or "frame"
    return MalformedFrame(f"{field}: {first['msg']}.")


def _too_deep(text: str, limit: int) -> bool:
    if text.count("{") + text.count("[") <= limit:  # the usual case, at C speed
        return False
    depth = 0
    for match in _BRACKETS.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth > limit:
                return True
        elif mark in "]}":
            depth -= 1
    return False


def frames_adapter() -> TypeAdapter[ClientFrame]:
    """Return what validates a client's frames; its JSON Schema is the public one."""
    return _ADAPTER
