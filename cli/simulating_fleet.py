"""An evening of several houses that share their couriers, who are asked by the dispatcher."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from cli.application import Application
from cli.failures import Failure
from cli.order_files import FileOrder
from cli.simulated_houses import House, Kitchen, Staffed, staffed
from cli.simulated_office import SimulatedManagers
from cli.simulating import FastClock
from cli.simulating_delivery import HOUSE, doors
from cli.system import System
from devices.pending import Pending
from devices.simulated_body import Point, Town
from devices.simulated_courier import Job, Mishap, SimulatedCourier, SimulatedCouriers, Temper
from schemas.delivery_rules import DeliveryRules
from schemas.orders import Guest, OrderKind
from schemas.positions import Place
from schemas.replies import OrderReceipt

MIDDLE: Final = HOUSE
"""Of the town."""
FLEET: Final = "evening"
LEAD: Final = timedelta(minutes=5)
"""The couriers are there so long before the first order."""
_APART_M: Final = 350.0
_LAST: Final = timedelta(hours=3)
"""So long after the last order nobody waits for anything any more."""
_LOOK_S: Final = 0.05
_TOWN: Final = Town(MIDDLE)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong.

    Attributes:
        declines: the share of askings that are declined.
        ignores: the share that are not answered.
        lost: so many couriers are lost on their way to food that they have said to fetch.
        lost_with_food: so many with food in the bag.
        stopped: for so long one kitchen stands still in the rush; None is for good, and no
            time at all is never.
    """

    declines: float
    ignores: float
    lost: int
    lost_with_food: int
    stopped: timedelta | None


