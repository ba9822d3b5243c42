"""An evening's deliveries, simulated: kitchen, couriers and guests around the real services."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Unpack
from uuid import UUID

import numpy as np
from sqlalchemy import select

from cli.admission import Admitted, a_device, admit
from cli.application import Application
from cli.failures import Failure
from cli.replaying import Plan
from cli.simulated_guests import LinkGuests
from cli.simulating import ONLINE_S, Evening, FastClock
from cli.system import System
from devices.connection import Received
from devices.courier import CourierPhone
from devices.delivery_requests import Dispatcher
from devices.options import DeviceOptions
from devices.pending import Pending, Rejected
from devices.pos import NewOrder
from devices.simulated_body import Town
from devices.simulated_courier import Job, SimulatedCourier, SimulatedCouriers
from schemas.deliveries import Courier, Delivery, DeliveryState, DeliveryStatus
from schemas.delivery_rules import DeliveryRules
from schemas.devices import Role
from schemas.envelope import envelope_of
from schemas.etas import EtaState
from schemas.orders import Guest, OrderKind
from schemas.positions import Place, TravelMode
from schemas.replies import DeliveryReceipt, OrderReceipt
from services.delivery.tables import DELIVERIES
from services.people.limits import UNLIMITED
from services.runtime.database import Database

HOUSE: Final = Place(lat=60.1699, lon=24.9384)
RULES: Final = DeliveryRules(place=HOUSE)
DESK: Final = "desk"
_TOGETHER_M: Final = 700.0
"""Two doors that are nearer to each other than this go with one courier."""
_MIDDLE_M: Final = 1_500.0
_FARTHEST_M: Final = 4_000.0
_END_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class ToldEta:
    """What was told of an order at a time, on the simulated clock."""

    at: datetime
    p50_at: datetime
    p90_at: datetime


@dataclass(frozen=True, slots=True)
class Road:
    """What happens outside of the house."""

    desk: Desk
    riding: SimulatedCouriers


class Desk(Dispatcher):
    """Where somebody sees what is to be brought, and says who does; it takes down every ETA.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        options: see `DeviceClient`.
    """

    def __init__(self, host: str, port: int, **options: Unpack[DeviceOptions]) -> None:
        super().__init__(host, port, **options)
        self.open: Final[dict[UUID, Delivery]] = {}
        self.etas: Final[dict[UUID, list[ToldEta]]] = {}
        self._deliveries = DeliveryState.route.filter(tenant=self.tenant)
        self._etas = EtaState.route.filter(tenant=self.tenant)

    def _filters(self) -> list[str]:
        return [self._deliveries, self._etas]

    def _receive(self, message: Received, now: float) -> None:  # noqa: ARG002 - the hook's shape
        area, name = message.topic.split("/")[-2:]
        if area == "etas" and message.payload:
            eta = envelope_of(EtaState).model_validate_json(message.payload).data
            told = ToldEta(eta.as_of, eta.p50_at, eta.p90_at)
            self.etas.setdefault(eta.order_id, []).append(told)
        elif area == "deliveries":
            if message.payload:
                said = envelope_of(DeliveryState).model_validate_json(message.payload).data
                self.open[said.order_id] = said.delivery
            else:
                self.open.pop(UUID(name), None)


class DeskClerk(threading.Thread):
    """Gives each order to a courier who is free, or who has one for a door beside it."""

    def __init__(self, desk: Desk, couriers: Mapping[str, SimulatedCourier], town: Town) -> None:
        super().__init__(name="desk clerk", daemon=True)
        self._desk = desk
        self._couriers = couriers
        self._town = town
        self._given: dict[UUID, tuple[str, Pending[DeliveryReceipt]]] = {}
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopped.wait(0.05):
            # What was refused is given again; else its courier would stand reserved for ever.
            refused = [order for order, (_, asked) in self._given.items() if _is_refused(asked)]
            for order_id in refused:
                del self._given[order_id]
            for each in sorted(self._desk.open.copy().values(), key=lambda one: one.placed_at):
                if each.status is DeliveryStatus.WAITING and each.order_id not in self._given:
                    self._give(each)

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self.join()

    def _give(self, delivery: Delivery) -> None:
        has: dict[str, list[Delivery]] = {name: [] for name in self._couriers}
        for each in self._desk.open.copy().values():
            given, _ = self._given.get(each.order_id, (None, None))
            courier = each.courier or given
            if courier in has:  # somebody else may have couriers here too
                has[courier].append(each)
        door = self._town.point(delivery.place)
        for name, stops in has.items():
            one = stops[0] if len(stops) == 1 else None
            if one is not None and one.picked_up_at is None:
                other = self._town.point(one.place)
                if abs(door[0] - other[0]) + abs(door[1] - other[1]) < _TOGETHER_M:
                    self._assign(delivery, name)
                    return
        free = [name for name, stops in has.items() if not stops]
        if free:
            self._assign(delivery, min(free))

    def _assign(self, delivery: Delivery, courier: str) -> None:
        asked = self._desk.assign_delivery(delivery.order_id, courier)
        self._given[delivery.order_id] = courier, asked


def _is_refused(asked: Pending[DeliveryReceipt]) -> bool:
    return asked.done and asked.error is not None


def doors(count: int, seed: int) -> list[Place]:
    """Where guests live: most are near, some far, in all directions."""
    rng = random.Random(seed)  # noqa: S311 - guests, not secrets
    town = Town(HOUSE)
    found = []
    for _ in range(count):
        far = min(_FARTHEST_M, _MIDDLE_M * rng.lognormvariate(0.0, 0.5))
        angle = rng.uniform(0, 2 * np.pi)
        found.append(town.place((far * float(np.sin(angle)), far * float(np.cos(angle)))))
    return found


@contextmanager
def on_the_road(
    app: Application, system: System, tenant: str, clock: FastClock, *, couriers: int, seed: int
) -> Iterator[Road]:
    """Couriers with their phones, and the desk that sends them."""
    names = [f"courier-{number + 1}" for number in range(couriers)]
    wanted = [a_device(tenant, DESK, Role.MANAGER)]
    wanted += [a_device(tenant, f"phone-{name}", Role.TRACKER) for name in names]
    # Their limits are of real seconds, of which a simulated evening has few.
    wanted = [replace(each, limits=UNLIMITED) for each in wanted]
    secrets = app.run(lambda database: admit(app, database, wanted))
    at = {
        device.device: Admitted(tenant, device.device, secret, system.address).options()
        for device, secret in zip(wanted, secrets, strict=True)
    }
    host, port = system.address.host, system.address.port
    town = Town(HOUSE)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        desk = Desk(host, port, outbox=folder / "desk.outbox", **at[DESK])
        people: dict[str, SimulatedCourier] = {}
        for number, name in enumerate(names):
            phone = CourierPhone(
                host, port, outbox=folder / f"{name}.outbox", **at[f"phone-{name}"]
            )
            people[name] = SimulatedCourier([Job(phone)], town, seed * 1_000 + number)
        for device in (desk, *(job.phone for each in people.values() for job in each.jobs)):
            stack.enter_context(device)
            if not device.wait_online(ONLINE_S):
                raise Failure(f"{device.device} cannot connect to {system.address}")
        for name in names:
            courier = Courier(
                courier=name, name=name.title(), device=f"phone-{name}", mode=TravelMode.BICYCLE
            )
            desk.put_courier(courier).result(ONLINE_S)
        clerk = DeskClerk(desk, people, town)
        clerk.start()
        stack.callback(clerk.stop)
        riding = stack.enter_context(SimulatedCouriers(people, clock))
        yield Road(desk, riding)


def play(
    one: Evening,
    plan: Plan,
    moved: timedelta,
    places: Sequence[Place],
    road: Road,
    *,
    progress: Callable[[int], None],
) -> dict[str, Any]:  # fmt: skip
    """Place the orders at their times, to be brought; wait until all of them were.

    `progress` is told how many were.
    """
    handles: list[Pending[OrderReceipt]] = []
    for number, (order, place) in enumerate(zip(plan.orders, places, strict=True), 1):
        wait = one.clock.until(order.placed_at.replace(tzinfo=UTC) + moved)
        if wait > 0:
            time.sleep(wait)
        guest = Guest(name=f"Guest {number}", address=f"Street {number}", place=place)
        asked: NewOrder = replace(plan.new_order(order), kind=OrderKind.DELIVERY, guest=guest)
        handles += one.till.place_orders([asked])
        progress(len(road.riding.handed_over))
    deadline = time.monotonic() + _END_S
    while True:
        placed = {each.result(0).order_id for each in handles if each.done and not each.error}
        answered = all(each.done for each in handles)
        riding, desk = road.riding, road.desk
        progress(len(riding.handed_over))
        if answered and placed <= riding.handed_over.keys() and not desk.open:
            break
        if time.monotonic() > deadline:
            left = len(placed - riding.handed_over.keys())
            raise Failure(f"{left} orders were not brought within five minutes of the last one")
        time.sleep(0.05)
    refused = [str(each.error) for each in handles if isinstance(each.error, Rejected)]
    return {"orders": len(handles), "refused": len(refused), "refusals": sorted(set(refused))[:5]}


@contextmanager
def looking(system: System, road: Road) -> Iterator[LinkGuests]:
    """Every guest looks at their link, all the while."""

    def share(order_id: UUID) -> str:
        return road.desk.share_delivery(order_id).result(ONLINE_S).path

    guests = LinkGuests(system.gateway_url, lambda: dict(road.desk.open), share, RULES)
    guests.start()
    try:
        yield guests
    finally:
        guests.stop()


def seen(guests: LinkGuests) -> dict[str, Any]:
    """What the guests saw."""
    return {
        "link_looks": guests.looks,
        "links_with_courier": guests.with_courier,
        "links_exact": guests.exact,
        "links_wrong": len(guests.wrong),
        "wrong": guests.wrong[:5],
    }


def report(app: Application, tenant: str, road: Road) -> dict[str, Any]:
    """Every order's promised and real door time, and how far off it was told on the way."""

    async def read(database: Database) -> list[dict[str, Any]]:
        query = select(DELIVERIES).where(DELIVERIES.c.tenant == tenant)
        async with database.read() as connection:
            rows = (await connection.execute(query.order_by(DELIVERIES.c.placed_at))).mappings()
            return [dict(row) for row in rows]

    real, desk = road.riding.handed_over, road.desk
    rows = [row for row in app.run(read) if row["order_id"] in real]
    orders = [_order(row, real[row["order_id"]], desk) for row in rows]
    promised = [each for each in orders if each["promised_at"] is not None]
    figures = {
        "delivered": len(orders),
        "status_apart": sum(row["status"] != DeliveryStatus.DELIVERED.value for row in rows),
        "promises_kept": _share([each["late_min"] <= 0 for each in promised]),
        "quoted_mae_min": _mean([abs(each["quoted_error_min"]) for each in promised]),
        "picked_up_mae_min": _mean([abs(e) for e in _known(orders, "picked_up_error_min")]),
        "picked_up_p90_holds": _share(_known(orders, "picked_up_p90_holds")),
        "half_way_mae_min": _mean([abs(e) for e in _known(orders, "half_way_error_min")]),
        "etas_told": sum(len(told) for told in desk.etas.values()),
    }
    return {**figures, "deliveries": orders}


