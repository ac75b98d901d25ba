"""Chats with everything that can hang on one, set back in time, and a look at what is left."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from redis.asyncio import Redis
from sqlalchemy import text

from app.agents.fenced import FencedSaver
from app.agents.saver import Savers, always, open_savers
from app.embedded.servers import Addresses
from app.events.log import EventLog
from app.kit.ids import (
    ChatId,
    UserId,
    VisitorId,
    new_chat_id,
    new_message_id,
    new_run_id,
    new_session_id,
    new_visitor_id,
)
from app.ownership.forgetting import Forgetting
from app.ownership.retention import Retention
from app.sessions.repository import SessionRepository
from app.sessions.types import NewSession
from app.settings import EventSettings, RetentionSettings, SessionSettings
from app.storage.postgres import Postgres
from app.storage.redis import connect
from tests.conftest import make_settings
from tests.events.scene import keys_of, outgoing

DAY = 86_400
DUE = 32 * DAY  # a session's day and thirty more, and one to spare
LATELY = 30 * DAY  # since it began: its session ran out 29 days ago

TABLES = ("chats", "messages", "runs", "outbox", "sessions", "visitors")
THREADS = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


class Scene:
    """One node's retention on stores that nobody else uses."""

    def __init__(self, *, postgres: Postgres, redis: Redis, savers: Savers, **kept: Any) -> None:
        self.postgres = postgres
        self.redis = redis
        self.savers = savers
        self.event_log = EventLog(redis, EventSettings())
        self.forgetting = Forgetting(
            postgres=postgres, savers=savers, event_log=self.event_log, late_seconds=DAY
        )
        self.retention = self.with_settings(**kept)

    def with_settings(self, **kept: Any) -> Retention:
        return Retention(
            postgres=self.postgres,
            forgetting=self.forgetting,
            settings=RetentionSettings(**{"pause_seconds": 0, **kept}),
            sessions=SessionSettings(),
        )

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.postgres.unit() as db:
            found = await db.execute(text(statement), values)
            return list(found) if found.returns_rows else []

    async def user(self) -> UserId:
        [row] = await self.sql("INSERT INTO users DEFAULT VALUES RETURNING id")
        return UserId(row.id)

    async def session(
        self,
        chat_id: ChatId | None = None,
        *,
        visitor: VisitorId | None = None,
        user: UserId | None = None,
    ) -> ChatId | None:
        """Begin a session, on a new chat unless one is given; None if that one is gone."""
        item = NewSession(
            session_id=new_session_id(),
            chat_id=chat_id or new_chat_id(),
            user_id=user,
            visitor_id=None if user else visitor or new_visitor_id(),
            agent="a",
            metadata="{}",
            new_chat=chat_id is None,
            visitor_hash=None if user else b"hash",
            idempotency_hash=None,
        )
        async with self.postgres.statement() as db:
            [session] = await SessionRepository(db).start([item], ttl_seconds=DAY)
        return session.chat_id if session else None

    async def chat(
        self,
        *,
        age: float = 0,
        messages: int = 2,
        visitor: VisitorId | None = None,
        user: UserId | None = None,
    ) -> ChatId:
        """Store a chat that was begun and last used ``age`` seconds ago."""
        chat_id = await self.session(visitor=visitor, user=user)
        assert chat_id is not None
        for seq in range(1, messages + 1):
            await self.message(chat_id, seq)
        await self.age(chat_id, age)
        return chat_id

    async def message(self, chat_id: ChatId, seq: int) -> None:
        """Store a message and its run, an event that waits in the outbox, and a checkpoint."""
        run = await self.run(chat_id, seq, "completed")
        given = {"id": new_message_id(), "chat": chat_id, "seq": seq, "run": run}
        await self.sql(
            "INSERT INTO messages (id, chat_id, seq, role, text, status, run_id)"
            " VALUES (:id, :chat, :seq, 'user', 'words', 'complete', :run)",
            **given,
        )
        await self.sql(
            "INSERT INTO outbox (chat_id, seq, fence, payload) VALUES (:chat, :seq, 0, '')",
            chat=chat_id,
            seq=seq,
        )
        await self.sql(
            "UPDATE chats SET message_count = :seq WHERE id = :chat", seq=seq, chat=chat_id
        )
        await self.event_log.append(chat_id, [outgoing(f"e{seq}")])
        await self.checkpoint(chat_id)

    async def run(self, chat_id: ChatId, seq: int, status: str) -> UUID:
        run_id = new_run_id()
        await self.sql(
            "INSERT INTO runs (id, chat_id, session_id, message_id, seq, answer_id, status)"
            " VALUES (:id, :chat, 's', :id, :seq, :id, :status)",
            id=run_id,
            chat=chat_id,
            seq=seq,
            status=status,
        )
        return run_id

    async def checkpoint(self, thread_id: object) -> None:
        """Write what LangGraph writes: a checkpoint, a blob of it, and what a task said."""
        point = empty_checkpoint()
        point["channel_values"] = {"said": ["words"]}
        at: RunnableConfig = {"configurable": {"thread_id": str(thread_id), "checkpoint_ns": ""}}
        at["metadata"] = {"run_id": str(uuid4())}
        versions: dict[str, str | int | float] = {"said": point["id"]}
        saver = FencedSaver(self.savers._pool, always)
        after = await saver.aput(at, point, {"source": "loop", "step": 1, "parents": {}}, versions)
        await saver.aput_writes(after, [("said", ["more"])], "task")

    async def write_late(self, chat_id: ChatId) -> None:
        """Write what a cancelled run's last task leaves behind, without any checkpoint."""
        at: RunnableConfig = {
            "configurable": {
                "thread_id": str(chat_id),
                "checkpoint_ns": "",
                "checkpoint_id": empty_checkpoint()["id"],
            }
        }
        await FencedSaver(self.savers._pool, always).aput_writes(
            at, [("__error__", "cancelled")], "task"
        )

    async def age(self, chat_id: ChatId, seconds: float) -> None:
        """Set the chat and its sessions back in time."""
        given = {"chat": chat_id, "age": seconds}
        await self.sql(
            "UPDATE chats SET created_at = created_at - make_interval(secs => :age),"
            " updated_at = updated_at - make_interval(secs => :age) WHERE id = :chat",
            **given,
        )
        await self.sql(
            "UPDATE sessions SET created_at = created_at - make_interval(secs => :age),"
            " expires_at = expires_at - make_interval(secs => :age),"
            " status = CASE WHEN expires_at - make_interval(secs => :age) <= now()"
            "  THEN 'expired' ELSE status END WHERE chat_id = :chat",
            **given,
        )

    async def pass_time(self) -> None:
        """Make every note due that waits for something."""
        await self.sql("UPDATE forgotten_chats SET due_at = now()")

    async def has(self, chat_id: ChatId) -> bool:
        return bool(await self.sql("SELECT 1 FROM chats WHERE id = :id", id=chat_id))

    async def left(self, *tables: str) -> dict[str, int]:
        """Count the rows of tables; those without any are left out."""
        counts = {}
        for table in tables or (*TABLES, *THREADS, "forgotten_chats"):
            [row] = await self.sql(f"SELECT count(*) AS n FROM {table}")
            counts[table] = int(row.n)
        return {table: n for table, n in counts.items() if n}

    async def keys(self, chat_id: ChatId) -> int:
        return len(await keys_of(self.redis, chat_id))


@asynccontextmanager
async def scene_on(addresses: Addresses, **kept: Any) -> AsyncIterator[Scene]:
    """Build one node's part of retention on these stores."""
    settings = make_settings(addresses)
    async with AsyncExitStack() as stack:
        postgres = Postgres(addresses.database_url, settings.database)
        stack.push_async_callback(postgres.close)
        redis = connect(addresses.redis_url, settings.redis)
        stack.push_async_callback(redis.aclose)
        savers = await stack.enter_async_context(
            open_savers(addresses.database_url, settings.database)
        )
        yield Scene(postgres=postgres, redis=redis, savers=savers, **kept)
