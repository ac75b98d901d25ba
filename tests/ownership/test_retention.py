"""What retention deletes and what it keeps, how much at once, and what it says of it."""

import asyncio
from collections import Counter

import pytest
from structlog.testing import LogCapture

from app.embedded.servers import Addresses
from app.kit.ids import new_visitor_id
from app.observability.metrics import REGISTRY
from app.ownership import retention
from app.ownership.repository import OwnershipRepository
from tests.ownership.scene import DAY, DUE, LATELY, TABLES, THREADS, Scene, scene_on


def sums(told: LogCapture) -> Counter[str]:
    """Add up what was logged; nothing else may have been."""
    total: Counter[str] = Counter()
    for entry in told.entries:
        assert entry["event"] == "retention_swept"
        total.update({key: n for key, n in entry.items() if isinstance(n, int)})
    return total


async def test_a_visitors_chat_goes_with_everything_that_hangs_on_it(
    scene: Scene, told: LogCapture
) -> None:
    chat = await scene.chat(age=DUE)
    before = await scene.left()
    assert before == dict.fromkeys([*TABLES, *THREADS], 1) | dict.fromkeys(
        ["messages", "runs", "outbox", *THREADS], 2
    )
    assert await scene.keys(chat) == 2

    await scene.retention.sweep()

    assert await scene.left() == {"forgotten_chats": 1}
    assert await scene.keys(chat) == 0
    assert sums(told) == {"chats": 1, "messages": 2, "checkpoints": 6, "keys": 2, "visitors": 1}

    await scene.pass_time()
    await scene.retention.sweep()

    assert await scene.left() == {}
    assert len(told.entries) == 1


async def test_a_chat_whose_last_session_ran_out_lately_stays(scene: Scene) -> None:
    chat = await scene.chat(age=LATELY)
    before = await scene.left()

    await scene.retention.sweep()

    assert await scene.left() == before
    assert await scene.keys(chat) == 2


async def test_a_chat_that_was_taken_up_again_stays(scene: Scene) -> None:
    ended, live = await scene.chat(age=DUE), await scene.chat(age=DUE)
    await scene.session(ended)
    await scene.sql(
        "UPDATE sessions SET status = 'completed' WHERE chat_id = :c AND expires_at > now()",
        c=ended,
    )
    await scene.session(live)

    await scene.retention.sweep()

    assert await scene.has(ended)
    assert await scene.has(live)
    assert (await scene.left())["checkpoints"] == 4


async def test_a_chat_in_which_something_was_said_lately_stays(scene: Scene) -> None:
    chat = await scene.chat(age=DUE)
    await scene.sql("UPDATE chats SET updated_at = now() WHERE id = :c", c=chat)

    await scene.retention.sweep()

    assert await scene.has(chat)


async def test_a_chat_in_which_nothing_was_said_goes_sooner(scene: Scene) -> None:
    said, empty = await scene.chat(age=3 * DAY), await scene.chat(age=3 * DAY, messages=0)
    fresh, held = await scene.chat(age=DAY, messages=0), await scene.chat(age=3 * DAY, messages=0)
    await scene.session(held)

    await scene.retention.sweep()

    assert [await scene.has(one) for one in (said, empty, fresh, held)] == [1, 0, 1, 1]


async def test_a_users_chat_stays_and_only_its_old_sessions_go(
    scene: Scene, told: LogCapture
) -> None:
    user = await scene.user()
    chat = await scene.chat(age=DUE, user=user)
    empty = await scene.chat(age=DUE, user=user, messages=0)
    young = await scene.chat(age=LATELY, user=user)
    before = await scene.left()

    await scene.retention.sweep()

    assert await scene.left() == before | {"sessions": 1}
    assert [await scene.has(one) for one in (chat, empty, young)] == [True, True, True]
    assert await scene.keys(chat) == 2
    assert sums(told) == {"sessions": 2}


async def test_an_old_session_goes_though_its_chat_is_in_use(scene: Scene) -> None:
    chat = await scene.chat(age=DUE)
    await scene.session(chat)

    await scene.retention.sweep()

    assert await scene.left("chats", "sessions") == {"chats": 1, "sessions": 1}


async def test_sessions_are_kept_for_as_long_as_they_tell_a_chats_age(scene: Scene) -> None:
    """Here the chat has been silent for 61 days, and open in a tab until 20 days ago."""
    chat = await scene.chat(age=40 * DAY)
    await scene.session(chat)
    await scene.age(chat, 21 * DAY)
    retention = scene.with_settings(session_seconds=DAY)

    await retention.sweep()

    assert await scene.left("chats", "sessions") == {"chats": 1, "sessions": 1}


async def test_a_chat_without_any_session_left_goes_by_its_last_message(scene: Scene) -> None:
    chat, young = await scene.chat(age=DUE), await scene.chat(age=LATELY)
    await scene.sql("DELETE FROM sessions")

    await scene.retention.sweep()

    assert [await scene.has(one) for one in (chat, young)] == [False, True]


