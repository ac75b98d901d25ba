"""Every statement on runs."""

from collections.abc import Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from app.events.log import Outgoing
from app.kit.ids import ChatId, NodeId, RunId, UserId
from app.runs.types import Candidate, Claim, End, Lease, NewMessage, OpenRun, Stored
from app.sessions.repository import LIVE
from app.users.types import Owner

_OPEN = "status IN ('queued', 'running', 'waiting')"

# What a person waits for until the message counts as sent: the session's check, the message,
# its run and what followers are told, in one round trip. The chat's row is locked by the
# caller, so what is counted here cannot change meanwhile.
_ACCEPT = text(
    f"WITH live AS (SELECT 1 FROM sessions WHERE session_id = :session_id AND {LIVE}),"
    " said AS (INSERT INTO messages"
    "   (id, chat_id, seq, role, text, status, run_id, client_message_id)"
    "  SELECT :message_id, :chat_id, :seq, 'user', :text, 'complete', :run_id, :client_message_id"
    "  FROM live ON CONFLICT (chat_id, client_message_id) DO NOTHING RETURNING id),"
    " begun AS (INSERT INTO runs (id, chat_id, session_id, message_id, seq, answer_id, status,"
    "   attempt, fence, lease_owner, lease_until, started_at)"
    "  SELECT :run_id, :chat_id, :session_id, :message_id, :seq, :answer_id,"
    "   CASE WHEN mine THEN 'running' ELSE 'queued' END, CASE WHEN mine THEN 1 ELSE 0 END,"
    "   CASE WHEN mine THEN CAST(:fence AS bigint) ELSE 0 END,"
    "   CASE WHEN mine THEN CAST(:node AS text) END,"
    "   CASE WHEN mine THEN now() + make_interval(secs => :lease) END,"
    "   CASE WHEN mine THEN now() END"
    "  FROM said, (SELECT"
    "    CAST(:room AS bool) AND count(*) FILTER (WHERE status <> 'waiting') = 0 AS mine,"
    "    count(*) FILTER (WHERE status = 'queued') AS waiting"
    f"   FROM runs WHERE chat_id = :chat_id AND {_OPEN}) AS chat"
    "  WHERE mine OR waiting < :most RETURNING status),"
    " told AS (INSERT INTO outbox (chat_id, seq, fence, payload)"
    "  SELECT :chat_id, event.seq, 0, event.payload FROM begun, unnest("
    "    CAST(:seqs AS bigint[]), CAST(:of AS text[]), CAST(:payloads AS bytea[]))"
    "   AS event (seq, of, payload)"
    "  WHERE event.of IN ('any', begun.status))"
    " SELECT EXISTS (SELECT 1 FROM live) AS is_live, EXISTS (SELECT 1 FROM said) AS is_new,"
    "  (SELECT status FROM begun) AS status,"
    "  CASE WHEN CAST(:user_id AS bigint) IS NULL THEN 0 ELSE"
    "   (SELECT count(DISTINCT r.chat_id) FROM runs r JOIN chats c ON c.id = r.chat_id"
    "    WHERE c.user_id = CAST(:user_id AS bigint) AND r.chat_id <> :chat_id"
    "     AND r.status IN ('queued', 'running')) END AS elsewhere"
)
_OPEN_OF_CHAT = text(
    "SELECT id, message_id, answer_id, status, attempt FROM runs"
    f" WHERE chat_id = :chat_id AND {_OPEN} ORDER BY seq"
)
_UNDER_WAY = text(
    "SELECT DISTINCT chat_id FROM runs"
    " WHERE chat_id = ANY(:chat_ids) AND status IN ('queued', 'running')"
)
_ENDED_BADLY = text(
    "SELECT id, status, error_code FROM runs"
    " WHERE id = ANY(:run_ids) AND chat_id = :chat_id AND status IN ('failed', 'cancelled')"
)
_DROP_WAITING = text(
    "UPDATE runs SET status = 'cancelled', ended_at = now()"
    " WHERE chat_id = :chat_id AND status IN ('queued', 'waiting')"
    " RETURNING id, message_id, answer_id, status, attempt"
)
_DROP_ONE = text(
    "UPDATE runs SET status = 'cancelled', ended_at = now()"
    " WHERE id = :run_id AND status IN ('queued', 'waiting')"
    " RETURNING id, message_id, answer_id, status, attempt"
)
_WISH_CANCEL = text(
    "UPDATE runs SET cancel_requested_at = COALESCE(cancel_requested_at, now())"
    " WHERE chat_id = :chat_id AND status = 'running'"
    " AND (CAST(:run_id AS uuid) IS NULL OR id = :run_id) RETURNING id"
)
# A run is anyone's when it waits and its chat is free, or when its owner's lease has lapsed.
_ANYONES = (
    "((r.status = 'queued' AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.chat_id = r.chat_id"
    "   AND (o.status = 'running' OR (o.status = 'queued' AND o.seq < r.seq))))"
    " OR (r.status = 'running' AND r.lease_until < now()))"
)
_CANDIDATES = text(
    "SELECT r.id, r.chat_id, r.status, r.attempt, r.lease_owner FROM runs r"
    " WHERE (r.created_at < now() - make_interval(secs => :patience)"
    "  OR EXISTS (SELECT 1 FROM chats c WHERE c.id = r.chat_id AND c.agent = ANY(:agents)))"
    f" AND {_ANYONES} ORDER BY r.created_at LIMIT :limit"
)
_BACKLOG = text(
    "SELECT r.id, count(*) OVER () AS total FROM runs r"
    f" WHERE {_ANYONES} ORDER BY r.created_at LIMIT :limit"
)
_CLAIM = text(
    "UPDATE runs r SET status = 'running', attempt = r.attempt + 1, fence = :fence,"
    "  losses = r.losses + (r.lease_owner IS NOT NULL)::int,"
    "  lease_owner = :node, lease_until = now() + make_interval(secs => :lease),"
    "  started_at = COALESCE(r.started_at, now())"
    " FROM messages m, chats c"
    " WHERE r.id = :run_id AND m.id = r.message_id AND c.id = r.chat_id"
    "  AND (r.status = 'queued' OR (r.status = 'running' AND r.lease_until < now()))"
    "  AND NOT EXISTS (SELECT 1 FROM runs o"
    "    WHERE o.chat_id = r.chat_id AND o.status = 'running' AND o.id <> r.id)"
    " RETURNING r.id, r.chat_id, r.session_id, r.message_id, r.answer_id, c.agent, c.thread_id,"
    "  m.text, c.user_id, c.visitor_id, r.attempt, r.fence, r.losses,"
    "  r.cancel_requested_at IS NOT NULL AS stopping"
)
# Locked in the order in which writers of checkpoints do, or each could wait for the other.
_RENEW = text(
    "UPDATE runs SET lease_until = now() + make_interval(secs => :lease)"
    " WHERE id IN (SELECT id FROM runs WHERE id = ANY(:run_ids) AND lease_owner = :node"
    "  AND status = 'running' ORDER BY id FOR NO KEY UPDATE)"
    " RETURNING id, fence, cancel_requested_at"
)
_RELEASE = text(
    "UPDATE runs SET lease_until = now(), lease_owner = NULL"
    " WHERE id = :run_id AND fence = :fence AND status = 'running'"
)
# The chat's lock and numbers, if the run looks like the caller's; what follows makes sure.
_LOCK_END = text(
    "UPDATE chats SET message_count = message_count + :messages,"
    "  outbox_seq = outbox_seq + :events, updated_at = now()"
    " FROM runs WHERE runs.id = :run_id AND runs.fence = :fence AND runs.status = 'running'"
    "  AND chats.id = runs.chat_id"
    " RETURNING chats.message_count, chats.outbox_seq,"
    "  extract(epoch FROM now() - runs.started_at)::float8"
)
# Everything that makes an end true, in one statement after the chat's lock.
_FINISH = text(
    "WITH ended AS (UPDATE runs SET status = :status, ended_at = now(), lease_owner = NULL,"
    "   lease_until = NULL, error_code = :error_code, usage = :usage"
    "  WHERE id = :run_id AND fence = :fence AND status = 'running' RETURNING id),"
    " said AS (INSERT INTO messages (id, chat_id, seq, role, text, status, run_id, citations)"
    "  SELECT :answer_id, :chat_id, :seq, 'assistant', :text, :message_status, :run_id, :citations"
    "  FROM ended WHERE CAST(:text AS text) <> ''),"
    " told AS (INSERT INTO outbox (chat_id, seq, fence, payload)"
    "  SELECT :chat_id, event.seq, CAST(:fence AS bigint), event.payload FROM ended,"
    "   unnest(CAST(:seqs AS bigint[]), CAST(:payloads AS bytea[])) AS event (seq, payload))"
    " SELECT EXISTS (SELECT 1 FROM runs WHERE chat_id = :chat_id AND status = 'queued')"
    "  AS followed FROM ended"
).bindparams(
    bindparam("usage", type_=JSONB(none_as_null=True)),
    bindparam("citations", type_=JSONB(none_as_null=True)),
)


