"""Control frames: what the server says about a connection. No offset, never replayed."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


class Limits(TypedDict):
    frame_bytes: int
    text_chars: int
    frames_per_window: int
    window_seconds: float
    unacknowledged: int


class PreviousClose(TypedDict):
    code: int


class Welcome(TypedDict):
    type: Literal["welcome"]
    protocol: str
    connection_id: str
    session_id: str
    chat_id: str
    agent: str
    user_id: int | None
    node: str
    epoch: str
    offset: int  # where the chat's log ends
    resumed: bool
    replay: int  # events that follow before ``live``
    reason: NotRequired[Literal["first", "epoch", "ahead", "trimmed", "rewound", "too_far"]]
    heartbeat_ms: int
    limits: Limits
    expires_at: str
    previous_close: NotRequired[PreviousClose]


class SnapshotChat(TypedDict):
    chat_id: str
    title: str | None
    agent: str


class SnapshotSession(TypedDict):
    session_id: str
    status: str
    expires_at: str


class SnapshotMessage(TypedDict):
    message_id: str
    role: Literal["user", "assistant"]
    text: str
    status: Literal["complete", "stopped", "failed"]
    run_id: str
    client_message_id: str | None
    citations: list[Any]
    created_at: str


class Partial(TypedDict):
    message_id: str
    text: str
    chunk: int  # the number of the last delta in it


class SnapshotRun(TypedDict):
    run_id: str
    message_id: str
    status: Literal["queued", "running", "waiting"]
    attempt: int
    events: list[dict[str, Any]]  # its progress so far
    partial: Partial | None


class SnapshotEnd(TypedDict):
    run_id: str
    status: Literal["failed", "cancelled"]
    code: str | None  # of a failed one


class Snapshot(TypedDict):
    type: Literal["snapshot"]
    epoch: str
    offset: int
    key: str | None
    chat: SnapshotChat
    session: NotRequired[SnapshotSession]
    messages: list[SnapshotMessage]  # the latest page, oldest first
    has_more: bool
    next: str | None  # where the page of older messages begins
    ended: list[SnapshotEnd]  # runs of these messages that did not complete
    runs: list[SnapshotRun]  # those that have not ended


class Live(TypedDict):
    type: Literal["live"]
    offset: int


class Ack(TypedDict):
    type: Literal["ack"]
    id: str
    run_id: NotRequired[str]  # of a query and a cancel
    message_id: NotRequired[str]  # of a query
    duplicate: NotRequired[bool]  # of a query
    expires_at: NotRequired[str | None]  # of an auth: when its sign-in ends; null: a visitor's


class ErrorReply(TypedDict):
    type: Literal["error"]
    id: str | None
    code: str
    message: str
    temporary: bool  # whether the same frame may succeed later
    retry_after_ms: NotRequired[int]


class PingFrame(TypedDict):
    type: Literal["ping"]


class PongFrame(TypedDict):
    type: Literal["pong"]
    id: str | None


class SessionExpiring(TypedDict):
    type: Literal["session_expiring"]
    expires_at: str
    seconds: int


class SessionExtended(TypedDict):
    type: Literal["session_extended"]
    expires_at: str


class SessionEnded(TypedDict):
    type: Literal["session_ended"]
    session_id: str


Control = (
    Welcome
    | Snapshot
    | Live
    | Ack
    | ErrorReply
    | PingFrame
    | PongFrame
    | SessionExpiring
    | SessionExtended
    | SessionEnded
)
