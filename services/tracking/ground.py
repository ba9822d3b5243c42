"""What vehicles move among: the houses' rules and fences, and the doors that couriers go to.

It is read from rows, twice a second, and stands in memory in between: no fix waits for it. What
of a row cannot be read, for another release may have written it, stays as it was: that is the
matter of one house, and of nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.delivery_rules import DeliveryRules
from schemas.fences import Fence
from schemas.house_rules import OrderRules
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES, delivery_of
from services.runtime.lenient import read_or
from services.runtime.open_stops import OpenStop, OpenStops
from services.runtime.positions import VehicleKey
from services.runtime.rounds import for_ever
from services.runtime.wall_clock import zone_of
from services.tracking.tables import FENCES

LOOK_EVERY_S: Final = 0.5
_AT_ONCE: Final = 200

_NO_RULES: Final = DeliveryRules()
_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class House:
    """What a house says of its vehicles.

    Attributes:
        rules: how it brings food.
        zone: the clock on its wall.
        fences: by name.
    """

    rules: DeliveryRules = _NO_RULES
    zone: ZoneInfo = _UTC
    fences: Mapping[str, Fence] = field(default_factory=dict)


_NO_HOUSE: Final = House()


class Ground:
    """What all vehicles move among.

    Args:
        database: where rules and fences are.
        stops: the doors that couriers have to go to.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self, database: Database, stops: OpenStops, *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._database: Final = database
        self._open_stops: Final = stops
        self._look_every_s: Final = look_every_s
        self._versions: dict[str, int] = {}
        self._fenced: dict[str, tuple[int, int]] = {}
        self._one: Final = asyncio.Lock()
        """Held while it is looked: what was read is known only once all of it is taken in."""
        self.houses: dict[str, House] = {}
        """By tenant."""
        self.stops: dict[VehicleKey, tuple[OpenStop, ...]] = {}
        """What each vehicle has to do, in its sequence."""
        self.revision = 0
        """Counts on with each change."""

    def house(self, tenant: str) -> House:
        """What a house says; the usual, where it has said nothing."""
        return self.houses.get(tenant, _NO_HOUSE)

    def next_stop(self, vehicle: VehicleKey) -> OpenStop | None:
        """The door that a vehicle is on its way to, with the food."""
        return next((each for each in self.stops.get(vehicle, ()) if each.in_the_bag), None)

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "fences and stops are read")

    async def look(self) -> None:
        """Take in what is otherwise than at the last look: all of it, or nothing."""
        async with self._one:
            async with self._database.read() as connection:
                versions, rules = await self._changed_rules(connection)
                fenced, fences = await self._changed_fences(connection)
                stops = await self._open_stops.read(connection)
            self._versions, self._fenced = versions, fenced
            self._take_in(rules, fences, stops)

    def _take_in(
        self,
        rules: Mapping[str, House],
        fences: Mapping[str, dict[str, Fence]],
        stops: Sequence[OpenStop],
    ) -> None:
        changed = bool(rules or fences)
        for tenant, house in rules.items():
            self.houses[tenant] = replace(house, fences=self.house(tenant).fences)
        for tenant, known in fences.items():
            self.houses[tenant] = replace(self.house(tenant), fences=known)
        by_vehicle: dict[VehicleKey, list[OpenStop]] = {}
        for each in sorted(stops, key=lambda stop: stop.stop):
            by_vehicle.setdefault((each.tenant, each.vehicle), []).append(each)
        now = {vehicle: tuple(each) for vehicle, each in by_vehicle.items()}
        if now != self.stops:
            self.stops = now
            changed = True
        if changed:
            self.revision += 1

    async def _changed_rules(
        self, connection: AsyncConnection
    ) -> tuple[dict[str, int], dict[str, House]]:
        """The versions of all rules; and houses whose rules are others, but for their fences."""
        book = HOUSE_RULES.c
        rows = await connection.execute(select(book.tenant, book.version))
        now: dict[str, int] = {row.tenant: row.version for row in rows}
        changed = [tenant for tenant in now if self._versions.get(tenant) != now[tenant]]
        found: dict[str, House] = {tenant: House() for tenant in self._versions.keys() - now.keys()}
        for some in _pages(changed):
            query = select(book.tenant, book.orders, book.delivery).where(book.tenant.in_(some))
            for row in await connection.execute(query):
                tenant, before = row.tenant, self.house(row.tenant)
                found[tenant] = House(
                    read_or(before.rules, delivery_of, row.delivery, tenant=tenant, what="rules"),
                    read_or(before.zone, _zone, row.orders, tenant=tenant, what="time zone"),
                )
        return now, found

    async def _changed_fences(
        self, connection: AsyncConnection
    ) -> tuple[dict[str, tuple[int, int]], dict[str, dict[str, Fence]]]:
        """What tells one state of a house's fences from another; and those of who has others."""
        column = FENCES.c
        # A fence that goes lowers the count, and each that comes or changes has a new version.
        seen = select(column.tenant, func.count().label("fences"), func.max(column.version))
        rows = await connection.execute(seen.group_by(column.tenant))
        now = {row[0]: (int(row[1]), int(row[2])) for row in rows}
        changed = [tenant for tenant in now if self._fenced.get(tenant) != now[tenant]]
        gone = self._fenced.keys() - now.keys()
        found: dict[str, dict[str, Fence]] = {tenant: {} for tenant in (*changed, *gone)}
        for some in _pages(changed):
            query = select(column.tenant, column.fence, column.document)
            for row in await connection.execute(query.where(column.tenant.in_(some))):
                tenant, before = row.tenant, self.house(row.tenant).fences.get(row.fence)
                fence = read_or(before, _fence, row.document, tenant=tenant, what=row.fence)
                if fence is not None:
                    found[tenant][row.fence] = fence
        return now, found


def _pages(tenants: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(tenants), _AT_ONCE):
        yield tenants[begin : begin + _AT_ONCE]


def _fence(document: object) -> Fence | None:
    return Fence.model_validate(document)


def _zone(orders: object) -> ZoneInfo:
    return _UTC if orders is None else zone_of(OrderRules.model_validate(orders).time_zone)
