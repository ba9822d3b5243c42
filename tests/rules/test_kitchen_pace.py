"""When a ticket will be ready: sensible from the first one, and kept nine times of ten."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import new_id
from schemas.kitchen import LineMark, Ticket, TicketLine, TicketStatus
from schemas.kitchen_rules import KitchenRules, StationRules
from schemas.menu import ChosenModifier, Component, MenuItem, Modifier, ModifierGroup
from services.kitchen import pace
from services.kitchen.learning import LearntPace, how_it_went
from services.kitchen.pace import promised, reckon
from services.kitchen.quantiles import Experience, Took, kind_of, upper
from tests.rules.kitchen_sim import OPENS, ROMA, Dish, Kitchen, book_of, row_of, wishes

MENU = (
    Dish("burger", "grill", 300, 420),  # the menu is too hopeful
    Dish("steak", "grill", 600, 560),
    Dish("ribs", "grill", None, 700),
    Dish("fries", "fry", 150, 130),
    Dish("wings", "fry", None, 300),
    Dish("salad", "cold", 90, 140),
    Dish("soup", "cold", 120, 70),
    Dish("ale", "bar", None, 40),
    Dish("mojito", "bar", 60, 110),
)
HANDS = {"grill": 7, "fry": 4, "cold": 2, "bar": 2}
HOURS = (6, 14, 30, 24, 8, 5, 10, 28, 36, 34, 22, 10)
USUAL = StationRules(prep_s=240, warn_s=480, late_s=600)


def ticket_of(*lines: TicketLine, **more: Any) -> Ticket:
    return Ticket(
        ticket_id=new_id(),
        station="grill",
        order_id=new_id(),
        order_number="ORD-260314110000-A1B2",
        status=TicketStatus.SENT,
        version=1,
        sequence=1,
        lines=lines,
        placed_at=OPENS,
        sent_at=OPENS,
        **more,
    )


def line_of(item: str = "burger", quantity: int = 1, **more: Any) -> TicketLine:
    return TicketLine(line=1, item=item, name=item, quantity=quantity, **more)


def test_the_p90_holds_in_nine_tickets_of_ten_after_one_simulated_day() -> None:
    for seed in (1, 2, 3):
        chance = random.Random(seed)  # noqa: S311 - a simulation
        kitchen = Kitchen(book_of(HANDS), fatigue=0.015)
        for day in range(2):
            opens = OPENS + timedelta(days=day)
            made = kitchen.run(list(wishes(chance, MENU, HOURS, noise=0.35, opens=opens)))
        tickets = [ticket for order in made for ticket in order.tickets]
        assert len(tickets) > 300
        assert 0.85 <= share(tickets, "ready_p90_at") <= 0.95, seed
        assert 0.40 <= share(tickets, "ready_p50_at") <= 0.60, seed


def share(tickets: list[Ticket], promise: str) -> float:
    """How many were ready by what was promised of them."""
    kept = 0
    for ticket in tickets:
        at = getattr(ticket, promise)
        assert ticket.ended_at is not None
        assert at is not None
        kept += ticket.ended_at <= at
    return kept / len(tickets)


def test_without_any_history_the_promise_is_the_menus_with_room() -> None:
    line = line_of(prep_s=200)
    ticket = promised(ticket_of(line), USUAL, 0, LearntPace(), tenant=ROMA, at=OPENS)
    assert (ticket.work_s, ticket.ahead_s, ticket.reckoned_s) == (200, 0, 200)
    assert ticket.ready_p50_at is not None
    assert ticket.ready_p90_at is not None
    assert OPENS + timedelta(seconds=180) <= ticket.ready_p50_at <= OPENS + timedelta(seconds=220)
    assert OPENS + timedelta(seconds=300) <= ticket.ready_p90_at <= OPENS + timedelta(seconds=450)
    assert ticket.warn_at == OPENS + timedelta(seconds=480)
    assert ticket.late_at == OPENS + timedelta(seconds=600)


def test_what_takes_longer_than_its_stations_dishes_is_late_later() -> None:
    roast = ticket_of(line_of(prep_s=480), line_of(prep_s=60))
    ticket = promised(roast, USUAL, 0, LearntPace(), tenant=ROMA, at=OPENS)
    assert ticket.warn_at == OPENS + timedelta(seconds=960)
    assert ticket.late_at == OPENS + timedelta(seconds=1200)


def test_a_line_that_says_nothing_takes_as_long_as_usual_at_its_station() -> None:
    ticket = promised(ticket_of(line_of()), USUAL, 0, LearntPace(), tenant=ROMA, at=OPENS)
    assert ticket.work_s == 240


def test_what_is_cancelled_or_done_is_no_work() -> None:
    lines = (
        line_of(prep_s=100),
        line_of(prep_s=50, mark=LineMark.CANCELLED),
        line_of(prep_s=70, bumped_at=OPENS),
    )
    ticket = promised(ticket_of(*lines), USUAL, 0, LearntPace(), tenant=ROMA, at=OPENS)
    assert (ticket.work_s, ticket.done_s, ticket.reckoned_s) == (170, 70, 100)


def test_the_queue_is_shared_by_all_hands_but_no_dish_is_quicker_than_itself() -> None:
    assert reckon([(100, 1)], hands=4, ahead_s=400).takes_s == 200
    assert reckon([(100, 8)], hands=4).makes_s == 200
    assert reckon([(100, 1), (300, 1)], hands=4).makes_s == 300


@given(
    units=st.lists(st.tuples(st.integers(1, 14_400), st.integers(1, 999)), max_size=60),
    hands=st.integers(1, 50),
    ahead_s=st.integers(0, 10**6),
)
def test_more_work_never_takes_less(
    units: list[tuple[float, int]], hands: int, ahead_s: int
) -> None:
    whole = reckon(units, hands, ahead_s)
    assert whole.takes_s >= reckon(units[1:], hands, ahead_s).takes_s
    assert whole.takes_s >= reckon(units, hands + 1, ahead_s).takes_s
    assert 0 <= whole.work_s <= pace.MOST_WORK_S


def test_components_are_those_of_the_item_and_of_what_was_chosen() -> None:
    cheese = Modifier(
        modifier="cheese", name="Cheese", components=(Component(component="slice", quantity=2),)
    )
    more = Modifier(
        modifier="patty",
        name="Patty",
        components=(Component(component="patty"),),
        groups=(ModifierGroup(group="on-it", modifiers=(cheese,)),),
    )
    burger = MenuItem(
        item="burger",
        name="Burger",
        station="grill",
        price_minor=900,
        currency="GBP",
        components=(Component(component="patty", quantity=2), Component(component="bun")),
        groups=(ModifierGroup(group="more", most=5, modifiers=(more,)),),
    )
    chosen = ChosenModifier(
        modifier="patty",
        name="Patty",
        quantity=3,
        modifiers=(ChosenModifier(modifier="cheese", name="Cheese"),),
    )
    gone = ChosenModifier(modifier="gone", name="Left the menu since")
    found = {each.component: each.quantity for each in pace.components(burger, (chosen, gone))}
    assert found == {"patty": 5, "bun": 1, "slice": 6}
    line = line_of(components=tuple(Component(component=n, quantity=q) for n, q in found.items()))
    (plain,) = pace.described(ticket_of(line), {"burger": burger})
    assert {each.component: each.quantity for each in plain.components} == {"patty": 2, "bun": 1}


def test_ten_values_are_needed_before_the_largest_is_not_the_promise() -> None:
    assert upper(range(1, 10), 0.9) == 9
    assert upper(range(1, 20), 0.9) == 18
    assert upper([3], 0.9) == 3
    assert upper([], 0.9) is None


def test_a_few_wild_tickets_do_not_move_the_middle() -> None:
    shown = Experience()
    for number in range(100):
        shown.learn(Took(20.0 if number % 10 == 0 else 1.5, kind_of(12, 0)))
    assert shown.factors(kind_of(12, 0)).p50 == pytest.approx(1.5, rel=0.05)


def test_tickets_of_its_own_hours_and_queue_count_more_the_more_there_are() -> None:
    shown = Experience()
    for _ in range(100):
        shown.learn(Took(1.0, kind_of(12, 0)))
    for _ in range(5):
        shown.learn(Took(3.0, kind_of(20, 2_000)))
    few = shown.factors(kind_of(20, 2_000)).p50
    for _ in range(95):
        shown.learn(Took(3.0, kind_of(20, 2_000)))
    many = shown.factors(kind_of(20, 2_000)).p50
    assert 1.0 <= few < 1.5 < many <= 3.0


def test_broken_promises_make_the_next_ones_more_careful() -> None:
    def after(*, kept: bool) -> float:
        shown = Experience()
        for number in range(60):
            shown.learn(Took(0.5 + number / 60, kind_of(12, 0), kept))
        return shown.factors(kind_of(12, 0)).p90

    assert after(kept=False) > after(kept=True)


def test_an_item_that_is_slower_than_the_menu_says_is_known_after_a_few() -> None:
    learnt = LearntPace()
    assert learnt.speed(ROMA, "grill", "burger") == 1.0
    for _ in range(20):
        learnt.learn(ROMA, "grill", Took(1.0, kind_of(12, 0), None, (("burger", 2.0),)))
    assert learnt.speed(ROMA, "grill", "burger") == pytest.approx(1.8)
    assert learnt.speed(ROMA, "grill", "steak") == 1.0
    assert learnt.speed("other", "grill", "burger") == 1.0
    ticket = promised(ticket_of(line_of(prep_s=100)), USUAL, 0, learnt, tenant=ROMA, at=OPENS)
    assert ticket.work_s == 180


def ended(**changes: Any) -> dict[str, Any]:
    ticket = promised(ticket_of(line_of()), USUAL, 0, LearntPace(), tenant=ROMA, at=OPENS)
    began, ends = OPENS + timedelta(seconds=60), OPENS + timedelta(seconds=180)
    return row_of(ticket.model_copy(update={"started_at": began, "ended_at": ends})) | changes


def test_a_ticket_tells_how_long_it_took_and_how_quick_its_items_were() -> None:
    book = KitchenRules(stations={"grill": USUAL})
    took = how_it_went(ended(), book, "grill")
    assert took == Took(0.75, kind_of(11, 0), True, (("burger", 0.5),))
    unsaid = how_it_went(ended(started_at=None), book, "grill")
    assert unsaid is not None
    assert unsaid.speeds == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"recalls": 1},
        {"sent_at": None},
        {"details": None},
        {"ended_at": OPENS + timedelta(hours=7)},
    ],
    ids=["recalled", "never sent", "never reckoned", "forgotten on the screen"],
)
def test_what_tells_nothing_is_not_learnt_from(changes: dict[str, Any]) -> None:
    assert how_it_went(ended(**changes), KitchenRules(), "grill") is None