class RunRepository:
    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def accept(
        self,
        message: NewMessage,
        *,
        room: bool,
        node: NodeId,
        fence: int,
        lease_seconds: float,
        most: int,
        user_id: UserId | None,
        events: Sequence[tuple[str, Outgoing]],
    ) -> Stored:
        """Store a message, its run, and what is told of them. Needs the chat's lock.

        The run is ``running`` under ``node``'s lease if there is ``room`` and the chat is
        free, else ``queued``, and there is none if ``most`` are queued already.

        Args:
            message: what a person said.
            room: whether the node can execute one more run.
            node: this process.
            fence: of the claim, if the run begins at once.
            lease_seconds: how long it is the node's then.
            most: how many may wait in a chat.
            user_id: whose other chats with runs are to be counted, if anybody's.
            events: for the outbox, each with the status of the run it is told of, or ``any``.
        """
        row = (
            await self._db.execute(
                _ACCEPT,
                {
                    **message._asdict(),
                    "room": room,
                    "node": node,
                    "fence": fence,
                    "lease": lease_seconds,
                    "most": most,
                    "user_id": user_id,
                    "seqs": [event.seq for _, event in events],
                    "of": [of for of, _ in events],
                    "payloads": [event.payload for _, event in events],
                },
            )
        ).one()
        return Stored._make(row)

    async def open_of(self, chat_id: ChatId) -> list[OpenRun]:
        """Return the chat's runs that have not ended, in their order."""
        rows = await self._db.execute(_OPEN_OF_CHAT, {"chat_id": chat_id})
        return [OpenRun._make(row) for row in rows]

    async def under_way(self, chat_ids: Sequence[ChatId]) -> set[ChatId]:
        """Return those of the chats that have a run somebody works on or will. A run that waits
        for its person is none.
        """
        rows = await self._db.execute(_UNDER_WAY, {"chat_ids": list(chat_ids)})
        return {ChatId(row.chat_id) for row in rows}

    async def ended_badly(
        self, chat_id: ChatId, run_ids: Sequence[RunId]
    ) -> list[tuple[RunId, str, str | None]]:
        """Return id, status and error code of those runs that failed or were cancelled."""
        rows = await self._db.execute(_ENDED_BADLY, {"chat_id": chat_id, "run_ids": list(run_ids)})
        return [(RunId(row.id), row.status, row.error_code) for row in rows]

    async def drop_waiting(self, chat_id: ChatId) -> list[OpenRun]:
        """Cancel what has not begun or waits for its person. Needs the chat's lock."""
        rows = await self._db.execute(_DROP_WAITING, {"chat_id": chat_id})
        return [OpenRun._make(row) for row in rows]

    async def drop_one(self, run_id: RunId) -> OpenRun | None:
        row = (await self._db.execute(_DROP_ONE, {"run_id": run_id})).first()
        return OpenRun._make(row) if row else None

    async def wish_cancel(self, chat_id: ChatId, run_id: RunId | None) -> RunId | None:
        """Note durably that the chat's running run is to stop; None if none is running."""
        row = (await self._db.execute(_WISH_CANCEL, {"chat_id": chat_id, "run_id": run_id})).first()
        return RunId(row.id) if row else None

    async def candidates(
        self, *, agents: Sequence[str], patience_seconds: float, limit: int
    ) -> list[Candidate]:
        """Return runs that somebody with one of these agents should execute, oldest first.

        After ``patience_seconds`` a run is anybody's: no node has its agent, and it has to
        end all the same.
        """
        rows = await self._db.execute(
            _CANDIDATES, {"agents": list(agents), "patience": patience_seconds, "limit": limit}
        )
        return [Candidate._make(row) for row in rows]

    async def backlog(self, *, limit: int) -> tuple[list[RunId], int]:
        """Return runs that are anyone's, oldest first, and how many there are in all."""
        rows = (await self._db.execute(_BACKLOG, {"limit": limit})).all()
        return [RunId(row.id) for row in rows], rows[0].total if rows else 0

    async def claim(
        self, run_id: RunId, *, node: NodeId, fence: int, lease_seconds: float
    ) -> Claim | None:
        """Take a run over; None if somebody else was first. Needs the chat's lock."""
        row = (
            await self._db.execute(
                _CLAIM, {"run_id": run_id, "node": node, "fence": fence, "lease": lease_seconds}
            )
        ).first()
        return Claim._make((*row[:8], Owner(row[8], row[9]), *row[10:])) if row else None

    async def renew(
        self, run_ids: Sequence[RunId], *, node: NodeId, lease_seconds: float
    ) -> list[Lease]:
        """Prolong this node's leases; what is missing in the answer is no longer its own."""
        rows = await self._db.execute(
            _RENEW, {"run_ids": list(run_ids), "node": node, "lease": lease_seconds}
        )
        return [Lease._make(row) for row in rows]

    async def release(self, run_id: RunId, fence: int) -> None:
        """Let another node go on with the run at once."""
        await self._db.execute(_RELEASE, {"run_id": run_id, "fence": fence})

    async def lock_end(
        self, run_id: RunId, fence: int, *, messages: int, events: int
    ) -> tuple[int, int, float] | None:
        """Lock the chat of a run that is to end; None if ``fence`` no longer holds the run.

        Returns the numbers of the chat's last message and last durable event, those that
        are about to be added included, and how many seconds the run has taken.
        """
        row = (
            await self._db.execute(
                _LOCK_END,
                {"run_id": run_id, "fence": fence, "messages": messages, "events": events},
            )
        ).first()
        return (row[0], row[1], row[2] or 0.0) if row else None

    async def finish(self, end: End, events: Sequence[Outgoing]) -> bool | None:
        """End a run, store its answer and what is told of both; None if ``end.fence`` no
        longer holds it. Needs the chat's lock.

        Returns whether another run waits behind it in the chat.
        """
        row = (
            await self._db.execute(
                _FINISH,
                {
                    **end._asdict(),
                    "seqs": [event.seq for event in events],
                    "payloads": [event.payload for event in events],
                },
            )
        ).first()
        return bool(row.followed) if row else None
