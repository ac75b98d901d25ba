"""Executes runs, listening on no port, until it is told to stop."""

import asyncio
import sys
from collections.abc import Sequence

import structlog

from app.agents.types import Agent
from app.background import Work, calm_collector, running
from app.events.log import Publication
from app.kit.errors import AppError
from app.kit.ids import ChatId
from app.node import Node, open_node
from app.runs.signals import parse_signal
from app.settings import BadSettings, Settings
from app.stopping import Stopper
from app.threads import use_threads

log = structlog.get_logger()


async def work_node(settings: Settings, *, agents: Sequence[Agent] = ()) -> None:
    """Execute runs until a signal says to stop, with ``agents`` beside the built-in one.

    Raises:
        BadSettings: there would be nothing for it to do.
    """
    if settings.runs.concurrency == 0:
        raise BadSettings(
            "COLLOQUY_RUNS__CONCURRENCY is 0: a worker would execute nothing. Give it another"
            " value, or --concurrency."
        )
    use_threads()
    async with open_node(settings, agents=agents) as node, running(_background(node)):
        calm_collector()
        await _until_stopped(node)


async def _until_stopped(node: Node) -> None:
    stopped = asyncio.Event()
    stopper = Stopper(
        drain=node.worker.drain, seconds=node.settings.runs.drain_seconds, stop=stopped.set
    )
    async with asyncio.TaskGroup() as group:
        stopper.listen(group)
        most = node.settings.runs.concurrency
        sys.stdout.write(f"Colloquy's worker is ready. It executes {most} runs at once.\n")
        sys.stdout.flush()
        await stopped.wait()
        stopper.done()


class _Nobody:
    """Who hears of events on a node without sockets."""

    def deliver(self, chat_id: ChatId, publication: Publication) -> None: ...

    def resubscribed(self, chat_id: ChatId) -> None: ...


def _background(node: Node) -> list[Work]:
    def on_signal(data: bytes) -> None:
        node.on_signal(parse_signal(data))

    return [
        *node.background(),
        lambda: node.follower.run(_Nobody(), on_signal=on_signal),
        lambda: _beat(node),
    ]


async def _beat(node: Node) -> None:
    """Say in Redis that this node is there, until cancelled."""
    while True:
        try:
            await node.liveness.beat({})
        except AppError as error:
            log.warning("beat_failed", code=error.code)
        await asyncio.sleep(node.settings.liveness.beat_seconds)
