"""What vehicles move among: whatever breaks while it is read, nothing of it is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.delivery_rules import DeliveryRules
from schemas.fences import Circle, Fence, FenceKind
from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.positions import Place
from services.people.store import Tenant, add_tenant
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.moment import system_clock
from services.runtime.open_stops import OpenStop
from services.tracking import fence_store
from services.tracking.ground import Ground
from services.tracking.tables import FENCES

PLACE = Place(lat=60.17, lon=24.94)


class Stops:
    """No open stops; or it breaks, as often as it is to."""

    def __init__(self) -> None:
        self.breaks: list[BaseException] = []
        self.reading = 0
        self.most = 0

    async def read(self, connection: AsyncConnection) -> Sequence[OpenStop]:
        del connection
        self.reading += 1
        self.most = max(self.most, self.reading)
        await asyncio.sleep(0)
        self.reading -= 1
        if self.breaks:
            raise self.breaks.pop()
        return ()


async def house(database: Database, *, off_route_m: float = 500) -> str:
    tenant = f"t-{new_id().hex[-12:]}"
    async with database.write() as connection:
        await add_tenant(connection, Tenant(tenant, "Roma", "EUR", system_clock()))
        rules = DeliveryRules(place=PLACE, off_route_m=off_route_m)
        orders = OrderRules(time_zone="Europe/Helsinki")
        await house_rules.write(connection, tenant, orders=orders, delivery=rules)
    return tenant


async def fence(database: Database, tenant: str, *names: str) -> None:
    circle = Circle(centre=PLACE, radius_m=500)
    wanted = {
        name: Fence(fence=name, name=name, kind=FenceKind.ZONE, circle=circle) for name in names
    }
    async with database.write() as connection:
        changes = fence_store.compared({}, wanted, replace=True)
        await fence_store.keep(connection, tenant, wanted, changes, system_clock())


async def spoil(database: Database, tenant: str, **columns: Any) -> None:
    """Write what only another release can read."""
    version = HOUSE_RULES.c.version + 1
    mine = update(HOUSE_RULES).where(HOUSE_RULES.c.tenant == tenant)
    async with database.write() as connection:
        await connection.execute(mine.values(version=version, **columns))


@pytest.mark.parametrize("error", [ConnectionResetError("away"), asyncio.CancelledError()])
async def test_a_look_that_breaks_half_way_is_looked_again(
    database: Database, error: BaseException
) -> None:
    tenant, stops = await house(database), Stops()
    await fence(database, tenant, "centre")
    ground = Ground(database, stops)
    stops.breaks.append(error)
    with pytest.raises(type(error)):
        await ground.look()
    assert tenant not in ground.houses
    await ground.look()
    assert ground.house(tenant).rules.place == PLACE
    assert ground.house(tenant).zone.key == "Europe/Helsinki"
    assert list(ground.house(tenant).fences) == ["centre"]


async def test_one_looks_at_a_time_and_who_has_looked_knows_all(database: Database) -> None:
    tenant, stops = await house(database), Stops()
    ground = Ground(database, stops)

    async def look() -> bool:
        await ground.look()
        return tenant in ground.houses

    assert await asyncio.gather(*(look() for _ in range(4))) == [True] * 4
    assert stops.most == 1


async def test_what_cannot_be_read_of_one_house_stays_as_it_was_and_stops_no_other(
    database: Database,
) -> None:
    spoilt, other = await house(database, off_route_m=700), await house(database)
    await fence(database, spoilt, "centre", "harbour")
    ground = Ground(database, Stops())
    await ground.look()
    await spoil(
        database,
        spoilt,
        delivery={"engine": "teleport"},
        orders={"time_zone": "Europe/Rome", "acceptance": "by-telepathy"},
    )
    await fence(database, other, "centre")
    mine = (FENCES.c.tenant == spoilt) & (FENCES.c.fence == "centre")
    async with database.write() as connection:
        odd = {"version": FENCES.c.version + 1000, "document": {"kind": "hologram"}}
        await connection.execute(update(FENCES).where(mine).values(odd))
    await ground.look()
    assert ground.house(spoilt).rules.off_route_m == 700
    assert sorted(ground.house(spoilt).fences) == ["centre", "harbour"]
    assert list(ground.house(other).fences) == ["centre"]
    # Who begins now knows of no time before: what is usual, and the fences that can be read.
    fresh = Ground(database, Stops())
    await fresh.look()
    assert fresh.house(spoilt).rules == DeliveryRules()
    assert list(fresh.house(spoilt).fences) == ["harbour"]
    assert fresh.house(other).rules.place == PLACE
