"""Measuring ETAs: from a courier's position to the ETA that follows from it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Unpack
from uuid import UUID

from cli.admission import Admitted
from cli.bench_orders import milliseconds
from cli.bench_riders import MIDDLE, Line, Riders
from cli.failures import Failure
from devices.connection import Received
from devices.delivery_requests import Dispatcher
from devices.kitchen_display import KitchenDisplay
from devices.options import DeviceOptions
from devices.pos import NewOrder, PointOfSale
from schemas.deliveries import Courier
from schemas.delivery_requests import ByHand
from schemas.delivery_rules import DeliveryRules
from schemas.envelope import envelope_of
from schemas.etas import EtaState
from schemas.menu import MenuItem
from schemas.orders import Guest, LineRequest, OrderKind
from schemas.positions import Place, TravelMode

DESK: Final = "bench-desk"
TILL: Final = "bench-till"
STOVE: Final = "bench-stove"
RULES: Final = DeliveryRules(place=Place(lat=MIDDLE[0], lon=MIDDLE[1]))
GUEST: Final = Guest(name="Bench", address="Bench", place=RULES.place)
"""Everybody rides away from this door."""
DISH: Final = MenuItem(
    item="dish", name="Dish", station="bench", price_minor=100, currency="EUR", prep_s=60
)
JUMP_S: Final = 20.0
"""A courier tells so often where they are, each time so much farther away that it matters."""
JUMP_MPS: Final = 5.0
"""As fast as couriers are taken to ride: who shows another pace may take longer and be no later."""
_FIRST_M: Final = 500.0
_ANSWER_S: Final = 30.0
_LEAVE_S: Final = 1.0


class EtaWatch(Dispatcher):
    """A desk at which it is noted when each ETA came, by the position that it rests on.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        options: see `DeviceClient`.
    """

    def __init__(self, host: str, port: int, **options: Unpack[DeviceOptions]) -> None:
        super().__init__(host, port, **options)
        self.came: Final[dict[tuple[UUID, int], float]] = {}
        """When the first came of an order, and of a position of such a millisecond."""
        self._etas = EtaState.route.filter(tenant=self.tenant)

    def _filters(self) -> list[str]:
        return [self._etas]

    def _receive(self, message: Received, now: float) -> None:  # noqa: ARG002 - of its batch
        came = time.monotonic()
        if not message.payload:
            return
        eta = envelope_of(EtaState).model_validate_json(message.payload).data
        if eta.fix_at is not None:
            millis = round(eta.fix_at.timestamp() * 1000)
            self.came.setdefault((eta.order_id, millis), came)


class Deliveries:
    """Couriers on their way, each with an order in the bag.

    Args:
        watch: where ETAs come in.
        riders: their trackers.
        orders: what each of them brings, in their sequence.
    """

    def __init__(self, watch: EtaWatch, riders: Riders, orders: Sequence[UUID]) -> None:
        self._watch: Final = watch
        self._riders: Final = riders
        self._orders: Final = dict(zip((r.device for r in riders.riders), orders, strict=True))
        self._next: Final = [time.time() + n * JUMP_S / len(orders) for n in range(len(orders))]
        self._when: Final[dict[tuple[str, int], float]] = {}

    def tick(self) -> None:
        """Tell where those are whose time has come."""
        now = time.time()
        for number, (rider, due) in enumerate(zip(self._riders.riders, self._next, strict=True)):
            if due <= now:
                self._riders.say(rider, now, 1, 0.0)
                self._when[rider.device, round(now * 1000)] = time.monotonic()
                self._next[number] += JUMP_S
        self._riders.listen()

    def forget(self) -> None:
        """Take no account of what was told until now."""
        self._when.clear()

    def took(self) -> tuple[list[float], int]:
        """Seconds from each position to its ETA, and of how many positions none came."""
        found, without = [], 0
        for (device, millis), said in self._when.items():
            came = self._watch.came.get((self._orders[device], millis))
            if came is None:
                without += 1
            else:
                found.append(came - said)
        return found, without


@contextmanager
def on_the_way(
    desk: Admitted, till: Admitted, stove: Admitted, couriers: Sequence[Admitted], folder: Path
) -> Iterator[Deliveries]:
    """Orders that are placed, cooked, given to couriers and picked up, as people would.

    Args:
        desk: a manager's account.
        till: a till's.
        stove: the account of a display at the dish's station.
        couriers: their trackers'.
        folder: for outboxes.
    """
    address = desk.address
    with ExitStack() as stack:
        watch = stack.enter_context(
            EtaWatch(address.host, address.port, outbox=folder / "bench-desk.db", **desk.options())
        )
        pos = stack.enter_context(
            PointOfSale(
                address.host, address.port, outbox=folder / "bench-till.db", **till.options()
            )
        )
        display = stack.enter_context(
            KitchenDisplay(address.host, address.port, station=DISH.station, **stove.options())
        )
        for device in (watch, pos, display):
            if not device.wait_online(_ANSWER_S):
                raise Failure(f"{device.device} cannot connect to {address}")
        for each in couriers:
            name = each.device
            courier = Courier(courier=name, name=name, device=name, mode=TravelMode.SCOOTER)
            watch.put_courier(courier).result(_ANSWER_S)
        lines = [LineRequest(item=DISH.item, quantity=1)]
        wanted = NewOrder(tuple(lines), kind=OrderKind.DELIVERY, guest=GUEST)
        placed = pos.place_orders([wanted] * len(couriers))
        orders = [each.result(_ANSWER_S).order_id for each in placed]
        _cook(display, len(orders))
        for each, order_id in zip(couriers, orders, strict=True):
            watch.assign_delivery(order_id, each.device).result(_ANSWER_S)
            watch.accept_delivery(order_id).result(_ANSWER_S)
            watch.step_delivery(order_id, ByHand.PICK_UP).result(_ANSWER_S)
        since = time.time() - _FIRST_M / JUMP_MPS
        turn = 360.0 / len(couriers)
        ways = [Line(number * turn, JUMP_MPS, since) for number in range(len(couriers))]
        riders = Riders(address, couriers, ways)
        stack.callback(riders.close)
        yield Deliveries(watch, riders, orders)


def _cook(display: KitchenDisplay, count: int) -> None:
    """Have as many tickets ready."""
    deadline = time.monotonic() + _ANSWER_S
    done: set[UUID] = set()
    while len(done) < count:
        if time.monotonic() > deadline:
            raise Failure(f"only {len(done)} of {count} tickets came to the kitchen")
        for ticket in display.tickets:
            if ticket.ticket_id not in done:
                display.start_ticket(ticket.ticket_id).result(_ANSWER_S)
                display.bump(ticket.ticket_id).result(_ANSWER_S)
                done.add(ticket.ticket_id)
        time.sleep(0.02)


def eta_figures(deliveries: Deliveries) -> dict[str, Any]:
    """How long ETAs took, in milliseconds."""
    deadline = time.monotonic() + _LEAVE_S
    took, without = deliveries.took()
    while without and time.monotonic() < deadline:
        time.sleep(0.05)
        took, without = deliveries.took()
    if not took:
        raise Failure("no ETA followed from any position: run `heard serve` to see why")
    found = milliseconds(took)
    return {
        "eta_p50_ms": found["p50"],
        "eta_p99_ms": found["p99"],
        "etas_timed": len(took),
        "fixes_without_eta": without,
    }
