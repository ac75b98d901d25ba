"""A ticket opens one socket of one session, once, for a minute."""

import asyncio
import datetime as dt

import pytest
from redis.asyncio import Redis

from app.auth.tickets import TICKET_SECONDS, Ticket, TicketStore
from app.auth.types import Login
from app.kit.ids import UserId, new_login_id, new_session_id


async def test_a_ticket_names_its_session_once(redis: Redis) -> None:
    tickets = TicketStore(redis)
    session_id = new_session_id()
    ticket = await tickets.issue(session_id, None)

    assert await tickets.redeem(ticket) == Ticket(session_id, None)
    assert await tickets.redeem(ticket) is None


async def test_a_ticket_names_the_sign_in_it_was_given_out_under(redis: Redis) -> None:
    tickets, session_id = TicketStore(redis), new_session_id()
    login = Login(new_login_id(), UserId(7), dt.datetime.now(dt.UTC), 60)

    ticket = await tickets.issue(session_id, login)

    assert await tickets.redeem(ticket) == Ticket(session_id, login.id)


async def test_of_many_who_redeem_a_ticket_at_once_one_gets_it(redis: Redis) -> None:
    tickets = TicketStore(redis)
    ticket = await tickets.issue(new_session_id(), None)

    found = await asyncio.gather(*(tickets.redeem(ticket) for _ in range(20)))

    assert sum(one is not None for one in found) == 1


async def test_a_ticket_is_good_for_a_minute_and_never_kept_in_clear(redis: Redis) -> None:
    before = {key async for key in redis.scan_iter("ticket:*")}

    ticket = await TicketStore(redis).issue(new_session_id(), None)

    [key] = {key async for key in redis.scan_iter("ticket:*")} - before
    assert TICKET_SECONDS - 5 < await redis.ttl(key) <= TICKET_SECONDS
    assert ticket.encode() not in key


@pytest.mark.parametrize("ticket", ["", "tkt_", "\x00", "가" * 200])
async def test_rubbish_is_no_ticket(redis: Redis, ticket: str) -> None:
    assert await TicketStore(redis).redeem(ticket) is None
