"""Events to append, chats to append them to, and a look at what is there."""

from typing import Any

from redis.asyncio import Redis
from sqlalchemy import text

from app.chats.repository import ChatRepository
from app.events.log import EventLog, Outgoing
from app.events.outbox import Durable, EventPublisher
from app.kit.ids import ChatId, new_chat_id, uuid7
from app.protocol.codec import decode, encode
from app.protocol.events import Event, event
from app.protocol.replay import Entry
from app.storage.postgres import Postgres


def outgoing(name: str, *, seq: int = 0, size: int = 0) -> Outgoing:
    """Return an event that is known by its key."""
    payload = {"type": "title_changed", "key": name, "title": "x" * size}
    return Outgoing(encode(payload), name, seq)


def names(entries: list[Entry]) -> list[str]:
    return [entry.key for entry in entries]


async def history(event_log: EventLog, chat_id: ChatId) -> list[str]:
    """Return the keys of a chat's whole log; fails if the numbers are not 1, 2, 3, …"""
    slice_ = await event_log.read(chat_id, first=1, limit=100_000)
    assert [entry.offset for entry in slice_.entries] == list(range(1, slice_.top.offset + 1))
    assert all(decode(entry.payload)["key"] == entry.key for entry in slice_.entries)
    return names(slice_.entries)


async def keys_of(redis: Redis, chat_id: ChatId) -> dict[str, int]:
    """Return the seconds each of a chat's keys has left."""
    found: list[bytes] = [key async for key in redis.scan_iter(match=f"*{chat_id}*", count=1000)]
    return {key.decode(): int(await redis.ttl(key)) for key in found}


async def new_chat(postgres: Postgres) -> ChatId:
    """Store a chat without messages."""
    chat_id, visitor_id = new_chat_id(), uuid7()
    async with postgres.unit() as db:
        await db.execute(
            text("INSERT INTO visitors (id, secret_hash) VALUES (:id, '')"), {"id": visitor_id}
        )
        await db.execute(
            text(
                "INSERT INTO chats (id, visitor_id, agent, thread_id)"
                " VALUES (:id, :visitor_id, 'a', :id)"
            ),
            {"id": chat_id, "visitor_id": visitor_id},
        )
    return chat_id


def durable_event(title: str) -> Event:
    return event("title_changed", timestamp="2026-01-01T00:00:00.000Z", title=title)


async def commit(
    publisher: EventPublisher,
    postgres: Postgres,
    chat_id: ChatId,
    *titles: str,
    fence: int = 0,
    age_seconds: float = 0,
) -> Durable:
    """Commit durable events as the service does, and publish nothing yet."""
    async with postgres.unit() as db:
        numbers = await ChatRepository(db).advance_for_system(chat_id, events=len(titles))
        assert numbers is not None
        durable = await publisher.store(
            db,
            chat_id,
            [durable_event(title) for title in titles],
            last_seq=numbers.outbox_seq,
            fence=fence,
        )
        await db.execute(
            text(
                "UPDATE outbox SET created_at = now() - make_interval(secs => :age)"
                " WHERE chat_id = :chat_id"
            ),
            {"age": age_seconds, "chat_id": chat_id},
        )
    return durable


async def titles(event_log: EventLog, chat_id: ChatId) -> list[Any]:
    """Return what the chat's log says, in order."""
    slice_ = await event_log.read(chat_id, first=1, limit=100_000)
    assert [entry.offset for entry in slice_.entries] == list(range(1, slice_.top.offset + 1))
    return [decode(entry.payload)["title"] for entry in slice_.entries]


async def unsent(postgres: Postgres, chat_id: ChatId) -> list[int]:
    """Return the numbers of the chat's rows in the outbox."""
    async with postgres.statement() as db:
        rows = await db.execute(
            text("SELECT seq FROM outbox WHERE chat_id = :id ORDER BY seq"), {"id": chat_id}
        )
        return [row.seq for row in rows]


async def copy_of(redis: Redis, chat_id: ChatId) -> dict[str, bytes]:
    """Return a chat's keys as a replica holds them now."""
    names = [f"{{{chat_id}}}:meta", f"{{{chat_id}}}:log"]
    copies = [await redis.dump(name) for name in names]
    return {name: copy for name, copy in zip(names, copies, strict=True) if copy is not None}


async def go_back(redis: Redis, copy: dict[str, bytes]) -> None:
    """Have Redis fail over to that replica."""
    for name, value in copy.items():
        await redis.restore(name, 0, value, replace=True)
