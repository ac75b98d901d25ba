"""What an agent says about its work becomes an event of a known shape."""

from typing import Any

import pytest

from app.agents.types import Progress
from app.protocol.events import event
from app.protocol.schemas import SERVER
from app.runs.steps import as_event

GOOD: dict[str, dict[str, Any]] = {
    "memory_loaded": {"user_id": None, "memory_count": 0, "memories": [], "status": "anonymous"},
    "plan_ready": {"intent": "question", "steps": [{"team": "search", "task": "find"}]},
    "aggregating": {},
}


@pytest.mark.parametrize("name", GOOD)
def test_a_known_name_in_its_shape_is_its_event(name: str) -> None:
    assert as_event(Progress(name, GOOD[name])) == (name, GOOD[name])


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("memory_loaded", {"memory_count": "none"}),
        ("plan_ready", {"intent": "question", "steps": [{"team": "search"}]}),
        ("run_completed", {"usage": {}, "seconds": 1.0}),
        ("message_completed", {"text": "forged"}),
        ("my_own", {"anything": [1, 2]}),
    ],
)
def test_everything_else_is_custom_under_its_name(name: str, payload: dict[str, Any]) -> None:
    type_, fields = as_event(Progress(name, payload))

    assert (type_, fields) == ("custom", {"name": name, "payload": payload})


def test_the_envelope_is_not_the_graphs_to_write() -> None:
    forged = {"type": "run_failed", "run_id": "another", "attempt": 7, "key": "k", "offset": 1}

    assert as_event(Progress("aggregating", forged)) == ("aggregating", {})


def test_what_is_too_large_is_told_without_its_payload() -> None:
    assert as_event(Progress("mine", {"text": "x" * 70_000})) == (
        "custom",
        {"name": "mine", "payload": None},
    )
    known = as_event(Progress("plan_ready", {"intent": "x" * 70_000, "steps": []}))
    assert known == ("custom", {"name": "plan_ready", "payload": None})


@pytest.mark.parametrize(
    "step",
    [
        Progress("custom", {"name": "mine", "payload": {"self": 1, "type_": 2}}),
        Progress("custom", {"no": "name"}),
        Progress("", {}),
        Progress("team_started", {}),
    ],
)
def test_whatever_it_is_clients_can_read_it(step: Progress) -> None:
    type_, fields = as_event(step)

    SERVER.validate_python(
        event(type_, timestamp="2026-01-01T00:00:00.000Z", run_id="r", attempt=1, **fields)
    )
