"""A day of the delivery problem: how it is read, and how a policy is run on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.dispatch.mdrp.baseline import CalledWhenReady, GreedyNearest
from services.dispatch.mdrp.checker import bound_min, measure, violations
from services.dispatch.mdrp.instance import (
    BrokenInstance,
    Instance,
    PlacedOrder,
    ShiftedCourier,
    read_instance,
)
from services.dispatch.mdrp.planned import Planned
from services.dispatch.mdrp.runner import Decision, Instruction, NotPossible, Policy, Seen, run
from tests.rules.mdrp_town import PARAMETERS, small_day

FILES = {
    "instance_parameters.txt": (
        "meters_per_minute\tpickup service minutes\tdropoff service minutes\t"
        "target click-to-door\tmaximum click-to-door\tpay per order\tguaranteed pay per hour\n"
        "100\t4\t4\t40\t90\t10\t15\n"
    ),
    "restaurants.txt": "restaurant\tx\ty\nr1\t500\t0\nr2\t5000\t0\n",
    "couriers.txt": ("courier\tx\ty\ton_time\toff_time\nc1\t0\t0\t0\t60\nc2\t5000\t0\t20\t120\n"),
    "orders.txt": (
        "order\tx\ty\tplacement_time\trestaurant\tready_time\n"
        "o1\t1000\t0\t2\tr1\t12\no2\t1250\t0\t3\tr1\t10\no3\t5000\t300\t30\tr2\t40\n"
    ),
}


def write(folder: Path, **changed: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(changed.get(name.removesuffix(".txt"), text), encoding="utf-8")
    return folder


# -- reading -----------------------------------------------------------------------------------


def test_an_instance_is_read_as_it_stands(tmp_path: Path) -> None:
    assert read_instance(write(tmp_path / "small")) == small_day()


def test_lines_may_end_as_on_windows_and_be_empty(tmp_path: Path) -> None:
    orders = "\ufeff" + FILES["orders.txt"].replace("\n", "\r\n") + "\r\n\r\n"
    assert read_instance(write(tmp_path / "small", orders=orders)) == small_day()


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"orders": ""}, "orders.txt is empty"),
        ({"orders": "order\tx\n"}, "orders.txt, line 1: no column y, placement_time"),
        (
            {"orders": FILES["orders.txt"] + "o4\t1\t2\t3\tr1\n"},
            "orders.txt, line 5: 5 values, where the heads are 6",
        ),
        (
            {"orders": FILES["orders.txt"] + "o4\t1\tnorth\t3\tr1\t9\n"},
            "orders.txt, line 5: y is 'north', which is no number",
        ),
        (
            {"orders": FILES["orders.txt"] + "o4\t1\tnan\t3\tr1\t9\n"},
            "orders.txt, line 5: y is 'nan', which is no number",
        ),
        (
            {"orders": FILES["orders.txt"] + "o4\t1\t2\t3\tr7\t9\n"},
            "orders.txt, line 5: restaurant r7 is not in restaurants.txt",
        ),
        (
            {"orders": FILES["orders.txt"] + "o4\t1\t2\t13\tr1\t9\n"},
            "orders.txt, line 5: ready_time 9 is before placement_time 13",
        ),
        (
            {"orders": FILES["orders.txt"] + "o1\t1\t2\t3\tr1\t9\n"},
            "orders.txt, line 5: order o1 stands there twice",
        ),
        (
            {"couriers": FILES["couriers.txt"] + "c3\t1\t2\t30\t20\n"},
            "couriers.txt, line 4: off_time 20 is before on_time 30",
        ),
        (
            {"couriers": FILES["couriers.txt"] + "\t1\t2\t30\t40\n"},
            "couriers.txt, line 4: courier is empty",
        ),
        (
            {"instance_parameters": FILES["instance_parameters.txt"].replace("100", "0")},
            "instance_parameters.txt, line 2: meters_per_minute is 0",
        ),
        (
            {
                "instance_parameters": FILES["instance_parameters.txt"].replace(
                    "\n100\t4", "\n9\t-4"
                )
            },
            "instance_parameters.txt, line 2: pickup service minutes is -4, below 0",
        ),
        (
            {"instance_parameters": FILES["instance_parameters.txt"].splitlines()[0]},
            "instance_parameters.txt has 0 lines of values",
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_line(
    tmp_path: Path, changed: dict[str, str], complaint: str
) -> None:
    with pytest.raises(BrokenInstance) as refused:
        read_instance(write(tmp_path / "small", **changed))
    assert str(refused.value).startswith(complaint)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (write(tmp_path / "small") / "couriers.txt").unlink()
    with pytest.raises(BrokenInstance, match=r"couriers\.txt is missing"):
        read_instance(tmp_path / "small")


# -- running -----------------------------------------------------------------------------------


class _Remembering:
    """A policy that does nothing but remember what it saw."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def decide(self, seen: Seen) -> Decision:
        self.seen.append(seen)
        return Decision()


