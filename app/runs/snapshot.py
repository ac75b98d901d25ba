"""What a chat looks like now: enough for a client to forget everything before."""

from typing import Any

from app.chats.schemas import message_view
from app.chats.service import ChatService
from app.chats.types import Message
from app.events.log import EventLog
from app.kit.clock import wire_time
from app.kit.ids import ChatId, RunId
from app.protocol.codec import decode, encode
from app.protocol.events import PROGRESS_TYPES
from app.protocol.replay import Entry, Top
from app.runs.repository import RunRepository
from app.runs.types import OpenRun
from app.sessions.types import Session
from app.storage.postgres import Postgres
from app.users.types import Owner

_PAGE = 50  # messages of a snapshot
_BLOCK = 500  # events read back at a time
_PROGRESS_BYTES = 262_144  # of one run's progress
_PLENTY = {"custom", "team_progress"}
_PROGRESS = PROGRESS_TYPES | {"run_started", "run_resumed", "custom"}


class SnapshotService:
    """Puts a snapshot together: messages from Postgres, a running answer from the log."""

    def __init__(self, *, postgres: Postgres, chats: ChatService, event_log: EventLog) -> None:
        self._postgres = postgres
        self._chats = chats
        self._log = event_log

    async def take(
        self, chat_id: ChatId, owner: Owner, *, top: Top | None = None
    ) -> dict[str, Any]:
        """Return the chat's state at ``top`` or a little later.

        Args:
            chat_id: which chat.
            owner: whose it must be.
            top: where the log ended when the caller began to listen; read now if not given.

        Raises:
            ChatNotFound: there is none, or it is not this owner's.
            Unavailable: a store does not answer.
        """
        if top is None:
            top = (await self._log.read(chat_id)).top
        # The log is read before Postgres: what ends in between is in the messages, and the
        # client's reducer is idempotent by message and run.
        chat = await self._chats.get(chat_id, owner)
        open_runs: list[OpenRun] = []
        told: dict[str, list[dict[str, Any]]] = {}
        messages: list[Message] = []
        before: int | None = None
        ended: list[tuple[RunId, str, str | None]] = []
        if chat.message_count > 0:  # most chats are entered when they are new
            async with self._postgres.statement() as db:
                open_runs = await RunRepository(db).open_of(chat_id)
            told = await self._told(chat_id, top, open_runs)
            messages, before = await self._chats.messages(chat_id, owner, limit=_PAGE)
            async with self._postgres.statement() as db:
                ended = await RunRepository(db).ended_badly(
                    chat_id, list({message.run_id for message in messages})
                )
        answered = {message.id for message in messages}
        return {
            "type": "snapshot",
            "epoch": top.epoch,
            "offset": top.offset,
            "key": top.key,
            "chat": {"chat_id": str(chat.id), "title": chat.title, "agent": chat.agent},
            "messages": [message_view(message).model_dump(mode="json") for message in messages],
            "has_more": before is not None,
            "next": None if before is None else str(before),
            "ended": [
                {"run_id": str(run_id), "status": status, "code": code}
                for run_id, status, code in ended
            ],
            "runs": [
                _run_view(run, told.get(str(run.run_id), []))
                for run in open_runs
                if run.answer_id not in answered
            ],
        }

    async def _told(
        self, chat_id: ChatId, top: Top, open_runs: list[OpenRun]
    ) -> dict[str, list[dict[str, Any]]]:
        """Return what the log holds of open runs, by run, oldest first."""
        wanted = {str(run.run_id) for run in open_runs if run.status != "queued"}
        told: dict[str, list[dict[str, Any]]] = {run_id: [] for run_id in wanted}
        last = top.offset
        begun: set[str] = set()
        while begun != wanted and last > 0:
            entries: list[Entry] = await self._log.read_back(chat_id, last=last, limit=_BLOCK)
            for entry in entries:
                event = decode(entry.payload)
                run_id = event.get("run_id")
                if run_id in wanted:
                    told[run_id].append({**event, "offset": entry.offset})
                    if event["type"] == "run_started":
                        begun.add(run_id)
            if len(entries) < _BLOCK:
                break
            last = entries[-1].offset - 1
        return {run_id: events[::-1] for run_id, events in told.items()}


def _newest(progress: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the oldest of what an agent says in great numbers, so that a snapshot stays
    small; what a run's plan and teams are is always there.
    """
    left = _PROGRESS_BYTES
    kept: list[dict[str, Any]] = []
    for one in reversed(progress):
        if one["type"] in _PLENTY:
            left -= len(encode(one))
            if left < 0:
                continue
        kept.append(one)
    return kept[::-1]


def session_view(session: Session) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "status": session.status,
        "expires_at": wire_time(session.expires_at),
    }


def _run_view(run: OpenRun, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Fold a run's events: progress as it is, words into the text so far."""
    progress = _newest([one for one in events if one["type"] in _PROGRESS])
    partial: dict[str, Any] | None = None
    for one in events:
        match one["type"]:
            case "message_started":
                partial = {"message_id": one["message_id"], "text": "", "chunk": -1}
            # what follows a hole waits for the whole text, which the owner sends when it notices
            case "message_delta" if partial is not None and one["chunk"] == partial["chunk"] + 1:
                partial["text"] += one["text"]
                partial["chunk"] = one["chunk"]
            case "message_text":
                partial = {
                    "message_id": one["message_id"],
                    "text": one["text"],
                    "chunk": one["chunk"],
                }
            case "message_reset":
                partial = None
            case _:
                pass
    return {
        "run_id": str(run.run_id),
        "message_id": str(run.message_id),
        "status": run.status,
        "attempt": run.attempt,
        "events": progress,
        "partial": partial,
    }
