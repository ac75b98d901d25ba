"""A client's state, kept by the rules of the protocol and nothing else."""

from copy import deepcopy
from typing import Any

from app.protocol.events import PROGRESS_TYPES, RUN_ENDS

Event = dict[str, Any]
State = dict[str, Any]

_PROGRESS = PROGRESS_TYPES | {"run_started", "run_resumed", "custom"}
_ENDS = {"run_failed": "failed", "run_cancelled": "cancelled"}


def from_snapshot(snapshot: Event) -> State:
    """Return what a snapshot says, without what is only for display."""
    return {
        "offset": snapshot["offset"],
        "messages": {
            one["message_id"]: {
                field: one[field] for field in ("role", "text", "status", "run_id", "citations")
            }
            for one in snapshot["messages"]
        },
        "ended": {one["run_id"]: (one["status"], one["code"]) for one in snapshot["ended"]},
        "runs": {
            one["run_id"]: {
                "message_id": one["message_id"],
                "status": one["status"],
                "attempt": one["attempt"],
                "events": [(told["type"], told["offset"]) for told in one["events"]],
                "partial": one["partial"],
            }
            for one in snapshot["runs"]
        },
    }


def fold(state: State, events: list[Event]) -> State:
    """Return the state after ``events``, of which those it knows already change nothing."""
    state = deepcopy(state)
    for event in sorted(events, key=lambda one: one["offset"]):
        if event["offset"] == state["offset"] + 1:
            state["offset"] += 1
            _apply(state, event)
        else:
            assert event["offset"] <= state["offset"], "an event is missing"
    return state


def _apply(state: State, event: Event) -> None:
    type_, run_id = event["type"], event["run_id"]
    if type_ == "user_message":
        message = {"role": "user", "text": event["text"], "status": "complete", "citations": []}
        state["messages"].setdefault(event["message_id"], {**message, "run_id": run_id})
    elif type_ == "message_completed":
        fields = {field: event[field] for field in ("text", "status", "run_id", "citations")}
        state["messages"][event["message_id"]] = {"role": "assistant", **fields}
    if type_ in RUN_ENDS:
        if type_ in _ENDS:
            state["ended"][run_id] = (_ENDS[type_], event.get("code"))
        state["runs"].pop(run_id, None)
    elif run_id not in _over(state):
        _apply_to_run(state["runs"], event)
    else:
        state["runs"].pop(run_id, None)


def _over(state: State) -> set[str]:
    answered = {one["run_id"] for one in state["messages"].values() if one["role"] == "assistant"}
    return answered | set(state["ended"])


def _apply_to_run(runs: dict[str, Any], event: Event) -> None:
    new: State = {"message_id": None, "status": None, "attempt": 0, "events": [], "partial": None}
    run = runs.setdefault(event["run_id"], new)
    run["attempt"] = max(run["attempt"], event.get("attempt", 0))
    if event["type"] in _PROGRESS:
        run["events"].append((event["type"], event["offset"]))
    match event["type"]:
        case "user_message":
            run["message_id"] = event["message_id"]
        case "run_queued":
            run["status"] = run["status"] or "queued"
        case "run_started" | "run_resumed":
            run["status"] = "running"
        case "message_started":
            run["partial"] = {"message_id": event["message_id"], "text": "", "chunk": -1}
        case "message_delta":
            assert event["chunk"] == run["partial"]["chunk"] + 1
            run["partial"]["text"] += event["text"]
            run["partial"]["chunk"] = event["chunk"]
        case "message_text":
            fields = ("message_id", "text", "chunk")
            run["partial"] = {field: event[field] for field in fields}
        case "message_reset":
            run["partial"] = None
        case _:
            pass
