"""Taking runs: those that wait for a free place, and those whose owner died."""

from collections.abc import Sequence

from app.chats.repository import ChatRepository
from app.events.outbox import Durable, EventPublisher
from app.kit.clock import Clock, wire_time
from app.kit.ids import NodeId
from app.protocol.events import Event, event
from app.runs.repository import RunRepository
from app.runs.types import Candidate, Claim
from app.settings import RunSettings
from app.storage.postgres import Postgres

# Who holds a chat's lock has it for milliseconds, unless its node is gone: then another
# candidate is served first.
_LOCK_SECONDS = 1


class _TakenByAnother(Exception):
    """The candidate is no longer to be had; the transaction is rolled back."""


class Claims:
    """Claims runs for one node. The fence counts up with each claim of a chat's runs."""

    def __init__(
        self,
        *,
        postgres: Postgres,
        publisher: EventPublisher,
        settings: RunSettings,
        clock: Clock,
        node: NodeId,
    ) -> None:
        self._postgres = postgres
        self._publisher = publisher
        self._settings = settings
        self._clock = clock
        self._node = node

    async def candidates(self, *, agents: Sequence[str], limit: int) -> list[Candidate]:
        """Return runs that somebody should execute, oldest first. Nothing is locked."""
        async with self._postgres.statement() as db:
            return await RunRepository(db).candidates(
                agents=agents, patience_seconds=self._settings.timeout_seconds, limit=limit
            )

    async def claim(self, candidate: Candidate) -> tuple[Claim, Durable] | None:
        """Take a run over.

        Returns the claim and the events it committed, which come before all others of this
        attempt; None if another node was first.

        Raises:
            Unavailable: Postgres does not answer, or the chat is locked for long.
        """
        try:
            return await self._claim(candidate)
        except _TakenByAnother:
            return None

    async def _claim(self, candidate: Candidate) -> tuple[Claim, Durable] | None:
        async with self._postgres.unit(lock_seconds=_LOCK_SECONDS) as db:
            chats, runs = ChatRepository(db), RunRepository(db)
            resumes = candidate.attempt > 0
            numbers = await chats.advance_for_system(
                candidate.chat_id, claims=1, events=1 + resumes
            )
            claim = numbers and await runs.claim(
                candidate.run_id,
                node=self._node,
                fence=numbers.fence,
                lease_seconds=self._settings.lease_seconds,
            )
            if numbers is None or claim is None or claim.attempt != candidate.attempt + 1:
                raise _TakenByAnother
            if resumes:
                reason = "handover" if candidate.lease_owner is None else "owner_lost"
                events = [
                    self._event(claim, "run_resumed", reason=reason),
                    self._event(claim, "message_reset", message_id=str(claim.answer_id)),
                ]
            else:
                events = [self._event(claim, "run_started", message_id=str(claim.message_id))]
            durable = await self._publisher.store(
                db, claim.chat_id, events, last_seq=numbers.outbox_seq, fence=claim.fence
            )
        return claim, durable

    def _event(self, claim: Claim, type_: str, **fields: object) -> Event:
        return event(
            type_,
            timestamp=wire_time(self._clock.now()),
            run_id=str(claim.run_id),
            attempt=claim.attempt,
            **fields,
        )
