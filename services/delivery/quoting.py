"""What a guest is told when an order is placed: by when it will be at the door; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np

from schemas.positions import TravelMode
from services.delivery.legs import ASSUMED, Leg, LegKind, Legs
from services.delivery.rides import to_go
from services.delivery.spans import Span, later_of, one_after_the_other

_BUSY_S: Final = 420.0
"""How long a courier is busy with one delivery more; of what stands before, all share in it."""
_ANSWER_S: Final = 20.0
"""How long it takes until who is asked has accepted."""
_ONE_MORE_S: Final = 240.0
"""How much longer where the first does not answer or declines, and the next is farther away."""
_ONE_BY_ONE_S: Final = 1_500.0
"""Of what a courier is planned to do first, beyond this only half is waited for: the longer the
queue, the more orders go together."""
_PLANS_SLIP: Final = 1.3
"""When a courier is there against when the plan has them there, nine times of ten."""
_USUALLY_SLOWER: Final = 1.4
"""A p90 against its p50, where nobody says."""


class Part(NamedTuple):
    """How long a part of the wait takes; seconds.

    Attributes:
        p50_s: as likely less as more.
        p90_s: nine times of ten not longer.
    """

    p50_s: float
    p90_s: float


class Parts(NamedTuple):
    """What a wait is made of: the later of food and courier, and then the way.

    Attributes:
        kitchen: until the food is ready.
        courier: until a courier is at the restaurant who has nothing else to do.
        way: from when both are there: into the bag, the ride, and from the kerb to the guest.
    """

    kitchen: Part
    courier: Part
    way: Part


@dataclass(frozen=True, slots=True)
class Quote:
    """What is expected, and what is promised.

    Attributes:
        p50_at: as likely sooner as later; kept to be measured against.
        promised_at: by then, nine times of ten; a whole minute.
        wait: both as they were reckoned, from when it is placed; no `due_at` is in it.
        parts: what it is made of. Where the whole wait was learned from order to door, they only
            say by how much the kitchen moves it.
    """

    p50_at: datetime
    promised_at: datetime
    wait: Part = field(compare=False)
    parts: Parts = field(compare=False)


class WholeWait(NamedTuple):
    """What the model that learns from order to door says of an order; seconds.

    Attributes:
        p50_s: as likely less as more.
        p90_s: nine times of ten not longer.
        today_s: so much of both because other orders take longer today, or below 0 shorter.
    """

    p50_s: float
    p90_s: float
    today_s: float = 0.0


def quote(
    *,
    now: datetime,
    distance_m: float,
    due_at: datetime | None = None,
    ready_p50_at: datetime | None = None,
    ready_p90_at: datetime | None = None,
    waiting: int = 0,
    couriers: int = 0,
    courier_at: datetime | None = None,
    legs: Legs | None = None,
    mode: TravelMode = TravelMode.BICYCLE,
    whole: WholeWait | None = None,
) -> Quote:
    """What the guest is told.

    Args:
        now: when it is placed.
        distance_m: from the restaurant to the door, along the straight line.
        due_at: for when it is wanted; None is as soon as possible.
        ready_p50_at: when the kitchen will have it, as likely sooner as later; None where no
            ticket says so.
        ready_p90_at: the same, nine times of ten.
        waiting: how many deliveries stand before it that nobody has picked up. With `whole` it
            says nothing more: the usual queue is in what was learned, today's in what today shows.
        couriers: how many couriers the house has; 0 is not known.
        courier_at: when a courier would be at the restaurant for it, by the dispatcher's plan; None
            where nobody plans. Then what stands before it is in that.
        legs: what was learned of the house; None is what is assumed.
        mode: by what most couriers go.
        whole: the whole wait, by the model that learns it from order to door
            (`services.delivery.learning`), where the house has one.
    """
    learned = Legs() if legs is None else legs
    usual = _span(learned.parts[LegKind.COOKING])
    ready = _ready(now, ready_p50_at, ready_p90_at) or usual
    calm = _free(learned, waiting=waiting if whole is None else 0, couriers=couriers)
    free = calm if courier_at is None else _planned((courier_at - now).total_seconds())
    if whole is not None:  # the usual wait for a courier is in it
        free = Span(np.maximum(free.p50_s, calm.p50_s), np.maximum(free.p90_s, calm.p90_s))
    after = one_after_the_other(
        [
            _span(learned.parts[LegKind.HAND_OVER]),
            to_go([distance_m], learned.paces[mode]),
            _span(learned.parts[LegKind.DOOR]),
        ]
    )
    if whole is None:
        span = one_after_the_other([later_of(ready, free), after])
        p50_s, p90_s = float(span.p50_s[0]), float(span.p90_s[0])
    else:
        p50_s, p90_s = _moved(whole, (ready, free), (usual, calm), after)
    wait = Part(max(0.0, p50_s), max(0.0, p50_s) + max(0.0, p90_s - p50_s))
    p50_at = now + timedelta(seconds=wait.p50_s)
    if due_at is not None:
        p50_at = max(p50_at, due_at)
    return Quote(
        p50_at,
        _whole_minute(p50_at + timedelta(seconds=wait.p90_s - wait.p50_s)),
        wait,
        Parts(_part(ready), _part(free), _part(after)),
    )


def _ready(now: datetime, p50_at: datetime | None, p90_at: datetime | None) -> Span | None:
    if p50_at is None:
        return None
    p50 = max(0.0, (p50_at - now).total_seconds())
    p90 = p50 * _USUALLY_SLOWER if p90_at is None else (p90_at - now).total_seconds()
    return Span.of([p50], [p90])


def _moved(
    whole: WholeWait, found: tuple[Span, Span], usual: tuple[Span, Span], after: Span
) -> tuple[float, float]:
    """The whole wait, moved by what kitchen and couriers have to do just now against the usual.

    What today's orders show of that already is not counted once more.
    """
    now, calm = (one_after_the_other([later_of(*each), after]) for each in (found, usual))
    low, high = sorted((0.0, whole.today_s))
    by_p50, by_p90 = (
        by - min(max(by, low), high)
        for by in (float(each[0]) for each in (now.p50_s - calm.p50_s, now.p90_s - calm.p90_s))
    )
    return whole.p50_s + by_p50, whole.p90_s + by_p90


def _free(legs: Legs, *, waiting: int, couriers: int) -> Span:
    """Until a courier is at the restaurant who has nothing else to do.

    A queue is waited for beyond what it takes to ask somebody who is free: where that is assumed,
    it is the assumption, and where it was learned, the usual queue is in it already.
    """
    queue = _BUSY_S * max(0, waiting + 1 - couriers) / couriers if couriers else 0.0
    asking, nobody = legs.parts[LegKind.ASSIGNING], ASSUMED[LegKind.ASSIGNING]
    queued_p50, queued_p90 = (
        min(learned, assumed) + wait
        for learned, assumed, wait in (
            (asking.p50_s, nobody.p50_s, queue),
            (asking.p90_s, nobody.p90_s, queue * _USUALLY_SLOWER),
        )
    )
    return one_after_the_other(
        [
            Span.of([max(asking.p50_s, queued_p50)], [max(asking.p90_s, queued_p90)]),
            _span(legs.parts[LegKind.COMING]),
        ]
    )


def _planned(there_s: float) -> Span:
    """Until a courier is there, as it is planned: they have to answer, and are slower at times."""
    there_s = max(0.0, there_s)
    there_s = min(there_s, _ONE_BY_ONE_S) + max(0.0, there_s - _ONE_BY_ONE_S) / 2
    return Span.of([there_s + _ANSWER_S], [there_s * _PLANS_SLIP + _ONE_MORE_S])


def _part(span: Span) -> Part:
    return Part(float(span.p50_s[0]), float(span.p90_s[0]))


def _span(leg: Leg) -> Span:
    return Span(np.array([leg.p50_s]), np.array([leg.p90_s]))


def _whole_minute(at: datetime) -> datetime:
    """Up to the next whole minute: nobody promises seconds."""
    down = at.replace(second=0, microsecond=0)
    return down if down == at else down + timedelta(minutes=1)
