"""An evening goes by: what a policy says is carried out, and things happen. Pure.

Events stand in one queue. A policy is asked when something changed that it may care for, when it
wanted to be asked again, and every half minute while anything is open. What it sees is a
`Situation`, made of what anybody would know at that moment.

Each order ends: at its door, or with why it did not come there.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final

import numpy as np

from services.dispatch.simulation.foretelling import Foretelling, Ready
from services.dispatch.simulation.policy import Ask, Decision, Policy
from services.dispatch.simulation.riding import DROPOFF_S, PICKUP_S, Job, Riding
from services.dispatch.simulation.world import Placed, Rider, World, ride_s
from services.dispatch.situation import Courier, OpenOrder, Place, Situation

_AGAIN_S: Final = 30.0
_AHEAD_S: Final = 3_600.0
"""Couriers whose shift begins later than this from now are not planned with yet."""
_WAITS_MOST_S: Final = 2_400.0
"""No courier waits longer at a restaurant: they take what is ready, and give the rest back."""
_GIVEN_UP_S: Final = 3_600.0
"""A step of a kitchen that is not done after so long is given up, and its order with it."""
_NOTICED_S: Final = 300.0
"""A courier of whom nothing is heard for so long is lost."""
_FORGOTTEN_S: Final = 600.0
"""Who declined an order may be asked again after so long."""
_ROADS_VARY: Final = 0.12
"""How much rides vary, the sigma of a lognormal distribution."""
_PROMISED_S: Final = 600.0
"""So much later than the kitchen's p90 and the ride an order is promised."""


@dataclass(slots=True)
class Ended:
    """How an order ended.

    Attributes:
        order: what it was.
        promised_s: when it was promised at its placing.
        courier: who had it last; empty for nobody.
        picked_s: when the food was in the bag; NaN for never.
        door_s: when the guest had it; NaN for never.
        why: why the guest never had it; empty where they had.
    """

    order: Placed
    promised_s: float
    courier: str = ""
    picked_s: float = math.nan
    door_s: float = math.nan
    why: str = ""


@dataclass(slots=True)
class Evening:
    """What became of an evening.

    Attributes:
        ended: all orders, in the order of their placing.
        riders: all couriers.
        waited_s: what each trip's courier waited at a restaurant for food.
    """

    ended: list[Ended]
    riders: list[Riding]
    waited_s: list[float]


def live_through(world: World, policy: Policy) -> Evening:
    """An evening of a policy."""
    return _Day(world, policy).run()


