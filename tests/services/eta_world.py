"""A house with open deliveries in real rows, a clock of its own, and vehicles that are moved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.catalogue import locate
from schemas.delivery_rules import DeliveryRules
from schemas.envelope import envelope_of
from schemas.etas import EtaState
from schemas.identifiers import new_id
from schemas.positions import Place, TravelMode
from services.delivery.eta_book import EtaBook
from services.delivery.routing.port import NO_ENGINE, Ways
from services.delivery.tables import COURIERS, DELIVERIES
from services.people.store import Tenant, add_tenant
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.positions import Positions
from services.runtime.ready_times import OrderKey, ReadyTime

HOUSE: Final = Place(lat=60.17, lon=24.94)
BEGAN: Final = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)
M_PER_DEGREE: Final = 111_195.0
_COLUMNS: Final = ("due_at", "quoted_p50_at", "ready_at", "assigned_at", "accepted_at")
_MORE: Final = ("at_restaurant_at", "picked_up_at", "set_out_at", "arrived_at", "ended_at")


def north(metres: float) -> Place:
    """So far to the north of the restaurant."""
    return Place(lat=HOUSE.lat + metres / M_PER_DEGREE, lon=HOUSE.lon)


class EtaWorld:
    """A house. Times are told in seconds since its evening began."""

    def __init__(self, database: Database, tenant: str = "demo") -> None:
        self.database: Final = database
        self.tenant: Final = tenant
        self.now = BEGAN
        self.ready: Final[dict[UUID, ReadyTime]] = {}
        self.told: Final[list[EtaState]] = []
        self.retained: Final[dict[str, bytes]] = {}
        self.asked: Final[list[Collection[UUID]]] = []
        self.book: Final = self.new_book()

    def new_book(self, ways: Ways = NO_ENGINE) -> EtaBook:
        """What a process begins with."""
        book = EtaBook(self.database, self._ready_times, lambda: self.now, ways=ways)
        book.begin(self._announce)
        return book

    async def open(self, rules: DeliveryRules | None = None) -> EtaWorld:
        """Open the house, with a courier on each of three modes."""
        rules = rules or DeliveryRules(place=HOUSE)
        async with self.database.write() as connection:
            await add_tenant(connection, Tenant(self.tenant, self.tenant, "EUR", created_at=BEGAN))
            await connection.execute(
                update(HOUSE_RULES)
                .where(HOUSE_RULES.c.tenant == self.tenant)
                .values(delivery=rules.model_dump(mode="json"), version=2)
            )
            for courier, mode in (("anna", TravelMode.BICYCLE), ("bert", TravelMode.CAR)):
                await connection.execute(
                    COURIERS.insert().values(
                        tenant=self.tenant, courier=courier, version=1, name=courier,
                        device=f"tracker-{courier}", mode=mode.value, stops=[],
                    )
                )  # fmt: skip
        return self

    async def deliver(self, place: Place, *, status: str = "waiting", **values: Any) -> UUID:
        """Put a delivery into the rows; times as seconds of this evening."""
        order_id = new_id()
        row: dict[str, Any] = dict.fromkeys((*_COLUMNS, *_MORE))
        row |= {"courier": None, "device": None, "stop": None, "promised_at": None}
        for name, value in values.items():
            row[name] = self.at(value) if name.endswith("_at") else value
        if row["courier"] is not None:
            row["device"], row["stop"] = f"tracker-{row['courier']}", row["stop"] or 1
        async with self.database.write() as connection:
            await connection.execute(
                DELIVERIES.insert().values(
                    tenant=self.tenant, order_id=order_id, version=1, number="7",
                    status=status, lat=place.lat, lon=place.lon, items=2,
                    **{"placed_at": self.now, **row}, document={},
                )
            )  # fmt: skip
        return order_id

    async def change(self, order_id: UUID, **values: Any) -> None:
        """Change a delivery's row."""
        at = {n: self.at(v) if n.endswith("_at") else v for n, v in values.items()}
        async with self.database.write() as connection:
            await connection.execute(
                update(DELIVERIES)
                .where(DELIVERIES.c.order_id == order_id)
                .values(version=DELIVERIES.c.version + 1, **at)
            )

    def at(self, seconds: float | None) -> datetime | None:
        """So many seconds after the evening began."""
        return None if seconds is None else BEGAN + timedelta(seconds=seconds)

    def pass_time(self, seconds: float) -> None:
        """Let it become later."""
        self.now += timedelta(seconds=seconds)

    def move(
        self,
        *where: tuple[str, Place],
        moving: bool = True,
        ago_s: float = 0.0,
        book: EtaBook | None = None,
    ) -> None:
        """Say where couriers are."""
        (book or self.book).moved(self.positions(where, moving=moving, ago_s=ago_s))

    def positions(
        self, where: Sequence[tuple[str, Place]], *, moving: bool = True, ago_s: float = 0.0
    ) -> Positions:
        """The same, as the position line tells it."""
        numbers = {"anna": 3, "bert": 300}
        count = len(where)
        return Positions(
            keys=[(self.tenant, f"tracker-{name}") for name, _ in where],
            number=np.array([numbers[name] for name, _ in where], dtype=np.int32),
            at=np.full(count, self.now.timestamp() - ago_s),
            lat=np.array([place.lat for _, place in where]),
            lon=np.array([place.lon for _, place in where]),
            spread_m=np.full(count, 5.0),
            speed_mps=np.full(count, 4.0 if moving else 0.0),
            heading_deg=np.zeros(count),
            moving=np.full(count, moving),
        )

    def eta(self, order_id: UUID) -> EtaState:
        """What was told last of an order."""
        return next(each for each in reversed(self.told) if each.order_id == order_id)

    def left_s(self, order_id: UUID) -> float:
        """How long it is until then, as likely less as more."""
        return (self.eta(order_id).p50_at - self.now).total_seconds()

    async def _ready_times(
        self, _connection: AsyncConnection, orders: Collection[OrderKey]
    ) -> Mapping[OrderKey, ReadyTime]:
        self.asked.append([order_id for _, order_id in orders])
        return {key: self.ready[key[1]] for key in orders if key[1] in self.ready}

    def _announce(self, messages: Sequence[Outgoing]) -> None:
        for each in messages:
            assert each.retain
            assert each.tenant == self.tenant
            if not each.payload:
                self.retained.pop(each.topic, None)
                continue
            self.retained[each.topic] = each.payload
            said = envelope_of(locate(each.topic).message).model_validate_json(each.payload).data
            assert isinstance(said, EtaState)
            self.told.append(said)
