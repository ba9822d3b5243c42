"""No order is told by what was not known when it was placed, to the last bit.

One check, `peeks`: everything after an order's moment is changed at random, and what is told of
it must not move. That the check would find a model that peeks is tested with models that do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.eta_files import read_deliveries
from services.delivery.learning import rush
from services.delivery.learning.orders import MINUTE_S, Flags, Floats, Orders
from services.delivery.learning.usual import Usual
from services.delivery.learning.walk_forward import evaluate, walk
from tests.conftest import SharedData
from tests.rules.eta_town import Town

TOWN = Town(days=8, orders_a_day=50, rush_min=6).orders(1)


def told(orders: Orders, number: int) -> list[float]:
    """What is told of one order: its usual time, the rush, p50 and p90."""
    first = int(orders.day[number])
    found = walk(orders, first)
    at = number - int(np.searchsorted(orders.day, first))
    return [
        float(each[at]) for each in (found.usual_min, found.rush_min, found.p50_min, found.p90_min)
    ]


def with_another_future(orders: Orders, number: int, seed: int) -> tuple[Orders, int]:
    """The same until the order's moment, and anything after it; and where the order is now.

    Orders that are placed at that moment or later are left out, moved or made different; those
    that were under way then arrive at another time after it, or never; so does the order itself.
    """
    draw = np.random.default_rng(seed)
    now_s = orders.at_s[number]
    count = len(orders)
    own = np.arange(count) == number
    later = (orders.at_s >= now_s) & ~own
    with np.errstate(invalid="ignore"):
        under_way = ~later & ~(orders.arrived_s() < now_s)
    out_min = (now_s - orders.at_s) / MINUTE_S
    another = np.where(
        draw.random(count) < 0.2,
        np.nan,
        np.maximum(out_min, 0.0) + draw.integers(0, 300, count) + (later | own),
    )
    moved = draw.permutation(np.flatnonzero(later))
    changed = replace(
        orders,
        distance_m=np.where(later, draw.uniform(0, 9000, count), orders.distance_m),
        items=np.where(later, draw.integers(1, 90, count), orders.items),
        venue=np.where(later, draw.integers(-1, len(orders.venues), count), orders.venue),
        took_min=np.where(later | under_way, another, orders.took_min),
    )
    # Later ones change their places with each other: what was placed when is different too.
    for name in ("distance_m", "items", "venue"):
        getattr(changed, name)[later] = getattr(changed, name)[moved]
    kept = ~later | (draw.random(count) < 0.6)
    return changed.taken(kept), int(kept[:number].sum())


def peeks(orders: Orders, number: int, seed: int) -> bool:
    """Whether what is told of an order depends on what comes after its moment."""
    return told(orders, number) != told(*with_another_future(orders, number, seed))


@settings(max_examples=15)
@given(st.integers(0, len(TOWN) - 1), st.integers(0, 2**32 - 1))
def test_what_comes_after_an_order_changes_nothing_that_is_told_of_it(
    number: int, seed: int
) -> None:
    assert not peeks(TOWN, number, seed)


def test_what_comes_after_it_changes_nothing_on_real_orders_either(
    shared_data: SharedData,
) -> None:
    whole = read_deliveries(shared_data.file("delivery/wolt_helsinki_2020.csv")).orders
    orders = whole.taken(whole.day < whole.day[0] + 6)
    for seed, number in enumerate(np.random.default_rng(2).integers(300, len(orders), 4)):
        assert not peeks(orders, int(number), seed)


def test_what_was_known_before_does_change_what_is_told() -> None:
    number = _at_the_busiest_moment()
    at = TOWN.at_s[number]
    today = (TOWN.day == TOWN.day[number]) & (TOWN.arrived_s() < at)
    slower = replace(TOWN, took_min=np.where(today, TOWN.took_min + 0.5, TOWN.took_min))
    yesterday = TOWN.day == TOWN.day[number] - 1
    before = replace(TOWN, took_min=np.where(yesterday, TOWN.took_min + 9, TOWN.took_min))
    assert told(slower, number) != told(TOWN, number)
    assert told(before, number)[0] > told(TOWN, number)[0]


# -- the check finds who peeks -----------------------------------------------------------------


def test_the_check_finds_a_rush_that_knows_of_deliveries_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def half_an_hour_early(placed_s: Floats, took_min: Floats, now_s: float) -> Flags:
        return np.asarray(placed_s + took_min * MINUTE_S < now_s + 30 * MINUTE_S)

    monkeypatch.setattr(rush, "arrived", half_an_hour_early)
    assert peeks(TOWN, _at_the_busiest_moment(), 3)


def test_the_check_finds_a_usual_time_that_has_learned_from_today(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = walk(TOWN, int(TOWN.day[0]))
    assert len(whole.p50_min) == len(TOWN)
    honest = Usual.minutes

    def of_the_whole_day(usual: Usual, orders: Orders) -> Floats:
        return honest(usual, orders) + float(np.nanmean(orders.took_min)) * 1e-9

    monkeypatch.setattr(Usual, "minutes", of_the_whole_day)
    assert peeks(TOWN, _at_the_busiest_moment(), 4)


def test_the_check_finds_a_model_that_looks_who_orders_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = rush.rushes

    def with_the_next(orders: Orders, since: int, *rest: object) -> Floats:
        following = np.append(orders.distance_m[1:], 0.0)[since:]
        return honest(orders, since, *rest) + following * 1e-9  # type: ignore[arg-type]  # its own arguments, passed on

    monkeypatch.setattr("services.delivery.learning.parameters.rushes", with_the_next)
    assert peeks(TOWN, _at_the_busiest_moment(), 5)


def test_no_estimate_of_others_is_looked_at() -> None:
    first = int(TOWN.day[0]) + 4
    draw = np.random.default_rng(6)
    one, other = (
        evaluate(TOWN, draw.uniform(5, 90, len(TOWN)), first),
        evaluate(TOWN, TOWN.took_min, first),
    )
    assert one.model == other.model
    assert one.without_today == other.without_today
    assert one.baselines["estimate"] != other.baselines["estimate"]


def _at_the_busiest_moment() -> int:
    """An order of the last day, placed when many others were under way."""
    with np.errstate(invalid="ignore"):
        under_way = (TOWN.at_s[:, np.newaxis] < TOWN.at_s) & (
            TOWN.arrived_s()[:, np.newaxis] >= TOWN.at_s
        )
    return int(np.argmax(under_way.sum(axis=0) * (TOWN.day == TOWN.day[-1])))
