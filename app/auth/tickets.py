"""Tickets: a socket's credential for clients that can set no header. In Redis."""

import hashlib
import secrets

from redis.asyncio import Redis

from app.kit.ids import SessionId, parse_session_id
from app.storage.redis import redis_errors

TICKET_SECONDS = 60


class TicketStore:
    """Each ticket opens one socket of one session, once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, session_id: SessionId) -> str:
        """Return a new ticket: 256 random bits, good for ``TICKET_SECONDS``."""
        ticket = f"tkt_{secrets.token_urlsafe(32)}"
        with redis_errors():
            await self._redis.set(_key(ticket), session_id, ex=TICKET_SECONDS)
        return ticket

    async def redeem(self, ticket: str) -> SessionId | None:
        """Return whose ticket it is, and void it; None if it is unknown, used or expired."""
        with redis_errors():
            found = await self._redis.getdel(_key(ticket))
        return parse_session_id(found.decode()) if isinstance(found, bytes) else None


def _key(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
