"""HTTP: a chat's snapshot, the same that a socket gets."""

from starlette.requests import Request

from app.chats.routes import chat_of
from app.chats.schemas import SnapshotView
from app.kit.endpoint import Endpoint, Reply
from app.runs.snapshot import SnapshotService


async def snapshot(request: Request) -> Reply:
    snapshots: SnapshotService = request.state.snapshots
    return Reply(SnapshotView(**await snapshots.take(*await chat_of(request))))


ENDPOINTS = [
    Endpoint(
        "GET",
        "/chats/{chat_id}/snapshot",
        snapshot,
        "What the chat looks like now.",
        answer=SnapshotView,
        errors=(401, 404, 503),
    )
]
