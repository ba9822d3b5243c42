"""What happens in one run, all of it drawn from a seed: the orders, and what dies when."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.identifiers import derived_id
from schemas.message import Request
from schemas.order_changes import ChangeLine, VoidLines
from schemas.orders import AddLines, CancelOrder, CloseOrder, LineRequest, PlaceOrder
from schemas.payments import PayOrder, RefundOrder
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

SETTLING: Final = (
    "webhook arrived",
    "settling decided",
    "settling committed",
    "settling published",
    "webhook done",
)
"""The same while a provider's word is taken, from its arrival to just before its answer."""

PROVIDER: Final = "acme"
REASON: Final = "the guest has left"
TIP: Final = 50

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
    CARD = "card"
    """All of what was placed, and a tip, by a provider who speaks later."""
    ADD = "add"
    CHANGE = "change"
    VOID = "void"
    CASH = "cash"
    """What is still open."""
    REFUND = "refund"
    """A penny of whatever was paid."""
    CANCEL = "cancel"
    CLOSE = "close"


class Word(StrEnum):
    """What a provider says of a payment, as its webhook has it."""

    AUTHORISED = "payment.authorised"
    PAID = "payment.paid"
    FAILED = "payment.failed"


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
    words: tuple[Word, ...] = ()
    """What the provider says of its payment, one after the other."""

    def request(self, step: Step) -> UUID:
        """The id of one of its requests: the same in each life of the till."""
        return derived_id(_BEGAN, "faults", str(self.seed), str(self.number), step.value)

    @property
    def order_id(self) -> UUID:
        """The order's id is that of the request that placed it."""
        return self.request(Step.PLACE)

    @property
    def placed_minor(self) -> int:
        """What the order costs as it is placed."""
        return sum(quantity * MENU[item][1] for item, quantity in self.lines)

    def message(self, step: Step) -> Request:
        """What the till asks with this step."""
        id_ = self.order_id
        ways: dict[Step, Callable[[], Request]] = {
            Step.PLACE: lambda: PlaceOrder(
                lines=line_requests(self.lines), reference=f"{self.seed}-{self.number}"
            ),
            Step.CARD: lambda: PayOrder(
                order_id=id_, method=PROVIDER, amount_minor=self.placed_minor, tip_minor=TIP
            ),
            Step.ADD: lambda: AddLines(order_id=id_, lines=line_requests(self.added)),
            Step.CHANGE: lambda: ChangeLine(
                order_id=id_, line=1, quantity=self.changed, note="no salt"
            ),
            Step.VOID: lambda: VoidLines(order_id=id_, lines=(len(self.lines),), reason=REASON),
            Step.CASH: lambda: PayOrder(order_id=id_),
            Step.REFUND: lambda: RefundOrder(order_id=id_, amount_minor=1, reason="a hair"),
            Step.CANCEL: lambda: CancelOrder(order_id=id_, reason=REASON),
            Step.CLOSE: lambda: CloseOrder(order_id=id_),
        }
        return ways[step]()

    @property
    def changed(self) -> int:
        """How many of its first line it shall be instead."""
        return self.lines[0][1] % 5 + 1


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
    pays_first: bool
    """The house's rule: the kitchen sees nothing that is not paid."""
    crashes: tuple[Crash, ...]
    """At their first starts, one each, the services are told to die at a checkpoint."""
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        told = [f"seed {self.seed} on {self.stack}: {len(self.orders)} orders"]
        told += [f"{self.servers} servers"] if self.servers > 1 else []
        told += ["paid before the kitchen"] if self.pays_first else []
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
    pays_first = rng.random() < 0.4
    return Plan(
        seed=seed,
        stack=stack,
        servers=2 if stands_by else 1,
        orders=draw_orders(rng, seed, rng.randint(20, 40), pays_first=pays_first),
        pays_first=pays_first,
        crashes=tuple(_crash(rng) for _ in range(rng.choice((0, 1, 1, 2)))),
        faults=tuple(faults),
    )


_AFTER: Final[Mapping[tuple[Step, ...], int]] = {
    (): 30,
    (Step.ADD,): 8,
    (Step.CANCEL,): 8,
    (Step.CLOSE,): 6,
    (Step.ADD, Step.CANCEL): 6,
    (Step.CHANGE,): 8,
    (Step.VOID,): 6,
    (Step.CHANGE, Step.ADD, Step.VOID): 8,
    (Step.CASH, Step.CLOSE): 6,
    (Step.CASH, Step.VOID, Step.REFUND): 6,
    (Step.CASH, Step.REFUND, Step.CANCEL): 4,
}
"""What a till asks after it has placed an order, and how often."""
_WORDS: Final[Mapping[tuple[Word, ...], int]] = {
    (Word.PAID,): 5,
    (Word.AUTHORISED, Word.PAID): 2,
    (Word.FAILED,): 2,
    (Word.FAILED, Word.PAID): 1,
    (): 1,
}


def draw_orders(
    rng: random.Random, seed: int, count: int, over_s: float = PLAY_S, *, pays_first: bool = False
) -> tuple[Wanted, ...]:
    """Draw the list of orders, and what their till asks of them later."""
    orders = []
    for number in range(count):
        after = rng.choices(tuple(_AFTER), weights=tuple(_AFTER.values()))[0]
        card = rng.random() < (0.8 if pays_first else 0.3)
        words = rng.choices(tuple(_WORDS), weights=tuple(_WORDS.values()))[0] if card else ()
        lines = _lines(rng, 4)
        if Step.VOID in after and len(lines) == 1:  # with its last line the order would go
            lines = (*lines, ("ale", 1))
        orders.append(
            Wanted(
                number=number,
                seed=seed,
                pause_s=rng.expovariate(count / over_s),
                lines=lines,
                added=_lines(rng, 2) if Step.ADD in after else (),
                steps=(Step.PLACE, *((Step.CARD,) if card else ()), *after),
                words=words,
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
    if rng.random() < 0.3:
        return Crash(point=rng.choice(SETTLING), passing=rng.randint(1, 4))
    return Crash(point=rng.choice(POINTS), passing=rng.randint(1, 30))


def _fault(rng: random.Random, kind: Kind) -> Fault:
    return Fault(at=rng.uniform(0.2, PLAY_S), kind=kind, seconds=rng.uniform(0.2, 2.0))
