"""The golden examples are what the types say, and there is one of each."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

import app.protocol
from app.protocol.control import Control
from app.protocol.events import Event
from app.protocol.frames import ClientFrame, decode_frame
from app.protocol.schemas import SERVER

FOLDER = Path(app.protocol.__file__).parent / "fixtures"


def golden(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return rows


def types_of(union: Any) -> set[str]:
    return {get_args(member.__annotations__["type"])[0] for member in get_args(union)}


@pytest.mark.parametrize("row", golden("frames"), ids=lambda row: row["type"])
def test_every_golden_frame_can_be_read(row: dict[str, Any]) -> None:
    frame = decode_frame(json.dumps(row))

    assert frame.type == row["type"]


@pytest.mark.parametrize("row", golden("events") + golden("control"), ids=lambda row: row["type"])
def test_every_golden_server_message_fits_its_schema(row: dict[str, Any]) -> None:
    assert SERVER.validate_python(row, strict=True) == row


@pytest.mark.parametrize(
    ("name", "union"), [("events", Event), ("control", Control), ("frames", ClientFrame)]
)
def test_there_is_an_example_of_every_type(name: str, union: Any) -> None:
    assert {row["type"] for row in golden(name)} == types_of(union)