def _order(row: Mapping[str, Any], real: datetime, desk: Desk) -> dict[str, Any]:
    told = desk.etas.get(row["order_id"], [])
    picked, promised, quoted = row["picked_up_at"], row["promised_at"], row["quoted_p50_at"]
    found: dict[str, Any] = {
        "number": row["number"],
        "order_id": row["order_id"],
        "courier": row["courier"],
        "placed_at": row["placed_at"],
        "ready_at": row["ready_at"],
        "picked_up_at": picked,
        "promised_at": promised,
        "real_at": real,
        "late_min": None if promised is None else _minutes(real, promised),
        "quoted_error_min": None if quoted is None else _minutes(quoted, real),
        "picked_up_error_min": None,
        "picked_up_p90_holds": None,
        "half_way_error_min": None,
    }
    if picked is None:
        return found
    for name, at in (("picked_up", picked), ("half_way", picked + (real - picked) / 2)):
        last = next((each for each in reversed(told) if picked <= each.at <= max(at, picked)), None)
        last = last or next((each for each in told if each.at >= picked), None)
        if last is not None:
            found[f"{name}_error_min"] = _minutes(last.p50_at, real)
            if name == "picked_up":
                found["picked_up_p90_holds"] = last.p90_at >= real
    return found


def _known(orders: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return [each[name] for each in orders if each[name] is not None]


def _minutes(one: datetime, other: datetime) -> float:
    return round((one - other).total_seconds() / 60, 2)


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


def _share(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None
