"""A house that delivers: couriers with trackers, orders with doors, and the real worker."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from schemas.deliveries import Courier, Delivery
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    PutCourier,
    StepDelivery,
)
from schemas.delivery_rules import DeliveryRules
from schemas.devices import Role
from schemas.fences import CrossingKind
from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.kitchen import OPEN_TICKET, TicketStatus
from schemas.kitchen_requests import BumpTicket, HearTickets
from schemas.message import Request
from schemas.orders import Guest, LineRequest, Order, OrderKind, PlaceOrder
from schemas.positions import Place
from schemas.refusals import RefusalCode
from schemas.replies import DeliveryReceipt, Outcome, Reply
from services.delivery import store
from services.delivery.kept import Kept
from services.kitchen.store import TICKETS
from services.orders.store import ORDERS, to_order
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.tables import DEVICES
from services.tracking.tables import CROSSINGS, VEHICLES
from tests.services.order_draws import menu
from tests.services.order_world import SCREEN, TILL, Asked, OrderWorld

HERE: Final = Place(lat=60.17, lon=24.94)
DOOR: Final = Place(lat=60.18, lon=24.95)
FAR: Final = Place(lat=60.19, lon=24.90)
ANNA, BO = "anna", "bo"
BIKE, CAR = "bike-1", "car-1"
TRACKERS: Final = {ANNA: BIKE, BO: CAR}


class DeliveryWorld(OrderWorld):
    """One restaurant that delivers, with two couriers.

    Args:
        database: at its newest version.
        rules: how it delivers.
    """

    def __init__(self, database: Database, rules: DeliveryRules | None = None) -> None:
        super().__init__(database, OrderRules(), menu("EUR"))
        self.delivers = rules or DeliveryRules(place=HERE)

    async def open(self) -> None:
        """Let everybody in, couriers too."""
        await super().open()
        async with self.database.write() as connection:
            await house_rules.write(connection, self.tenant, delivery=self.delivers)
            for device in TRACKERS.values():
                values = {"tenant": self.tenant, "device": device, "role": Role.TRACKER.value}
                await connection.execute(DEVICES.insert().values(**values, created_at=self.now))
        for name, device in TRACKERS.items():
            courier = Courier(courier=name, name=name.title(), device=device)
            await self.do(TILL, PutCourier(courier=courier))

    async def do(self, device: str, message: Request) -> Reply:
        """Ask for something that is done."""
        reply = await self.ask(device, message)
        assert reply.outcome is Outcome.ACCEPTED, reply
        return reply

    async def refused(self, device: str, message: Request) -> RefusalCode | str | None:
        """Ask for something that is not done; tells why."""
        reply = await self.ask(device, message)
        assert reply.outcome is Outcome.REJECTED, reply
        return reply.code

    async def ask(self, device: str, message: Request) -> Reply:
        """Ask for something, a second after the last."""
        self.wait(timedelta(seconds=1))
        (reply,) = await self.say(Asked(device, message, at=self.now))
        return reply

    async def moved(self, device: str, message: Request) -> Delivery:
        """Ask for a step that is done; returns the delivery as the reply says it."""
        reply = await self.do(device, message)
        assert isinstance(reply.result, DeliveryReceipt), reply
        return reply.result.delivery

    async def place_order(self, place: Place | None = DOOR) -> UUID:
        """Order something to be brought."""
        guest = Guest(name="Ada", phone="+358 40 1", address="Mannerheimintie 1", place=place)
        order = Asked(
            TILL,
            PlaceOrder(
                lines=(LineRequest(item="burger", quantity=2),),
                kind=OrderKind.DELIVERY,
                guest=guest,
            ),
            at=self.now,
        )
        (reply,) = await self.say(order)
        assert reply.outcome is Outcome.ACCEPTED, reply
        return order.id

    async def accepted(self, place: Place = DOOR, courier: str = ANNA) -> UUID:
        """Order something that a courier will bring."""
        order_id = await self.place_order(place)
        await self.do(TILL, AssignDelivery(order_id=order_id, courier=courier))
        await self.do(TRACKERS[courier], AcceptDelivery(order_id=order_id))
        return order_id

    async def pick_up(self, order_id: UUID) -> None:
        """Have it made, and in the bag of whoever brings it."""
        await self.cook(order_id)
        await self.do(TILL, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))

    async def set_out(self, order_id: UUID) -> None:
        """Whoever brings it says that they are on their way."""
        await self.do(TILL, StepDelivery(order_id=order_id, step=ByHand.SET_OUT))

    async def cook(self, order_id: UUID) -> None:
        """Have all of an order made."""
        (tickets,) = await self.rows(TICKETS)
        for row in tickets:
            if row["order_id"] == order_id and TicketStatus(row["status"]) in OPEN_TICKET:
                id_, seen = row["ticket_id"], row["sequence"]
                await self.do(SCREEN, HearTickets(ticket_ids=(id_,), sequence=seen))
                await self.do(SCREEN, BumpTicket(ticket_id=id_, sequence=seen))

    async def differing(self) -> dict[str, object]:
        """What stands retained of orders, deliveries and couriers, and should be otherwise."""
        found, wanted = self.standing(), await self.expected()
        ours = (f"/state/{each}/" for each in ("orders", "deliveries", "couriers", "delivery"))
        names = tuple(ours)
        topics = {each for each in found | wanted if any(name in each for name in names)}
        return {
            each: (found.get(each), wanted.get(each))
            for each in topics
            if found.get(each) != wanted.get(each)
        }

    async def order(self, order_id: UUID) -> Order:
        """An order as its row has it."""
        (rows,) = await self.rows(ORDERS)
        return next(to_order(row) for row in rows if row["order_id"] == order_id)

    async def kept(self, order_id: UUID) -> Kept:
        """A delivery as its row has it."""
        async with self.database.read() as connection:
            found = await store.find(connection, self.tenant, order_id)
        assert found is not None
        return found

    async def delivery(self, order_id: UUID) -> Delivery:
        """A delivery as the house sees it."""
        return (await self.kept(order_id)).delivery

    async def crossing(
        self,
        vehicle: str,
        fence: str,
        what: CrossingKind,
        at: datetime | None = None,
        *,
        times: int = 1,
    ) -> None:
        """A tracker's fix has shown that it came or went; or so many of them have."""
        self.wait(timedelta(seconds=1))
        values = {
            "tenant": self.tenant,
            "fence": fence,
            "vehicle": vehicle,
            "what": what.value,
            "at": at or self.now,
            "kept_at": self.now,
            "followed": False,
        }
        rows = [{**values, "crossing_id": new_id()} for _ in range(times)]
        async with self.database.write() as connection:
            await connection.execute(CROSSINGS.insert(), rows)

    async def ride(self, vehicle: str, place: Place) -> None:
        """A tracker has told where it is now."""
        self.wait(timedelta(seconds=1))
        values = {
            "tenant": self.tenant,
            "vehicle": vehicle,
            "device": vehicle,
            "at": self.now,
            "lat": place.lat,
            "lon": place.lon,
            "moving": True,
            "since": self.now,
            "heard_at": self.now,
            "battery": 0.5,
            "state": {},
            "counts": {},
        }
        mine = (VEHICLES.c.tenant == self.tenant) & (VEHICLES.c.vehicle == vehicle)
        async with self.database.write() as connection:
            await connection.execute(VEHICLES.delete().where(mine))
            await connection.execute(VEHICLES.insert().values(**values))
