"""The simulated evening: each order ends, a seed says all, and nobody sees what is to come."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.dispatch.simulation.comparing import live
from services.dispatch.simulation.day import Evening, live_through
from services.dispatch.simulation.foretelling import Foretelling
from services.dispatch.simulation.metrics import mean_of, measure
from services.dispatch.simulation.policies import POLICIES
from services.dispatch.simulation.riding import PICKUP_S
from services.dispatch.simulation.world import Placed, Setting, World, draw_world

SMALL = Setting(orders=24, couriers=6, restaurants=3, hours=2.0)
QUIET = replace(SMALL, decline=0.0, silent=0.0, lost=0.0)

_SHARES = st.sampled_from([0.0, 0.3, 1.0])
_SETTINGS = st.builds(
    Setting,
    seed=st.integers(0, 10_000),
    orders=st.integers(0, 12),
    couriers=st.integers(0, 5),
    restaurants=st.integers(1, 3),
    late=st.sampled_from([0.0, 0.5, 5.0]),
    bad_hours=_SHARES,
    stopped=_SHARES,
    decline=_SHARES,
    silent=st.sampled_from([0.0, 0.2, 1.0]),
    lost=_SHARES,
    hours=st.sampled_from([0.25, 1.0]),
)
_POLICIES = st.sampled_from(list(POLICIES))


def brought(evening: Evening) -> int:
    return sum(1 for each in evening.ended if not math.isnan(each.door_s))


# -- every order ends ------------------------------------------------------------------------------


# An order was given up between a courier's coming in and their asking for it.
_GIVEN_UP_AS_THEY_CAME = Setting(
    seed=2381, orders=5, couriers=3, restaurants=1, late=0.0, bad_hours=0.0, stopped=1.0,
    decline=0.0, silent=0.0, lost=0.3, hours=1.0,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(_SETTINGS, _POLICIES)
@example(_GIVEN_UP_AS_THEY_CAME, "assign-at-placement")
def test_every_order_is_delivered_or_explained_whatever_happens(
    setting: Setting, policy: str
) -> None:
    world = draw_world(setting)
    evening = live_through(world, POLICIES[policy]())
    assert [each.order for each in evening.ended] == list(world.orders)
    for each in evening.ended:
        assert math.isnan(each.door_s) == bool(each.why)
        if not each.why:
            assert each.order.placed_s <= each.order.ready_s <= each.picked_s < each.door_s
    assert brought(evening) == sum(each.brought for each in evening.riders)
    assert all(wait >= 0 for wait in evening.waited_s)
    figures = measure(evening)
    assert figures.delivered + figures.explained == figures.orders == setting.orders
    assert 0 <= figures.busy_share <= 1


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"couriers": 0}, "there are no couriers"),
        ({"decline": 1.0}, "declined it"),
        ({"silent": 1.0}, "declined it"),
        ({"stopped": 1.0, "couriers": 1}, "never had it ready"),
    ],
)
def test_what_nobody_brings_says_why(policy: str, odd: dict[str, float], why: str) -> None:
    lived = live(replace(SMALL, orders=6, lost=0.0, **odd), policy)  # type: ignore[arg-type]  # of two kinds
    assert [each for each in lived.why if why in each]
    if "stopped" not in odd:
        assert not lived.click_to_door


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_lost_courier_had_not_is_brought_by_another_and_what_they_had_is_explained(
    policy: str,
) -> None:
    drawn = draw_world(replace(QUIET, orders=1, couriers=2))
    here = drawn.restaurants[0].place
    order = replace(
        drawn.orders[0], restaurant=0, placed_s=600.0, door=(here[0] + 3_000.0, here[1]),
        said_s=(900.0,), took_s=(900.0,),
    )  # fmt: skip
    near = replace(drawn.riders[0], home=here, on_s=0.0)
    far = replace(drawn.riders[1], home=(here[0] - 1_000.0, here[1]), on_s=0.0)

    def ended(lost_s: float) -> tuple[str, str]:
        riders = (replace(near, lost_s=lost_s), far)
        world = replace(drawn, orders=(order,), riders=riders)
        one = live_through(world, POLICIES[policy]()).ended[0]
        return one.courier, one.why

    assert ended(math.inf) == (near.name, "")
    # Before the food is ready, whether they were asked by then or not.
    assert ended(1_450.0) == (far.name, "")
    # Half a minute's answer and the pickup are over, the ride of ten minutes is not.
    assert ended(1_500.0 + 300.0) == (near.name, f"{near.name} was lost with the food")


# -- a seed says all -------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_gives_the_same_evening_and_another_one_another(policy: str) -> None:
    assert live(SMALL, policy) == live(SMALL, policy)
    assert live(SMALL, policy).metrics != live(replace(SMALL, seed=2), policy).metrics


def test_another_courier_changes_no_order_and_another_policy_nothing_at_all() -> None:
    world = draw_world(SMALL)
    more = draw_world(replace(SMALL, couriers=7))
    assert more.orders == world.orders
    assert more.riders[:6] == world.riders
    ended = [[each.order for each in live_through(world, make()).ended]
             for make in POLICIES.values()]  # fmt: skip
    assert all(each == ended[0] for each in ended)


# -- kitchens --------------------------------------------------------------------------------------


def slow_kitchen(took: tuple[float, ...]) -> tuple[World, Placed]:
    world = draw_world(replace(SMALL, orders=1))
    order = replace(world.orders[0], placed_s=0.0, said_s=(300.0, 300.0), took_s=took)
    return replace(world, orders=(order,)), order


def test_a_late_kitchen_is_known_to_be_late_only_as_it_shows() -> None:
    world, order = slow_kitchen((600.0, 900.0))
    twin, same = slow_kitchen((600.0, math.inf))
    foretelling = Foretelling(world)
    moments = [0.0, 200.0, 400.0, 700.0, 1_200.0, 1_499.0]
    said = [foretelling.ready(order, now).p50_s for now in moments]
    assert said == sorted(said)
    assert said[0] == said[1] == 600.0
    assert abs(said[-1] - order.ready_s) < abs(said[0] - order.ready_s)
    # Until something shows, a kitchen that never has it ready says the same.
    assert said == [Foretelling(twin).ready(same, now).p50_s for now in moments]
    done = foretelling.ready(order, 1_500.0)
    assert done.p50_s == done.p90_s == order.ready_s == 1_500.0


@settings(max_examples=30, deadline=None)
@given(_SETTINGS, st.floats(0.0, 20_000.0))
def test_nothing_is_foretold_from_what_has_not_happened_yet(setting: Setting, now: float) -> None:
    world = draw_world(setting)
    known = [each for each in world.orders if each.placed_s <= now]

    def cut(order: Placed) -> Placed:
        """The order, as if nothing of it were done later than now."""
        took, at = [], order.placed_s
        for step in order.took_s:
            at += step
            took.append(step if at <= now else math.inf)
        return replace(order, took_s=tuple(took))

    blind = replace(world, orders=tuple(map(cut, known)))
    seeing, not_seeing = Foretelling(world), Foretelling(blind)
    for order, other in zip(known, blind.orders, strict=True):
        ready = seeing.ready(order, now)
        assert ready == not_seeing.ready(other, now)
        assert ready.p50_s <= ready.p90_s
        assert (ready.p50_s <= now) == (order.ready_s <= now)


# -- couriers --------------------------------------------------------------------------------------


def test_who_is_called_when_food_is_ready_never_waits_for_it() -> None:
    evening = live_through(draw_world(QUIET), POLICIES["called-when-ready"]())
    assert brought(evening) == 24
    assert evening.waited_s == [0.0] * 24
    stood = [each.picked_s - each.order.ready_s for each in evening.ended]
    assert min(stood) > PICKUP_S / 2


def test_requests_are_declined_and_lapse_about_as_often_as_was_asked_for() -> None:
    setting = replace(SMALL, orders=150, hours=5.0, couriers=12, decline=0.3, silent=0.1, lost=0.0)
    evening = live_through(draw_world(setting), POLICIES["assign-at-placement"]())
    asked = sum(each.asked for each in evening.riders)
    assert sum(each.declined for each in evening.riders) / asked == pytest.approx(0.3, abs=0.1)
    assert sum(each.lapsed for each in evening.riders) / asked == pytest.approx(0.1, abs=0.07)
    assert brought(evening) == 150


# -- what it is for --------------------------------------------------------------------------------


def test_timed_to_the_food_couriers_wait_less_and_food_waits_less_than_sent_at_placement() -> None:
    evenings = [Setting(orders=80, couriers=12, restaurants=5, hours=3.0, seed=n) for n in (1, 2)]
    at_once, planned = (
        mean_of([live(setting, policy).metrics for setting in evenings])
        for policy in ("assign-at-placement", "planned")
    )
    assert planned.courier_waited_mean < 0.7 * at_once.courier_waited_mean
    assert planned.food_waited_mean < 0.7 * at_once.food_waited_mean
    assert planned.click_to_door_mean < at_once.click_to_door_mean
    assert planned.delivered == at_once.delivered


def test_timing_alone_spares_couriers_their_waiting_and_guests_wait_no_longer() -> None:
    evenings = [Setting(seed=n) for n in range(1, 6)]
    at_once, timed = (
        mean_of([live(setting, policy).metrics for setting in evenings])
        for policy in ("assign-at-placement", "timed-nearest")
    )
    assert timed.courier_waited_mean < 0.5 * at_once.courier_waited_mean
    assert timed.click_to_door_mean <= at_once.click_to_door_mean + 0.5
