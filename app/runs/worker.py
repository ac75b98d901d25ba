"""Executes runs on this node: drives their graphs, renews their leases, hands them over."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from app.agents.executor import Executor
from app.agents.registry import AgentRegistry
from app.agents.types import Task
from app.events.errors import StaleFence
from app.events.outbox import Durable, EventPublisher
from app.kit.clock import Clock
from app.kit.errors import AppError, Unavailable
from app.kit.ids import NodeId, RunId
from app.observability.metrics import RUNS_ENDED, RUNS_RUNNING
from app.runs.claims import Claims
from app.runs.emitter import Emitter
from app.runs.ending import Ending
from app.runs.execution import Execution
from app.runs.repository import RunRepository
from app.runs.signals import Signals
from app.runs.types import Candidate, Claim
from app.settings import RunSettings
from app.storage.postgres import Postgres

log = structlog.get_logger()

T = TypeVar("T")

_CLAIMS_AT_ONCE = 8
_HANDOVER_SECONDS = 6  # a graph that does not let itself be stopped is left alone before
_WISHES = 256  # cancels that came while their run was being claimed


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
        self._places_taken = 0  # for runs that are being accepted or claimed
        self._is_full = False  # work was left for want of a place
        self._wishes: deque[RunId] = deque(maxlen=_WISHES)
        self._woken = asyncio.Event()
        self._draining = False
        self._winding_down = False
        self._handing_over = False

    @property
    def running(self) -> int:
        """How many runs are executed here."""
        return len(self._running)

    def has_agent(self, name: str) -> bool:
        """Whether this node can execute runs of that agent."""
        return name in self._agents

    def take_place(self) -> bool:
        """Keep a place for one more run, if there is one.

        Each place taken is used by ``start`` or given back.
        """
        if self._draining or self._room() <= 0:
            return False
        self._places_taken += 1
        return True

    def give_back(self) -> None:
        """Let go of a place that was taken."""
        self._places_taken -= 1
        if self._is_full or self._draining:
            self._woken.set()

    def start(self, run: Claim, first: Durable) -> None:
        """Execute a run this node has claimed, after publishing what its claim committed.

        Uses up a place.
        """
        self._places_taken -= 1
        execution = Execution(
            run,
            agent=self._agents.get(run.agent),
            task=_task(run),
            executor=self._executor,
            settings=self._settings,
            clock=self._clock,
        )
        if run.stopping or run.run_id in self._wishes:
            execution.halt("cancel")
        if self._winding_down:
            execution.wind_down()
        if self._handing_over:
            execution.halt("handover")
        self._running[run.run_id] = execution
        if not self._begin(self._execute(execution, first), f"run {run.run_id}"):
            del self._running[run.run_id]  # its lease lapses, and another node begins

    def announce(self, durable: Durable) -> None:
        """Publish committed events that begin no run here, and let work be looked for."""
        self._begin(self._announce(durable), f"announce {durable.chat_id}")

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work`` to its end even if the caller is cancelled meanwhile.

        Raises:
            Unavailable: the node is stopping; nothing was begun.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if not self._begin(_settle(work, answer), "finish"):
            work.close()
            raise Unavailable("This node is stopping.", retry_after_ms=1_000)
        return await asyncio.shield(answer)

    def cancel(self, run_id: RunId) -> bool:
        """Stop a run if it is executed here; tell whether it is."""
        execution = self._running.get(run_id)
        if execution is None:
            self._wishes.append(run_id)  # its claim may be under way here
            return False
        execution.halt("cancel")
        return True

    def wake(self) -> None:
        """Look for work now rather than at the next poll."""
        self._woken.set()

    async def run(self) -> None:
        """Own the runs' tasks until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._woken.set()  # there may be work that has waited for a node
            group.create_task(self._heartbeat())
            if self._settings.concurrency:
                group.create_task(self._look_for_work())

    async def drain(self, seconds: float) -> None:
        """Take nothing new; let runs finish for ``seconds``, then hand the rest over. After
        half of the time runs are handed over as soon as they come to the end of a step.
        """
        self._draining = True
        await self._idle_within(seconds / 2)
        self._winding_down = True
        for execution in list(self._running.values()):
            execution.wind_down()
        await self._idle_within(seconds / 2)
        self._handing_over = True
        for execution in list(self._running.values()):
            execution.halt("handover")
        await self._idle_within(_HANDOVER_SECONDS)

    async def _idle_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._running or self._places_taken:
                    self._woken.clear()
                    await self._woken.wait()

    def _room(self) -> int:
        return self._settings.concurrency - len(self._running) - self._places_taken

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> bool:
        """Begin a task; False if the node is stopping and nothing begins any more."""
        try:
            self._tasks.create_task(work, name=name)
        except RuntimeError:
            work.close()
            return False
        return True

    @property
    def _tasks(self) -> asyncio.TaskGroup:
        if self._group is None:
            raise RuntimeError("the worker is not running")
        return self._group

    # One run

    async def _execute(self, execution: Execution, first: Durable) -> None:
        run = execution.run
        structlog.contextvars.bind_contextvars(chat_id=str(run.chat_id), run_id=str(run.run_id))
        RUNS_RUNNING.set(len(self._running))
        emitter = Emitter(
            run,
            first=first,
            publisher=self._publisher,
            settings=self._settings,
            clock=self._clock,
            on_stale=lambda: execution.halt("lost"),
        )
        has_ended = followed = False
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(emitter.pump())
                try:
                    outcome = await execution.outcome(self._tasks, emitter)
                finally:
                    emitter.close()  # ends the pump, even one that a cancel has passed by
            if outcome is not None:
                followed = await self._ending.end(execution, emitter, outcome)
                has_ended = True
                RUNS_ENDED.labels(outcome.status).inc()
            elif execution.stop == "handover":
                await self._hand_over(run)
            else:  # its lease lapses, and whoever claims it goes on
                log.warning("run_lost", attempt=run.attempt)
        except StaleFence:
            log.warning("run_lost", attempt=run.attempt)
        except AppError as error:  # its lease lapses, and somebody tries again
            log.warning("run_left", code=error.code, **error.context)
        except Exception:
            log.exception("run_crashed")
        finally:
            if self._running.get(run.run_id) is execution:
                del self._running[run.run_id]
            RUNS_RUNNING.set(len(self._running))
            if followed or self._is_full or self._draining:
                self._woken.set()
        if followed and self._draining:
            await self._wake_others()
        if has_ended:
            await self._ending.tidy(execution.task)

    async def _hand_over(self, run: Claim) -> None:
        async with self._postgres.statement() as db:
            await RunRepository(db).release(run.run_id, run.fence)
        await self._wake_others()

    async def _wake_others(self) -> None:
        try:
            await self._signals.send("wake")
        except AppError as error:  # they find the work by their poll
            log.warning("wake_failed", code=error.code)
        except Exception:
            log.exception("wake_crashed")

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
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            held = dict(self._running)
            if not held:
                continue
            try:
                await self._renew(held)
            except AppError as error:
                log.warning("heartbeat_failed", code=error.code)
            except Exception:
                log.exception("heartbeat_crashed")
            for execution in held.values():
                if not execution.holds():
                    execution.halt("lost")

    async def _renew(self, held: dict[RunId, Execution]) -> None:
        asked_at = self._clock.monotonic()
        async with self._postgres.statement() as db:
            leases = await RunRepository(db).renew(
                list(held), node=self._node, lease_seconds=self._settings.lease_seconds
            )
        ours = {lease.run_id: lease for lease in leases}
        for run_id, execution in held.items():
            lease = ours.get(run_id)
            if lease is None or lease.fence != execution.run.fence:
                execution.halt("lost")
                continue
            execution.renewed(asked_at)
            if lease.cancel_requested_at is not None:
                execution.halt("cancel")

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
                await self._claim_all()
            except AppError as error:
                log.warning("claim_failed", code=error.code)
            except Exception:
                log.exception("claim_crashed")

    async def _claim_all(self) -> None:
        """Claim until nothing is left, or no place."""
        while True:
            limit = min(self._room(), _CLAIMS_AT_ONCE)
            self._is_full = limit <= 0
            if self._is_full:
                return
            candidates = await self._claims.candidates(agents=self._agents.names, limit=limit)
            progressed = False
            for candidate in candidates:
                # one of our own whose lease lapsed: the heartbeat renews it or gives it up
                if candidate.run_id in self._running or not self.take_place():
                    continue
                claimed = await self._claim(candidate)
                progressed = progressed or claimed
            if not progressed or len(candidates) < limit:
                return

    async def _claim(self, candidate: Candidate) -> bool:
        """Claim and start one run, in a place that was taken. What fails with it holds up no
        other candidate.
        """
        claimed = None
        try:
            claimed = await self._claims.claim(candidate)
        except AppError as error:
            log.warning("claim_failed", run_id=str(candidate.run_id), code=error.code)
        except Exception:
            log.exception("claim_crashed", run_id=str(candidate.run_id))
        finally:
            if claimed is None:
                self.give_back()
        if claimed is not None:
            self.start(*claimed)
        return claimed is not None


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
    finally:
        answer.cancel()  # the process ends: nobody must wait for ever


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
