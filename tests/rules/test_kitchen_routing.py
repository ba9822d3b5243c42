"""Which station makes what: by the menu, by rules, by load, and when nobody is there."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import new_id
from schemas.kitchen_rules import KitchenRules, RouteRule, StationRules, Weekday
from schemas.orders import Order, OrderKind, OrderLine, OrderStatus
from services.kitchen.routing import Floor, Share, Standing, in_question, is_plain, share_out

SATURDAY = datetime(2026, 3, 14, 19, 0, tzinfo=UTC)
CLOSED = Standing(away="the gas is off")
NAMES = ("grill", "grill-2", "grill-3", "fry")


def order_of(*stations: str, kind: OrderKind = OrderKind.DINE_IN, course: int = 1) -> Order:
    lines = tuple(
        OrderLine(
            line=number,
            item=f"item-{number}",
            name=f"Item {number}",
            quantity=1,
            unit_minor=100,
            total_minor=100,
            station=station,
            course=course,
        )
        for number, station in enumerate(stations, 1)
    )
    return Order(
        order_id=new_id(),
        number="ORD-260314190000-A1B2",
        status=OrderStatus.ACCEPTED,
        version=1,
        device="pos-1",
        kind=kind,
        currency="GBP",
        total_minor=100 * len(lines),
        lines=lines,
        placed_at=SATURDAY,
    )


def where(order: Order, book: KitchenRules, **floor: Any) -> dict[int, str]:
    floor.setdefault("local", SATURDAY)
    shared = share_out(order, None, Floor(book, **floor))
    return {line.line: share.station for share, lines in shared.items() for line in lines}


def group_of(*names: str, hands: int = 1) -> KitchenRules:
    return KitchenRules(
        stations={name: StationRules(group="grills", hands=hands) for name in names}
    )


def test_without_rules_the_menu_decides() -> None:
    assert is_plain(KitchenRules())
    assert where(order_of("grill", "fry"), KitchenRules()) == {1: "grill", 2: "fry"}


@pytest.mark.parametrize(
    ("rule", "moved"),
    [
        ({"items": ("item-1",)}, {1}),
        ({"stations": ("fry",)}, {2}),
        ({"kinds": ("delivery",)}, set()),
        ({"kinds": ("dine-in", "delivery")}, {1, 2}),
        ({"kinds": ("dine-in",), "items": ("item-2",)}, {2}),
        ({}, {1, 2}),
    ],
)
def test_a_rule_speaks_of_what_it_names(rule: dict[str, Any], moved: set[int]) -> None:
    book = KitchenRules(routes=(RouteRule(route="r", to="back", **rule),))
    found = where(order_of("grill", "fry"), book)
    assert {line for line, station in found.items() if station == "back"} == moved


def test_the_first_rule_that_fits_decides() -> None:
    book = KitchenRules(
        routes=(
            RouteRule(route="a", to="one", items=("item-1",)),
            RouteRule(route="b", to="two"),
            RouteRule(route="c", to="three", items=("item-2",)),
        )
    )
    assert where(order_of("grill", "fry"), book) == {1: "one", 2: "two"}


@pytest.mark.parametrize(
    ("since", "until", "days", "at", "fits"),
    [
        ("18:00", "22:00", (), "14T18:00", True),
        ("18:00", "22:00", (), "14T17:59", False),
        ("18:00", "22:00", (), "14T22:00", False),
        ("22:00", "02:00", (), "14T23:30", True),
        ("22:00", "02:00", (), "15T01:59", True),
        ("22:00", "02:00", (), "15T02:00", False),
        ("22:00", None, (), "14T23:59", True),
        (None, "11:00", (), "14T10:00", True),
        (None, "11:00", (), "14T11:00", False),
        (None, None, (Weekday.SAT,), "14T00:00", True),
        (None, None, (Weekday.SUN,), "14T00:00", False),
        # The night from Saturday to Sunday is Saturday's.
        ("22:00", "02:00", (Weekday.SAT,), "15T01:00", True),
        ("22:00", "02:00", (Weekday.SUN,), "15T01:00", False),
        ("22:00", "02:00", (Weekday.SUN,), "15T23:00", True),
    ],
)
def test_a_rule_keeps_its_hours_and_days(
    since: str | None, until: str | None, days: tuple[Weekday, ...], at: str, *, fits: bool
) -> None:
    rule = RouteRule(
        route="late",
        to="back",
        days=days,
        since=None if since is None else time.fromisoformat(since),
        until=None if until is None else time.fromisoformat(until),
    )
    local = datetime.fromisoformat(f"2026-03-{at}:00+00:00")
    found = where(order_of("grill"), KitchenRules(routes=(rule,)), local=local)
    assert found == {1: "back" if fits else "grill"}


def test_of_a_group_that_station_takes_an_order_that_has_least_to_do() -> None:
    stations = {"grill": Standing(600), "grill-2": Standing(300)}
    found = where(
        order_of("grill", "grill", "fry"), group_of("grill", "grill-2"), stations=stations
    )
    assert found == {1: "grill-2", 2: "grill-2", 3: "fry"}


def test_more_hands_have_less_to_do_each() -> None:
    book = KitchenRules(
        stations={
            "grill": StationRules(group="grills", hands=3),
            "grill-2": StationRules(group="grills"),
        }
    )
    stations = {"grill": Standing(600), "grill-2": Standing(300)}
    assert where(order_of("grill-2"), book, stations=stations) == {1: "grill"}


def test_equal_loads_are_told_apart_the_same_way_each_time() -> None:
    assert where(order_of("grill-2"), group_of("grill-2", "grill")) == {1: "grill"}
    assert where(order_of("grill-2"), group_of("grill", "grill-2")) == {1: "grill"}


def test_what_is_ordered_later_goes_to_the_station_that_has_the_order() -> None:
    stations = {"grill": Standing(0), "grill-2": Standing(5_000)}
    book = group_of("grill", "grill-2")
    assert where(order_of("grill"), book, stations=stations, at={"grill-2"}) == {1: "grill-2"}
    stations["grill-2"] = CLOSED
    assert where(order_of("grill"), book, stations=stations, at={"grill-2"}) == {1: "grill"}


def test_a_rule_may_name_a_group_or_one_station_of_it() -> None:
    stations = {"grill": Standing(600)}
    group = group_of("grill", "grill-2")
    to_group = group.model_copy(update={"routes": (RouteRule(route="r", to="grills"),)})
    assert where(order_of("fry"), to_group, stations=stations) == {1: "grill-2"}
    to_one = group.model_copy(update={"routes": (RouteRule(route="r", to="grill"),)})
    assert where(order_of("fry"), to_one, stations=stations) == {1: "grill"}


def chain(**fallbacks: str) -> KitchenRules:
    names = set(fallbacks) | set(fallbacks.values())
    return KitchenRules(
        stations={each: StationRules(fallback=fallbacks.get(each)) for each in sorted(names)}
    )


def test_a_closed_station_has_its_fallback_and_that_one_too() -> None:
    book = chain(grill="fry", fry="bar")
    assert where(order_of("grill"), book) == {1: "grill"}
    assert where(order_of("grill"), book, stations={"grill": CLOSED}) == {1: "fry"}
    both = {"grill": CLOSED, "fry": CLOSED}
    assert where(order_of("grill"), book, stations=both) == {1: "bar"}


def test_where_nobody_takes_anything_it_stays_where_it_belongs() -> None:
    book = chain(grill="fry", fry="bar", bar="grill")  # they name each other in a circle
    everything = dict.fromkeys(("grill", "fry", "bar"), CLOSED)
    assert where(order_of("grill", "fry"), book, stations=everything) == {1: "grill", 2: "fry"}


def test_a_group_of_closed_stations_falls_back_as_its_stations_do() -> None:
    book = KitchenRules(
        stations={
            "grill": StationRules(group="grills"),
            "grill-2": StationRules(group="grills", fallback="fry"),
        }
    )
    stations = {"grill": CLOSED, "grill-2": CLOSED}
    assert where(order_of("grill"), book, stations=stations) == {1: "fry"}


def test_all_stations_that_may_be_chosen_are_asked_for() -> None:
    book = KitchenRules(
        stations={
            "grill": StationRules(group="grills", fallback="fry"),
            "grill-2": StationRules(group="grills"),
            "fry": StationRules(fallback="bar"),
            "cold": StationRules(),
        },
        routes=(RouteRule(route="r", to="pass"),),
    )
    assert in_question(book, ["grill-2"]) == {"grill", "grill-2", "fry", "bar", "pass"}


@given(
    loads=st.dictionaries(st.sampled_from(NAMES), st.integers(0, 5_000)),
    closed=st.sets(st.sampled_from(NAMES)),
    asked=st.lists(st.sampled_from(NAMES), min_size=1, max_size=8),
    fallback=st.sampled_from([None, "fry", "cold"]),
)
def test_every_line_goes_to_one_station_and_to_a_closed_one_only_where_none_is_open(
    loads: dict[str, int], closed: set[str], asked: list[str], fallback: str | None
) -> None:
    grills = {each: StationRules(group="grills", fallback=fallback) for each in NAMES[:3]}
    book = KitchenRules(stations=grills)
    stations = {name: Standing(work_s) for name, work_s in loads.items()}
    stations |= dict.fromkeys(closed, CLOSED)
    order = order_of(*asked)
    shared = share_out(order, None, Floor(book, SATURDAY, stations))
    assert sorted(line.line for lines in shared.values() for line in lines) == [
        line.line for line in order.lines
    ]
    assert len({share.station for share in shared if share.station.startswith("grill")}) <= 1
    for share, lines in shared.items():
        if share.station in closed:
            group = set(NAMES[:3]) if share.station.startswith("grill") else {"fry"}
            assert group <= closed
            assert all(line.station in group for line in lines)
    assert shared.keys() == {Share(station, 1) for station, _ in shared}
