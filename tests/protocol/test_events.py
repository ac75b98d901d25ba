"""How an event begins."""

from app.protocol.events import PROGRESS_TYPES, RUN_ENDS, event, new_key


def test_every_event_has_a_key_of_its_own() -> None:
    keys = {event("run_queued", timestamp="t", run_id="r")["key"] for _ in range(1_000)}

    assert len(keys) == 1_000
    assert {len(key) for key in keys} == {8}


def test_an_event_is_flat_and_begins_with_its_type() -> None:
    made = event("run_queued", timestamp="2026-01-01T00:00:00.000Z", run_id="r")

    assert list(made) == ["type", "key", "timestamp", "run_id"]


def test_keys_need_no_escaping() -> None:
    assert all(
        key.replace("-", "").replace("_", "").isalnum() for key in (new_key() for _ in range(200))
    )


def test_no_progress_ends_a_run() -> None:
    assert not PROGRESS_TYPES & RUN_ENDS
