"""One vehicle in plain numbers is taken as many in arrays are: the same rules, twice written."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.tracking import fleet as fleets
from services.tracking.alone import step_alone
from services.tracking.batches import FixBatch, Judged
from services.tracking.columns import STATE
from services.tracking.fleet import Fleet
from services.tracking.limits import BY_MODE, ROWS, Limits
from services.tracking.stepping import step
from tests.rules.fleet_world import NOON, SQUARE, fleet_of, ride, words

STEPS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([0.05, 0.2, 1.0, 5.0, 30.0, 200.0]), st.floats(0.01, 400.0)),
        st.floats(-60.0, 60.0),
        st.floats(-60.0, 60.0),
        st.sampled_from([float("nan"), 3.0, 8.0, 60.0, 140.0]),
        st.one_of(st.just(float("nan")), st.floats(0.0, 70.0)),
        st.one_of(st.just(float("nan")), st.floats(0.0, 360.0)),
        st.sampled_from([0.0, 0.0, 0.0, 0.0, 400.0, 20_000.0]),
    ),
    min_size=1,
    max_size=60,
)


def told_by(steps: list[tuple[float, ...]]) -> FixBatch:
    """A wild ride: each step takes so long and goes so far; now and then it leaps."""
    table = np.array(steps)
    t = NOON + np.cumsum(table[:, 0])
    lat, lon = SQUARE.to_degrees(np.cumsum(table[:, 1]) + table[:, 6], np.cumsum(table[:, 2]))
    return FixBatch.of(
        np.zeros(len(t)), t, lat, lon, received=t, accuracy_m=table[:, 3],
        speed_mps=table[:, 4], heading_deg=table[:, 5],
    )  # fmt: skip


def taken(batch: FixBatch, limits: Limits, *, few: int) -> tuple[Fleet, Judged]:
    fleet = fleet_of(limits=limits)
    with patch.object(fleets, "FEW", few):
        return fleet, fleet.take(batch)


@settings(deadline=None, max_examples=60)
@given(STEPS, st.sampled_from(list(BY_MODE.values())))
def test_both_make_the_same_of_whatever_is_told(
    steps: list[tuple[float, ...]], limits: Limits
) -> None:
    batch = told_by(steps)
    arrays, in_arrays = taken(batch, limits, few=0)
    plain, in_plain = taken(batch, limits, few=1_000)
    assert words(in_arrays) == words(in_plain)
    for name in ("lat", "lon", "east_mps", "north_mps", "gap_s"):
        one, other = getattr(in_arrays, name), getattr(in_plain, name)
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(arrays.rows([0]), plain.rows([0]), rtol=1e-7, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 6), min_size=40, max_size=40))
def test_both_go_back_for_late_ones_alike(late_by: list[int]) -> None:
    way = ride(40)
    order = [0, *sorted(range(1, 40), key=lambda n: (n + late_by[n], n))]
    fleets_of = [fleet_of(), fleet_of()]
    for few, fleet in zip((0, 1_000), fleets_of, strict=True):
        with patch.object(fleets, "FEW", few):
            for n in order:
                fleet.take(way.batch([n]))
    one, other = (fleet.rows([0])[:, : len(STATE)] for fleet in fleets_of)
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6)


def test_a_single_step_has_the_same_verdict_and_state() -> None:
    limits = np.array([[getattr(Limits(), name)] for name in ROWS])
    told = np.array([[NOON], [60.0], [24.0], [30.0], [1.0], [2.0], [NOON + 0.1]])
    state = np.full((len(STATE), 1), np.nan)
    for name in ("doubts", "trust", "gaps"):
        state[STATE.index(name)] = 0.0
    plain = state[:, 0].tolist()
    verdict, found = step_alone(plain, limits[:, 0].tolist(), told[:, 0].tolist())
    after = step(state, limits, told)
    assert [verdict] == after.verdict.tolist()
    assert found is not None
    np.testing.assert_allclose(after.state[:, 0], plain)
    np.testing.assert_allclose(after.found[:, 0], found)


def test_few_vehicles_with_many_fixes_and_many_with_few_are_taken_together() -> None:
    ways = [ride(200 if n < 3 else 2, seed=n) for n in range(60)]
    columns = [way.batch(vehicle=n) for n, way in enumerate(ways)]
    whole = FixBatch(
        np.concatenate([each.vehicle for each in columns]),
        *(np.concatenate(each) for each in zip(*(c.columns() for c in columns), strict=True)),
    )
    judged = fleet_of(60).take(whole)
    assert judged.counted() == {0: 3 * 200 + 57 * 2}
    assert judged.standing.t.tolist() == [way.t[-1] for way in ways]
