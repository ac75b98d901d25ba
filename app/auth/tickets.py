"""Tickets: a socket's credential for clients that can set no header. In Redis."""

import hashlib
import secrets
from typing import NamedTuple
from uuid import UUID

from redis.asyncio import Redis

from app.auth.types import Login
from app.kit.ids import LoginId, SessionId, parse_session_id
from app.storage.redis import redis_errors

TICKET_SECONDS = 60


class Ticket(NamedTuple):
    """What a ticket opens, and the sign-in it was given out under."""

    session_id: SessionId
    login_id: LoginId | None


class TicketStore:
    """Each ticket opens one socket of one session, once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, session_id: SessionId, login: Login | None) -> str:
        """Return a new ticket: 256 random bits, good for ``TICKET_SECONDS``.

        Args:
            session_id: which it opens.
            login: the sign-in it is given out under, if any; the ticket dies with it.
        """
        ticket = f"tkt_{secrets.token_urlsafe(32)}"
        value = f"{session_id} {login.id.hex if login else ''}"
        with redis_errors():
            await self._redis.set(_key(ticket), value, ex=TICKET_SECONDS)
        return ticket

    async def redeem(self, ticket: str) -> Ticket | None:
        """Return what a ticket opens, and void it; None if it is unknown, used or expired."""
        with redis_errors():
            found = await self._redis.getdel(_key(ticket))
        if not isinstance(found, bytes):
            return None
        session, _, login = found.decode().partition(" ")
        session_id = parse_session_id(session)
        if session_id is None:
            return None
        return Ticket(session_id, LoginId(UUID(login)) if login else None)


def _key(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
