"""What routing engines have said of ways; what they have not is asked beside everything else.

Nothing ever waits for an engine: what it has not said is the straight line. What it said once
holds until it says otherwise: an answer that has grown old is asked for again, and goes on
counting until the new one is there.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import httpx
import numpy as np
from numpy.typing import NDArray

from schemas.delivery_rules import DeliveryRules, RoutingEngine
from schemas.positions import TravelMode
from services.delivery.legs import Legs
from services.delivery.rides import Pace
from services.delivery.routing.asking import Point
from services.delivery.routing.one_engine import OneEngine, Question
from services.delivery.sheet import Sheet
from services.geography.sphere import distance_m
from services.runtime.positions import VehicleKey

Floats = NDArray[np.float64]

PATIENCE_S: Final = 3.0
REMEMBERED: Final = 50_000
GOOD_FOR_S: Final = 3_600.0
"""Then streets may be as full as they are at another hour, or the engine has another map."""
NO_WAY_FOR_S: Final = 600.0
"""Where there is no way, there may be one sooner: a new map is there to mend that."""
_NEAR_M: Final = 150.0
"""So near to its end a ride is asked for no more: positions are rounded more coarsely."""
_OF_COURIERS: Final = 3
"""Decimals of a place that moves, about a hundred metres; of one that does not, five."""
_OF_DOORS: Final = 5


@dataclass(frozen=True, slots=True)
class _House:
    engine: RoutingEngine
    url: str
    paces: Mapping[TravelMode, Pace]

    def question(self, mode: TravelMode, one: Point, other: Point, decimals: int) -> Question:
        one = (round(one[0], decimals), round(one[1], decimals))
        other = (round(other[0], _OF_DOORS), round(other[1], _OF_DOORS))
        return Question(self.engine, self.url, mode, one, other)


class _Said(NamedTuple):
    seconds: float | None
    """None where the engine says that there is no way."""
    at: float


class _OnTheWay(NamedTuple):
    """What an engine said last of a ride."""

    question: Question
    s_per_m: float
    """For each metre of the straight line."""


class EngineWays:
    """See `services.delivery.routing.port.Ways`.

    Args:
        patience_s: how long an engine may take to answer, all in all.
        clock: seconds that only grow.
    """

    def __init__(
        self, *, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._patience_s: Final = patience_s
        self._clock: Final = clock
        self._houses: dict[str, _House] = {}
        self._engines: dict[str, OneEngine] = {}
        self._said: OrderedDict[Question, _Said] = OrderedDict()
        self._on_the_way: OrderedDict[VehicleKey, _OnTheWay] = OrderedDict()
        self._learned: set[str] = set()
        self._open: tuple[httpx.AsyncClient, asyncio.TaskGroup] | None = None

    def serve(self, tenant: str, rules: DeliveryRules, legs: Legs) -> None:
        """See `Ways.serve`."""
        before = self._houses.pop(tenant, None)
        if rules.engine is not RoutingEngine.STRAIGHT and rules.engine_url is not None:
            url = str(rules.engine_url)
            self._houses[tenant] = _House(rules.engine, url, legs.paces)
        if before is not None and all(each.url != before.url for each in self._houses.values()):
            engine = self._engines.pop(before.url, None)
            if engine is not None:
                engine.close()

    def learned(self) -> set[str]:
        """See `Ways.learned`."""
        learned, self._learned = self._learned, set()
        return learned

    def length(self, tenant: str, mode: TravelMode, one: Point, other: Point) -> float | None:
        """See `Ways.length`."""
        house = self._houses.get(tenant)
        if house is None:
            return None
        direct = float(distance_m(*one, *other))
        if direct < 1.0:
            return direct
        question = house.question(mode, one, other, _OF_DOORS)
        seconds, is_new = self._look_up(question)
        if not is_new:
            self._engine(house).ask_of_doors(question, tenant)
        return None if seconds is None else seconds / house.paces[mode].s_per_m

    def longer(self, sheet: Sheet, lat: Floats, lon: Floats) -> Floats:
        """See `Ways.longer`."""
        found = np.full(len(sheet), np.nan)
        if not self._houses:
            return found
        away = distance_m(lat, lon, sheet.first[:, 0], sheet.first[:, 1])
        for i in np.flatnonzero(~np.isnan(away)).tolist():
            vehicle, mode = sheet.vehicles[i], sheet.modes[i]
            house = None if vehicle is None else self._houses.get(vehicle[0])
            if house is None or vehicle is None:
                continue
            first = (float(sheet.first[i, 0]), float(sheet.first[i, 1]))
            here = (float(lat[i]), float(lon[i]))
            question = house.question(mode, here, first, _OF_COURIERS)
            s_per_m = self._from_here(vehicle, question, house, near=bool(away[i] < _NEAR_M))
            if s_per_m is not None:
                found[i] = s_per_m / house.paces[mode].s_per_m
        return found

    async def run(self) -> None:
        """See `Ways.run`."""
        limits = httpx.Limits(max_connections=None)  # one engine's are few; they share nothing
        async with (
            httpx.AsyncClient(
                timeout=self._patience_s, follow_redirects=False, limits=limits
            ) as client,
            asyncio.TaskGroup() as tasks,
        ):
            self._open = (client, tasks)
            try:
                for engine in self._engines.values():
                    engine.open(client, tasks)
                await asyncio.get_running_loop().create_future()
            finally:
                self._open = None

    async def settle(self) -> None:
        """See `Ways.settle`."""
        for engine in list(self._engines.values()):
            await engine.idle.wait()

    # -- inside ---------------------------------------------------------------------------

    def _from_here(
        self, vehicle: VehicleKey, question: Question, house: _House, *, near: bool
    ) -> float | None:
        """Seconds for each metre of the line from here: as said of here, or before on this way."""
        if not near:
            seconds, is_new = self._look_up(question)
            if seconds is not None:
                line_m = max(1.0, float(distance_m(*question.one, *question.other)))
                self._on_the_way[vehicle] = _OnTheWay(question, seconds / line_m)
                while len(self._on_the_way) > REMEMBERED:
                    self._on_the_way.popitem(last=False)
            if not is_new:
                self._engine(house).ask_of_courier(question, vehicle)
        last = self._on_the_way.get(vehicle)
        if last is None or _way(last.question) != _way(question):
            return None
        self._on_the_way.move_to_end(vehicle)
        return last.s_per_m

    def _look_up(self, question: Question) -> tuple[float | None, bool]:
        """What was said, and whether it is still new."""
        said = self._said.get(question)
        if said is None:
            return None, False
        self._said.move_to_end(question)
        good_for = NO_WAY_FOR_S if said.seconds is None else GOOD_FOR_S
        return said.seconds, self._clock() - said.at < good_for

    def _engine(self, house: _House) -> OneEngine:
        engine = self._engines.get(house.url)
        if engine is None:
            engine = self._engines[house.url] = OneEngine(
                house.url, self._take, self._reckon_anew, patience_s=self._patience_s
            )
            if self._open is not None:
                engine.open(*self._open)
        return engine

    def _take(self, question: Question, seconds: float | None) -> None:
        self._said[question] = _Said(seconds, self._clock())
        while len(self._said) > REMEMBERED:
            self._said.popitem(last=False)

    def _reckon_anew(self, tenant: str) -> None:
        self._learned.add(tenant)


def _way(question: Question) -> tuple[object, ...]:
    """All of a question but from where it was asked."""
    return question.engine, question.url, question.mode, question.other
