"""One process serves; the next stands by, and takes over by itself."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import Role
from schemas.kitchen import BumpTicket, HearTickets
from schemas.orders import CloseOrder, OrderStatus
from services.kitchen.store import TICKETS
from services.runtime.database import Database
from services.runtime.lease import is_held, lease
from tests.brokers import PrivateMosquitto
from tests.spoken import order
from tests.system import RunningSystem, running_system, until

KILL = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


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
    async with asyncio.timeout(10):
        await standing_by
    assert taken.is_set()
    assert not await is_held(database)
    await other.close()


async def test_a_lease_whose_connection_dies_is_lost(postgresql_url: str) -> None:
    one, other = Database(postgresql_url), Database(postgresql_url)
    async with asyncio.timeout(20), lease(one) as lost:
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


async def kill_lease(connection: AsyncConnection) -> None:
    await connection.execute(KILL)


def test_services_that_serve_again_remember_nothing_of_before(
    mosquitto_broker: PrivateMosquitto, postgresql_url: str
) -> None:
    with running_system(mosquitto_broker, postgresql_url) as first:
        tenant = first.add_tenant()
        second = RunningSystem(mosquitto_broker, postgresql_url)
        try:
            with tenant.speaker() as pos, tenant.speaker(Role.KITCHEN_DISPLAY) as kds:
                placed = pos.accepted(order("burger"))
                second.start(wait=False)
                # The first loses its lease, and queues behind the second for the next.
                first.writing(kill_lease)
                second.wait_ready()
                (ticket_id,) = [row["ticket_id"] for row in tenant.rows(TICKETS)]
                kds.accepted(HearTickets(ticket_ids=(ticket_id,)))
                kds.accepted(BumpTicket(ticket_id=ticket_id))
                second.stop()
                until(first.served.backbone.ready.is_set, "the first to serve again")
                closed = pos.accepted(CloseOrder(order_id=placed.order_id))
                assert closed.status is OrderStatus.CLOSED
        finally:
            second.close()