@dataclass(slots=True)
class _Day:
    world: World
    policy: Policy
    now: float = 0.0
    _changed: bool = False
    _wake: float = math.inf
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: count[int] = field(default_factory=count)
    _open: dict[str, Placed] = field(default_factory=dict)
    _ended: dict[str, Ended] = field(default_factory=dict)
    _declined: dict[str, dict[str, float]] = field(default_factory=dict)
    _refused: Counter[str] = field(default_factory=Counter)
    _why: dict[str, str] = field(default_factory=dict)
    _riders: dict[str, Riding] = field(default_factory=dict)
    _indexes: dict[str, int] = field(default_factory=dict)
    _legs: dict[str, int] = field(default_factory=dict)
    _waited: list[float] = field(default_factory=list)
    _foretelling: Foretelling = field(init=False)

    def __post_init__(self) -> None:
        self._foretelling = Foretelling(self.world)
        for index, rider in enumerate(self.world.riders):
            self._riders[rider.name] = Riding(rider, rider.home)
            self._indexes[rider.name] = index

    def run(self) -> Evening:
        """The whole evening, until nothing happens any more."""
        for order in self.world.orders:
            self._at(order.placed_s, partial(self._place, order))
        for rider in self.world.riders:
            self._at(rider.on_s, self._change)
            if math.isfinite(rider.lost_s):
                self._at(rider.lost_s, partial(self._lose, rider))
        while self._events:
            self.now = self._events[0][0]
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            if self._changed and self.now <= self.world.setting.end_s:
                self._decide()
        for name in list(self._open):
            self._explain(name, self._why_open(name))
        for riding in self._riders.values():
            riding.halt(self.now)
        return Evening(list(self._ended.values()), list(self._riders.values()), self._waited)

    # -- what a policy sees, and says -------------------------------------------------------

    def _decide(self) -> None:
        self._changed = False
        decision = self.policy.decide(self._situation())
        self._why |= decision.why
        self._carry_out(decision)
        if self._open:
            wake = min(self.now + _AGAIN_S, max(decision.again_s, self.now + 1.0))
            if not self.now < self._wake <= wake:
                self._wake = wake
                self._at(wake, self._change)

    def _situation(self) -> Situation:
        return Situation(
            now_s=self.now,
            orders=tuple(self._open_order(order) for order in self._open.values()),
            couriers=tuple(
                self._courier(each)
                for each in self._riders.values()
                if not each.noticed
                and each.rider.on_s <= self.now + _AHEAD_S
                and each.rider.off_s >= self.now
            ),
            pickup_s=PICKUP_S,
            dropoff_s=DROPOFF_S,
        )

    def _open_order(self, order: Placed) -> OpenOrder:
        ready = self._ready(order)
        restaurant = self.world.restaurants[order.restaurant]
        declined = self._declined.get(order.name, {})
        return OpenOrder(
            name=order.name,
            placed_s=order.placed_s,
            ready_p50_s=ready.p50_s,
            ready_p90_s=ready.p90_s,
            restaurant=restaurant.name,
            pickup=restaurant.place,
            door=order.door,
            promised_s=self._ended[order.name].promised_s,
            declined_by=frozenset(who for who, until in declined.items() if until > self.now),
        )

    def _courier(self, each: Riding) -> Courier:
        place, free = each.next_free(self.now, lambda order: self._ready(order).p50_s)
        return Courier(
            name=each.rider.name,
            place=place,
            free_s=free,
            shift_end_s=each.rider.off_s,
            mode=each.rider.mode,
            seen_s=min(self.now, each.rider.lost_s),
            had=each.had,
        )

    def _ready(self, order: Placed) -> Ready:
        return self._foretelling.ready(order, self.now)

    def _carry_out(self, decision: Decision) -> None:
        for ask in decision.asks:
            self._ask(ask)
        for move in decision.moves:
            each = self._riders[move.courier]
            if each.jobs or each.gone or each.rider.on_s > self.now:
                continue
            each.halt(self.now)
            each.goes_to, each.goes_s = move.place, self.now

    # -- asking -----------------------------------------------------------------------------

    def _ask(self, ask: Ask) -> None:
        each = self._riders[ask.courier]
        orders = [self._open.pop(name) for name in ask.orders]
        pickup = self.world.restaurants[orders[0].restaurant].place
        job = Job(orders, pickup, ask.leave_s)
        each.jobs.append(job)
        each.asked += 1
        for order in orders:
            self._ended[order.name].courier = ask.courier
        setting = self.world.setting
        draw = self._draw(4, self._indexes[ask.courier], each.asked)
        says, takes = draw.uniform(), each.rider.answers_s * float(draw.lognormal(0.0, 0.4))
        answers = self.now + takes
        if says < setting.silent or takes > setting.patience_s or answers >= each.rider.lost_s:
            self._at(self.now + setting.patience_s, lambda: self._refuse(each, job, lapsed=True))
        elif says < setting.silent + setting.decline:
            self._at(answers, lambda: self._refuse(each, job, lapsed=False))
        else:
            self._at(answers, lambda: self._accept(each, job))

    def _refuse(self, each: Riding, job: Job, *, lapsed: bool) -> None:
        if job not in each.jobs:
            return
        each.jobs.remove(job)
        each.lapsed += lapsed
        each.declined += not lapsed
        for order in job.orders:
            self._declined.setdefault(order.name, {})[each.rider.name] = self.now + _FORGOTTEN_S
            self._refused[order.name] += 1
        self._give_back(job.orders)

    def _accept(self, each: Riding, job: Job) -> None:
        if each.gone or job not in each.jobs:
            return
        job.accepted = True
        each.had += len(job.orders)
        self._next_job(each)

    def _give_back(self, orders: list[Placed]) -> None:
        for order in orders:
            self._open[order.name] = order
            self._ended[order.name].courier = ""
        self._change()

    # -- riding -----------------------------------------------------------------------------

    def _next_job(self, each: Riding) -> None:
        """Set out for the first job if it is accepted and nothing is in hand."""
        if not each.jobs or not each.jobs[0].accepted or not math.isnan(each.jobs[0].left_s):
            return
        job = each.jobs[0]
        leave = max(self.now, job.leave_s, each.rider.on_s)
        self._at(leave, lambda: self._leave(each, job))

    def _leave(self, each: Riding, job: Job) -> None:
        if each.gone or not each.jobs or each.jobs[0] is not job or not math.isnan(job.left_s):
            return
        each.halt(self.now)
        job.left_s = self.now
        self._ride(each, job.pickup, lambda: self._arrive(each, job))

    def _ride(self, each: Riding, to: Place, then: Callable[[], None]) -> None:
        name = each.rider.name
        self._legs[name] = self._legs.get(name, 0) + 1
        draw = self._draw(3, self._indexes[name], self._legs[name])
        takes = ride_s(each.place, to, each.rider.mode) * float(draw.lognormal(0.0, _ROADS_VARY))
        self._at(self.now + takes, then)

    def _arrive(self, each: Riding, job: Job) -> None:
        if each.gone:
            return
        each.ridden_m += math.dist(each.place, job.pickup)
        each.place, job.there_s = job.pickup, self.now
        self._at(self.now + PICKUP_S / 2, lambda: self._collect(each, job))

    def _collect(self, each: Riding, job: Job) -> None:
        """Take the food, or wait for it."""
        if each.gone or job not in each.jobs or job.in_bag:
            return
        since = job.there_s + PICKUP_S / 2
        if self.now < since:
            return  # they have just come in, and look for themselves in a moment
        missing = [order for order in job.orders if order.ready_s > self.now]
        if missing and self.now < since + _WAITS_MOST_S:
            ready = max(order.ready_s for order in missing)
            again = min(ready, since + _WAITS_MOST_S)
            self._at(again, lambda: self._collect(each, job))
            return
        self._waited.append(self.now - since)
        job.orders = [order for order in job.orders if order not in missing]
        self._give_back(missing)
        if not job.orders:
            self._end_job(each, job)
            return
        job.leg_s = self.now + PICKUP_S / 2
        for order in job.orders:
            self._ended[order.name].picked_s = self.now
        self._at(job.leg_s, lambda: self._to_door(each, job))

    def _to_door(self, each: Riding, job: Job) -> None:
        if each.gone:
            return
        if not job.orders:
            self._end_job(each, job)
            return
        door = job.orders[0].door

        def there() -> None:
            if not each.gone:
                each.ridden_m += math.dist(each.place, door)
                each.place = door
                self._at(self.now + DROPOFF_S / 2, lambda: self._deliver(each, job))

        self._ride(each, door, there)

    def _deliver(self, each: Riding, job: Job) -> None:
        if each.gone:
            return
        order = job.orders.pop(0)
        self._ended[order.name].door_s = self.now
        each.brought += 1
        job.leg_s = self.now + DROPOFF_S / 2
        self._at(job.leg_s, lambda: self._to_door(each, job))

    def _end_job(self, each: Riding, job: Job) -> None:
        each.busy_s += self.now - job.left_s
        each.until_s = self.now
        each.jobs.remove(job)
        self._next_job(each)
        self._change()

    # -- what happens -----------------------------------------------------------------------

    def _place(self, order: Placed) -> None:
        self._open[order.name] = order
        restaurant = self.world.restaurants[order.restaurant]
        promised = self._ready(order).p90_s + ride_s(restaurant.place, order.door, "bicycle")
        promised += (PICKUP_S + DROPOFF_S) / 2 + _PROMISED_S
        self._ended[order.name] = Ended(order, promised)
        if math.isfinite(order.ready_s):
            self._at(order.ready_s, self._change)
        else:
            done = sum(each for each in order.took_s if math.isfinite(each))
            self._at(order.placed_s + done + _GIVEN_UP_S, lambda: self._give_up(order))
        self._change()

    def _give_up(self, order: Placed) -> None:
        """A kitchen gives an order up: nobody brings it any more."""
        self._open.pop(order.name, None)
        self._explain(order.name, "its kitchen never had it ready")
        for each in self._riders.values():
            for job in [job for job in each.jobs if order in job.orders]:
                job.orders.remove(order)
                if not math.isnan(job.there_s):
                    self._collect(each, job)
                elif not job.orders and math.isnan(job.left_s):
                    each.jobs.remove(job)
                    self._next_job(each)
        self._change()

    def _lose(self, rider: Rider) -> None:
        self._riders[rider.name].gone = True
        self._at(self.now + _NOTICED_S, lambda: self._notice(rider))

    def _notice(self, rider: Rider) -> None:
        """Nothing was heard of a courier for a while: what they had is planned again, or lost."""
        each = self._riders[rider.name]
        each.noticed = True
        each.until_s = rider.lost_s
        jobs, each.jobs = each.jobs, []
        for job in jobs:
            if job.in_bag:
                for order in job.orders:
                    self._explain(order.name, f"{rider.name} was lost with the food")
            else:
                self._give_back(job.orders)
        self._change()

    def _explain(self, name: str, why: str) -> None:
        self._ended[name].why = why
        self._open.pop(name, None)

    def _why_open(self, name: str) -> str:
        """Why an order never had a courier until the evening was over."""
        if not self.world.riders:
            return "there are no couriers"
        if all(each.noticed for each in self._riders.values()):
            return "every courier was lost"
        if self._refused[name]:
            return "every courier who was asked declined it, or did not answer"
        return self._why.get(name) or "no courier was free before the end of the shifts"

    def _change(self) -> None:
        self._changed = True

    def _at(self, moment: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(moment, self.now), next(self._number), then))

    def _draw(self, what: int, who: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.world.setting.seed, what, who, number])
