"""Somebody comes back at the very moment in which their chat is swept."""

import asyncio

import pytest
from sqlalchemy import text

from app.auth.tokens import Tokens
from app.auth.types import Caller
from app.chats.errors import ChatNotFound
from app.chats.repository import ChatRepository
from app.chats.service import ChatService
from app.kit.ids import ChatId, VisitorId, new_chat_id, new_session_id, new_visitor_id
from app.ownership.forgetting import delete_rows
from app.ownership.repository import OwnershipRepository
from app.ownership.types import Counts
from app.sessions.repository import SessionRepository
from app.sessions.service import SessionService
from app.sessions.types import NewSession, Session
from app.settings import SessionSettings
from app.users.types import Owner
from tests.ownership.scene import DAY, DUE, Scene
from tests.support.until import until

SECRET = b"a secret that is only good for tests, 32 bytes or more"


async def waits_for_a_lock(scene: Scene) -> bool:
    """Whether a statement on the test's database is held up by another."""
    return bool(
        await scene.sql(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
    )


def session_on(chat_id: ChatId | None, visitor: VisitorId | None = None) -> NewSession:
    return NewSession(
        session_id=new_session_id(),
        chat_id=chat_id or new_chat_id(),
        user_id=None,
        visitor_id=visitor or new_visitor_id(),
        agent="a",
        metadata="{}",
        new_chat=chat_id is None,
        visitor_hash=b"hash",
        idempotency_hash=None,
    )


def sessions_of(scene: Scene) -> SessionService:
    return SessionService(
        postgres=scene.postgres,
        chats=ChatService(postgres=scene.postgres),
        tokens=Tokens(SECRET),
        settings=SessionSettings(),
        has_agent=lambda name: name == "a",
        default_agent="a",
    )


async def test_a_chat_somebody_is_just_coming_back_to_stays(scene: Scene) -> None:
    chat = await scene.chat(age=DUE)
    async with scene.postgres.unit() as db:
        [session] = await SessionRepository(db).start([session_on(chat)], ttl_seconds=DAY)
        assert session is not None

        await scene.retention.sweep()  # and does not wait either

    assert await scene.has(chat)
    await scene.retention.sweep()
    assert await scene.has(chat)


async def test_what_is_decided_counts_what_was_committed_before_the_lock(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is stored after the sweep began, and before it has the chat's row."""
    chat = await scene.chat(age=DUE)
    lock = ChatRepository.lock_anonymous_for_system

    async def late(self: ChatRepository, **given: object) -> object:
        await self._db.execute(text("SELECT now()"))  # the sweep's transaction has begun
        await scene.session(chat)
        return await lock(self, **given)  # type: ignore[arg-type] # passed on as it came

    monkeypatch.setattr(ChatRepository, "lock_anonymous_for_system", late)

    await scene.retention.sweep()

    assert await scene.has(chat)


@pytest.mark.parametrize("key", [None, "a key"])
async def test_a_session_on_a_chat_that_is_going_is_refused(scene: Scene, key: str | None) -> None:
    visitor = new_visitor_id()
    chat = await scene.chat(age=DUE, visitor=visitor)
    caller, service = Caller(Owner(None, visitor), None, ""), sessions_of(scene)
    writing = asyncio.create_task(service.run())
    try:
        async with scene.postgres.unit() as db:
            await delete_rows(db, [chat], Counts())
            coming = asyncio.create_task(
                service.start(caller, agent=None, chat_id=chat, metadata=None, idempotency_key=key)
            )
            await until(lambda: waits_for_a_lock(scene))
        with pytest.raises(ChatNotFound):
            await coming
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    assert await scene.left("chats", "sessions") == {}


async def test_whoever_begins_at_the_same_moment_is_served(scene: Scene) -> None:
    """Sessions of several people are stored by one statement."""
    chat = await scene.chat(age=DUE)
    items = [session_on(chat), session_on(None), session_on(await scene.chat())]

    async def begin() -> list[Session | None]:
        async with scene.postgres.statement() as db:
            return await SessionRepository(db).start(items, ttl_seconds=DAY)

    async with scene.postgres.unit() as db:
        await delete_rows(db, [chat], Counts())
        coming = asyncio.create_task(begin())
        await until(lambda: waits_for_a_lock(scene))

    assert [one and one.session_id for one in await coming] == [
        None,
        items[1].session_id,
        items[2].session_id,
    ]


async def test_a_visitor_who_comes_back_while_they_are_deleted_is_served(scene: Scene) -> None:
    visitor = new_visitor_id()
    await scene.sql("INSERT INTO visitors (id, secret_hash) VALUES (:id, '')", id=visitor)

    async with scene.postgres.unit() as db:
        assert await OwnershipRepository(db).delete_visitors([visitor]) == 1
        coming = asyncio.create_task(scene.session(visitor=visitor))
        await until(lambda: waits_for_a_lock(scene))

    assert await coming is not None
    assert await scene.left("visitors", "chats") == {"visitors": 1, "chats": 1}


async def test_a_visitor_who_has_just_come_back_is_not_deleted(scene: Scene) -> None:
    visitor = new_visitor_id()
    await scene.sql("INSERT INTO visitors (id, secret_hash) VALUES (:id, '')", id=visitor)
    item = session_on(await scene.chat(), visitor)
    async with scene.postgres.unit() as db:
        await SessionRepository(db).start([item], ttl_seconds=DAY)

        async with scene.postgres.unit() as other:
            assert await OwnershipRepository(other).delete_visitors([visitor]) == 0

    async with scene.postgres.unit() as db:
        assert await OwnershipRepository(db).delete_visitors([visitor]) == 0
