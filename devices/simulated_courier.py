"""Couriers in a simulation: real phones over MQTT, and legs that take their time."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from devices.courier import CourierPhone
from devices.pending import Pending
from devices.simulated_body import Point, SimulatedBody, Town
from devices.simulator import Simulated
from schemas.deliveries import IN_THE_BAG, DeliveryStatus, RunStop
from schemas.delivery_requests import ByHand
from schemas.positions import Place
from schemas.replies import DeliveryReceipt

NOT_NOW: Final = "not now"
"""Why a simulated courier declines, as they say it."""
_WAIT_FOR_MORE_S: Final = 240.0
"""Who has one order in the bag waits so long for the next of the same way."""
_ASK_AGAIN_S: Final = 15.0
_LOOK_S: Final = 0.03
_COMING: Final = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.AT_RESTAURANT})
_WITH_FOOD: Final = frozenset(
    {DeliveryStatus.PICKED_UP, DeliveryStatus.EN_ROUTE, DeliveryStatus.NEAR}
)


@dataclass(frozen=True, slots=True)
class Job:
    """What a courier does for one house.

    Attributes:
        phone: what they carry for it; started and closed by its owner.
        counter: where its food is.
    """

    phone: CourierPhone
    counter: Point = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Temper:
    """How a courier takes it to be asked.

    Attributes:
        declines: the share of askings that they decline.
        ignores: the share that they do not answer.
    """

    declines: float = 0.0
    ignores: float = 0.0


@dataclass(frozen=True, slots=True)
class Mishap:
    """All phones of a courier fall silent for good, and nobody sees them again.

    Attributes:
        after: it happens to the first courier who is so far from then on.
        with_food: on the way to a guest; else before they have the food that they said to fetch.
    """

    after: datetime
    with_food: bool


@dataclass(frozen=True, slots=True)
class _Stop:
    """A stop, and for whom."""

    job: Job
    stop: RunStop


@dataclass(slots=True)
class _Asked:
    pending: Pending[DeliveryReceipt]
    at: datetime


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a courier says to being asked, and when."""

    says: str
    at: datetime


