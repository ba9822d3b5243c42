"""The live dispatcher: plans what is to be brought, and asks couriers.

It looks at the rows twice a second, and plans a fleet anew when anything of it has changed, when
the next courier has to be asked, and every half a minute: a kitchen that is late changes no row of
a delivery. It decides nothing by itself: it asks the worker, naming what it saw (see
`services.delivery.dispatching.handlers`). So nothing is lost with its process, a second planner
does no harm, and a person who was quicker is right.

What goes wrong with one fleet stays with it, and is tried again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from schemas.delivery_rules import DeliveryRules
from schemas.dispatch import DispatchState
from schemas.identifiers import derived_id
from schemas.message import Request
from services.delivery import open_orders
from services.delivery.dispatching import alarms, showing, watching
from services.delivery.dispatching.alarms import OrderKey
from services.delivery.dispatching.inside import AskCourier, NobodyBrings, Seen
from services.delivery.dispatching.reading import Sources, fleets_of, read_houses
from services.delivery.dispatching.situating import (
    MOST_PLANNED,
    HouseNow,
    Stop,
    situation_of,
    travel_of,
    waiting,
    weights_of,
)
from services.delivery.dispatching.waiting_places import (
    NOWHERE,
    Towards,
    WaitingPlaces,
    waits_of,
)
from services.delivery.next_couriers import NextCouriers
from services.delivery.open_orders import Mark
from services.delivery.routing.port import NO_ENGINE, Ways
from services.delivery.rulebooks import RuleBooks
from services.dispatch.next_free import Opening, openings
from services.dispatch.planner import plan
from services.dispatch.prepositioning import Sent
from services.dispatch.situation import LeftOut, Plan, Situation, Trip
from services.runtime.context import Outgoing, clearing, outgoing
from services.runtime.database import Database, is_away
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever
from services.runtime.timers import NotNow, ask

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
PLAN_EVERY_S: Final = 30.0
_ALARM_AFTER_S: Final = 120.0
"""Nobody is alarmed by an order that nobody brings for a moment."""
REST: Final = 3.0
_SHOW_AGAIN_S: Final = 60.0
Say = Callable[[Iterable[Outgoing]], None]


@dataclass(frozen=True, slots=True)
class Planned:
    """A fleet as it was seen, and its plan."""

    houses: Sequence[HouseNow]
    situation: Situation
    plan: Plan
    openings: Mapping[str, Sequence[Opening]]
    """When couriers could bring one order more, by house."""
    waits: Sequence[Sent]
    """Who has nothing to do, and should wait where."""

    @property
    def stops(self) -> dict[str, Stop]:
        """Every open delivery, by the name that the plan calls it."""
        return {stop.name: stop for house in self.houses for stop in house.stops}


def plan_of(
    houses: Sequence[HouseNow],
    now: datetime,
    ways: Ways = NO_ENGINE,
    towards: Towards = NOWHERE,
) -> Planned:
    """Plan a fleet as it is now; decides nothing.

    Args:
        houses: all that share it.
        now: the moment.
        ways: what routing engines have said.
        towards: who was sent where to wait.
    """
    travel = travel_of(houses, None if ways is NO_ENGINE else ways.length)
    situation = situation_of(houses, now.timestamp(), travel)
    weights = weights_of(houses)
    made = plan(situation, travel, weights)
    asked = [house for house in houses if house.rules.automatic]
    left_open = openings(
        situation,
        made,
        travel,
        {house.tenant: house.place for house in asked},
        {
            house.tenant: {each.courier for each in house.couriers if each.on_duty}
            for house in asked
        },
        position_old_s=weights.position_old_s,
    )
    waits = waits_of(
        houses, situation, made, travel, towards, position_old_s=weights.position_old_s
    )
    beyond = [stop for house in houses for stop in waiting(house)[MOST_PLANNED:]]
    why = f"{MOST_PLANNED} orders that are ready sooner come first"
    left_out = (*made.left_out, *(LeftOut(stop.name, why) for stop in beyond))
    return Planned(houses, situation, replace(made, left_out=left_out), left_open, waits)


@dataclass(slots=True)
class _Fleet:
    """What is remembered of a fleet between two looks; all of it may be forgotten."""

    houses: tuple[str, ...]
    marks: tuple[Mark | None, ...] = ()
    next_s: float = -math.inf
    rests_until: float = -math.inf
    """By the machine's own clock: planning leaves time for others."""
    waits: dict[OrderKey, datetime] = field(default_factory=dict)
    """Since when nobody brings what nobody brings."""
    since: watching.Since = field(default_factory=watching.Since)


