"""From rows to what the planner is told, and what time brings to those who were asked."""

from __future__ import annotations

import math
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.deliveries import OPEN_DELIVERY, DeliveryStatus
from schemas.delivery_rules import DeliveryRules
from schemas.positions import Place, TravelMode
from services.delivery.dispatching import showing, watching
from services.delivery.dispatching.inside import AskAgain, TakeBack
from services.delivery.dispatching.situating import (
    Employed,
    HouseNow,
    Stop,
    situation_of,
    travel_of,
    weights_of,
)
from services.dispatch.planner import plan

NOW = 1_774_000_000.0
RULES = DeliveryRules(place=Place(lat=60.17, lon=24.94), automatic=True)
HERE, DOOR, FAR = (60.17, 24.94), (60.18, 24.95), (60.25, 25.10)


def stop(number: int = 1, **values: object) -> Stop:
    """An order that waits, and whose food is ready in ten minutes."""
    made = Stop(
        tenant="roma",
        order_id=UUID(int=number),
        number=str(number),
        version=1,
        status=DeliveryStatus.WAITING,
        place=DOOR,
        placed_s=NOW - 60,
        ready_p50_s=NOW + 600,
        ready_p90_s=NOW + 900,
    )
    return replace(made, **values)  # type: ignore[arg-type]  # the fields of a stop


def anna(**values: object) -> Employed:
    made = Employed("roma", "anna", 1, TravelMode.BICYCLE, place=HERE, seen_s=NOW)
    return replace(made, **values)  # type: ignore[arg-type]  # the fields of a courier


def house(*stops: Stop, couriers: tuple[Employed, ...] = (anna(),)) -> HouseNow:
    return HouseNow("roma", RULES, stops=stops, couriers=couriers)


def free(*stops: Stop, **values: object) -> tuple[tuple[float, float], float]:
    """Where and in how many seconds anna is free."""
    one = house(*stops, couriers=(anna(**values),))
    (courier,) = situation_of([one], NOW, travel_of([one])).couriers
    return courier.place, courier.free_s - NOW


def test_who_has_nothing_to_bring_is_free_where_they_are() -> None:
    assert free() == (HERE, 0.0)


def test_who_has_food_in_the_bag_is_free_at_its_door() -> None:
    bag = stop(status=DeliveryStatus.EN_ROUTE, courier="anna", stop=1, ready_p50_s=NOW - 100)
    place, after_s = free(bag)
    assert place == DOOR
    assert 300 < after_s < 1_200
    second = stop(2, status=DeliveryStatus.EN_ROUTE, courier="anna", stop=2, place=FAR)
    assert free(bag, second)[0] == FAR
    assert free(bag, second)[1] > after_s


def test_who_waits_for_food_is_free_no_sooner_than_it_is_ready() -> None:
    waits = stop(status=DeliveryStatus.AT_RESTAURANT, courier="anna", stop=1)
    assert free(waits)[1] > 600
    later = replace(waits, ready_p50_s=NOW + 3_000)
    assert free(later)[1] == pytest.approx(free(waits)[1] + 2_400)
    unknown = replace(waits, ready_p50_s=math.nan, ready_p90_s=math.nan)
    assert math.isfinite(free(unknown)[1])


def test_who_failed_at_a_door_brings_the_food_back_first() -> None:
    failed = stop(status=DeliveryStatus.FAILED, courier="anna", stop=1)
    assert free(failed, place=DOOR)[0] == HERE


def test_an_order_for_later_is_wanted_no_sooner() -> None:
    one = house(stop(due_s=NOW + 7_200.0))
    (order,) = situation_of([one], NOW, travel_of([one])).orders
    assert 5_400 < order.ready_p50_s - NOW < 7_200, "an hour and a half from now, less the ride"


def test_a_fleet_is_as_careful_as_the_most_careful_of_its_houses() -> None:
    other = HouseNow("oslo", RULES.model_copy(update={"ask_ahead_s": 600, "together_most": 2}))
    weights = weights_of([house(), other])
    assert (weights.lead_s, weights.most_in_bundle) == (600.0, 2)


def test_an_engines_ways_count_between_restaurants_and_doors() -> None:
    def twice_as_long(_: str, __: TravelMode, *both: tuple[float, float]) -> float | None:
        return 10_000.0 if HERE in both else None

    one, places = house(), np.array([HERE, DOOR, FAR])
    plain, routed = (
        each(places, "bicycle") for each in (travel_of([one]), travel_of([one], twice_as_long))
    )
    assert routed[0, 1] > 2 * plain[0, 1]
    assert routed[1, 2] == plain[1, 2]
    assert not np.diag(routed).any()


# -- what time brings -----------------------------------------------------------------------


def due(*stops: Stop, **values: object) -> list[object]:
    """What is to be asked now, where all of it has been so for 40 minutes."""
    houses = [house(*stops, couriers=(anna(**values),))]
    since = watching.Since()
    since.look(houses, NOW - 2_400)
    found = watching.due(houses, NOW, since)
    assert all(tenant == "roma" for tenant, _ in found)
    return [request for _, request in found]


def test_who_has_not_answered_in_time_is_not_waited_for() -> None:
    asked = stop(status=DeliveryStatus.ASSIGNED, courier="anna", assigned_s=NOW - 59)
    assert not due(asked)
    (taken,) = due(replace(asked, assigned_s=NOW - 60))
    assert isinstance(taken, TakeBack)
    assert (taken.courier, taken.declined) == ("anna", True)
    assert taken.why == "no answer within 60 s"
    one = house(asked)
    assert watching.next_s([one], NOW) == NOW + 1