@dataclass(frozen=True, slots=True)
class Stop:
    """A kitchen that stands still, on the simulated clock."""

    house: int
    begin: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as it was placed."""

    tenant: str
    order: FileOrder
    asked: Pending[OrderReceipt]


@dataclass(frozen=True, slots=True)
class Fleet:
    """All who take part.

    Attributes:
        houses: their devices are online.
        riding: the couriers.
        mishaps: what is still to happen to some of them.
        closed: the houses whose kitchen stands still for good.
    """

    houses: Sequence[Staffed]
    riding: SimulatedCouriers
    mishaps: list[Mishap]
    closed: set[str]


def counters(count: int) -> list[Point]:
    """Where the restaurants are: the first in the middle, the others around it."""
    turns = [2 * math.pi * each / max(1, count - 1) for each in range(count - 1)]
    around = [(_APART_M * math.sin(turn), _APART_M * math.cos(turn)) for turn in turns]
    return [(0.0, 0.0), *around]


def place_of(counter: Point) -> Place:
    """Where a counter is on the map."""
    return _TOWN.place(counter)


def rules_of(place: Place) -> DeliveryRules:
    """How each of the houses delivers."""
    return DeliveryRules(place=place, automatic=True, fleet=FLEET)


def dealt(orders: Sequence[FileOrder], houses: int, seed: int) -> list[list[FileOrder]]:
    """Deal the orders out to the houses: about as many to each.

    Raises:
        Failure: there are fewer orders than houses.
    """
    if len(orders) < houses:
        raise Failure(f"{len(orders)} orders are too few for {houses} kitchens: --kitchens 1")
    whose = [number % houses for number in range(len(orders))]
    random.Random(seed).shuffle(whose)  # noqa: S311 - guests, not secrets
    found: list[list[FileOrder]] = [[] for _ in range(houses)]
    for house, order in zip(whose, orders, strict=True):
        found[house].append(order)
    return found


def rush(orders: Sequence[FileOrder], span: timedelta) -> datetime:
    """When so long begins in which most is ordered."""
    times = [each.placed_at for each in orders]
    return max(times, key=lambda at: (sum(at <= one < at + span for one in times), at))


@contextmanager
def on_the_road(
    app: Application,
    system: System,
    houses: Sequence[House],
    *,
    couriers: int,
    clock: FastClock,
    trouble: Trouble,
    varies: float,
    seed: int,
) -> Iterator[Fleet]:
    """Houses and couriers with all their devices; nothing is ordered yet."""
    names = [f"courier-{number + 1}" for number in range(couriers)]
    with staffed(app, system, houses, names, speed=clock.speed, varies=varies, seed=seed) as there:
        temper = Temper(trouble.declines, trouble.ignores)
        mishaps: list[Mishap] = []
        people = {}
        for number, name in enumerate(names):
            jobs = [Job(one.phones[name], one.house.counter) for one in there]
            nearest = number % len(jobs)  # they wait at different counters
            people[name] = SimulatedCourier(
                [*jobs[nearest:], *jobs[:nearest]],
                _TOWN,
                seed * 1_000 + number,
                temper=temper,
                mishaps=mishaps,
            )
        closed: set[str] = set()
        offices = [one.office for one in there]
        with (
            SimulatedManagers(offices, clock, closed),
            SimulatedCouriers(people, clock) as riding,
        ):
            yield Fleet(there, riding, mishaps, closed)


def play(
    fleet: Fleet,
    orders: Sequence[FileOrder],
    dealt_out: Sequence[Sequence[FileOrder]],
    clock: FastClock,
    trouble: Trouble,
    *,
    seed: int,
    progress: Callable[[int], None],
) -> list[Placed]:
    """Place the orders at their times; wait until all of them are over, or none will be.

    `progress` is told how many are over.
    """
    first = orders[0].placed_at
    moved = clock() + LEAD - first.replace(tzinfo=UTC)
    middle = orders[len(orders) // 2].placed_at.replace(tzinfo=UTC) + moved
    fleet.mishaps.extend([Mishap(middle, with_food=False)] * trouble.lost)
    fleet.mishaps.extend([Mishap(middle, with_food=True)] * trouble.lost_with_food)
    stop = _stop(orders, dealt_out, trouble, moved, seed)
    house_of = {o.reference: number for number, part in enumerate(dealt_out) for o in part}
    places = doors(len(orders), seed)
    placed: list[Placed] = []
    kitchens = [one.kitchen for one in fleet.houses]
    for number, (order, place) in enumerate(zip(orders, places, strict=True), 1):
        at = order.placed_at.replace(tzinfo=UTC) + moved
        while (wait := clock.until(at)) > 0:
            time.sleep(min(wait, _LOOK_S))
            stop = _obey(stop, kitchens, fleet, clock())
            progress(_over(fleet))
        one = fleet.houses[house_of[order.reference]]
        guest = Guest(name=f"Guest {number}", address=f"Street {number}", place=place)
        wanted = replace(one.house.plan.new_order(order), kind=OrderKind.DELIVERY, guest=guest)
        (asked,) = one.till.place_orders([wanted])
        placed.append(Placed(one.house.tenant, order, asked))
    until = clock() + _LAST
    while not _is_over(fleet, placed) and clock() < until:
        time.sleep(_LOOK_S)
        stop = _obey(stop, kitchens, fleet, clock())
        progress(_over(fleet))
    return placed


def _stop(
    orders: Sequence[FileOrder],
    dealt_out: Sequence[Sequence[FileOrder]],
    trouble: Trouble,
    moved: timedelta,
    seed: int,
) -> Stop | None:
    if trouble.stopped == timedelta(0):
        return None
    span = trouble.stopped or timedelta(minutes=40)
    begin = rush(orders, span).replace(tzinfo=UTC) + moved
    house = random.Random(seed).randrange(len(dealt_out))  # noqa: S311 - a kitchen, not a secret
    return Stop(house, begin, None if trouble.stopped is None else begin + span)


def _obey(
    stop: Stop | None, kitchens: Sequence[Kitchen], fleet: Fleet, now: datetime
) -> Stop | None:
    """Have the kitchen stand still, or go on, when it is time; returns what is still to come."""
    if stop is None or now < stop.begin:
        return stop
    kitchen = kitchens[stop.house]
    if stop.end is None:
        kitchen.stop()
        fleet.closed.add(fleet.houses[stop.house].house.tenant)
        return None
    if now < stop.end:
        kitchen.stop()
        return stop
    kitchen.start()
    return None


def _over(fleet: Fleet) -> int:
    return sum(len(one.office.ended) for one in fleet.houses)


def _is_over(fleet: Fleet, placed: Sequence[Placed]) -> bool:
    if not all(each.asked.done for each in placed):
        return False
    ended: set[UUID] = set().union(*(one.office.ended for one in fleet.houses))
    return all(
        each.asked.error is not None or each.asked.result(0).order_id in ended for each in placed
    )
