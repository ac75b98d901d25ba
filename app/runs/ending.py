"""How a run ends: its thread made fit, its answer stored, exactly one last event."""

import asyncio
import contextlib
import hashlib

import structlog

from app.agents.executor import Executor
from app.agents.types import Task
from app.events.errors import StaleFence
from app.events.outbox import Durable, EventPublisher, outgoing_events
from app.kit.errors import Unavailable
from app.observability.metrics import RUN_SECONDS
from app.protocol.events import Event
from app.runs.emitter import Emitter
from app.runs.execution import Execution
from app.runs.repository import RunRepository
from app.runs.types import Claim, End, Outcome
from app.sessions.service import SessionService
from app.sessions.types import Activity
from app.storage.postgres import Postgres

log = structlog.get_logger()

# How long an answer is held while Postgres is away: the waits add up to about a minute.
_RETRY_SECONDS = (0.1, 0.3, 1, 2, 4, 8, 15, 30)
_REPAIR_SECONDS = 10


class Ending:
    def __init__(
        self,
        *,
        postgres: Postgres,
        publisher: EventPublisher,
        executor: Executor,
        sessions: SessionService,
    ) -> None:
        self._postgres = postgres
        self._publisher = publisher
        self._executor = executor
        self._sessions = sessions

    async def end(self, execution: Execution, emitter: Emitter, outcome: Outcome) -> bool:
        """Store how a run ended and tell its chat; return whether another run waits.

        What Postgres holds is the truth: the message and the end are one transaction, and
        only the run's owner by fence can make it.

        Raises:
            StaleFence: a newer owner has the run.
            Unavailable: Postgres stayed away; the run's lease will lapse and be taken over.
        """
        run = execution.run
        if outcome.status != "completed":
            await self._repair(execution, outcome)
        durable, followed = await self._store(run, emitter, outcome)
        if outcome.answer is not None and outcome.answer.usage:
            tokens = outcome.answer.usage.get("total_tokens", 0)
            self._sessions.note(Activity(run.session_id, tokens=tokens))
        with contextlib.suppress(StaleFence):  # the chat's next run has told it for us
            await self._publisher.publish_durable(durable)
        return followed

    async def tidy(self, task: Task) -> None:
        """Drop checkpoints that nobody will need again. Never raises."""
        try:
            await self._executor.prune(task)
        except Exception as error:  # noqa: BLE001 - the next run's end tries again
            log.warning("prune_failed", run_id=str(task.run_id), cause=type(error).__name__)

    async def _repair(self, execution: Execution, outcome: Outcome) -> None:
        if execution.agent is None:
            return
        try:
            async with asyncio.timeout(_REPAIR_SECONDS):
                await self._executor.repair(
                    execution.agent,
                    execution.task,
                    partial=outcome.text,
                    fence=execution.run.fence,
                    may_write=execution.holds,
                )
        except Exception:  # the person's history matters more than the agent's
            log.exception("repair_failed", run_id=str(execution.run.run_id))

    async def _store(self, run: Claim, emitter: Emitter, outcome: Outcome) -> tuple[Durable, bool]:
        for wait in _RETRY_SECONDS:
            try:
                return await self._store_once(run, emitter, outcome)
            except Unavailable as error:
                log.warning("run_end_delayed", run_id=str(run.run_id), **error.context)
                await asyncio.sleep(wait)
        return await self._store_once(run, emitter, outcome)

    async def _store_once(
        self, run: Claim, emitter: Emitter, outcome: Outcome
    ) -> tuple[Durable, bool]:
        says = bool(outcome.text)
        status = _MESSAGE_STATUS[outcome.status]
        citations = outcome.answer.citations if outcome.answer else []
        async with self._postgres.unit() as db:
            runs = RunRepository(db)
            locked = await runs.lock_end(run.run_id, run.fence, messages=int(says), events=1 + says)
            if locked is None:
                raise _lost()
            message_seq, outbox_seq, seconds = locked
            events = [_end_event(emitter, outcome, seconds)]
            if says:
                said = emitter.make(
                    "message_completed",
                    message_id=str(run.answer_id),
                    text=outcome.text,
                    sha256=hashlib.sha256(outcome.text.encode()).hexdigest(),
                    status=status,
                    citations=citations,
                )
                events.insert(0, said)
            told = outgoing_events(events, last_seq=outbox_seq)
            followed = await runs.finish(
                End(
                    run_id=run.run_id,
                    chat_id=run.chat_id,
                    fence=run.fence,
                    status=outcome.status,
                    answer_id=run.answer_id,
                    seq=message_seq,
                    text=outcome.text,
                    message_status=status,
                    citations=citations or None,
                    error_code=outcome.error.code if outcome.error else None,
                    usage=outcome.answer.usage if outcome.answer else None,
                ),
                told,
            )
            if followed is None:
                raise _lost()
        durable = Durable(run.chat_id, run.fence, told)
        RUN_SECONDS.observe(seconds)
        return durable, followed


def _lost() -> StaleFence:
    return StaleFence("Another node has taken this run over.")


_MESSAGE_STATUS = {"completed": "complete", "cancelled": "stopped", "failed": "failed"}


def _end_event(emitter: Emitter, outcome: Outcome, seconds: float) -> Event:
    abandoned = {"abandoned": True} if outcome.abandoned else {}
    if outcome.status == "cancelled":
        return emitter.make("run_cancelled", **abandoned)
    if outcome.error is not None:
        return emitter.make(
            "run_failed",
            code=outcome.error.code,
            message=outcome.error.message,
            retryable=outcome.error.temporary,
            **abandoned,
        )
    usage = outcome.answer.usage if outcome.answer else {}
    return emitter.make("run_completed", usage=usage, seconds=round(seconds, 3))
