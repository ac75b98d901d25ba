"""Executes runs on this node: drives their graphs, renews their leases, hands them over."""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from app.agents.executor import Executor
from app.agents.registry import AgentRegistry
from app.agents.types import Agent, Answer, Progress, Task, Words
from app.events.errors import StaleFence
from app.events.outbox import Durable, EventPublisher
from app.kit.clock import Clock
from app.kit.errors import AppError
from app.kit.ids import NodeId, RunId
from app.observability.metrics import RUNS_ENDED, RUNS_RUNNING
from app.protocol.events import PROGRESS_TYPES
from app.runs.claims import Claims
from app.runs.emitter import Emitter
from app.runs.ending import Ending, Outcome
from app.runs.errors import RunTimeout
from app.runs.repository import RunRepository
from app.runs.signals import Signals
from app.runs.types import Claim
from app.sessions.errors import UnknownAgent
from app.settings import RunSettings
from app.storage.postgres import Postgres

log = structlog.get_logger()

T = TypeVar("T")

_CLAIMS_AT_ONCE = 8
_ABANDON_SECONDS = 5  # a graph that does not let itself be stopped is left alone after this


@dataclass(slots=True, eq=False)
class Execution:
    """A run in this process: its task drives the graph and nothing else."""

    run: Claim
    drive: asyncio.Task[Outcome] | None = None
    stop: str | None = None  # why it was halted: cancel, lost, handover
    halted_at: float = 0.0


