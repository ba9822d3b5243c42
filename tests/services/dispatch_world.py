"""A house whose couriers are asked by the dispatcher, with a clock that a test drives."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import DeliveryStatus
from schemas.delivery_requests import AcceptDelivery
from schemas.delivery_rules import DeliveryRules
from schemas.dispatch import DispatchState, WaitingPlace
from schemas.envelope import envelope_of
from schemas.positions import Place
from services.delivery.dispatching.dispatcher import Dispatcher
from services.delivery.dispatching.reading import Sources
from services.delivery.next_couriers import NextCouriers
from services.kitchen.ready_times import ready_times
from services.runtime.alerts import ALERTS
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.ready_times import OrderKey, ReadyTime
from services.tracking.whereabouts import StoredWhereabouts
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.delivery_world import BIKE, CAR, HERE, TRACKERS, DeliveryWorld

NEAR: Final = Place(lat=60.171, lon=24.941)
"""Around the corner of the restaurant."""
AWAY: Final = Place(lat=60.20, lon=24.98)
"""Some four kilometres from it."""
AUTOMATIC: Final = DeliveryRules(place=HERE, automatic=True, ask_ahead_s=1_200)
"""Couriers are asked as soon as there is an order, and not yet for the trip after.

What is asked when has tests of its own.
"""


class DispatchWorld(DeliveryWorld):
    """See the module."""

    def __init__(self, database: Database, rules: DeliveryRules = AUTOMATIC) -> None:
        super().__init__(database, rules)
        self.asked: Final = AskedOfOurselves(self)
        self.shown: Final[list[DispatchState]] = []
        self.cleared = 0
        self.waits: Final[dict[str, WaitingPlace]] = {}
        """Where couriers are told to wait, as it stands on the broker."""
        self.cooked_in: timedelta | None = None
        """In so long the kitchen surely has everything; None is as its tickets say."""
        self.broken: Exception | None = None
        """What asking the kitchen fails by, as long as it stands here."""
        self.next_couriers: Final = NextCouriers()
        self.dispatcher = self.new_dispatcher()

    async def live(self) -> None:
        """Begin a life; the worker goes by what this world's dispatcher has planned."""
        await super().live()
        self.worker._ports.couriers = self.next_couriers

    def new_dispatcher(self) -> Dispatcher:
        """What a process begins with."""
        return Dispatcher(
            self.database,
            self.asked,  # type: ignore[arg-type]  # asks as its port does
            self._say,
            Sources(self._ready_times, StoredWhereabouts()),
            lambda: self.now,
            next_couriers=self.next_couriers,
            rest=0.0,
        )

    async def look(self, times: int = 1) -> None:
        """Let the dispatcher look, as often as that, half a minute apart."""
        for _ in range(times):
            self.wait(timedelta(seconds=30))
            await self.dispatcher.look()

    async def settle(self) -> None:
        """Let it look until nothing more comes of it at this moment."""
        for _ in range(10):
            if not await self.dispatcher.look():
                return
        raise AssertionError("the dispatcher asks and asks")

    async def there(self, *where: tuple[str, Place]) -> None:
        """Say where couriers are now."""
        for courier, place in where or [(name, NEAR) for name in TRACKERS]:
            await self.ride(TRACKERS[courier], place)

    async def has(self, order_id: UUID) -> str | None:
        """Who has an order to bring."""
        return (await self.delivery(order_id)).courier

    async def accept(self, order_id: UUID) -> None:
        """Whoever was asked accepts."""
        delivery = await self.delivery(order_id)
        assert delivery.status is DeliveryStatus.ASSIGNED, delivery
        assert delivery.device in {BIKE, CAR}
        await self.do(delivery.device, AcceptDelivery(order_id=order_id))

    async def alerts(self) -> list[tuple[str, str]]:
        """The alerts that stand, with their texts."""
        (rows,) = await self.rows(ALERTS)
        return [(row["kind"], row["text"]) for row in rows if row["cleared_at"] is None]

    def _waiting_topics(self) -> dict[str, str]:
        return {
            WaitingPlace.route.topic(tenant=self.tenant, device=device): courier
            for courier, device in TRACKERS.items()
        }

    def _hear(self, said: Outgoing) -> None:
        courier = self._waiting_topics()[said.topic]
        if not said.payload:
            assert courier in self.waits, "nothing stands there that could be cleared"
            del self.waits[courier]
            return
        told = envelope_of(WaitingPlace).model_validate_json(said.payload).data
        assert (told.courier, told.device) == (courier, TRACKERS[courier])
        self.waits[courier] = told

    def plan(self) -> DispatchState:
        """What was shown last."""
        return self.shown[-1]

    async def _ready_times(
        self, connection: AsyncConnection, orders: Collection[OrderKey]
    ) -> Mapping[OrderKey, ReadyTime]:
        if self.broken is not None:
            raise self.broken
        if self.cooked_in is None:
            return await ready_times(connection, orders)
        at = self.now + self.cooked_in
        return {key: ReadyTime(at, at) for key in orders}

    def _say(self, messages: Iterable[Outgoing]) -> None:
        said: Sequence[Outgoing] = list(messages)
        for each in said:
            assert each.retain
            if each.tenant != self.tenant:
                continue  # the dispatcher is of all houses in this database
            if each.topic in self._waiting_topics():
                self._hear(each)
                continue
            assert each.topic == f"heard/v1/{self.tenant}/state/dispatch/plan"
            if each.payload:
                model = envelope_of(DispatchState)
                self.shown.append(model.model_validate_json(each.payload).data)
            else:
                self.cleared += 1
