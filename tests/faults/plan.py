"""What happens in one run, all of it drawn from a seed: the orders, and what dies when."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.identifiers import derived_id
from schemas.orders import LineRequest
from tests.faults.serving import Crash

MENU: Final[Mapping[str, tuple[str, int]]] = {
    "burger": ("grill", 995),
    "steak": ("grill", 1_850),
    "fries": ("fry", 350),
    "squid": ("fry", 725),
    "ale": ("bar", 480),
}
"""Items by name, each with its station and its price in pence."""

POINTS: Final = ("decided", "committed", "published", "acknowledged", "confirmed", "marked")
"""Where a crash of the services is worst; see `services.runtime.worker` and `relay`."""

PLAY_S: Final = 3.0
"""How long orders come in, and things die."""

_BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Stack(StrEnum):
    """Which broker and which database a run stands on."""

    SERVERS = "mosquitto+postgresql"
    MIXED = "mosquitto+sqlite"
    EMBEDDED = "embedded+sqlite"


class Kind(StrEnum):
    """What can happen to a running house."""

    SERVICES_DIE = "services die"
    SERVICES_STALL = "services stall"
    SERVICES_CUT = "services cut off"
    SERVICES_HELD = "services held up"
    SERVICES_UNHEARD = "services not heard"
    BROKER_DIES = "broker dies"
    BROKER_FORGETS = "broker dies and forgets"
    DEVICES_CUT = "devices cut off"
    DEVICES_HELD = "devices held up"
    TILL_DIES = "till dies"
    DATABASE_STOPS = "database stops"
    DATABASE_DROPS_ALL = "database drops all connections"
    DATABASE_ANSWERS_LOST = "database commits and its answers are lost"
    DATABASE_BUSY = "database busy"
    TAKEN_OVER = "stalled services taken over"


_ANYWHERE: Final = (Kind.SERVICES_DIE, Kind.SERVICES_STALL, Kind.TILL_DIES, Kind.DEVICES_CUT,
                    Kind.DEVICES_HELD)  # fmt: skip
_MOSQUITTO: Final = (
    Kind.BROKER_DIES,
    Kind.BROKER_FORGETS,
    Kind.SERVICES_CUT,
    Kind.SERVICES_HELD,
    Kind.SERVICES_UNHEARD,
)
KINDS: Final[Mapping[Stack, tuple[Kind, ...]]] = {
    Stack.SERVERS: (*_ANYWHERE, *_MOSQUITTO, Kind.DATABASE_STOPS, Kind.DATABASE_DROPS_ALL,
                    Kind.DATABASE_ANSWERS_LOST, Kind.TAKEN_OVER),
    Stack.MIXED: (*_ANYWHERE, *_MOSQUITTO, Kind.DATABASE_BUSY),
    # Here the broker dies with the services: they are one process.
    Stack.EMBEDDED: (*_ANYWHERE, Kind.DATABASE_BUSY),
}  # fmt: skip

HURTS_THE_WIRE: Final = frozenset(
    {Kind.BROKER_DIES, Kind.BROKER_FORGETS, Kind.DEVICES_CUT, Kind.DEVICES_HELD}
)
"""After these, who listens on the wire has not heard everything."""


class Fault(BaseModel):
    """Something that happens `at` so many seconds, and lasts so long."""

    model_config = ConfigDict(frozen=True)

    at: float
    kind: Kind
    seconds: float

    def __str__(self) -> str:
        return f"{self.at:.2f} s: {self.kind} for {self.seconds:.2f} s"


class Step(StrEnum):
    """What a till asks of an order."""

    PLACE = "place"
    ADD = "add"
    CANCEL = "cancel"
    CLOSE = "close"


class Wanted(BaseModel):
    """One order of the list: what must be kept, whatever dies."""

    model_config = ConfigDict(frozen=True)

    number: int
    seed: int
    pause_s: float
    """After the order before it."""
    lines: tuple[tuple[str, int], ...]
    added: tuple[tuple[str, int], ...] = ()
    steps: tuple[Step, ...]

    def request(self, step: Step) -> UUID:
        """The id of one of its requests: the same in each life of the till."""
        return derived_id(_BEGAN, "faults", str(self.seed), str(self.number), step.value)

    @property
    def order_id(self) -> UUID:
        """The order's id is that of the request that placed it."""
        return self.request(Step.PLACE)


