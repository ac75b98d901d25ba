"""A chat is deleted in an order that leaves nothing behind, wherever it is interrupted."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from structlog.testing import LogCapture

from app.agents import checkpoints
from app.embedded.servers import Addresses
from app.kit.errors import Unavailable
from app.kit.ids import ChatId
from app.ownership.forgetting import delete_rows
from app.ownership.types import Counts
from tests.ownership.scene import DUE, TABLES, THREADS, Scene, scene_on
from tests.support.proxy import Proxies, proxied


@pytest.fixture
async def proxies(own: Addresses) -> AsyncIterator[Proxies]:
    async with proxied(own) as one:
        yield one


@pytest.fixture
async def behind(proxies: Proxies) -> AsyncIterator[Scene]:
    """A node whose stores can be taken away from it."""
    async with scene_on(proxies.addresses) as one:
        yield one


async def test_a_node_that_dies_after_the_rows_leaves_the_rest_to_the_next(
    scene: Scene, told: LogCapture
) -> None:
    chat = await scene.chat(age=DUE)
    counts = Counts()
    async with scene.postgres.unit() as db:
        await delete_rows(db, [chat], counts)
    assert counts == {"chats": 1, "messages": 2}
    assert set(await scene.left()) == {"visitors", *THREADS, "forgotten_chats"}

    await scene.retention.sweep()

    assert await scene.left() == {"forgotten_chats": 1}
    assert await scene.keys(chat) == 0
    assert told.entries[0]["checkpoints"] == 6


async def test_a_node_that_dies_while_it_clears_is_followed_by_the_next(scene: Scene) -> None:
    await scene.chat(age=DUE)
    async with scene.postgres.unit() as db:
        await delete_rows(
            db, [ChatId(row.id) for row in await scene.sql("SELECT id FROM chats")], Counts()
        )
    async with scene.postgres.unit() as db:
        assert len(await scene.forgetting.take_due(db, limit=9)) == 1

    await scene.retention.sweep()
    assert set(THREADS) <= set(await scene.left())  # it may only be slow

    await scene.pass_time()
    await scene.retention.sweep()
    assert await scene.left() == {"forgotten_chats": 1}


async def test_without_redis_the_rows_go_and_the_keys_later(
    scene: Scene, behind: Scene, proxies: Proxies, told: LogCapture
) -> None:
    chat = await scene.chat(age=DUE)
    await proxies.redis.cut()

    with pytest.raises(Unavailable):
        await behind.retention.sweep()
    assert await scene.left() == {"visitors": 1, "forgotten_chats": 1}
    assert await scene.keys(chat) == 2

    await proxies.redis.restore()
    await scene.pass_time()
    await behind.retention.sweep()
    assert await scene.left() == {"forgotten_chats": 1}
    assert await scene.keys(chat) == 0
    assert [{k: v for k, v in one.items() if isinstance(v, int)} for one in told.entries] == [
        {"chats": 1, "messages": 2, "checkpoints": 6},
        {"visitors": 1, "keys": 2},
    ]


async def test_without_postgres_nothing_goes(
    scene: Scene, behind: Scene, proxies: Proxies, told: LogCapture
) -> None:
    chat = await scene.chat(age=DUE)
    before = await scene.left()
    await proxies.postgres.cut()

    with pytest.raises(Unavailable):
        await behind.retention.sweep()

    assert await scene.left() == before
    assert await scene.keys(chat) == 2
    assert told.entries == []


async def test_rows_that_are_rolled_back_leave_everything_as_it_was(scene: Scene) -> None:
    chat = await scene.chat(age=DUE)
    before = await scene.left()

    async def die() -> None:
        async with scene.postgres.unit() as db:
            await delete_rows(db, [chat], Counts())
            raise RuntimeError("the node dies")

    with pytest.raises(RuntimeError):
        await die()

    assert await scene.left() == before


async def test_what_a_cancelled_run_writes_late_is_found_and_goes(
    scene: Scene, told: LogCapture
) -> None:
    chat = await scene.chat(age=DUE)
    await scene.retention.sweep()

    await scene.write_late(chat)
    await scene.checkpoint(chat)
    await scene.event_log.read(chat)  # a follower that came late makes a key
    await scene.retention.sweep()
    assert (await scene.left())["checkpoint_writes"] == 2  # there may be more to come

    await scene.pass_time()
    await scene.retention.sweep()
    assert await scene.left() == {}
    assert await scene.keys(chat) == 0
    last = told.entries[-1]
    assert (len(told.entries), last["orphans"], last["keys"]) == (2, 4, 1)
    assert "checkpoints" not in last


async def test_threads_of_others_in_the_same_tables_stay(scene: Scene) -> None:
    """They look as ours do: UUIDs, a run_id, and no chat."""
    chat = await scene.chat(age=DUE)
    others: list[object] = [uuid4(), "thread-7", f"{chat}-2"]
    for thread in others:
        await scene.checkpoint(thread)

    for _ in range(2):
        await scene.retention.sweep()
        await scene.pass_time()

    rows = await scene.sql("SELECT DISTINCT thread_id FROM checkpoint_writes ORDER BY 1")
    assert {row.thread_id for row in rows} == {str(thread) for thread in others}
    assert await scene.left() == dict.fromkeys(THREADS, 3)


async def test_a_chat_deleted_by_a_cascade_or_by_hand_is_cleared_as_well(scene: Scene) -> None:
    user = await scene.user()
    chats = [await scene.chat(user=user), await scene.chat(user=user), await scene.chat()]

    await scene.sql("DELETE FROM users WHERE id = :id", id=user)
    await scene.sql("DELETE FROM chats WHERE id = :id", id=chats[2])
    await scene.retention.sweep()

    assert await scene.left() == {"forgotten_chats": 3}
    assert [await scene.keys(one) for one in chats] == [0, 0, 0]


async def test_a_chat_whose_row_was_put_back_keeps_its_thread(scene: Scene) -> None:
    chat = await scene.chat()
    await scene.sql("DELETE FROM chats WHERE id = :id", id=chat)
    await scene.sql(
        "INSERT INTO chats (id, visitor_id, agent, thread_id) SELECT :id, id, 'a', :id"
        " FROM visitors",
        id=chat,
    )
    assert (await scene.left("forgotten_chats")) == {"forgotten_chats": 1}

    await scene.retention.sweep()

    assert await scene.left() == {"chats": 1, "visitors": 1} | dict.fromkeys(THREADS, 2)
    assert await scene.keys(chat) == 2


async def test_a_long_thread_goes_a_little_at_a_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_FORGET_AT_ONCE", 3)
    chat, other = await scene.chat(messages=10), await scene.chat(messages=1)

    counts = await scene.forgetting.forget_chats([chat])

    assert counts["checkpoints"] == 30
    assert (await scene.left("chats", *THREADS)) == dict.fromkeys(["chats", *THREADS], 1)
    assert await scene.has(other)


async def test_anyones_chats_can_be_forgotten_at_once_and_again(scene: Scene) -> None:
    user = await scene.user()
    chats = [await scene.chat(user=user), await scene.chat(messages=1)]
    stays = await scene.chat(user=user)

    counts = await scene.forgetting.forget_chats(chats)

    assert +counts == {"chats": 2, "messages": 3, "checkpoints": 9, "keys": 4, "visitors": 1}
    assert [await scene.keys(one) for one in [*chats, stays]] == [0, 0, 2]
    tables = dict.fromkeys(["messages", "runs", "outbox", *THREADS, "forgotten_chats"], 2)
    assert await scene.left() == tables | {"chats": 1, "sessions": 1}

    assert not +await scene.forgetting.forget_chats(chats)
    assert (await scene.left("forgotten_chats")) == {"forgotten_chats": 2}  # one look remains


async def test_without_a_store_forgetting_says_so_and_retention_does_the_rest(
    scene: Scene, behind: Scene, proxies: Proxies
) -> None:
    chat = await scene.chat()
    await proxies.redis.cut()

    with pytest.raises(Unavailable):
        await behind.forgetting.forget_chats([chat])
    assert await scene.left(*TABLES) == {"visitors": 1}

    assert (await scene.forgetting.forget_chats([chat]))["keys"] == 2
    assert await scene.left() == {"forgotten_chats": 1}
