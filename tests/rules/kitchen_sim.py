"""A kitchen of cooks who take what is next: seeded, and quicker than any clock.

Each station has some pairs of hands. Every single thing on a ticket is a job for one of them;
jobs are taken by the ticket's place in the queue. How long a job really takes is another story
than what the menu says: cooks are slower or quicker than it by item, get slower as the queue
grows, and no two burgers take the same time.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from schemas.identifiers import new_id
from schemas.kitchen import Ticket, TicketLine, TicketStatus
from schemas.kitchen_rules import KitchenRules, StationRules
from services.kitchen import pace, together
from services.kitchen.learning import LearntPace, how_it_went

OPENS: Final = datetime(2026, 3, 14, 11, 0, tzinfo=UTC)
ROMA: Final = "roma"


@dataclass(frozen=True, slots=True)
class Dish:
    """Something that is made.

    Attributes:
        item: its name.
        station: where.
        prep_s: what the menu says that one takes; None says nothing.
        really_s: what one takes in the middle.
    """

    item: str
    station: str
    prep_s: int | None
    really_s: float


@dataclass(frozen=True, slots=True)
class Wish:
    """An order to come."""

    at: datetime
    dishes: tuple[tuple[Dish, int], ...]
    takes: tuple[tuple[float, ...], ...]
    """How long each thing of each dish will take, without what the queue adds."""


@dataclass(slots=True)
class Made:
    """How an order went."""

    at: datetime
    tickets: list[Ticket] = field(default_factory=list)

    @property
    def ends(self) -> list[datetime]:
        return sorted(each.ended_at for each in self.tickets if each.ended_at is not None)

    @property
    def total_s(self) -> float:
        return (self.ends[-1] - self.at).total_seconds()

    @property
    def spread_s(self) -> float:
        return (self.ends[-1] - self.ends[0]).total_seconds()


def wishes(
    chance: random.Random,
    dishes: Sequence[Dish],
    hours: Sequence[float],
    *,
    noise: float,
    opens: datetime = OPENS,
) -> Iterator[Wish]:
    """Orders of one day.

    Args:
        chance: where all chance comes from.
        dishes: what may be ordered.
        hours: how many orders come in each hour.
        noise: the standard deviation of the logarithm of a job's time.
        opens: when the first hour begins.
    """
    for hour, rate in enumerate(hours):
        at = opens + timedelta(hours=hour)
        ends = at + timedelta(hours=1)
        while True:
            at += timedelta(seconds=chance.expovariate(rate / 3600))
            if at >= ends:
                break
            chosen = chance.sample(list(dishes), chance.choice((1, 2, 2, 3, 3, 4)))
            taken = tuple((dish, chance.choice((1, 1, 1, 2))) for dish in chosen)
            takes = tuple(
                tuple(dish.really_s * chance.lognormvariate(0, noise) for _ in range(quantity))
                for dish, quantity in taken
            )
            yield Wish(at, taken, takes)


class Kitchen:
    """The stations of one house, from the first order to the last plate.

    Args:
        book: how the stations work, and whether they finish together.
        fatigue: how much slower a job is for each ticket that waits, as a share.
    """

    def __init__(self, book: KitchenRules, *, fatigue: float = 0.0) -> None:
        self.book: Final = book
        self.learnt: Final = LearntPace()
        self.orders: Final[dict[UUID, Made]] = {}
        self.held: Final[set[UUID]] = set()
        self._fatigue: Final = fatigue
        self._now = OPENS
        self._agenda: Final[list[tuple[datetime, int, Callable[[], None]]]] = []
        self._count: Final = itertools.count()
        self._tickets: Final[dict[UUID, Ticket]] = {}
        self._left: Final[dict[UUID, int]] = {}
        self._jobs: Final[dict[UUID, deque[float]]] = {}
        self._queues: Final[dict[str, list[tuple[datetime, int, UUID]]]] = {}
        self._free: Final = {name: each.hands for name, each in book.stations.items()}
        self._work: Final = dict.fromkeys(book.stations, 0)

    def run(self, wishes: Sequence[Wish]) -> list[Made]:
        """Take these orders, and make them all; returns how they went, in their order."""
        taken: list[UUID] = []
        for wish in wishes:
            self._at(wish.at, lambda wish=wish: taken.append(self._take(wish)))  # type: ignore[misc]
        while self._agenda:
            self._now, _, happens = heapq.heappop(self._agenda)
            happens()
        return [self.orders[each] for each in taken]

    def _at(self, at: datetime, happens: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (at, next(self._count), happens))

    def _take(self, wish: Wish) -> UUID:
        order_id = new_id()
        self.orders[order_id] = Made(self._now)
        stations: dict[str, list[int]] = {}
        for number, (dish, _) in enumerate(wish.dishes):
            stations.setdefault(dish.station, []).append(number)
        cut = []
        for station, numbers in stations.items():
            lines = tuple(_line(number, *wish.dishes[number]) for number in numbers)
            ticket = _ticket(order_id, station, lines, self._now)
            jobs = [seconds for number in numbers for seconds in wish.takes[number]]
            self._jobs[ticket.ticket_id] = deque(sorted(jobs, reverse=True))
            self._left[ticket.ticket_id] = len(jobs)
            cut.append(self._promised(ticket))
        for ticket in together.plan(self.book, cut, self._now):
            self._tickets[ticket.ticket_id] = ticket
            if ticket.status is TicketStatus.HELD:
                self._wake_later(ticket)
            else:
                self._send(ticket)
        return order_id

    def _promised(self, ticket: Ticket) -> Ticket:
        rules, ahead = self.book.station(ticket.station), self._work[ticket.station]
        return pace.promised(ticket, rules, ahead, self.learnt, tenant=ROMA, at=self._now)

    def _wake_later(self, ticket: Ticket) -> None:
        assert ticket.wake_at is not None
        assert ticket.wake_at > self._now
        self._at(ticket.wake_at, lambda: self._wake(ticket.ticket_id))

    def _wake(self, ticket_id: UUID) -> None:
        ticket = self._tickets.get(ticket_id)
        if ticket is None or ticket.status is not TicketStatus.HELD or ticket.wake_at != self._now:
            return  # it was looked at meanwhile
        self._look(ticket)

    def _look_again(self, order_id: UUID) -> None:
        for ticket in list(self._tickets.values()):
            if ticket.order_id == order_id and ticket.status is TicketStatus.HELD:
                self._look(ticket)

    def _look(self, ticket: Ticket) -> None:
        others = [
            each
            for each in self._tickets.values()
            if each.order_id == ticket.order_id and each.ticket_id != ticket.ticket_id
        ]
        held = together.still(self.book, ticket, others, self._work[ticket.station], self._now)
        if held is not None:
            self._tickets[ticket.ticket_id] = held
            if held.wake_at != ticket.wake_at:
                self._wake_later(held)
            return
        fired = {"status": TicketStatus.SENT, "held_for": None, "sent_at": self._now}
        self.held.add(ticket.order_id)
        self._send(self._promised(ticket.model_copy(update={**fired, "wake_at": None})))

    def _send(self, ticket: Ticket) -> None:
        self._tickets[ticket.ticket_id] = ticket
        self._work[ticket.station] += ticket.work_s
        queue = self._queues.setdefault(ticket.station, [])
        since = ticket.sent_at or self._now
        heapq.heappush(queue, (since, next(self._count), ticket.ticket_id))
        self._work_on(ticket.station)

    def _work_on(self, station: str) -> None:
        queue = self._queues.get(station, [])
        while self._free[station] and queue:
            ticket_id = queue[0][2]
            ticket, jobs = self._tickets[ticket_id], self._jobs[ticket_id]
            seconds = jobs.popleft() * (1 + self._fatigue * len(queue))
            if not jobs:
                heapq.heappop(queue)
            if ticket.started_at is None:
                begun = {"started_at": self._now, "status": TicketStatus.STARTED}
                self._tickets[ticket_id] = ticket.model_copy(update=begun)
                self._at(self._now, lambda ticket=ticket: self._look_again(ticket.order_id))  # type: ignore[misc]
            self._free[station] -= 1
            ends = self._now + timedelta(seconds=seconds)
            self._at(ends, lambda ticket_id=ticket_id: self._done(ticket_id))  # type: ignore[misc]

    def _done(self, ticket_id: UUID) -> None:
        ticket = self._tickets[ticket_id]
        self._free[ticket.station] += 1
        self._left[ticket_id] -= 1
        if not self._left[ticket_id]:
            self._bump(ticket)
        self._work_on(ticket.station)

    def _bump(self, ticket: Ticket) -> None:
        bumped = {"ended_at": self._now, "status": TicketStatus.BUMPED}
        ticket = self._tickets.pop(ticket.ticket_id).model_copy(update=bumped)
        self._work[ticket.station] -= ticket.work_s
        self.orders[ticket.order_id].tickets.append(ticket)
        took = how_it_went(row_of(ticket), self.book, ticket.station)
        if took is not None:
            self.learnt.learn(ROMA, ticket.station, took)
        self._look_again(ticket.order_id)


def row_of(ticket: Ticket) -> dict[str, Any]:
    """A ticket as its row has it."""
    promised = ticket.ready_p90_at
    return {
        "lines": [line.model_dump(mode="json", exclude_defaults=True) for line in ticket.lines],
        "sent_at": ticket.sent_at,
        "started_at": ticket.started_at,
        "ended_at": ticket.ended_at,
        "recalls": ticket.recalls,
        "details": {
            "reckoned_s": ticket.reckoned_s,
            "ahead_s": ticket.ahead_s,
            "ready_p90_at": None if promised is None else promised.isoformat(),
        },
    }


def _line(number: int, dish: Dish, quantity: int) -> TicketLine:
    return TicketLine(
        line=number + 1, item=dish.item, name=dish.item, quantity=quantity, prep_s=dish.prep_s
    )


def _ticket(order_id: UUID, station: str, lines: tuple[TicketLine, ...], at: datetime) -> Ticket:
    return Ticket(
        ticket_id=new_id(),
        station=station,
        order_id=order_id,
        order_number="ORD-260314110000-A1B2",
        status=TicketStatus.SENT,
        version=1,
        sequence=1,
        lines=lines,
        placed_at=at,
        sent_at=at,
    )


def book_of(hands: Mapping[str, int], *, finish_together: bool = False) -> KitchenRules:
    """A kitchen with so many hands at each station."""
    stations = {name: StationRules(hands=many, prep_s=240) for name, many in hands.items()}
    return KitchenRules(stations=stations, finish_together=finish_together)
