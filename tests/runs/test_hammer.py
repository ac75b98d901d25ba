"""Everything at once, from two nodes, at random: what must hold then still holds."""

import asyncio
import contextlib
import random
from collections import Counter

import pytest

from app.embedded.servers import Addresses
from app.protocol.events import RUN_ENDS
from app.runs.errors import QueueFull, RunInProgress, RunNotFound
from app.runs.service import OnBusy
from app.sessions.types import Session
from tests.conftest import make_settings
from tests.runs.conftest import HASTY, PATIENT, begin
from tests.runs.fold import fold, from_snapshot
from tests.runs.scene import rows, until, vanish
from tests.runs.test_snapshot import start, take, told
from tests.support.node import Node

CHATS, HANDS, DEEDS = 3, 4, 12
BUSY: tuple[OnBusy, ...] = ("queue", "queue", "queue", "queue", "reject", "replace")
SCRIPTS = [
    "say:a",
    "say:a sleep:0.02 say:b",
    "say:a fail",
    "sleep:0.05",
    "progress:aggregating say:c",
]


async def one_hand(dice: random.Random, nodes: list[Node], sessions: list[Session]) -> None:
    """Send, resend, replace and cancel; refusals are part of it."""
    sent = [(sessions[0], "say:a", "first")]
    for number in range(DEEDS):
        runs, session = dice.choice(nodes).services.runs, dice.choice(sessions)
        with contextlib.suppress(RunNotFound, QueueFull, RunInProgress):
            match dice.randrange(6):
                case 0:
                    await runs.cancel(session.chat_id, session.owner, None)
                case 1:
                    again, text, key = dice.choice(sent)
                    await runs.accept(again, text, client_message_id=key)
                case _:
                    text, key = dice.choice(SCRIPTS), f"{number}-{dice.random()}"
                    sent.append((session, text, key))
                    busy = dice.choice(BUSY)
                    await runs.accept(session, text, client_message_id=key, on_busy=busy)
        await asyncio.sleep(dice.random() * 0.02)


async def all_rests(node: Node) -> bool:
    open_ = "SELECT 1 FROM runs WHERE ended_at IS NULL"
    return not await rows(node, open_) and not await rows(node, "SELECT 1 FROM outbox")


@pytest.mark.parametrize(("seed", "one_dies"), [(1, False), (3, True)])
async def test_whatever_happens_each_run_ends_once_and_nothing_is_lost(
    own: Addresses, seed: int, one_dies: bool
) -> None:
    dice = random.Random(seed)
    settings = make_settings(
        own,
        runs={**(HASTY if one_dies else PATIENT), "concurrency": 3},
        events={"relay_seconds": 0.2},
    )
    async with begin(settings) as here, begin(settings) as there:
        sessions = [await start(here) for _ in range(CHATS)]
        empty = [await take(here, session) for session in sessions]
        survivors = [there] if one_dies else [here, there]

        async with asyncio.TaskGroup() as group:
            for _ in range(HANDS):
                group.create_task(one_hand(random.Random(dice.random()), survivors, sessions))
            if one_dies:
                for session in sessions:
                    await here.services.runs.accept(session, "say:a sleep:0.3 say:b")
                vanish(here)
        await until(lambda: all_rests(there), seconds=20)

        for session, before in zip(sessions, empty, strict=True):
            await check(there, session, before)


async def check(node: Node, session: Session, before: dict[str, object]) -> None:
    events = await told(node, session.chat_id)
    runs = await rows(
        node, "SELECT id, status, fence, attempt FROM runs WHERE chat_id = :c", c=session.chat_id
    )
    messages = await rows(
        node,
        "SELECT seq, role, run_id FROM messages WHERE chat_id = :c ORDER BY seq",
        c=session.chat_id,
    )
    [(counted,)] = await rows(
        node, "SELECT message_count FROM chats WHERE id = :c", c=session.chat_id
    )

    ends = Counter(one["run_id"] for one in events if one["type"] in RUN_ENDS)
    assert ends == {str(run.id): 1 for run in runs}
    told_ends = {one["run_id"]: one["type"] for one in events if one["type"] in RUN_ENDS}
    assert told_ends == {str(run.id): f"run_{run.status}" for run in runs}
    assert [message.seq for message in messages] == list(range(1, counted + 1))
    questions = Counter(message.run_id for message in messages if message.role == "user")
    assert questions == {run.id: 1 for run in runs}
    fences = [run.fence for run in runs if run.fence]
    assert len(set(fences)) == len(fences)  # each claim had a number of its own
    _one_after_the_other(events)
    assert fold(from_snapshot(before), events)["runs"] == {}
    last = from_snapshot(await take(node, session))
    shown = fold(from_snapshot(before), events)["messages"]
    assert {key: shown[key] for key in last["messages"]} == last["messages"]


def _one_after_the_other(events: list[dict[str, str]]) -> None:
    """No run speaks before the one before it has ended."""
    running: str | None = None
    begun: set[str] = set()
    for event in events:
        run_id = event.get("run_id", "")
        if event["type"] in {"run_started", "run_resumed"}:
            assert running in {None, run_id}
            running = run_id
            begun.add(run_id)
        elif event["type"] in RUN_ENDS and run_id in begun:
            assert running == run_id
            running = None
        elif event["type"] not in {"user_message", "run_queued", *RUN_ENDS}:
            assert running == run_id
