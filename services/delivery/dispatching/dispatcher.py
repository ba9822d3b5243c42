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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from schemas.delivery_rules import DeliveryRules
from schemas.dispatch import DispatchState
from schemas.identifiers import derived_id
from schemas.message import Request
from services.delivery import open_orders
from services.delivery.dispatching import showing, watching
from services.delivery.dispatching.inside import AskCourier, NobodyBrings, Seen
from services.delivery.dispatching.reading import RulesRead, Sources, fleets_of, read_houses
from services.delivery.dispatching.situating import (
    HouseNow,
    Stop,
    no_engine,
    situation_of,
    travel_of,
    weights_of,
)
from services.delivery.open_orders import Mark
from services.delivery.routing.port import NO_ENGINE, Ways
from services.dispatch.planner import plan
from services.dispatch.situation import Plan, Situation, Trip
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
_FAR_OFF: Final = 0.75
"""Nobody is asked for food that takes longer than this part of what they would be let wait."""
_SHOW_AGAIN_S: Final = 60.0
Say = Callable[[Iterable[Outgoing]], None]


@dataclass(frozen=True, slots=True)
class Planned:
    """A fleet as it was seen, and its plan."""

    houses: Sequence[HouseNow]
    situation: Situation
    plan: Plan

    @property
    def stops(self) -> dict[str, Stop]:
        """Every open delivery, by the name that the plan calls it."""
        return {stop.name: stop for house in self.houses for stop in house.stops}


def plan_of(houses: Sequence[HouseNow], now: datetime, ways: Ways = NO_ENGINE) -> Planned:
    """Plan a fleet as it is now; decides nothing.

    Args:
        houses: all that share it.
        now: the moment.
        ways: what routing engines have said.
    """
    length = no_engine if ways is NO_ENGINE else ways.length
    travel = travel_of(houses, length)
    situation = situation_of(houses, now.timestamp(), travel)
    return Planned(houses, situation, plan(situation, travel, weights_of(houses)))


@dataclass(slots=True)
class _Fleet:
    """What is remembered of a fleet between two looks; all of it may be forgotten."""

    houses: tuple[str, ...]
    marks: tuple[Mark | None, ...] = ()
    next_s: float = -math.inf
    rests_until: float = -math.inf
    """By the machine's own clock: planning leaves time for others."""
    waits: dict[tuple[str, UUID], datetime] = field(default_factory=dict)
    """Since when nobody brings what nobody brings."""
    alarmed: dict[tuple[str, UUID], str] = field(default_factory=dict)


class Dispatcher:
    """See the module.

    Args:
        database: where it looks.
        intake: where it is done.
        say: publishes what the plans are.
        sources: what deliveries' rows do not say.
        clock: the time.
        ways: what routing engines have said.
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
        look_every_s: float = LOOK_EVERY_S,
        rest: float = REST,
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._say: Final = say
        self._sources: Final = sources
        self._clock: Final = clock
        self._ways: Final = ways
        self._look_every_s: Final = look_every_s
        self._rest: Final = rest
        self._fleets: dict[str, _Fleet] = {}
        self._shown: dict[str, DispatchState] = {}
        self._known: set[str] = set()
        self._rules = RulesRead()
        self.faults: Final[dict[str, str]] = {}

    async def run(self) -> None:
        """Look, for ever."""
        self._fleets.clear()
        self._shown.clear()
        self._known.clear()
        self._rules = RulesRead()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(for_ever(self.look, self._look_every_s, "couriers are asked"))
            tasks.create_task(self._ways.run())

    async def look(self) -> int:
        """Plan what has to be planned anew, and ask for what follows; returns how much was done.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        async with self._database.read() as connection:
            houses = await self._rules.now(connection)
            marks = await open_orders.read_marks(connection)
        self._forget(houses)
        done = 0
        for name, tenants in fleets_of(houses).items():
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
                continue
            fleet.marks = now_marks
            self.faults.pop(name, None)
        return done

    # -- one fleet ----------------------------------------------------------------------------

    async def _serve(self, fleet: _Fleet, rules: Mapping[str, DeliveryRules]) -> int:
        now = self._clock()
        async with self._database.read() as connection:
            houses = await read_houses(connection, rules, self._sources, now)
        for house in houses:
            self._ways.serve(house.tenant, house.rules, house.legs)
        found = watching.due(houses, now.timestamp())
        for tenant, request in found:
            await self._ask(tenant, request, now)
        began = time.monotonic()
        planned = await asyncio.to_thread(plan_of, houses, now, self._ways)
        ended = time.monotonic()
        fleet.rests_until = ended + self._rest * (ended - began)
        asked = 0
        for trip in planned.plan.to_tell(planned.situation):
            if not _is_far_off(trip, planned, now):
                asked += await self._tell(trip, planned, now)
        self._show(planned, now)
        await self._alarm(fleet, planned, now)
        later = (planned.plan.again_s, watching.next_s(houses, now.timestamp()))
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
            state = showing.state_of(house, planned.plan, planned.situation, planned.stops)
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
        self._known = set(houses)
        for tenant in over:
            self._shown.pop(tenant, None)
        if over:
            self._say([clearing(DispatchState, tenant=tenant) for tenant in over])

    async def _alarm(self, fleet: _Fleet, planned: Planned, now: datetime) -> None:
        """Tell the managers of what nobody brings for longer, once; and when it is over."""
        stops = planned.stops
        left = {}
        for each in planned.plan.left_out:
            stop = stops[each.order]
            if not math.isnan(stop.ready_p50_s):  # what is held is not to be brought yet
                left[stop.tenant, stop.order_id] = each.why
        fleet.waits = {key: fleet.waits.get(key, now) for key in left}
        for key, why in left.items():
            waited = (now - fleet.waits[key]).total_seconds()
            if waited >= _ALARM_AFTER_S and fleet.alarmed.get(key) != why:
                request = NobodyBrings(
                    order_id=key[1], why=why[: showing.LONGEST_WHY], since=fleet.waits[key]
                )
                if await self._ask(key[0], request, now):
                    fleet.alarmed[key] = why
        for key in fleet.alarmed.keys() - left.keys():
            await self._ask(key[0], NobodyBrings(order_id=key[1], why=None, since=now), now)
            del fleet.alarmed[key]

    def _fail(self, name: str, error: Exception) -> None:
        why = repr(error)[:200]
        if self.faults.get(name) != why:
            log.error("a fleet is not planned, by a fault of ours", fleet=name, exc_info=error)
        self.faults[name] = why


def _is_far_off(trip: Trip, planned: Planned, now: datetime) -> bool:
    """Whether its food takes nearly so long still that nobody would be let wait for it."""
    stops = planned.stops
    house = next(each for each in planned.houses if each.tenant == trip.restaurant)
    ready = max(stops[name].ready_p50_s for name in trip.orders)
    return ready - now.timestamp() >= _FAR_OFF * house.rules.let_go_after_s


def _age_s(state: DispatchState, now: datetime) -> float:
    return (now.astimezone(UTC) - state.planned_at).total_seconds()
