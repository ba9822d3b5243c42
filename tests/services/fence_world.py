"""A house with fences on a database that others share, and a life that watches them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.delivery_rules import DeliveryRules
from schemas.fences import Fence
from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.positions import Place
from services.geography.sphere import Plane
from services.people.store import Tenant, add_tenant
from services.runtime import house_rules
from services.runtime.crossings import Crossing
from services.runtime.database import Database
from services.runtime.open_stops import OpenStop
from services.runtime.positions import VehicleKey
from services.tracking import fence_store
from services.tracking.crossing_rows import to_row
from services.tracking.fence_watch import FenceWatch, Leaver
from services.tracking.ground import Ground
from services.tracking.tables import CROSSINGS

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
PLACE = Place(lat=60.17, lon=24.94)

At = tuple[float, float, float]
"""Seconds after noon, metres to the east of the restaurant, metres to the north."""


class Doors:
    """Deliveries, as the watch sees them."""

    def __init__(self) -> None:
        self.open: list[OpenStop] = []

    async def read(self, connection: AsyncConnection) -> Sequence[OpenStop]:
        del connection
        return list(self.open)


class FenceWorld:
    """One restaurant.

    Args:
        database: at its newest version.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tenant = f"t-{new_id().hex[-12:]}"
        self.now = NOON
        self.doors = Doors()
        self.keys: list[VehicleKey] = []
        self.found: list[Crossing] = []

    async def open(self, *, zone: str = "UTC", place: Place | None = PLACE) -> None:
        async with self.database.write() as connection:
            await add_tenant(connection, Tenant(self.tenant, "Roma", "EUR", self.now))
            rules = DeliveryRules(place=place)
            orders = OrderRules(time_zone=zone)
            await house_rules.write(connection, self.tenant, orders=orders, delivery=rules)
        await self.live()

    async def live(self) -> None:
        """Begin a life, which knows what stands in the rows alone."""
        self.ground = Ground(self.database, self.doors)
        self.watch = FenceWatch(self.database, self.ground, lambda: self.now)
        self.keys = []
        await self.watch.start()

    async def fence(self, *fences: Fence, replace: bool = True) -> None:
        """Import fences, and look at them."""
        wanted = {each.fence: each for each in fences}
        async with self.database.write() as connection:
            before = await fence_store.every(connection, self.tenant)
            changes = fence_store.compared(before, wanted, replace=replace)
            await fence_store.keep(connection, self.tenant, wanted, changes, self.now)
        await self.ground.look()

    async def bring(self, *doors: OpenStop) -> None:
        """Say what there is to bring."""
        self.doors.open = list(doors)
        await self.ground.look()

    def door(
        self, vehicle: str, stop: int, east: float, *, order: UUID | None = None, bag: bool = True
    ) -> OpenStop:
        lat, lon = self.at(east, 0.0)
        return OpenStop(self.tenant, vehicle, order or new_id(), stop, lat, lon, bag)

    def at(self, east: float, north: float) -> tuple[float, float]:
        lat, lon = Plane(PLACE.lat, PLACE.lon).to_degrees(east, north)
        return float(lat), float(lon)

    async def rides(self, vehicle: str, *way: At, tenant: str | None = None) -> list[str]:
        """Take fixes of a vehicle in one tick, keep what it crossed, and say it shortly."""
        key = tenant or self.tenant, vehicle
        if key not in self.keys:
            self.keys.append(key)
        places = [self.at(east, north) for _, east, north in way]
        crossings = self.watch.crossed(
            self.keys,
            np.full(len(way), self.keys.index(key), dtype=np.int32),
            np.array([NOON.timestamp() + seconds for seconds, _, _ in way]),
            np.array([lat for lat, _ in places]),
            np.array([lon for _, lon in places]),
        )
        self.found += crossings
        if crossings:
            async with self.database.write() as connection:
                rows = [to_row(each, self.now) for each in crossings]
                await connection.execute(CROSSINGS.insert(), rows)
        return [
            f"{each.what.value} {each.fence} {(each.at - NOON).total_seconds():g}"
            for each in crossings
        ]

    def left(self) -> dict[Leaver, float]:
        """Who of the house has left where they have to stay, and when."""
        found = self.watch.left().items()
        return {leaver: since for leaver, since in found if leaver[0][0] == self.tenant}

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)
