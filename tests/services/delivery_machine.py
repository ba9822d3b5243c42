"""A house of which anything may be asked about deliveries: a state machine, on the real worker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.deliveries import (
    DELIVERY_STEPS,
    IN_THE_BAG,
    OPEN_DELIVERY,
    WITH_COURIER,
    Courier,
    DeliveryStatus,
    Proof,
    ProofKind,
)
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    CompleteDelivery,
    DeclineDelivery,
    FailDelivery,
    PinDelivery,
    PlaceDelivery,
    PutCourier,
    RemoveCourier,
    ReturnDelivery,
    SequenceStops,
    SetDuty,
    StepDelivery,
    UnassignDelivery,
)
from schemas.delivery_rules import DeliveryRules, ProofRule
from schemas.message import Request
from schemas.order_changes import DeliverOrder, DispatchOrder, ReturnOrder, VoidOrder
from schemas.orders import CancelOrder, OrderStatus
from schemas.positions import Place
from schemas.refusals import RefusalCode
from schemas.replies import Outcome
from services.delivery.dispatching.inside import AskAgain, AskCourier, Seen, TakeBack
from services.delivery.store import to_kept
from services.delivery.tables import COURIERS, DELIVERIES
from services.orders.store import ORDERS, to_order
from services.runtime.database import Database
from services.runtime.tables import OUTBOX, QUARANTINE
from tests.services.delivery_world import ANNA, BIKE, BO, CAR, DOOR, FAR, HERE, DeliveryWorld
from tests.services.order_world import MANAGER, OURSELVES, POINTS, TILL, Asked

nth = st.integers(0, 5)
askers = st.sampled_from((BIKE, BIKE, CAR, TILL, MANAGER))

BY_HAND: dict[str, Callable[[UUID], Request]] = {
    "accept": lambda id_: AcceptDelivery(order_id=id_),
    "decline": lambda id_: DeclineDelivery(order_id=id_, reason="a flat tyre"),
    "unassign": lambda id_: UnassignDelivery(order_id=id_),
    "deliver": lambda id_: CompleteDelivery(order_id=id_),
    "show": lambda id_: CompleteDelivery(
        order_id=id_, proof=Proof(kind=ProofKind.PHOTO, reference="1.jpg")
    ),
    "fail": lambda id_: FailDelivery(order_id=id_, reason="nobody opened"),
    "return": lambda id_: ReturnDelivery(order_id=id_),
    **{each.value: lambda id_, s=each: StepDelivery(order_id=id_, step=s) for each in ByHand},  # type: ignore[misc]  # s is bound as it is now
}
ON = ("accept", "pick-up", "deliver", "show", "fail", "return")
"""What moves one on most often."""
OF_THE_ORDER: dict[str, Callable[[UUID], Request]] = {
    "dispatch": lambda id_: DispatchOrder(order_id=id_),
    "deliver": lambda id_: DeliverOrder(order_id=id_),
    "return": lambda id_: ReturnOrder(order_id=id_, reason="the wrong street"),
    "cancel": lambda id_: CancelOrder(order_id=id_, reason="changed their mind"),
    "void": lambda id_: VoidOrder(order_id=id_, reason="burnt"),
}
OUT = {OrderStatus.OUT_FOR_DELIVERY}
HAD = {OrderStatus.DELIVERED, OrderStatus.CLOSED}
ANNULLED = {OrderStatus.CANCELLED, OrderStatus.VOIDED, OrderStatus.REJECTED}


class DeliveryMachine(RuleBasedStateMachine):
    """Anything may be asked, in any order; looked at after each request."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]
    counts: ClassVar[Counter[str]]

    @initialize(proof=st.sampled_from((ProofRule.NONE, ProofRule.CODE, ProofRule.PHOTO)))
    def open(self, proof: ProofRule) -> None:
        self.world = DeliveryWorld(self.database, DeliveryRules(place=HERE, proof=proof))
        self.runner.run(self.world.open())
        self.orders: list[UUID] = []
        self.before: dict[UUID, tuple[int, DeliveryStatus]] = {}
        self.said: list[tuple[Asked, object]] = []
        self.cooked: set[UUID] = set()
        for _ in range(2):
            self.order()
        seen = (self.seen(0, 0), self.seen(1, 0))
        version = self.courier_version(ANNA)
        self.ask(
            OURSELVES, AskCourier(courier=ANNA, courier_version=version, orders=seen, why="near")
        )

    # -- what is asked ---------------------------------------------------------------------

    @precondition(lambda self: len(self.orders) < 6)
    @rule(place=st.sampled_from((DOOR, DOOR, FAR, None)))
    def order(self, place: Place | None = DOOR) -> None:
        self.orders.append(self.runner.run(self.world.place_order(place)))

    @rule(which=nth)
    def cook(self, which: int) -> None:
        id_ = self.which(which)
        status = self.runner.run(self.world.order(id_)).status
        if status in {OrderStatus.ACCEPTED, OrderStatus.PREPARING}:
            self.runner.run(self.world.cook(id_))
            self.cooked.add(id_)

    @rule(
        which=nth,
        courier=st.sampled_from((ANNA, ANNA, BO, "eve")),
        stop=st.sampled_from((None, None, 1, 2)),
    )
    def assign(self, which: int, courier: str, stop: int | None) -> None:
        self.ask(TILL, AssignDelivery(order_id=self.which(which), courier=courier, stop=stop))

    @rule(which=nth, what=st.sampled_from((*BY_HAND, *ON, *ON)), device=askers)
    def step(self, which: int, what: str, device: str) -> None:
        self.ask(device, BY_HAND[what](self.which(which)))

    @rule(which=nth)
    def bring_it(self, which: int) -> None:
        """All that takes an order out of the house."""
        id_ = self.which(which)
        self.ask(TILL, AssignDelivery(order_id=id_, courier=ANNA))
        self.ask(BIKE, AcceptDelivery(order_id=id_))
        self.cook(which)
        self.ask(BIKE, StepDelivery(order_id=id_, step=ByHand.PICK_UP))

    @rule(which=nth, what=st.sampled_from(tuple(OF_THE_ORDER)))
    def of_the_order(self, which: int, what: str) -> None:
        device = MANAGER if what == "void" else TILL
        self.ask(device, OF_THE_ORDER[what](self.which(which)))

    @rule(which=nth, place=st.sampled_from((DOOR, FAR)))
    def place(self, which: int, place: Place) -> None:
        self.ask(TILL, PlaceDelivery(order_id=self.which(which), place=place))

    @rule(data=st.data(), courier=st.sampled_from((ANNA, BO)), device=askers)
    def sequence(self, data: st.DataObject, courier: str, device: str) -> None:
        stops = self.stops(courier)
        if stops:
            wanted = data.draw(st.permutations(stops))
            self.ask(device, SequenceStops(courier=courier, stops=tuple(wanted)))

    @rule(which=nth, courier=st.sampled_from((None, ANNA, BO, "eve")), device=askers)
    def pin(self, which: int, courier: str | None, device: str) -> None:
        self.ask(device, PinDelivery(order_id=self.which(which), courier=courier))

    @rule(courier=st.sampled_from((ANNA, BO)), on_duty=st.booleans(), device=askers)
    def duty(self, courier: str, on_duty: bool, device: str) -> None:
        until = self.world.now + timedelta(hours=1) if on_duty else None
        self.ask(device, SetDuty(courier=courier, on_duty=on_duty, until=until))

    @rule(
        orders=st.lists(nth, min_size=1, max_size=3, unique=True),
        courier=st.sampled_from((ANNA, BO, "eve")),
        behind=st.sampled_from((0, 0, 0, 1)),
    )
    def dispatch(self, orders: list[int], courier: str, behind: int) -> None:
        """The dispatcher asks for what it saw, which may be another by now."""
        seen = tuple(dict.fromkeys(self.seen(each, behind) for each in orders))
        version = self.courier_version(courier)
        request = AskCourier(courier=courier, courier_version=version, orders=seen, why="near")
        before = {each.order_id: self.status(each.order_id) for each in seen}
        done = self.ask(OURSELVES, request)
        for each in seen:
            now = self.status(each.order_id)
            if done:
                assert now is DeliveryStatus.ASSIGNED
            else:
                assert now is before[each.order_id], "all of a trip is asked for, or nothing"

    @rule(
        which=nth,
        courier=st.sampled_from((ANNA, BO)),
        declined=st.booleans(),
        behind=st.sampled_from((0, 0, 1)),
    )
    def take_back(self, which: int, courier: str, declined: bool, behind: int) -> None:
        seen = self.seen(which, behind)
        request = TakeBack(orders=(seen,), courier=courier, declined=declined, why="no answer")
        if self.ask(OURSELVES, request):
            assert self.status(seen.order_id) is DeliveryStatus.WAITING

    @rule(which=nth)
    def ask_again(self, which: int) -> None:
        self.ask(OURSELVES, AskAgain(seen=self.seen(which, 0)))

    @rule(courier=st.sampled_from((ANNA, BO)), device=st.sampled_from((BIKE, CAR)))
    def put_courier(self, courier: str, device: str) -> None:
        who = Courier(courier=courier, name=courier.title(), device=device)
        self.ask(TILL, PutCourier(courier=who))

    @rule()
    def remove_bo(self) -> None:
        self.ask(TILL, RemoveCourier(courier=BO))

    @precondition(lambda self: self.said)
    @rule(which=nth)
    def say_it_again(self, which: int) -> None:
        asked, first = self.said[-1 - which % len(self.said)]
        (reply,) = self.runner.run(self.world.say(asked))
        assert reply == first, "the second time gets the first answer"

    @rule(point=st.sampled_from(POINTS))
    def die_at_the_next(self, point: str) -> None:
        self.world.die_at = point

    @rule()
    def restart(self) -> None:
        self.runner.run(self.world.live())

    # -- how it is looked at -----------------------------------------------------------------

    def which(self, which: int) -> UUID:
        return self.orders[-1 - which % len(self.orders)]

    def stops(self, courier: str) -> list[UUID]:
        (rows,) = self.runner.run(self.world.rows(COURIERS))
        return [UUID(each) for row in rows if row["courier"] == courier for each in row["stops"]]

    def seen(self, which: int, behind: int) -> Seen:
        """An order as the dispatcher saw it; so many versions ago."""
        id_ = self.which(which)
        (rows,) = self.runner.run(self.world.rows(DELIVERIES))
        version = next((row["version"] for row in rows if row["order_id"] == id_), 1)
        return Seen(order_id=id_, version=max(1, version - behind))

    def courier_version(self, courier: str) -> int:
        (rows,) = self.runner.run(self.world.rows(COURIERS))
        return next((row["version"] for row in rows if row["courier"] == courier), 1)

    def status(self, order_id: UUID) -> DeliveryStatus | None:
        (rows,) = self.runner.run(self.world.rows(DELIVERIES))
        found = (row["status"] for row in rows if row["order_id"] == order_id)
        return next(map(DeliveryStatus, found), None)

    def ask(self, device: str, message: Request) -> bool:
        self.world.wait(timedelta(seconds=1))
        asked = Asked(device, message, at=self.world.now)
        (reply,) = self.runner.run(self.world.say(asked))
        self.said.append((asked, reply))
        assert reply.code is not RefusalCode.INTERNAL, reply
        done = reply.outcome is Outcome.ACCEPTED
        self.counts[f"{message.type_name} {'done' if done else reply.code}"] += 1
        return done

    @invariant()
    def what_is_kept_agrees(self) -> None:
        if not hasattr(self, "world"):
            return
        deliveries, couriers, orders, outbox, quarantine = self.runner.run(
            self.world.rows(DELIVERIES, COURIERS, ORDERS, OUTBOX, QUARANTINE)
        )
        assert not outbox
        assert not quarantine
        status_of = {row["order_id"]: to_order(row).status for row in orders}
        stops = {row["courier"]: [UUID(each) for each in row["stops"]] for row in couriers}
        owed: dict[str, list[tuple[int, UUID]]] = {name: [] for name in stops}
        for row in deliveries:
            kept = to_kept(row)
            delivery, order = kept.delivery, status_of[kept.delivery.order_id]
            self._goes_with(delivery.status, order)
            self._moved(delivery.order_id, delivery.version, delivery.status)
            if delivery.status in WITH_COURIER:
                assert delivery.courier is not None
                assert delivery.stop is not None
                owed[delivery.courier].append((delivery.stop, delivery.order_id))
                device = next(c["device"] for c in couriers if c["courier"] == delivery.courier)
                assert delivery.device == device
            if kept.ready_at is not None and delivery.status in OPEN_DELIVERY:
                assert order not in {OrderStatus.ACCEPTED, OrderStatus.PREPARING}
        for name, mine in owed.items():
            assert [order for _, order in sorted(mine)] == stops[name]
            assert [stop for stop, _ in sorted(mine)] == list(range(1, len(mine) + 1))
        assert not self.runner.run(self.world.differing())

    def _goes_with(self, delivery: DeliveryStatus, order: OrderStatus) -> None:
        """The food is where both say that it is."""
        if delivery in IN_THE_BAG:
            assert order in OUT, (delivery, order)
        elif delivery is DeliveryStatus.DELIVERED:
            assert order in HAD, (delivery, order)
        elif delivery is DeliveryStatus.CANCELLED:
            assert order in ANNULLED, (delivery, order)
        elif delivery in OPEN_DELIVERY:
            assert order not in OUT | HAD | ANNULLED, (delivery, order)

    def _moved(self, order_id: UUID, version: int, status: DeliveryStatus) -> None:
        """Nothing happened to it that is not in the table, and no version is another's."""
        was = self.before.get(order_id)
        self.before[order_id] = (version, status)
        if was is None or was == (version, status):
            return
        assert version > was[0], "what changed has a new version"
        assert status in reachable(was[1]), (was, status)


def reachable(status: DeliveryStatus) -> set[DeliveryStatus]:
    """Where a delivery may be after one request: several steps, where the till takes them all."""
    found, fresh = {status}, {status}
    while fresh:
        fresh = {to for (at, _), to in DELIVERY_STEPS.items() if at in fresh} - found
        found |= fresh
    return found
