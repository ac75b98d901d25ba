"""Units of work on a real server: what is kept, what is not, and what "not now" looks like."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.embedded.servers import Addresses
from app.kit.errors import Unavailable
from app.kit.ids import uuid7
from app.settings import DatabaseSettings
from app.storage.postgres import Postgres
from tests.support.proxy import LOST, proxied

IMPATIENT = DatabaseSettings(pool_size=2, connect_seconds=1, statement_seconds=0.3)
ADD = text("INSERT INTO visitors (id, secret_hash) VALUES (:id, 'x')")
TOUCH = text("UPDATE visitors SET secret_hash = 'y' WHERE id = :id")
COUNT = text("SELECT count(*) FROM visitors WHERE id = :id")


@pytest.fixture
async def visitor(postgres: Postgres) -> UUID:
    """Return the id of a row that is nobody else's."""
    row_id = uuid7()
    async with postgres.statement() as db:
        await db.execute(ADD, {"id": row_id})
    return row_id


async def stored(postgres: Postgres, row_id: object) -> bool:
    async with postgres.statement() as db:
        return bool(await db.scalar(COUNT, {"id": row_id}))


async def test_a_unit_is_kept_when_it_ends(postgres: Postgres) -> None:
    row_id = uuid7()

    async with postgres.unit() as db:
        await db.execute(ADD, {"id": row_id})
        assert not await stored(postgres, row_id)

    assert await stored(postgres, row_id)


async def test_nothing_of_a_unit_that_fails_is_kept(postgres: Postgres) -> None:
    row_id = uuid7()

    async def fail_halfway() -> None:
        async with postgres.unit() as db:
            await db.execute(ADD, {"id": row_id})
            raise KeyError

    with pytest.raises(KeyError):
        await fail_halfway()

    assert not await stored(postgres, row_id)
    assert postgres.in_use == 0


async def test_each_statement_is_kept_by_itself(postgres: Postgres) -> None:
    row_id = uuid7()

    async def fail_halfway() -> None:
        async with postgres.statement() as db:
            await db.execute(ADD, {"id": row_id})
            raise KeyError

    with pytest.raises(KeyError):
        await fail_halfway()

    assert await stored(postgres, row_id)


async def test_a_broken_rule_is_not_called_unavailable(postgres: Postgres) -> None:
    row_id = uuid7()
    async with postgres.statement() as db:
        await db.execute(ADD, {"id": row_id})

    with pytest.raises(IntegrityError):
        async with postgres.statement() as db:
            await db.execute(ADD, {"id": row_id})


async def test_a_mistake_in_a_statement_is_not_called_unavailable(postgres: Postgres) -> None:
    with pytest.raises(DBAPIError):
        async with postgres.statement() as db:
            await db.exec_driver_sql("SELEKT 1")


async def test_no_free_connection_is_unavailable_and_passes(stores: Addresses) -> None:
    postgres = Postgres(stores.database_url, IMPATIENT)

    async with postgres.statement(), postgres.statement():
        assert postgres.in_use == 2
        with pytest.raises(Unavailable) as caught:
            async with postgres.statement():
                raise AssertionError

    assert caught.value.retry_after_ms
    assert postgres.in_use == 0
    assert not await stored(postgres, uuid7())
    await postgres.close()


async def test_a_statement_that_takes_too_long_is_unavailable(stores: Addresses) -> None:
    postgres = Postgres(stores.database_url, IMPATIENT)

    with pytest.raises(Unavailable):
        async with postgres.statement() as db:
            await db.exec_driver_sql("SELECT pg_sleep(5)")

    assert not await stored(postgres, uuid7())
    await postgres.close()