@dataclass(slots=True)
class SimulatedCourier:
    """One courier: rides around blocks, stops at lights, waits for food, climbs stairs.

    Whoever works for several houses has a phone of each, and one body.

    Args:
        jobs: for whom.
        town: where all of it is.
        seed: of all that is drawn.
        every_s: seconds between two positions.
        begins_at: where they are in the beginning; None is around their first counter.
        temper: how they take it to be asked.
        mishaps: what will happen to one of those who have this list; it is taken from it then.
    """

    jobs: Sequence[Job]
    town: Town
    seed: int
    every_s: float = 5.0
    begins_at: Place | None = None
    temper: Temper = field(default_factory=Temper)
    mishaps: list[Mishap] = field(default_factory=list)
    handed_over: dict[UUID, datetime] = field(default_factory=dict)
    """When each guest really had their food."""
    lost_at: datetime | None = None
    """When they were lost."""
    body: SimulatedBody = field(init=False)
    _rng: random.Random = field(init=False)
    _last: datetime | None = None
    _told: datetime | None = None
    _asked: dict[tuple[UUID, str], _Asked] = field(default_factory=dict)
    _door_at: dict[UUID, datetime] = field(default_factory=dict)
    _answers: dict[UUID, _Answer] = field(default_factory=dict)
    _first_in_bag: datetime | None = None
    _fetches: Job | None = None
    _rests_at: Point | None = None

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - legs, not secrets
        east, north = self.jobs[0].counter
        at = (east + self._rng.uniform(-40, 40), north + self._rng.uniform(-40, 40))
        if self.begins_at is not None:
            at = self.town.point(self.begins_at)
        self.body = SimulatedBody(self.town, self._rng, at)

    def live(self, now: datetime) -> None:
        """Do what is done until now."""
        passed = 0.0 if self._last is None else (now - self._last).total_seconds()
        self._last = now
        if self.lost_at is not None:
            return
        self.body.ride(passed, now)
        self._tell(now)
        stops = self._stops()
        if self._is_lost(stops, now):
            self.lost_at = now
            return
        self._work(stops, now)

    # -- what there is to do --------------------------------------------------------------

    def _stops(self) -> list[_Stop]:
        stops = [
            _Stop(job, each)
            for job in self.jobs
            if (run := job.phone.run) is not None
            for each in run.stops
        ]
        # Who is asked for the same once more decides once more.
        there = {each.stop.order_id for each in stops}
        for order_id in self._answers.keys() - there:
            del self._answers[order_id]
        for key in [key for key in self._asked if key[0] not in there]:
            del self._asked[key]
        return [each for each in stops if each.stop.order_id not in self.handed_over]

    def _is_lost(self, stops: Sequence[_Stop], now: datetime) -> bool:
        so_far = {each.stop.status for each in stops}
        for mishap in self.mishaps:
            there = _WITH_FOOD if mishap.with_food else _COMING
            if now < mishap.after or not so_far or not so_far <= there:
                continue
            if mishap.with_food or not self._takes():
                self.mishaps.remove(mishap)
                return True
        return False

    def _takes(self) -> bool:
        """Whether some food may be in the bag already: the answer is under way."""
        return any(
            what == "take" and not one.pending.done for (_, what), one in self._asked.items()
        )

    def _work(self, stops: Sequence[_Stop], now: datetime) -> None:
        self._answer([each for each in stops if each.stop.status is DeliveryStatus.ASSIGNED], now)
        bag = [each for each in stops if each.stop.status in IN_THE_BAG]
        coming = [each for each in stops if each.stop.status not in IN_THE_BAG]
        ignored = {id_ for id_, answer in self._answers.items() if not answer.says}
        coming = [each for each in coming if each.stop.order_id not in ignored]
        if not bag:
            self._first_in_bag = None
        elif self._first_in_bag is None:
            self._first_in_bag = now
        waited = 0.0 if self._first_in_bag is None else _seconds(now, self._first_in_bag)
        here = [each for each in coming if self.body.is_at(each.job.counter)]
        if coming and not bag:
            self._fetch(coming, now)
        elif here and waited < _WAIT_FOR_MORE_S:
            self._fetch(here, now)
        elif bag:
            self._bring(bag[0], now)
        else:
            self._rest()

    def _answer(self, asked: Sequence[_Stop], now: datetime) -> None:
        new = [each for each in asked if each.stop.order_id not in self._answers]
        if new:  # who is asked to bring several together says one thing to all of them
            says, chance = "accept", self._rng.random()
            if chance < self.temper.declines:
                says = "decline"
            elif chance < self.temper.declines + self.temper.ignores:
                says = ""
            answer = _Answer(says, now + self.body.draw(20.0, 0.6))
            self._answers |= {each.stop.order_id: answer for each in new}
        for each in asked:
            order_id, answer = each.stop.order_id, self._answers[each.stop.order_id]
            if now < answer.at or not answer.says:
                continue
            say = partial(each.job.phone.accept_delivery, order_id)
            if answer.says == "decline":
                say = partial(each.job.phone.decline_delivery, order_id, NOT_NOW)
            self._ask(order_id, answer.says, say, now)

    def _fetch(self, coming: Sequence[_Stop], now: datetime) -> None:
        """Go to a counter; take what is ready: what is not is refused, and asked again."""
        self._rests_at = None
        jobs = [each.job for each in coming]
        if self._fetches not in jobs:
            self._fetches = jobs[0]
        job = self._fetches
        self.body.go_to(job.counter)
        if not self.body.is_at(job.counter):
            return
        for each in coming:
            if each.job is not job or each.stop.status is DeliveryStatus.ASSIGNED:
                continue
            order_id = each.stop.order_id
            take = partial(job.phone.step_delivery, order_id, ByHand.PICK_UP)
            self._ask(order_id, "take", take, now)

    def _bring(self, each: _Stop, now: datetime) -> None:
        stop = each.stop
        if stop.status is DeliveryStatus.FAILED:  # somebody says so: it goes back
            self.body.go_to(each.job.counter)
            if self.body.is_at(each.job.counter):
                back = partial(each.job.phone.return_delivery, stop.order_id)
                self._ask(stop.order_id, "return", back, now)
            return
        door = self.town.point(stop.place)
        self.body.go_to(door)
        if not self.body.is_at(door):
            return
        takes = self.body.draw(90.0, 0.4)
        if now < self._door_at.setdefault(stop.order_id, now + takes):
            return
        self.handed_over[stop.order_id] = now
        each.job.phone.complete_delivery(stop.order_id)

    def _rest(self) -> None:
        """Wait where they are told to, or at the counter that was nearest when they were done."""
        told = [each for job in self.jobs if (each := job.phone.waiting_place) is not None]
        if told:
            self._rests_at = self.town.point(told[0].place)
            self.body.go_to(self._rests_at)
            return
        counters = [job.counter for job in self.jobs]
        if self._rests_at is None or self.body.is_at(self._rests_at):
            east, north = self.body.at
            self._rests_at = min(counters, key=lambda at: abs(at[0] - east) + abs(at[1] - north))
        self.body.go_to(self._rests_at)

    def _ask(
        self, order_id: UUID, what: str, ask: Callable[[], Pending[DeliveryReceipt]], now: datetime
    ) -> None:
        """Ask, unless it is under way, or was just refused."""
        before = self._asked.get((order_id, what))
        if before is not None and (
            not before.pending.done
            or before.pending.error is None
            or _seconds(now, before.at) < _ASK_AGAIN_S
        ):
            return
        self._asked[order_id, what] = _Asked(ask(), now)

    def _tell(self, now: datetime) -> None:
        if self._told is not None and _seconds(now, self._told) < self.every_s:
            return
        self._told = now
        if fixes := self.body.fixes(now):
            for job in self.jobs:
                job.phone.report_many(fixes)


class SimulatedCouriers(Simulated):
    """All couriers of a house, or of a fleet, on one thread.

    Args:
        couriers: by name.
        clock: the simulated time.
    """

    def __init__(
        self, couriers: Mapping[str, SimulatedCourier], clock: Callable[[], datetime]
    ) -> None:
        super().__init__("couriers")
        self.couriers: Final = couriers
        self._clock = clock

    @property
    def handed_over(self) -> dict[UUID, datetime]:
        """When each guest really had their food."""
        return {k: v for each in self.couriers.values() for k, v in dict(each.handed_over).items()}

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            for courier in self.couriers.values():
                with contextlib.suppress(RuntimeError):  # a closed phone: we are stopped soon
                    courier.live(self._clock())


def _seconds(now: datetime, since: datetime) -> float:
    return (now - since).total_seconds()