class _Fixed:
    """A policy that says one thing once."""

    def __init__(self, *told: Instruction) -> None:
        self.told: Sequence[Instruction] = told

    def decide(self, _seen: Seen) -> Decision:
        told, self.told = self.told, ()
        return Decision(told)


def test_a_policy_sees_an_order_from_its_placement_on() -> None:
    policy = _Remembering()
    assert run(small_day(), policy).assignments == ()
    for seen in policy.seen:
        assert all(order.placed_min <= seen.now_min for order in seen.orders.values())
    assert list(policy.seen[0].orders) == ["o1"]
    assert {name for seen in policy.seen for name in seen.orders} == {"o1", "o2", "o3"}


@pytest.mark.parametrize(
    "told",
    [
        Instruction("c1", ("o3",)),  # not placed yet
        Instruction("c2", ("o1",)),  # not on shift yet
        Instruction("c9", ("o1",)),
        Instruction("c1", ()),
        Instruction("c1", ("o1", "o1")),
    ],
)
def test_what_cannot_be_told_is_a_mistake_of_the_policy(told: Instruction) -> None:
    with pytest.raises(NotPossible):
        run(small_day(), _Fixed(told))


def test_greedy_nearest_sends_whoever_is_there_first_at_once() -> None:
    day = small_day()
    found = run(day, GreedyNearest(day))
    assert [(each.courier, each.orders, each.instructed_min) for each in found.assignments] == [
        ("c1", ("o1",), 2.0),
        # c1 would be back at 23; c2 begins at 20, rides for 45 minutes, and is too late for o3.
        ("c2", ("o2",), 20.0),
    ]
    assert violations(day, found) == []


def test_called_when_ready_sends_them_then() -> None:
    day = small_day()
    found = run(day, CalledWhenReady(day))
    first = found.assignments[0]
    assert (first.courier, first.orders, first.instructed_min) == ("c1", ("o2",), 10.0)
    assert violations(day, found) == []


def test_an_order_nobody_can_deliver_is_not_counted_as_delivered() -> None:
    day = small_day()
    late = PlacedOrder("o4", (0.0, 0.0), 110.0, "r1", 125.0)
    day = replace(day, orders={**day.orders, "o4": late})
    for policy, delivered in ((GreedyNearest(day), 2), (Planned(day), 3)):
        found = measure(day, run(day, policy))
        assert (found.orders, found.delivered, found.feasible) == (4, delivered, True)


_PLACES = st.tuples(st.integers(0, 4_000).map(float), st.integers(0, 4_000).map(float))


@st.composite
def days(draw: st.DrawFn) -> Instance:
    restaurants = {f"r{n}": draw(_PLACES) for n in range(draw(st.integers(1, 3)))}
    couriers = {}
    for n in range(draw(st.integers(0, 4))):
        on = float(draw(st.integers(0, 60)))
        off = on + draw(st.integers(0, 90))
        couriers[f"c{n}"] = ShiftedCourier(f"c{n}", draw(_PLACES), on, off)
    orders = {}
    for n in range(draw(st.integers(0, 12))):
        placed = float(draw(st.integers(0, 90)))
        ready = placed + draw(st.integers(0, 40))
        at = draw(st.sampled_from(sorted(restaurants)))
        orders[f"o{n}"] = PlacedOrder(f"o{n}", draw(_PLACES), placed, at, ready)
    parameters = replace(
        PARAMETERS,
        meters_per_minute=draw(st.sampled_from([100.0, 427.5])),
        pickup_min=draw(st.sampled_from([0.0, 3.0, 4.0])),
        dropoff_min=draw(st.sampled_from([0.0, 5.0])),
    )
    return Instance("drawn", parameters, restaurants, couriers, orders)


@settings(max_examples=40, deadline=None)
@given(days(), st.sampled_from([Planned, GreedyNearest, CalledWhenReady]))
def test_every_policy_keeps_the_rules_on_any_day(
    day: Instance, policy: type[Planned | GreedyNearest | CalledWhenReady]
) -> None:
    decides: Policy = policy(day)
    found = run(day, decides)
    assert violations(day, found) == []
    metrics = measure(day, found)
    bound = bound_min(day)
    if metrics.delivered == metrics.orders and metrics.click_to_door_mean is not None:
        assert bound is not None
        assert metrics.click_to_door_mean >= bound - 1e-9
