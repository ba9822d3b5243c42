"""One routing engine: few questions at once, none while it fails, and none of them forgotten.

How far it is between doors is asked in its turn, and waits for as long as the engine is away: who
asked is reckoned anew once there is an answer, and at no other time. From where a courier is now
only the newest question of each waits, and none while the engine is away: it is asked again
with their next position. Engines know nothing of each other: one that is slow makes nobody wait
but those who ask it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Final

import httpx
import structlog
from pydantic_core import from_json

from schemas.delivery_rules import RoutingEngine
from schemas.positions import TravelMode
from services.delivery.routing import osrm, valhalla
from services.delivery.routing.asking import Asked, NoAnswer, Point
from services.runtime.positions import VehicleKey

log = structlog.get_logger(__name__)

AT_ONCE: Final = 2
WAITING: Final = 1_000
"""So many questions of a kind wait; who has more to ask asks again when the others are answered."""
_MOST_BYTES: Final = 256 * 1024
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 120.0

_MODULES: Final[Mapping[RoutingEngine, ModuleType]] = {
    RoutingEngine.OSRM: osrm,
    RoutingEngine.VALHALLA: valhalla,
}


@dataclass(frozen=True, slots=True)
class Question:
    """How long it takes from one place to another."""

    engine: RoutingEngine
    url: str
    mode: TravelMode
    one: Point
    other: Point


Answered = Callable[[Question, float | None], None]
"""Takes an answer: seconds; None where there is no way."""


class OneEngine:
    """See the module.

    Args:
        url: where it answers.
        answered: takes what it says.
        reckon_anew: takes a house that has something to ask again, or has an answer now.
        patience_s: how long an answer may take, all in all.
    """

    def __init__(
        self,
        url: str,
        answered: Answered,
        reckon_anew: Callable[[str], None],
        *,
        patience_s: float,
    ) -> None:
        self._url: Final = url
        self._answered: Final = answered
        self._reckon_anew: Final = reckon_anew
        self._patience_s: Final = patience_s
        self._doors: OrderedDict[Question, set[str]] = OrderedDict()
        """Which wait, and the houses that asked."""
        self._couriers: dict[VehicleKey, Question] = {}
        self._asking: dict[Question, set[str]] = {}
        self._too_many: set[str] = set()
        """Houses whose questions had no room."""
        self._failed: dict[Question, float] = {}
        """When a question was first left without an answer."""
        self._answered_at = float("-inf")
        self._until = float("-inf")
        """It is left alone so long."""
        self._pause_s = 0.0
        self._client: httpx.AsyncClient | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._working = 0
        self.idle: Final = asyncio.Event()
        """Set while there is nothing to ask."""
        self.idle.set()

    @property
    def left_alone(self) -> bool:
        """Whether it has failed, and is asked nothing for a while."""
        return time.monotonic() < self._until

    def open(self, client: httpx.AsyncClient, tasks: asyncio.TaskGroup) -> None:
        """Begin to ask."""
        self._client, self._tasks, self._working = client, tasks, 0
        self._wake()

    def close(self) -> None:
        """Nobody wants to know any more."""
        self._doors.clear()
        self._couriers.clear()
        if not self._working:
            self.idle.set()

    def ask_of_doors(self, question: Question, tenant: str) -> None:
        """Ask how far it is between two places that do not move."""
        if question in self._asking:
            self._asking[question].add(tenant)
        elif question in self._doors:
            self._doors[question].add(tenant)
        elif len(self._doors) >= WAITING:
            self._too_many.add(tenant)
        else:
            self._doors[question] = {tenant}
            self._wake()

    def ask_of_courier(self, question: Question, vehicle: VehicleKey) -> None:
        """Ask how far it is from where a courier is now."""
        if self.left_alone or question in self._asking:
            return
        if vehicle in self._couriers or len(self._couriers) < WAITING:
            self._couriers[vehicle] = question
            self._wake()

    # -- inside ---------------------------------------------------------------------------

    def _wake(self) -> None:
        waiting = len(self._doors) + len(self._couriers)
        if waiting:
            self.idle.clear()
        while self._tasks is not None and self._working < min(AT_ONCE, waiting):
            self._working += 1
            self._tasks.create_task(self._work())

    async def _work(self) -> None:
        """Ask what waits, to the end of it."""
        while self._doors or self._couriers:
            if self.left_alone:
                await asyncio.sleep(self._until - time.monotonic())
                continue
            await self._ask_next()
        self._working -= 1
        if not self._working:
            self.idle.set()

    async def _ask_next(self) -> None:
        question, tenants = self._next()
        self._asking[question] = tenants
        said: float | None = None
        is_answer = False
        try:
            said = await self._ask(question)
            is_answer = True
        except NoAnswer as error:
            is_answer = error.final or self._is_its_own_fault(question)
            if not is_answer:
                self._leave_alone(question, str(error))
        finally:
            del self._asking[question]
            if tenants and not is_answer:
                self._doors.setdefault(question, set()).update(tenants)
        if is_answer:
            self._take(question, said, tenants)

    def _next(self) -> tuple[Question, set[str]]:
        """What waits longest; doors first: there are few of them, and their answers last."""
        if self._doors:
            question, tenants = self._doors.popitem(last=False)
            if not self._doors:
                for tenant in self._too_many:
                    self._reckon_anew(tenant)
                self._too_many.clear()
            return question, tenants
        vehicle = next(iter(self._couriers))
        return self._couriers.pop(vehicle), set()

    async def _ask(self, question: Question) -> float:
        """Ask it.

        Raises:
            NoAnswer: it does not say, or nothing that could be so.
        """
        module = _MODULES[question.engine]
        try:
            asked = module.ask(question.url, question.mode, question.one, question.other)
            async with asyncio.timeout(self._patience_s):
                seconds: float = module.read(await self._fetch(asked))
        except NoAnswer:
            raise
        except Exception as error:  # whatever an engine makes of it, ETAs go on
            raise NoAnswer(str(error) or type(error).__name__) from error
        return seconds

    async def _fetch(self, asked: Asked) -> Mapping[str, object]:
        assert self._client is not None  # noqa: S101 - nobody works before it is there
        async with self._client.stream(asked.method, asked.url, json=asked.body) as response:
            if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise NoAnswer(f"HTTP {response.status_code}")
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise NoAnswer("the answer never ends")
        document: object = None
        with suppress(ValueError):
            document = from_json(body)
        if not isinstance(document, dict):
            raise NoAnswer(f"HTTP {response.status_code}, and no JSON that could be an answer")
        return document

    def _take(self, question: Question, said: float | None, tenants: set[str]) -> None:
        self._pause_s = 0.0
        self._answered_at = time.monotonic()
        self._failed.pop(question, None)
        self._answered(question, said)
        for tenant in tenants:
            self._reckon_anew(tenant)

    def _is_its_own_fault(self, question: Question) -> bool:
        """Whether it has failed before, and others were answered since."""
        return self._answered_at > self._failed.get(question, float("inf"))

    def _leave_alone(self, question: Question, why: str) -> None:
        now = time.monotonic()
        if len(self._failed) >= WAITING:
            self._failed.clear()
        self._failed.setdefault(question, now)
        self._couriers.clear()
        if now < self._until:
            return  # another question has found it out already
        self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2) or _FIRST_PAUSE_S
        self._until = now + self._pause_s
        log.warning(
            "a routing engine does not answer: straight lines", url=self._url, why=why[:200]
        )
