"""Measuring orders: from the till to the kitchen display, and what is sustained."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Unpack
from uuid import UUID

from cli.bench_floor import FloorReceiver, FloorSender
from devices.kitchen_display import KitchenDisplay
from devices.options import DeviceOptions
from devices.pending import Pending
from devices.pos import NewOrder, PointOfSale
from devices.station_view import Changes, Freshness
from schemas.identifiers import new_id
from schemas.orders import LineRequest
from schemas.replies import OrderReceipt

PATIENCE_S: Final = 60.0
"""How long what was sent may take to arrive before it counts as lost."""


@dataclass(slots=True)
class Shown:
    """When each order's ticket stood on its display first, and how often it was shown anew."""

    at: dict[UUID, float] = field(default_factory=dict)
    tickets: dict[UUID, UUID] = field(default_factory=dict)
    duplicates: int = 0
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def note(self, changes: Changes, _freshness: Freshness) -> None:
        """A display's `on_change`."""
        now = time.perf_counter()
        with self.arrived:
            for ticket in changes.shown:
                known = self.tickets.setdefault(ticket.order_id, ticket.ticket_id)
                if known != ticket.ticket_id:
                    self.duplicates += 1
                self.at.setdefault(ticket.order_id, now)
            self.arrived.notify_all()

    def wait(self, ids: Sequence[UUID], patience: float = PATIENCE_S) -> int:
        """Wait until all are shown; return how many are not."""

        def missing() -> int:
            return sum(order not in self.at for order in ids)

        with self.arrived:
            self.arrived.wait_for(lambda: len(self.at) >= len(ids) and not missing(), patience)
            return missing()


@dataclass(frozen=True, slots=True)
class Paced:
    """What one run at a steady rate gave: seconds each, and what went wrong."""

    took: list[float]
    lost: int
    duplicates: int
    rejected: int = 0


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which `part` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def orders_at(
    rate: float,
    seconds: float,
    tills: Sequence[PointOfSale],
    shown: Shown,
    items: Sequence[str],
    *,
    seed: int = 7,
) -> Paced:
    """Place orders at a rate (exponential gaps, as guests come), and time each to its display."""
    sent: dict[UUID, float] = {}
    answers: list[Pending[OrderReceipt]] = []

    def send(number: int) -> None:
        order_id = new_id()
        till = tills[number % len(tills)]
        line = LineRequest(item=items[number % len(items)], quantity=1 + number % 3)
        sent[order_id] = time.perf_counter()
        answers.append(till.place_order([line], request_id=order_id))

    before = shown.duplicates
    at_a_rate(rate, seconds, send, seed)
    lost = shown.wait(list(sent))
    took = [shown.at[each] - began for each, began in sent.items() if each in shown.at]
    return Paced(took, lost, shown.duplicates - before, _rejected(answers))


def floor_at(
    rate: float, seconds: float, sender: FloorSender, receiver: FloorReceiver, *, seed: int = 7
) -> Paced:
    """Send the same at the same rate over the bare path."""
    first = max(receiver.took, default=-1) + 1
    count = 0

    def send(number: int) -> None:
        nonlocal count
        sender.send(first + number, "x" * 200)
        count = number + 1

    at_a_rate(rate, seconds, send, seed)
    wanted = range(first, first + count)
    with receiver.arrived:
        receiver.arrived.wait_for(
            lambda: all(number in receiver.took for number in wanted), PATIENCE_S
        )
        took = [receiver.took[number] for number in wanted if number in receiver.took]
    return Paced(took, count - len(took), 0)


def at_a_rate(rate: float, seconds: float, send: Callable[[int], None], seed: int) -> None:
    """Call `send` at random moments of this rate, on time on average."""
    chance = random.Random(seed)  # noqa: S311 - a bench must be repeatable
    begun = time.perf_counter()
    due = 0.0
    number = 0
    while True:
        due += chance.expovariate(rate)
        if due > seconds:
            return
        pause = begun + due - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        send(number)
        number += 1


@dataclass(frozen=True, slots=True)
class Burst:
    """What a run at full speed gave."""

    per_s: float
    offered_per_s: float
    orders: int
    lost: int
    duplicates: int
    rejected: int


def sustained(
    rate: float,
    seconds: float,
    tills: Sequence[PointOfSale],
    shown: Shown,
    items: Sequence[str],
) -> Burst:
    """Offer orders at a high rate for some seconds; count what was kept and shown, and how fast.

    The figure is orders over the time from the first placing to the last showing, so
    that a backlog at the end counts against it.
    """
    slice_s = 0.02
    ids: list[UUID] = []
    answers: list[Pending[OrderReceipt]] = []
    before = shown.duplicates
    begun = time.perf_counter()
    turn = 0
    total = int(seconds * rate)
    while len(ids) < total:
        elapsed = time.perf_counter() - begun
        due = min(int((elapsed + slice_s) * rate), total) - len(ids)
        batch = [
            NewOrder(
                (LineRequest(item=items[(len(ids) + place) % len(items)], quantity=1),),
                request_id=new_id(),
            )
            for place in range(due)
        ]
        if batch:
            answers += tills[turn % len(tills)].place_orders(batch)
            ids += [order.request_id for order in batch if order.request_id]
        turn += 1
        pause = begun + turn * slice_s - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
    offered = len(ids) / (time.perf_counter() - begun)
    lost = shown.wait(ids)
    last = max((shown.at[each] for each in ids if each in shown.at), default=begun)
    return Burst(
        per_s=(len(ids) - lost) / max(last - begun, 1e-9),
        offered_per_s=offered,
        orders=len(ids),
        lost=lost,
        duplicates=shown.duplicates - before,
        rejected=_rejected(answers),
    )


def _rejected(answers: Sequence[Pending[OrderReceipt]]) -> int:
    deadline = time.monotonic() + PATIENCE_S
    reasons: Counter[str] = Counter()
    for each in answers:
        try:
            each.result(max(0.0, deadline - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - whatever it was, it was no receipt
            reasons[type(error).__name__] += 1
    return sum(reasons.values())


def milliseconds(values: Sequence[float]) -> dict[str, float]:
    """Median and tail of times, in milliseconds."""
    return {
        "p50": round(statistics.median(values) * 1000, 3),
        "p99": round(quantile(values, 0.99) * 1000, 3),
    }


def display(
    host: str, port: int, station: str, shown: Shown, **options: Unpack[DeviceOptions]
) -> KitchenDisplay:
    """A real display that reports what it shows to the bench."""
    return KitchenDisplay(host, port, station=station, on_change=shown.note, **options)