class RunWorker:
    """The runs of this node, at most ``settings.concurrency`` at once.

    Each task catches everything at its top: one run's bug must not end the others.
    """

    def __init__(
        self,
        *,
        postgres: Postgres,
        publisher: EventPublisher,
        agents: AgentRegistry,
        executor: Executor,
        claims: Claims,
        ending: Ending,
        signals: Signals,
        settings: RunSettings,
        clock: Clock,
        node: NodeId,
    ) -> None:
        self._postgres = postgres
        self._publisher = publisher
        self._agents = agents
        self._executor = executor
        self._claims = claims
        self._ending = ending
        self._signals = signals
        self._settings = settings
        self._clock = clock
        self._node = node
        self._group: asyncio.TaskGroup | None = None
        self._running: dict[RunId, Execution] = {}
        self._woken = asyncio.Event()
        self._draining = False

    @property
    def running(self) -> int:
        """How many runs are executed here."""
        return len(self._running)

    def has_room(self) -> bool:
        return not self._draining and len(self._running) < self._settings.concurrency

    def start(self, run: Claim, first: Durable) -> None:
        """Execute a run this node has claimed, after publishing what its claim committed."""
        execution = self._running[run.run_id] = Execution(run)
        self._spawn(self._execute(execution, first), f"run {run.run_id}")

    def announce(self, durable: Durable) -> None:
        """Publish committed events that begin no run here, and let work be looked for."""
        self._spawn(self._announce(durable), f"announce {durable.chat_id}")

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work`` to its end even if the caller is cancelled meanwhile."""
        if self._group is None:
            raise RuntimeError("the worker is not running")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._group.create_task(_settle(work, answer))
        return await asyncio.shield(answer)

    def cancel(self, run_id: RunId) -> bool:
        """Stop a run if it is executed here; tell whether it is."""
        execution = self._running.get(run_id)
        if execution is not None:
            self._halt(execution, "cancel")
        return execution is not None

    def wake(self) -> None:
        """Look for work now rather than at the next poll."""
        self._woken.set()

    async def run(self) -> None:
        """Own the runs' tasks until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._heartbeat())
            group.create_task(self._look_for_work())

    async def drain(self, seconds: float) -> None:
        """Take nothing new; let runs finish for ``seconds``, then hand the rest over."""
        self._draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle()
        for execution in list(self._running.values()):
            self._halt(execution, "handover")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ABANDON_SECONDS):
                await self._idle()

    async def _idle(self) -> None:
        while self._running:
            self._woken.clear()
            await self._woken.wait()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if self._group is None:
            raise RuntimeError("the worker is not running")
        self._group.create_task(work, name=name)

    def _halt(self, execution: Execution, why: str) -> None:
        """Stop driving the graph. The first reason wins."""
        if execution.stop is None:
            execution.stop = why
            execution.halted_at = self._clock.monotonic()
            if execution.drive is not None:
                execution.drive.cancel()

    # One run

    async def _execute(self, execution: Execution, first: Durable) -> None:
        run = execution.run
        structlog.contextvars.bind_contextvars(chat_id=str(run.chat_id), run_id=str(run.run_id))
        RUNS_RUNNING.set(len(self._running))
        task = _task(run)
        agent = self._agents.get(run.agent)
        followed = False
        try:
            emitter = Emitter(
                run,
                first=first,
                publisher=self._publisher,
                settings=self._settings,
                clock=self._clock,
                on_stale=lambda: self._halt(execution, "lost"),
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(emitter.pump())
                outcome = await self._outcome(execution, agent, task, emitter)
                emitter.close()
            if execution.stop == "handover":
                async with self._postgres.statement() as db:
                    await RunRepository(db).release(run.run_id, run.fence)
            elif outcome is not None:
                followed = await self._ending.end(run, agent, task, emitter, outcome)
                RUNS_ENDED.labels(outcome.status).inc()
        except StaleFence:
            log.warning("run_lost", attempt=run.attempt)
        except AppError as error:  # its lease lapses, and somebody tries again
            log.warning("run_left", code=error.code, **error.context)
        except Exception:
            log.exception("run_crashed")
        finally:
            del self._running[run.run_id]
            RUNS_RUNNING.set(len(self._running))
            if followed or self._draining:
                self._woken.set()
        await self._ending.tidy(task)

    async def _outcome(
        self, execution: Execution, agent: Agent | None, task: Task, emitter: Emitter
    ) -> Outcome | None:
        """Drive the graph; return how it ended, or None if that is no longer ours to say."""
        if execution.run.stopping:
            self._halt(execution, "cancel")
        if execution.stop is None and self._group is not None:
            drive = self._group.create_task(self._drive(agent, task, emitter))
            execution.drive = drive
            while not drive.done() and not self._is_abandoned(execution):
                await asyncio.wait({drive}, timeout=1)
            if drive.done() and not drive.cancelled():
                return drive.result()
            if not drive.done():
                log.error("run_abandoned")  # a thread of it may still be at work; it is fenced
        if execution.stop == "cancel":
            return Outcome("cancelled", emitter.text)
        return None

    def _is_abandoned(self, execution: Execution) -> bool:
        waited = self._clock.monotonic() - execution.halted_at
        return execution.stop is not None and waited > _ABANDON_SECONDS

    async def _drive(self, agent: Agent | None, task: Task, emitter: Emitter) -> Outcome:
        answer: Answer | None = None
        try:
            if agent is None:
                raise UnknownAgent("The agent of this chat does not exist here any more.")
            async with asyncio.timeout(self._settings.timeout_seconds):
                async for step in self._executor.stream(agent, task):
                    if isinstance(step, Words):
                        emitter.say(step.text)
                    elif isinstance(step, Answer):
                        answer = step
                    else:
                        _tell(emitter, step)
        except TimeoutError:
            return Outcome("failed", emitter.text, error=RunTimeout("The answer took too long."))
        except AppError as error:
            log.warning("run_failed", code=error.code, **error.context)
            return Outcome("failed", emitter.text, error=error)
        except Exception:  # whatever a graph raises ends its own run only, and is not shown
            log.exception("agent_crashed", agent=agent.name if agent else None)
            return Outcome(
                "failed", emitter.text, error=AppError("Something went wrong while answering.")
            )
        return Outcome("completed", answer.text if answer else emitter.text, answer=answer)

    async def _announce(self, durable: Durable) -> None:
        try:
            await self._publisher.publish_durable(durable)
            await self._signals.send("wake")
        except StaleFence:
            log.warning("announcement_overtaken", chat_id=str(durable.chat_id))
        except AppError as error:  # others find the work by their poll
            log.warning("announce_failed", code=error.code)
        except Exception:
            log.exception("announce_crashed")
        self._woken.set()

    # Upkeep

    async def _heartbeat(self) -> None:
        """Renew leases; notice runs that were lost or that their person wants stopped."""
        renewed_at = self._clock.monotonic()
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            held = dict(self._running)
            if not held:
                renewed_at = self._clock.monotonic()
                continue
            try:
                async with self._postgres.statement() as db:
                    leases = await RunRepository(db).renew(
                        list(held), node=self._node, lease_seconds=self._settings.lease_seconds
                    )
            except AppError as error:
                log.warning("heartbeat_failed", code=error.code)
                if self._clock.monotonic() - renewed_at > self._settings.lease_seconds:
                    for execution in held.values():
                        self._halt(execution, "lost")
                continue
            except Exception:
                log.exception("heartbeat_crashed")
                continue
            renewed_at = self._clock.monotonic()
            ours = {lease.run_id: lease for lease in leases}
            for run_id, execution in held.items():
                lease = ours.get(run_id)
                if lease is None or lease.fence != execution.run.fence:
                    if run_id in self._running and execution.drive and not execution.drive.done():
                        self._halt(execution, "lost")
                elif lease.cancel_requested_at is not None:
                    self._halt(execution, "cancel")

    async def _look_for_work(self) -> None:
        """Claim runs whenever there may be some and there is room."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.poll_seconds):
                    await self._woken.wait()
            if self._draining:
                await asyncio.sleep(self._settings.poll_seconds)
                continue
            self._woken.clear()
            try:
                await self._claim_some()
            except AppError as error:
                log.warning("claim_failed", code=error.code)
            except Exception:
                log.exception("claim_crashed")

    async def _claim_some(self) -> None:
        room = self._settings.concurrency - len(self._running)
        if room <= 0:
            return
        for candidate in await self._claims.candidates(
            chat_id=None, limit=min(room, _CLAIMS_AT_ONCE)
        ):
            claimed = await self._claims.claim(candidate)
            if claimed is not None:
                self.start(*claimed)


async def _settle(work: Coroutine[Any, Any, T], answer: asyncio.Future[T]) -> None:
    """Hand ``work``'s result or error to whoever waits, never to the task group."""
    try:
        result = await work
    except Exception as error:  # noqa: BLE001 - it belongs to the caller
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # seen: the caller may be gone
    else:
        if not answer.done():
            answer.set_result(result)


def _task(run: Claim) -> Task:
    return Task(
        run_id=run.run_id,
        chat_id=run.chat_id,
        session_id=run.session_id,
        user_id=run.owner.user_id,
        thread_id=run.thread_id,
        message_id=run.message_id,
        text=run.text,
    )


def _tell(emitter: Emitter, step: Progress) -> None:
    if step.name in PROGRESS_TYPES:
        emitter.emit(step.name, **step.payload)
    elif step.name == "custom":
        emitter.emit("custom", **step.payload)
    else:
        emitter.emit("custom", name=step.name, payload=dict(step.payload))
