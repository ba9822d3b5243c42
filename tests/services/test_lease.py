"""One process serves; the next stands by, and takes over by itself."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from schemas.orders import CloseOrder, OrderStatus
from services.kitchen.store import TICKETS
from services.runtime.database import Database
from services.runtime.lease import _LOCK, is_held, lease
from tests.brokers import PrivateMosquitto
from tests.patience import PATIENCE_S
from tests.spoken import order
from tests.system import RunningSystem, running_system, until

KILL = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

TAKE = text("SELECT pg_advisory_lock(:key)").bindparams(key=_LOCK)
IN_LINE = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
MAKE_READY = text("UPDATE orders SET status = 'ready', version = 7")


async def test_the_second_waits_for_the_first_and_takes_over(
    database: Database, database_url: str
) -> None:
    other = Database(database_url)
    assert not await is_held(other)
    taken = asyncio.Event()

    async def stand_by() -> None:
        async with lease(other) as lost:
            taken.set()
            assert not lost.is_set()

    async with lease(database) as lost:
        assert await is_held(other)
        standing_by = asyncio.create_task(stand_by())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(taken.wait(), 0.7)  # longer than it sleeps between looks
        assert not lost.is_set()
    async with asyncio.timeout(PATIENCE_S):
        await standing_by
    assert taken.is_set()
    assert not await is_held(database)
    await other.close()


async def test_a_lease_whose_connection_dies_is_lost(postgresql_url: str) -> None:
    one, other = Database(postgresql_url), Database(postgresql_url)
    async with asyncio.timeout(PATIENCE_S), lease(one) as lost:
        async with other.write() as connection:
            await connection.execute(KILL)
        async with lease(other) as mine:
            await lost.wait()
            assert not mine.is_set()
    await one.close()
    await other.close()


def test_services_that_stand_by_take_over_when_the_first_stop(own_system: RunningSystem) -> None:
    tenant = own_system.add_tenant()
    second = RunningSystem(own_system.broker, own_system.database_url)
    try:
        with tenant.speaker() as pos:
            first = pos.accepted(order("burger"))
            second.start(wait=False)
            pos.accepted(order("burger"))
            assert not second.served.backbone.ready.is_set()
            own_system.stop()
            second.wait_ready()
            again = pos.ask(order("burger"), first.order_id)
            assert again.result == first, "it knows what the first has answered"
            pos.accepted(order("burger"))
            assert [row["sequence"] for row in tenant.rows(TICKETS)] == [1, 2, 3]
    finally:
        second.close()


def test_services_that_serve_again_remember_nothing_of_before(
    mosquitto_broker: PrivateMosquitto, postgresql_url: str
) -> None:
    with running_system(mosquitto_broker, postgresql_url) as system:
        tenant = system.add_tenant()
        ready = system.served.backbone.ready
        with tenant.speaker() as pos:
            placed = pos.accepted(order("burger"))

            async def serve_in_between() -> None:
                other = Database(postgresql_url)

                async def take() -> None:
                    async with other.engine.connect() as connection:
                        # Unlike the services it waits in line, and so is always the next.
                        await connection.execute(TAKE)
                        while ready.is_set():  # noqa: ASYNC110 - nothing tells of it
                            await asyncio.sleep(0.01)
                        await connection.execute(MAKE_READY)
                        await connection.commit()
                        await connection.invalidate()

                taking = asyncio.create_task(take())
                async with other.write() as connection:
                    while not await connection.scalar(IN_LINE):  # noqa: ASYNC110 - the same
                        await asyncio.sleep(0.01)
                    await connection.execute(KILL)
                await taking
                await other.close()

            system.call(serve_in_between())
            until(ready.is_set, "the services to serve again")
            closed = pos.accepted(CloseOrder(order_id=placed.order_id))
            assert (closed.status, closed.version) == (OrderStatus.CLOSED, 8)