async def test_a_deadlock_is_unavailable_for_one_and_nothing_for_the_other(
    stores: Addresses,
) -> None:
    """Batches of counters from two nodes can meet like this, and used to be thrown away."""
    postgres = Postgres(stores.database_url, DatabaseSettings(pool_size=3))
    first, second = uuid7(), uuid7()
    for row_id in (first, second):
        async with postgres.statement() as db:
            await db.execute(ADD, {"id": row_id})
    both = asyncio.Barrier(2)

    async def cross(one: object, other: object) -> None:
        async with postgres.unit() as db:
            await db.exec_driver_sql("SET LOCAL deadlock_timeout = '20ms'")
            await db.execute(TOUCH, {"id": one})
            await both.wait()
            await db.execute(TOUCH, {"id": other})

    outcomes = await asyncio.gather(
        cross(first, second), cross(second, first), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Unavailable"]
    await postgres.close()


async def test_a_server_that_goes_away_is_unavailable_until_it_is_back(stores: Addresses) -> None:
    async with proxied(stores) as proxies:
        postgres = Postgres(proxies.addresses.database_url, DatabaseSettings(pool_size=2))
        assert not await stored(postgres, uuid7())

        await proxies.postgres.cut()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await stored(postgres, uuid7())
        await proxies.postgres.restore()

        assert not await stored(postgres, uuid7())
        assert postgres.in_use == 0
        await postgres.close()


async def test_a_server_that_hangs_is_unavailable_in_time(stores: Addresses) -> None:
    async with proxied(stores) as proxies:
        postgres = Postgres(proxies.addresses.database_url, IMPATIENT)
        assert not await stored(postgres, uuid7())

        proxies.postgres.stall()
        async with asyncio.timeout(3):
            with pytest.raises(Unavailable):
                await stored(postgres, uuid7())
        await proxies.postgres.restore()

        assert not await stored(postgres, uuid7())
        await postgres.close()


async def test_a_lock_that_is_not_to_be_had_soon_is_unavailable(
    postgres: Postgres, visitor: UUID
) -> None:
    async with postgres.unit() as db:
        await db.execute(TOUCH, {"id": visitor})
        with pytest.raises(Unavailable):
            async with asyncio.timeout(3), postgres.unit(lock_seconds=0.05) as other:
                await other.execute(TOUCH, {"id": visitor})


async def test_what_a_node_locked_that_is_gone_is_free_again_soon(
    stores: Addresses, postgres: Postgres, visitor: UUID
) -> None:
    """Postgres kept its transactions for as long as TCP believed in it: for hours."""
    async with proxied(stores) as proxies:
        gone = Postgres(proxies.addresses.database_url, IMPATIENT)

        had: list[UUID] = []

        async def lose_power() -> None:
            async with gone.unit() as db:
                await db.execute(TOUCH, {"id": visitor})
                proxies.postgres.fault(up=LOST, down=LOST)

                async with asyncio.timeout(3), postgres.unit() as other:
                    await other.execute(TOUCH, {"id": visitor})
                    had.append(visitor)

        with pytest.raises(Unavailable):  # it cannot commit
            await lose_power()
        await gone.close()
    assert had == [visitor]


async def test_a_transaction_that_was_idle_for_too_long_is_unavailable(stores: Addresses) -> None:
    postgres = Postgres(stores.database_url, IMPATIENT)

    async def dawdle() -> None:
        async with postgres.unit() as db:
            await db.execute(COUNT, {"id": uuid7()})
            await asyncio.sleep(2 * IMPATIENT.statement_seconds)
            await db.execute(COUNT, {"id": uuid7()})

    with pytest.raises(Unavailable):
        await dawdle()

    assert not await stored(postgres, uuid7())
    await postgres.close()


async def test_a_cancelled_statement_gives_its_connection_back(stores: Addresses) -> None:
    postgres = Postgres(stores.database_url, DatabaseSettings(pool_size=1))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), postgres.statement() as db:
            await db.exec_driver_sql("SELECT pg_sleep(5)")

    assert postgres.in_use == 0
    assert not await stored(postgres, uuid7())
    await postgres.close()
