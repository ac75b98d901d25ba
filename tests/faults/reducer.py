"""A client's state of one chat, by the rules of the protocol and nothing else."""

from dataclasses import dataclass, field
from typing import Any

from app.protocol.events import RUN_ENDS

Frame = dict[str, Any]

_ENDS = {"run_completed": "completed", "run_failed": "failed", "run_cancelled": "cancelled"}


@dataclass(slots=True)
class Message:
    role: str
    text: str
    status: str
    run_id: str


@dataclass(slots=True)
class Partial:
    """The text so far of an answer that is being written."""

    text: str = ""
    chunk: int | None = -1
    """The last one in it; None: pieces are missing until the whole text comes."""


@dataclass(slots=True)
class Run:
    status: str = "queued"
    attempt: int = 0
    partial: Partial | None = None


@dataclass(slots=True)
class State:
    messages: dict[str, Message] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    """Those that have not ended."""
    ends: dict[str, str] = field(default_factory=dict)
    """How those ended whose end is known: completed, failed, cancelled."""
    is_page: bool = False
    """Older messages exist."""

    @classmethod
    def of(cls, snapshot: Frame) -> "State":
        state = cls(is_page=snapshot.get("has_more", False))
        for one in snapshot["messages"]:
            fields = (one[name] for name in ("role", "text", "status", "run_id"))
            state.messages[one["message_id"]] = Message(*fields)
        for one in snapshot["runs"]:
            partial = one["partial"]
            state.runs[one["run_id"]] = Run(
                one["status"],
                one["attempt"],
                None if partial is None else Partial(partial["text"], partial["chunk"]),
            )
        state.ends = {one["run_id"]: one["status"] for one in snapshot["ended"]}
        for message in state.messages.values():
            if message.role == "assistant" and message.status == "complete":
                state.ends.setdefault(message.run_id, "completed")
        return state

    def partial_of(self, run_id: str) -> str:
        """Return what is held of an answer that is not complete."""
        run = self.runs.get(run_id)
        return run.partial.text if run is not None and run.partial is not None else ""

    def apply(self, event: Frame) -> None:
        """Change by an event that follows. What is known already changes nothing."""
        type_, run_id = event["type"], event.get("run_id", "")
        if type_ == "user_message":
            message = Message("user", event["text"], "complete", run_id)
            self.messages.setdefault(event["message_id"], message)
        elif type_ == "message_completed":
            message = Message("assistant", event["text"], event["status"], run_id)
            self.messages[event["message_id"]] = message
        if type_ in RUN_ENDS:
            self.ends[run_id] = _ENDS[type_]
            self.runs.pop(run_id, None)
        elif run_id and run_id not in self.ends:
            self._apply_to_run(self.runs.setdefault(run_id, Run()), event)

    def _apply_to_run(self, run: Run, event: Frame) -> None:
        run.attempt = max(run.attempt, event.get("attempt", 0))
        match event["type"]:
            case "run_started" | "run_resumed":
                run.status = "running"
            case "run_waiting":
                run.status = "waiting"
            case "message_started":
                run.partial = Partial()
            case "message_delta":
                _add(run, event)
            case "message_text":
                run.partial = Partial(event["text"], event["chunk"])
            case "message_reset":
                run.partial = None
            case _:
                pass


def first_of(event: Frame) -> int:
    """Return the offset of the first event in this one, which may be merged of several."""
    first: int = event["from"] if "from" in event else event["offset"]
    return first


def _add(run: Run, event: Frame) -> None:
    if run.partial is None:  # the log was lost, and with it how the answer began
        run.partial = Partial(chunk=None)
    held = run.partial.chunk
    if held is None or event["chunk"] <= held:
        return
    if event.get("from_chunk", event["chunk"]) != held + 1:
        run.partial.chunk = None
        return
    run.partial.text += event["text"]
    run.partial.chunk = event["chunk"]
