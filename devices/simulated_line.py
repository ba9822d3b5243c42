"""Crews in a simulation: so many hands, each busy with one thing at a time; and an expediter."""

from __future__ import annotations

import contextlib
import heapq
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from devices.kitchen_display import KitchenDisplay
from devices.pending import Pending, Rejected
from devices.simulator import Simulated
from schemas.kitchen import (
    ON_THE_LINE,
    OPEN_TICKET,
    LineMark,
    Priority,
    Ticket,
    TicketLine,
    TicketStatus,
)
from schemas.refusals import RefusalCode
from schemas.replies import TicketReceipt

USUAL_S: Final = 240.0
USUALLY_VARIES: Final = 0.25
"""Sigma of the log-normal by which one plate takes longer than another."""
_URGENT: Final = {Priority.RUSH: 0, Priority.HIGH: 1, Priority.NORMAL: 2}


class _Thing(NamedTuple):
    """One of what a line asks for: two burgers are two things."""

    line: int
    which: int


@dataclass(slots=True)
class _Cooking:
    waiting: list[_Thing] = field(default_factory=list)
    """What no hand has taken yet."""
    bump: Pending[TicketReceipt] | None = None


class SimulatedLine(Simulated):
    """Cooks who take what is next: the most urgent ticket, then the oldest.

    A hand takes one thing and keeps to it until it is done, as the work of a ticket is counted:
    two burgers are two. A ticket is started with its first thing and bumped with its last. How
    long one takes is drawn from a log-normal around its time.

    Args:
        display: the station's display; started and closed by its owner.
        hands: how many things are worked on at once.
        takes_s: the median time of one of a line's item; None takes what the ticket says.
        speed: 60 makes a minute a second.
        varies: sigma of the log-normal.
        seed: the same seed draws the same time for the same thing of the same order, whatever
            was made before it and wherever: so two evenings can be held against each other.
    """

    def __init__(
        self,
        display: KitchenDisplay,
        *,
        hands: int = 2,
        takes_s: Callable[[TicketLine], float] | None = None,
        speed: float = 1.0,
        varies: float = USUALLY_VARIES,
        seed: int = 0,
    ) -> None:
        super().__init__(f"line at {display.station}")
        self._display = display
        self._hands = hands
        self._takes_s = takes_s or (lambda line: float(line.prep_s or USUAL_S))
        self._speed = speed
        self._varies = varies
        self._seed = seed
        self._busy: list[tuple[float, UUID, _Thing]] = []
        self._cooking: dict[UUID, _Cooking] = {}
        self.bumped = 0

    def _run(self) -> None:
        while not self._stopped.wait(max(0.002, 0.5 / self._speed)):
            with contextlib.suppress(RuntimeError):  # a closed display: we are stopped soon
                self._work(time.monotonic())

    def _work(self, now: float) -> None:
        tickets = [each for each in self._display.tickets if each.status in ON_THE_LINE]
        tickets.sort(key=_queue)
        standing = {each.ticket_id for each in tickets}
        self._cooking = {id_: each for id_, each in self._cooking.items() if id_ in standing}
        self._busy = [each for each in self._busy if each[1] in standing]
        heapq.heapify(self._busy)
        while self._busy and self._busy[0][0] <= now:
            heapq.heappop(self._busy)
        for ticket in tickets:
            self._take(ticket, now)
        for ticket in tickets:
            self._finish(ticket)

    def _take(self, ticket: Ticket, now: float) -> None:
        """Give the ticket's next lines to whoever has a hand free."""
        if len(self._busy) >= self._hands:
            return
        cooking = self._cooking.get(ticket.ticket_id)
        if cooking is None:
            to_make = [
                _Thing(line.line, which)
                for line in ticket.lines
                if line.mark is not LineMark.CANCELLED
                for which in range(line.quantity)
            ]
            cooking = self._cooking[ticket.ticket_id] = _Cooking(to_make)
            if ticket.status is not TicketStatus.STARTED:
                self._display.start_ticket(ticket.ticket_id)
        lines = {line.line: line for line in ticket.lines}
        while cooking.waiting and len(self._busy) < self._hands:
            thing = cooking.waiting.pop(0)
            if thing.line not in lines:
                continue  # it was taken off meanwhile
            took = self._draw(ticket, lines[thing.line], thing.which) / self._speed
            heapq.heappush(self._busy, (now + took, ticket.ticket_id, thing))

    def _finish(self, ticket: Ticket) -> None:
        cooking = self._cooking.get(ticket.ticket_id)
        if cooking is None or cooking.waiting:
            return
        if any(busy[1] == ticket.ticket_id for busy in self._busy):
            return
        if ticket.status is TicketStatus.SENT or _under_way(cooking.bump):
            return
        cooking.bump = self._display.bump(ticket.ticket_id)
        cooking.bump.then(self._count)

    def _count(self, pending: Pending[TicketReceipt]) -> None:
        self.bumped += pending.error is None

    def _draw(self, ticket: Ticket, line: TicketLine, which: int) -> float:
        drawn = f"{self._seed} {ticket.order_id} {line.line} {which}"
        chance = random.Random(drawn)  # noqa: S311 - cooks, not secrets
        return chance.lognormvariate(math.log(self._takes_s(line)), self._varies)


def _under_way(bump: Pending[TicketReceipt] | None) -> bool:
    """Whether it was asked for; one that had not seen a change is tried again."""
    if bump is None:
        return False
    refused = bump.error
    return not (isinstance(refused, Rejected) and refused.code == RefusalCode.STALE_VERSION)


def _queue(ticket: Ticket) -> tuple[int, object, str]:
    return _URGENT[ticket.priority], ticket.since, str(ticket.ticket_id)


class SimulatedExpo(Simulated):
    """An expediter: hands an order out as soon as all of its plates are there.

    Args:
        display: the expo's display; started and closed by its owner.
        speed: 60 makes a minute a second.
    """

    def __init__(self, display: KitchenDisplay, *, speed: float = 1.0) -> None:
        super().__init__(f"expo at {display.station}")
        self._display = display
        self._speed = speed
        self._asked: dict[UUID, Pending[TicketReceipt]] = {}

    def _run(self) -> None:
        while not self._stopped.wait(max(0.005, 2.0 / self._speed)):
            with contextlib.suppress(RuntimeError):  # a closed display: we are stopped soon
                self._work()

    def _work(self) -> None:
        tickets = self._display.tickets
        for ticket in tickets:
            there = all(plate.status not in OPEN_TICKET for plate in ticket.plates)
            asked = self._asked.get(ticket.ticket_id)
            if there and ticket.status is TicketStatus.HEARD and (asked is None or asked.error):
                self._asked[ticket.ticket_id] = self._display.bump(ticket.ticket_id)
        standing = {each.ticket_id for each in tickets}
        self._asked = {id_: each for id_, each in self._asked.items() if id_ in standing}