class Dispatcher:
    """See the module.

    Args:
        database: where it looks.
        intake: where it is done.
        say: publishes what the plans are.
        sources: what deliveries' rows do not say.
        clock: the time.
        ways: what routing engines have said.
        next_couriers: is told what the plans leave open; None where nobody asks for it.
        look_every_s: seconds between two looks.
        rest: after a plan its fleet is not planned anew for so many times as long as it took.

    Attributes:
        faults: what is wrong with a fleet of which nothing is planned, by its name.
    """

    def __init__(
        self,
        database: Database,
        intake: Intake,
        say: Say,
        sources: Sources,
        clock: Clock,
        *,
        ways: Ways = NO_ENGINE,
        next_couriers: NextCouriers | None = None,
        look_every_s: float = LOOK_EVERY_S,
        rest: float = REST,
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._say: Final = say
        self._sources: Final = sources
        self._clock: Final = clock
        self._ways: Final = ways
        self._next_couriers: Final = next_couriers or NextCouriers()
        self._look_every_s: Final = look_every_s
        self._rest: Final = rest
        self._fleets: dict[str, _Fleet] = {}
        self._shown: dict[str, DispatchState] = {}
        self._known: set[str] = set()
        self._books = RuleBooks()
        self._waiting: Final = WaitingPlaces()
        self.faults: Final[dict[str, str]] = {}

    async def run(self) -> None:
        """Look, for ever."""
        self._fleets.clear()
        self._shown.clear()
        self._known.clear()
        self._waiting.begin()
        self._books = RuleBooks()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(for_ever(self.look, self._look_every_s, "couriers are asked"))
            tasks.create_task(self._ways.run())

    async def look(self) -> int:
        """Plan what has to be planned anew, and ask for what follows; returns how much was done.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        async with self._database.read() as connection:
            for tenant, version in (await self._books.read(connection)).items():
                self._books.saw(tenant, version)
            houses = self._books.rules
            fleets = fleets_of(houses)
            marks = await open_orders.read_marks(connection) if fleets else {}
        self._forget(houses)
        done = 0
        self._fleets = {name: each for name, each in self._fleets.items() if name in fleets}
        for name, tenants in fleets.items():
            fleet = self._fleets.get(name)
            if fleet is None or fleet.houses != tuple(tenants):
                fleet = self._fleets[name] = _Fleet(tuple(tenants))
            # A house without an open delivery has no mark: its rules are its own.
            now_marks = tuple(marks.get(tenant, (houses[tenant],)) for tenant in tenants)
            due = fleet.next_s <= self._clock().timestamp()
            if (fleet.marks == now_marks and not due) or time.monotonic() < fleet.rests_until:
                continue
            try:
                done += await self._serve(fleet, {t: houses[t] for t in tenants})
            except NotServing:
                raise
            except Exception as error:
                if is_away(error):
                    raise
                self._fail(name, error)
                fleet.marks = now_marks
                fleet.next_s = self._clock().timestamp() + PLAN_EVERY_S
                await self._alarm_of_a_fault(fleet)
                continue
            fleet.marks = now_marks
            self.faults.pop(name, None)
        return done

    # -- one fleet ----------------------------------------------------------------------------

    async def _serve(self, fleet: _Fleet, rules: Mapping[str, DeliveryRules]) -> int:
        now = self._clock()
        async with self._database.read() as connection:
            houses = await read_houses(connection, rules, self._sources, now)
            standing = await alarms.standing(connection, rules.keys())
        for house in houses:
            self._ways.serve(house.tenant, house.rules, house.legs)
        fleet.since.look(houses, now.timestamp())
        found = watching.due(houses, now.timestamp(), fleet.since)
        for tenant, request in found:
            await self._ask(tenant, request, now)
        began = time.monotonic()
        towards = self._waiting.towards(fleet.houses)
        planned = await asyncio.to_thread(plan_of, houses, now, self._ways, towards)
        ended = time.monotonic()
        fleet.rests_until = ended + self._rest * (ended - began)
        self._next_couriers.say(now, planned.openings)
        asked = 0
        vain: dict[str, str] = {}
        later = [planned.plan.again_s, watching.next_s(houses, now.timestamp())]
        for trip in planned.plan.to_tell(planned.situation):
            house = next(each for each in houses if each.tenant == trip.restaurant)
            at = watching.ask_at(trip, house, planned.stops)
            if at > now.timestamp():
                later.append(at)
            elif await self._tell(trip, planned, now):
                asked += 1
            else:
                vain |= dict.fromkeys(trip.orders, f"{trip.courier} could not be asked for it")
        self._show(planned, now)
        self._say(self._waiting.tell(houses, planned.waits, now))
        await self._alarm(fleet, planned, vain, standing, now)
        fleet.next_s = max(now.timestamp() + 1.0, min(now.timestamp() + PLAN_EVERY_S, *later))
        return len(found) + asked

    async def _tell(self, trip: Trip, planned: Planned, now: datetime) -> bool:
        """Ask a courier to make a trip."""
        house = next(each for each in planned.houses if each.tenant == trip.restaurant)
        courier = next(each for each in house.couriers if each.courier == trip.courier)
        stops = planned.stops
        request = AskCourier(
            courier=trip.courier,
            courier_version=courier.version,
            orders=tuple(
                Seen(order_id=stops[name].order_id, version=stops[name].version)
                for name in trip.orders
            ),
            why=trip.reason[: showing.LONGEST_WHY],
        )
        return await self._ask(house.tenant, request, now)

    async def _ask(self, tenant: str, request: Request, now: datetime) -> bool:
        """Ask the worker; what somebody was quicker with is planned anew at the next look."""
        about = derived_id(now, request.type_name, tenant, request.model_dump_json())
        try:
            return await ask(self._intake, tenant, request, about)
        except NotNow:
            return False

    # -- what people see ----------------------------------------------------------------------

    def _show(self, planned: Planned, now: datetime) -> None:
        messages = []
        for house in planned.houses:
            if not house.rules.automatic:
                continue
            state = showing.state_of(
                house, planned.plan, planned.situation, planned.stops, planned.waits
            )
            before = self._shown.get(house.tenant)
            same = before is not None and before == state.model_copy(
                update={"planned_at": before.planned_at}
            )
            if before is not None and same and _age_s(before, now) < _SHOW_AGAIN_S:
                continue
            self._shown[house.tenant] = state
            messages.append(outgoing(state, tenant=house.tenant, now=now))
        self._say(messages)

    def _forget(self, houses: Mapping[str, DeliveryRules]) -> None:
        """Whoever has no automatic dispatch has no plan that is shown: also from before."""
        over = [
            tenant
            for tenant, rules in houses.items()
            if not (rules.automatic and rules.place is not None)
            and (tenant in self._shown or tenant not in self._known)
        ]
        over += sorted(self._known - houses.keys())  # they are no tenants any more
        self._known = set(houses)
        for tenant in over:
            self._shown.pop(tenant, None)
            self._next_couriers.forget(tenant)
        if over:
            self._say([clearing(DispatchState, tenant=tenant) for tenant in over])
            self._say(self._waiting.forget(over))

    async def _alarm(
        self,
        fleet: _Fleet,
        planned: Planned,
        vain: Mapping[str, str],
        standing: Mapping[OrderKey, str],
        now: datetime,
    ) -> None:
        """Tell the managers of what nobody brings for longer, once; and when it is over."""
        left = alarms.left(planned.houses, planned.plan, vain, now.timestamp())
        fleet.waits = {key: fleet.waits.get(key, now) for key in left}
        for key, why in left.items():
            waited = (now - fleet.waits[key]).total_seconds()
            if waited >= _ALARM_AFTER_S and why not in standing.get(key, ""):
                request = NobodyBrings(order_id=key[1], why=why, since=fleet.waits[key])
                await self._ask(key[0], request, now)
        for tenant, order_id in standing.keys() - left.keys():
            await self._ask(tenant, NobodyBrings(order_id=order_id, why=None, since=now), now)

    async def _alarm_of_a_fault(self, fleet: _Fleet) -> None:
        """Tell the managers of a fleet of which nothing can be planned that people have to."""
        now = self._clock()
        async with self._database.read() as connection:
            left = await alarms.waiting(connection, fleet.houses)
            standing = await alarms.standing(connection, fleet.houses)
        fleet.waits = {key: fleet.waits.get(key, now) for key in left}
        for key, since in fleet.waits.items():
            if (now - since).total_seconds() >= _ALARM_AFTER_S and key not in standing:
                request = NobodyBrings(order_id=key[1], why=alarms.OUR_FAULT, since=since)
                await self._ask(key[0], request, now)

    def _fail(self, name: str, error: Exception) -> None:
        why = repr(error)[:200]
        if self.faults.get(name) != why:
            log.error("a fleet is not planned, by a fault of ours", fleet=name, exc_info=error)
        self.faults[name] = why


def _age_s(state: DispatchState, now: datetime) -> float:
    return (now.astimezone(UTC) - state.planned_at).total_seconds()
