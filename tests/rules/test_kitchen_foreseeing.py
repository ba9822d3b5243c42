"""What an order would be told that came now, by what came before it."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.kitchen.foreseeing import Line, Made, reckon

CALM = Line(0.0, 1.0, 1.5)


def made(order: int, dishes: int, makes_s: float, station: str = "grill") -> Made:
    return Made(station, UUID(int=order), dishes, makes_s)


def test_where_nothing_was_ever_made_nothing_is_told() -> None:
    assert reckon([], {}, 3) is None
    assert reckon([], {"grill": CALM}, 3) is None


def test_an_order_is_ready_with_the_last_of_its_tickets() -> None:
    tickets = [made(1, 2, 300), made(1, 1, 120, "fry")]
    assert reckon(tickets, {"grill": CALM, "fry": CALM}, 3) == (300, 450)
    busy = Line(600.0, 1.0, 1.5)
    assert reckon(tickets, {"grill": CALM, "fry": busy}, 3) == (720, 1_080)


def test_orders_of_about_so_many_dishes_tell_and_not_those_that_are_far_from_it() -> None:
    small = [made(n, 1, 300) for n in range(20)]
    large = [made(100 + n, 30, 3_000) for n in range(20)]
    assert reckon([*large, *small], {"grill": CALM}, 2) == (300, 450)
    assert reckon([*small, *large], {"grill": CALM}, 25) == (3_000, 4_500)


def test_the_pace_that_a_station_has_shown_is_in_it() -> None:
    assert reckon([made(1, 1, 100)], {"grill": Line(100.0, 2.0, 3.0)}, 1) == (400, 600)


tickets = st.lists(
    st.builds(
        made,
        st.integers(1, 9),
        st.integers(1, 20),
        st.floats(1, 3_600),
        st.sampled_from(["grill", "fry"]),
    ),
    min_size=1,
    max_size=40,
)


@given(tickets, st.floats(0, 7_200), st.floats(0, 7_200), st.integers(1, 30))
def test_more_on_the_line_is_never_sooner_and_the_p90_never_before_the_p50(
    before: list[Made], waits_s: float, more_s: float, dishes: int
) -> None:
    told = []
    for each in (waits_s, waits_s + more_s):
        lines = {"grill": Line(each, 1.0, 1.4), "fry": CALM}
        found = reckon(before, lines, dishes)
        assert found is not None
        assert found[0] <= found[1]
        told.append(found)
    assert told[0][0] <= told[1][0]
    assert told[0][1] <= told[1][1]
