"""What an agent says about its work, as events: known names in their shape, the rest custom."""

from typing import Any, get_args, get_type_hints

import structlog
from pydantic import TypeAdapter, ValidationError

from app.agents.types import Progress
from app.protocol import events
from app.protocol.codec import encode
from app.protocol.events import PROGRESS_TYPES

log = structlog.get_logger()

_BYTES = 65_536  # of one event: what a graph drops here would fill every socket's queue
_ENVELOPE = {"type": "", "key": "", "timestamp": "", "run_id": "", "attempt": 1}
_RESERVED = frozenset(_ENVELOPE) | {"offset", "type_"}


def as_event(step: Progress) -> tuple[str, dict[str, Any]]:
    """Return the type and fields of the event that tells of ``step``.

    The envelope is not the graph's to write. A known name with other fields than its event
    has is told as ``custom``; what is too large is told without its payload.
    """
    fields = {name: value for name, value in step.payload.items() if name not in _RESERVED}
    if step.name in PROGRESS_TYPES and _fits(step.name, fields):
        return step.name, fields
    name = step.name
    payload: Any = dict(step.payload)
    if name == "custom" and isinstance(payload.get("name"), str):
        name, payload = payload["name"], payload.get("payload")
    if len(encode({"name": name, "payload": payload})) > _BYTES:
        log.warning("custom_event_too_large", name=name[:80])
        name, payload = name[:80], None
    return "custom", {"name": name, "payload": payload}


def _shapes() -> dict[str, TypeAdapter[Any]]:
    found: dict[str, TypeAdapter[Any]] = {}
    for shape in get_args(events.Event):
        (name,) = get_args(get_type_hints(shape)["type"])
        if name in PROGRESS_TYPES:
            found[name] = TypeAdapter(shape)
    return found


_SHAPES = _shapes()


def _fits(name: str, fields: dict[str, Any]) -> bool:
    try:
        _SHAPES[name].validate_python({**_ENVELOPE, **fields, "type": name}, strict=True)
    except ValidationError as error:
        log.warning("progress_malformed", name=name, problems=error.error_count())
        return False
    return len(encode(fields)) <= _BYTES