def test_who_was_not_seen_for_long_loses_what_they_have_not_fetched() -> None:
    coming = stop(status=DeliveryStatus.ACCEPTED, courier="anna")
    assert not due(coming, seen_s=NOW - 599)
    (taken,) = due(coming, seen_s=NOW - 600)
    assert isinstance(taken, TakeBack)
    assert not taken.declined
    by_hand = replace(coming, by_hand=True)
    assert not due(by_hand, seen_s=-math.inf, place=None), "whoever has no tracker is not lost"
    assert due(coming, seen_s=-math.inf, place=None), "another tracker, and nothing of it for long"
    assert not due(replace(coming, status=DeliveryStatus.EN_ROUTE), seen_s=NOW - 9_999)


def test_nobody_waits_for_ever_at_a_counter() -> None:
    waits = stop(status=DeliveryStatus.AT_RESTAURANT, courier="anna", ready_p50_s=NOW + 2_399)
    assert not due(waits)
    (taken,) = due(replace(waits, ready_p50_s=NOW + 2_400))
    assert isinstance(taken, TakeBack)
    assert "needs 40 min more" in taken.why


def test_who_declined_is_asked_again_once_everybody_has() -> None:
    declined = stop(declined_by=("anna",), declined_s=NOW - 600)
    (again,) = due(declined)
    assert isinstance(again, AskAgain)
    assert not due(replace(declined, declined_s=NOW - 599))
    assert not due(declined, on_duty=False), "there is nobody to ask"
    both = house(declined, couriers=(anna(), anna(courier="bo")))
    assert not watching.due([both], NOW, watching.Since()), "bo was not asked yet"


# -- whatever the rows say ------------------------------------------------------------------

seconds = st.one_of(st.just(math.nan), st.floats(NOW - 1e5, NOW + 1e5))
places = st.tuples(st.floats(-89, 89), st.floats(-179, 179)) | st.sampled_from([HERE, DOOR, FAR])
names = st.sampled_from(["anna", "bo", "eve"])
stops = st.builds(
    stop,
    number=st.integers(1, 50),
    status=st.sampled_from(sorted(OPEN_DELIVERY)),
    courier=st.none() | names,
    stop=st.integers(0, 4),
    place=places,
    ready_p50_s=seconds,
    ready_p90_s=seconds,
    promised_s=seconds,
    due_s=seconds,
    assigned_s=seconds,
    arrived_s=seconds,
    declined_s=seconds,
    declined_by=st.lists(names, unique=True).map(tuple),
    pinned=st.none() | names,
)  # fmt: skip
couriers = st.builds(
    anna,
    courier=names,
    on_duty=st.booleans(),
    carries=st.integers(1, 20),
    until_s=st.just(math.inf) | st.floats(NOW - 1e4, NOW + 1e4),
    place=st.none() | places,
    seen_s=st.just(-math.inf) | st.floats(NOW - 1e4, NOW),
)


@given(
    orders=st.lists(stops, max_size=8, unique_by=lambda each: each.order_id),
    people=st.lists(couriers, max_size=4, unique_by=lambda each: each.courier),
)
@settings(deadline=None, max_examples=150)
def test_every_order_that_waits_is_in_a_trip_or_left_out_with_why(
    orders: list[Stop], people: list[Employed]
) -> None:
    one = house(*orders, couriers=tuple(people))
    travel = travel_of([one])
    situation = situation_of([one], NOW, travel)
    made = plan(situation, travel, weights_of([one]))
    names = [name for route in made.routes for trip in route.trips for name in trip.orders]
    names += [each.order for each in made.left_out]
    waiting = [each.name for each in orders if each.status is DeliveryStatus.WAITING]
    assert sorted(names) == sorted(waiting)
    watching.due([one], NOW, watching.Since())
    shown = showing.state_of(one, made, situation, {each.name: each for each in orders})
    assert sum(len(trip.doors) for trip in shown.trips) + len(shown.left_out) == len(waiting)
    for trip in shown.trips:
        assert trip.courier in {each.courier for each in people if each.on_duty}
    assert shown.model_dump_json()


def test_what_one_courier_loses_for_one_reason_they_lose_together() -> None:
    asked = [
        stop(n, status=DeliveryStatus.ASSIGNED, courier="anna", assigned_s=NOW - 60) for n in (1, 2)
    ]
    other = stop(3, status=DeliveryStatus.ASSIGNED, courier="bo", assigned_s=NOW - 60)
    found = due(*asked, other)
    assert [len(each.orders) for each in found if isinstance(each, TakeBack)] == [2, 1]


def test_whom_a_person_lets_wait_waits_and_who_was_asked_does_not_for_food_that_is_held() -> None:
    held = stop(
        status=DeliveryStatus.ACCEPTED, courier="anna", ready_p50_s=math.nan, ready_p90_s=math.nan,
        assigned_s=NOW - 2_400,
    )  # fmt: skip
    (taken,) = due(held)
    assert isinstance(taken, TakeBack)
    assert "does not say when" in taken.why
    assert not due(replace(held, by_hand=True))
    assert not due(replace(held, pinned="anna"))
    just_now = watching.due([house(held)], NOW, watching.Since())
    assert not just_now, "held for a moment"
    assert not due(replace(held, status=DeliveryStatus.ASSIGNED, by_hand=True)), "a person asked"


def test_a_house_that_asks_by_hand_takes_nothing_back() -> None:
    asked = stop(status=DeliveryStatus.ASSIGNED, courier="anna", assigned_s=NOW - 9_999)
    by_hand = replace(house(asked), rules=RULES.model_copy(update={"automatic": False}))
    assert not watching.due([by_hand], NOW, watching.Since())
