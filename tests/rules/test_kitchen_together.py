"""Finishing together: plates of one order leave together, and nobody waits longer for it."""

from __future__ import annotations

import random
from datetime import timedelta
from statistics import mean
from typing import Any

import pytest

from schemas.identifiers import new_id
from schemas.kitchen import HoldReason, Priority, Ticket, TicketLine, TicketStatus
from services.kitchen import together
from services.kitchen.learning import LearntPace
from services.kitchen.pace import promised
from tests.rules.kitchen_sim import OPENS, ROMA, Dish, Kitchen, Made, book_of, wishes

MENU = (
    Dish("burger", "grill", 420, 420),
    Dish("steak", "grill", 600, 600),
    Dish("ribs", "grill", 700, 700),
    Dish("fries", "fry", 150, 150),
    Dish("wings", "fry", 300, 300),
    Dish("salad", "cold", 120, 120),
    Dish("soup", "cold", 90, 90),
)
HANDS = {"grill": 8, "fry": 6, "cold": 6}
BOOK = book_of(HANDS, finish_together=True)
ORDER = new_id()


def rush(seed: int, *, orders: float, noise: float) -> list[tuple[Made, Made]]:
    """Three hours of one kitchen: each order as it went fired at once, and together."""
    went = []
    for finish_together in (False, True):
        chance = random.Random(seed)  # noqa: S311 - a simulation
        kitchen = Kitchen(book_of(HANDS, finish_together=finish_together))
        went.append(kitchen.run(list(wishes(chance, MENU, (orders,) * 3, noise=noise))))
    return list(zip(*went, strict=True))


def spreads(went: list[tuple[Made, Made]]) -> tuple[float, float]:
    of_several = [pair for pair in went if len(pair[0].tickets) > 1]
    assert len(of_several) > 25
    return mean(a.spread_s for a, _ in of_several), mean(b.spread_s for _, b in of_several)


@pytest.mark.parametrize("seed", range(5))
def test_in_a_rush_plates_leave_together_and_no_order_takes_a_tenth_longer(seed: int) -> None:
    went = rush(seed, orders=20, noise=0.1)
    at_once, planned = spreads(went)
    assert planned <= 0.5 * at_once
    assert max(b.total_s / a.total_s for a, b in went) <= 1.1


def test_where_cooks_are_as_uneven_as_they_come_few_orders_take_longer() -> None:
    went = [pair for seed in (0, 2) for pair in rush(seed, orders=28, noise=0.25)]
    at_once, planned = spreads(went)
    assert planned <= 0.5 * at_once
    totals = [(a.total_s, b.total_s) for a, b in went]
    assert mean(b for _, b in totals) <= 1.02 * mean(a for a, _ in totals)
    assert sum(b > 1.1 * a for a, b in totals) <= 0.06 * len(totals)


def ticket(station: str, *prep_s: int, ahead_s: int = 0, **more: Any) -> Ticket:
    lines = tuple(
        TicketLine(line=number, item=f"i-{number}", name="I", quantity=1, prep_s=each)
        for number, each in enumerate(prep_s, 1)
    )
    made = Ticket(
        ticket_id=new_id(),
        station=station,
        order_id=ORDER,
        order_number="ORD-260314110000-A1B2",
        status=TicketStatus.SENT,
        version=1,
        sequence=1,
        lines=lines,
        placed_at=OPENS,
        sent_at=OPENS,
        **more,
    )
    rules = BOOK.station(station)
    return promised(made, rules, ahead_s, LearntPace(), tenant=ROMA, at=OPENS)


def test_what_is_quick_is_held_and_what_is_last_is_not() -> None:
    roast, salad = together.plan(BOOK, [ticket("grill", 900), ticket("cold", 60)], OPENS)
    assert (roast.status, roast.held_for) == (TicketStatus.SENT, None)
    assert (salad.status, salad.held_for) == (TicketStatus.HELD, HoldReason.TOGETHER)
    assert salad.sent_at is None
    assert salad.wake_at is not None
    assert OPENS < salad.wake_at < OPENS + timedelta(seconds=840)
    assert salad.ready_p50_at == roast.ready_p50_at
    (line,) = salad.lines
    assert line.begin_at is not None
    assert line.begin_at > OPENS + timedelta(seconds=700)


def test_a_house_that_does_not_ask_for_it_begins_all_at_once() -> None:
    tickets = [ticket("grill", 900), ticket("cold", 60)]
    assert together.plan(book_of(HANDS), tickets, OPENS) == tickets


def test_a_rush_waits_for_nobody_and_others_wait_for_it() -> None:
    tickets = [ticket("grill", 900), ticket("cold", 60, priority=Priority.RUSH)]
    assert [each.status for each in together.plan(BOOK, tickets, OPENS)] == ["sent", "sent"]
    tickets = [ticket("grill", 900, priority=Priority.RUSH), ticket("cold", 60)]
    assert [each.status for each in together.plan(BOOK, tickets, OPENS)] == ["sent", "held"]


def test_each_course_is_planned_by_itself() -> None:
    tickets = [ticket("grill", 900), ticket("cold", 60, course=2)]
    assert [each.status for each in together.plan(BOOK, tickets, OPENS)] == ["sent", "sent"]


def test_a_ticket_alone_is_never_held_but_its_quick_lines_begin_later() -> None:
    (only,) = together.plan(BOOK, [ticket("grill", 900, 60, ahead_s=2_000)], OPENS)
    assert only.status is TicketStatus.SENT
    slow, quick = only.lines
    assert quick.begin_at is not None
    assert slow.begin_at is None or slow.begin_at < quick.begin_at


def held_of(*others: Ticket) -> tuple[Ticket, list[Ticket]]:
    held, *rest = together.plan(BOOK, [ticket("cold", 60), *others], OPENS)
    assert held.status is TicketStatus.HELD
    return held, rest


def test_what_is_held_begins_when_nothing_is_left_to_wait_for() -> None:
    held, (roast,) = held_of(ticket("grill", 900))
    soon = OPENS + timedelta(seconds=100)
    assert together.still(BOOK, held, [roast], 0, soon) is not None
    done = roast.model_copy(update={"status": TicketStatus.BUMPED, "ended_at": soon})
    assert together.still(BOOK, held, [done], 0, soon) is None
    hurried = held.model_copy(update={"priority": Priority.RUSH})
    assert together.still(BOOK, hurried, [roast], 0, soon) is None


def test_it_waits_no_longer_than_its_own_station_leaves_time_for() -> None:
    held, (roast,) = held_of(ticket("grill", 900))
    soon = OPENS + timedelta(seconds=300)
    assert together.still(BOOK, held, [roast], 0, soon) is not None
    assert together.still(BOOK, held, [roast], 6 * 600, soon) is None


def test_when_the_last_one_is_begun_late_the_others_wait_for_it() -> None:
    held, (roast,) = held_of(ticket("grill", 900))
    late = OPENS + timedelta(seconds=800)
    assert together.still(BOOK, held, [roast], 0, late) is None
    begun = roast.model_copy(update={"status": TicketStatus.STARTED, "started_at": late})
    again = together.still(BOOK, held, [begun], 0, late)
    assert again is not None
    assert again.ready_p50_at == late + timedelta(seconds=900)


def test_every_look_ends_after_a_few() -> None:
    held, (roast,) = held_of(ticket("grill", 3_600))
    looks = 0
    while held.wake_at is not None:
        at, looks = held.wake_at, looks + 1
        following = together.still(BOOK, held, [roast], 0, at)
        if following is None:
            break
        assert following.wake_at is not None
        assert following.wake_at > at
        held = following
    assert looks <= 10