@pytest.mark.parametrize("status", ["queued", "running"])
async def test_a_chat_somebody_works_in_stays_until_the_run_has_ended(
    scene: Scene, status: str
) -> None:
    chat = await scene.chat(age=DUE)
    run = await scene.run(chat, 3, status)

    await scene.retention.sweep()
    assert await scene.has(chat)
    assert (await scene.left())["checkpoints"] == 2

    await scene.sql("UPDATE runs SET status = 'failed' WHERE id = :id", id=run)
    await scene.retention.sweep()
    assert not await scene.has(chat)


async def test_a_run_that_waits_for_somebody_who_never_came_keeps_nothing(scene: Scene) -> None:
    chat = await scene.chat(age=DUE)
    await scene.run(chat, 3, "waiting")

    await scene.retention.sweep()

    assert await scene.left("chats", "runs", *THREADS) == {}


async def test_a_visitor_goes_with_the_last_of_their_chats(scene: Scene) -> None:
    visitor = new_visitor_id()
    await scene.chat(age=DUE, visitor=visitor)
    young = await scene.chat(age=LATELY, visitor=visitor)

    await scene.retention.sweep()
    assert await scene.left("chats", "visitors") == {"chats": 1, "visitors": 1}

    await scene.age(young, DUE)
    await scene.retention.sweep()
    assert await scene.left("chats", "visitors") == {}

    assert await scene.session(visitor=visitor)  # the cookie is still good
    assert await scene.left("visitors") == {"visitors": 1}


async def test_nought_keeps_for_good(scene: Scene) -> None:
    await scene.chat(age=9_999 * DAY)
    await scene.chat(age=9_999 * DAY, messages=0)
    retention = scene.with_settings(anonymous_seconds=0, empty_seconds=0)

    await retention.sweep()

    assert await scene.left("chats", "sessions") == {"chats": 2}


async def test_a_backlog_goes_in_many_short_transactions(
    scene: Scene, told: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    take_turn = OwnershipRepository.take_turn

    async def counted(self: OwnershipRepository) -> bool:
        nonlocal turns
        turns += 1
        return await take_turn(self)

    monkeypatch.setattr(OwnershipRepository, "take_turn", counted)
    chats = [await scene.chat(age=DUE + n) for n in range(7)]
    for used in chats[2:4]:  # a whole page of which nothing goes
        await scene.session(used)
    user = await scene.user()
    for _ in range(3):
        await scene.chat(age=DUE, user=user, messages=0)

    await scene.with_settings(batch=2).sweep()

    assert [await scene.has(one) for one in chats] == [0, 0, 1, 1, 0, 0, 0]
    swept = sums(told)
    assert (swept["chats"], swept["sessions"], swept["visitors"]) == (5, 5, 5)
    assert turns == 1 + 4 + 3 + 3  # empty chats, chats, sessions, notes


async def test_chats_of_many_messages_go_one_by_one(
    scene: Scene, told: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_MESSAGES_AT_ONCE", 3)
    chats = [await scene.chat(age=DUE - n, messages=n) for n in (4, 1, 2, 5, 1)]

    await scene.retention.sweep()

    assert not any([await scene.has(one) for one in chats])
    assert sums(told)["messages"] == 13


async def test_nothing_is_said_when_there_was_nothing_to_do(scene: Scene, told: LogCapture) -> None:
    await scene.chat()

    await scene.retention.sweep()

    assert told.entries == []


async def test_what_was_deleted_is_counted_for_the_operator(scene: Scene) -> None:
    def counted(what: str) -> float:
        name = "colloquy_retention_deleted_total"
        return REGISTRY.get_sample_value(name, {"what": what}) or 0

    before = counted("chats"), counted("messages")
    await scene.chat(age=DUE)

    await scene.retention.sweep()

    assert (counted("chats"), counted("messages")) == (before[0] + 1, before[1] + 2)


async def test_nodes_that_sweep_at_once_do_everything_once(
    scene: Scene, own: Addresses, told: LogCapture
) -> None:
    chats = [await scene.chat(age=DUE, messages=1) for _ in range(20)]

    async with scene_on(own) as other:
        nodes = [scene.with_settings(batch=3), other.with_settings(batch=3)]
        await asyncio.gather(*(node.sweep() for node in nodes for _ in range(2)))
        for node in nodes:  # whoever found another at it has left
            await node.sweep()

    assert not any([await scene.has(one) for one in chats])
    assert sums(told) == {
        "chats": 20,
        "messages": 20,
        "visitors": 20,
        "checkpoints": 60,
        "keys": 40,
    }
    assert await scene.left() == {"forgotten_chats": 20}


async def test_a_node_leaves_the_work_to_the_one_that_is_at_it(
    scene: Scene, told: LogCapture
) -> None:
    chat = await scene.chat(age=DUE)

    async with scene.postgres.unit() as db:
        assert await OwnershipRepository(db).take_turn()
        await scene.retention.sweep()
        assert await scene.has(chat)
    assert told.entries == []

    await scene.retention.sweep()
    assert not await scene.has(chat)