def line_requests(lines: tuple[tuple[str, int], ...]) -> tuple[LineRequest, ...]:
    """The lines as a till asks for them."""
    return tuple(LineRequest(item=item, quantity=quantity) for item, quantity in lines)


class Plan(BaseModel):
    """One run."""

    model_config = ConfigDict(frozen=True)

    seed: int
    stack: Stack
    servers: int
    orders: tuple[Wanted, ...]
    crashes: tuple[Crash, ...]
    """At their first starts, one each, the services are told to die at a checkpoint."""
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        told = [f"seed {self.seed} on {self.stack}: {len(self.orders)} orders"]
        told += [f"{self.servers} servers"] if self.servers > 1 else []
        return "; ".join([*told, *map(str, self.crashes), *map(str, self.faults)])

    @property
    def wire_is_whole(self) -> bool:
        """Whether who listens on the wire hears everything."""
        return self.stack is not Stack.EMBEDDED and not any(
            fault.kind in HURTS_THE_WIRE for fault in self.faults
        )


def draw(seed: int) -> Plan:
    """Draw a whole run; the stacks take turns."""
    rng = seeded(seed)
    stack = tuple(Stack)[seed % len(Stack)]
    count = rng.randint(1, 4)
    faults = sorted(
        (_fault(rng, rng.choice(KINDS[stack])) for _ in range(count)), key=lambda each: each.at
    )
    taken_over = any(fault.kind is Kind.TAKEN_OVER for fault in faults)
    # Two embedded brokers cannot share a port: there, nobody stands by.
    stands_by = taken_over or (stack is not Stack.EMBEDDED and rng.random() < 0.2)
    return Plan(
        seed=seed,
        stack=stack,
        servers=2 if stands_by else 1,
        orders=draw_orders(rng, seed, rng.randint(20, 40)),
        crashes=tuple(_crash(rng) for _ in range(rng.choice((0, 1, 1, 2)))),
        faults=tuple(faults),
    )


def draw_orders(rng: random.Random, seed: int, count: int, over_s: float = PLAY_S) -> tuple[
    Wanted, ...
]:  # fmt: skip
    """Draw the list of orders, and what their till asks of them later."""
    orders = []
    for number in range(count):
        after = rng.choices(
            ((), (Step.ADD,), (Step.CANCEL,), (Step.CLOSE,), (Step.ADD, Step.CANCEL)),
            weights=(60, 12, 12, 8, 8),
        )[0]
        orders.append(
            Wanted(
                number=number,
                seed=seed,
                pause_s=rng.expovariate(count / over_s),
                lines=_lines(rng, 4),
                added=_lines(rng, 2) if Step.ADD in after else (),
                steps=(Step.PLACE, *after),
            )
        )
    return tuple(orders)


def seeded(seed: int) -> random.Random:
    """The only source of chance in a run."""
    return random.Random(seed)  # noqa: S311 - a test that can be repeated, no secret


def _lines(rng: random.Random, most: int) -> tuple[tuple[str, int], ...]:
    return tuple((rng.choice(list(MENU)), rng.randint(1, 5)) for _ in range(rng.randint(1, most)))


def _crash(rng: random.Random) -> Crash:
    if rng.random() < 0.2:
        return Crash(point="committed", passing=rng.randint(2, 8), survives=True)
    return Crash(point=rng.choice(POINTS), passing=rng.randint(1, 30))


def _fault(rng: random.Random, kind: Kind) -> Fault:
    return Fault(at=rng.uniform(0.2, PLAY_S), kind=kind, seconds=rng.uniform(0.2, 2.0))
