"""JSON Schemas of everything that goes over the wire, made from the types themselves."""

from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from app.protocol.control import Control
from app.protocol.events import PROTOCOL, Event
from app.protocol.frames import frames_adapter

SERVER: TypeAdapter[Any] = TypeAdapter(Annotated[Event | Control, Field(discriminator="type")])


@cache
def document() -> dict[str, Any]:
    """Return the schemas of what clients send and of what servers send."""
    return {
        "protocol": PROTOCOL,
        "client": frames_adapter().json_schema(),
        "server": SERVER.json_schema(),
    }
