"""One run in this process: its graph driven, stopped, or left alone."""

import asyncio
import contextlib
from typing import Literal

import structlog

from app.agents.executor import Drain, Drained, Executor
from app.agents.types import Agent, Answer, Task, Words
from app.events.errors import StaleFence
from app.kit.clock import Clock
from app.kit.errors import AppError, Unavailable
from app.runs.emitter import Emitter
from app.runs.errors import AnswerTooLong, RunTimeout, TooManyAttempts
from app.runs.steps import as_event
from app.runs.types import Claim, Outcome
from app.sessions.errors import UnknownAgent
from app.settings import RunSettings

log = structlog.get_logger()

Why = Literal["cancel", "lost", "handover"]

_ABANDON_SECONDS = 5  # a graph that does not let itself be stopped is left alone after this


class Execution:
    """A run and the task that drives its graph.

    Two tasks: ``outcome`` waits, and the drive does nothing but run the graph. The drive can
    be cancelled at any moment; should the graph not let go, it is left behind, fenced off
    from log and checkpoints, and the run ends without it.

    Args:
        run: what to execute, and the fence that proves it.
        agent: whose graph; None if it does not exist here any more.
        task: the run as the agent sees it.
        executor: runs the graph.
        settings: how long it may take, how much it may say.
        clock: for the lease.
    """

    def __init__(
        self,
        run: Claim,
        *,
        agent: Agent | None,
        task: Task,
        executor: Executor,
        settings: RunSettings,
        clock: Clock,
    ) -> None:
        self.run = run
        # where even making the thread fit has cost a node, it stays as it is
        self.agent = agent if run.losses <= settings.max_losses else None
        self.task = task
        self.stop: Why | None = None  # the first reason; what the run's end depends on
        self.leased_until = clock.monotonic() + settings.lease_seconds
        self._executor = executor
        self._settings = settings
        self._clock = clock
        self._drain = Drain()
        self._is_lost = False
        self._is_abandoned = False
        self._drive: asyncio.Task[Outcome | None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()  # the drive has ended, or has been waited for too long

    def halt(self, why: Why) -> None:
        """Stop driving the graph. The first reason wins, but what is lost stays lost."""
        self._is_lost = self._is_lost or why == "lost"
        if self.stop is not None:
            return
        self.stop = why
        if self._drive is not None and not self._drive.done():
            self._drive.cancel()
            self._wait_at_most(_ABANDON_SECONDS)

    def wind_down(self) -> None:
        """Stop between two steps of the graph, so that nothing has to be done again; a run
        that is at its last step ends.
        """
        self._drain.request()

    def holds(self) -> bool:
        """Whether the run is still this node's, as far as this node can know by itself."""
        return not self._is_lost and self._clock.monotonic() < self.leased_until

    def renewed(self, asked_at: float) -> None:
        """The lease counts anew from ``asked_at``, when Postgres was asked."""
        self.leased_until = asked_at + self._settings.lease_seconds

    async def outcome(self, group: asyncio.TaskGroup, emitter: Emitter) -> Outcome | None:
        """Drive the graph; return how it ended, or None if that is not ours to say. A run that
        has lost its node too often ends as failed, and its graph is not driven again.

        The drive belongs to ``group``, which outlives the run: an abandoned graph must not
        hold up its run's end.
        """
        if self.stop is not None:
            return self._verdict(None, emitter)
        if self.run.losses >= self._settings.max_losses:
            log.error("run_given_up", losses=self.run.losses)
            error = TooManyAttempts("The answer failed again and again.")
            return Outcome("failed", "", error=error)
        self._drive = drive = group.create_task(self._work(emitter))
        drive.add_done_callback(lambda _: self._over.set())
        self._wait_at_most(self._settings.timeout_seconds + _ABANDON_SECONDS)
        try:
            await self._over.wait()
        except BaseException:
            drive.cancel()
            raise
        finally:
            self._wait_at_most(None)
        if drive.done():
            return self._verdict(None if drive.cancelled() else drive.result(), emitter)
        self._is_abandoned = True
        log.error("run_abandoned")  # a thread of it may still be at work
        outcome = self._verdict(_timed_out(emitter), emitter)
        return outcome and outcome._replace(abandoned=True)

    def _wait_at_most(self, seconds: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = None if seconds is None else loop.call_later(seconds, self._over.set)

    def _verdict(self, ended: Outcome | None, emitter: Emitter) -> Outcome | None:
        if self.stop is None:
            return ended
        if ended is not None and ended.status == "completed":
            return ended  # it was done before it heard; the fence decides whether it counts
        if self.stop == "cancel" and not self._is_lost:
            return Outcome("cancelled", emitter.text)
        return None

    def _graph_may_write(self) -> bool:
        return self.holds() and not self._is_abandoned

    async def _work(self, emitter: Emitter) -> Outcome | None:
        """Run the graph to its end. Never raises but for being cancelled."""
        limit = asyncio.timeout(self._settings.timeout_seconds)
        try:
            async with limit:
                answer = await self._stream(emitter)
        except Drained:
            self.stop = self.stop or "handover"
            return None
        except (StaleFence, Unavailable) as error:
            # Not ours any more, or its checkpoints cannot be reached: what is done is kept,
            # and somebody goes on when the lease has lapsed.
            log.warning("run_interrupted", code=error.code, **error.context)
            self._is_lost = self._is_lost or isinstance(error, StaleFence)
            self.stop = self.stop or "lost"
            return None
        except AppError as error:
            log.warning("run_failed", code=error.code, **error.context)
            return Outcome("failed", emitter.text, error=error)
        except (Exception, asyncio.CancelledError) as error:
            if _is_cancelled(error):
                raise
            if limit.expired() and isinstance(error, TimeoutError):
                return _timed_out(emitter)
            if self.stop is None:  # and none of it is shown
                log.error("agent_crashed", agent=self.run.agent, exc_info=error)
            message = "Something went wrong while answering."
            return Outcome("failed", emitter.text, error=AppError(message))
        return Outcome("completed", answer.text, answer=answer)

    async def _stream(self, emitter: Emitter) -> Answer:
        if self.agent is None:
            raise UnknownAgent("The agent of this chat does not exist here any more.")
        steps = self._executor.stream(
            self.agent,
            self.task,
            fence=self.run.fence,
            may_write=self._graph_may_write,
            drain=self._drain,
        )
        async with contextlib.aclosing(steps):
            async for step in steps:
                if self.stop is not None:  # the cancel was swallowed on its way here
                    raise asyncio.CancelledError
                if isinstance(step, Words):
                    emitter.say(step.text)
                elif isinstance(step, Answer):
                    if len(step.text) > self._settings.answer_chars:
                        raise AnswerTooLong("The answer grew too long.")
                    return step
                else:
                    type_, fields = as_event(step)
                    emitter.emit(type_, **fields)
        raise RuntimeError("the executor ended without an answer or an error")


def _is_cancelled(error: BaseException) -> bool:
    """Whether we cancelled the drive, rather than the graph itself."""
    task = asyncio.current_task()
    asked = task is not None and task.cancelling() > 0
    return asked and isinstance(error, asyncio.CancelledError)


def _timed_out(emitter: Emitter) -> Outcome:
    return Outcome("failed", emitter.text, error=RunTimeout("The answer took too long."))
