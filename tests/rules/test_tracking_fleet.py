"""What becomes of fixes: in what order, in what portions and how often they come is no matter."""

from __future__ import annotations

import itertools
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.tracking.batches import FixBatch
from services.tracking.columns import ROW, STATE
from services.tracking.fleet import REMEMBERED
from services.tracking.limits import BY_MODE, Limits
from services.tracking.verdicts import Verdict, used
from tests.rules.fleet_world import NOON, fleet_of, join, lost, ride, same, words

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
DEGREES = st.one_of(FLOATS, st.floats(-180, 180))
TIMES = st.one_of(FLOATS, st.floats(NOON - 1e5, NOON + 1e5), st.integers(0, 20).map(
    lambda n: NOON + n))  # fmt: skip


def test_a_clean_ride_is_used_from_end_to_end() -> None:
    way = ride(600)
    judged = fleet_of().take(way.batch())
    assert set(words(judged)) == {"ok"}
    assert judged.touched.tolist() == [0]
    assert judged.standing.t[0] == way.t[-1]
    assert judged.counted() == {Verdict.OK: 600}


def test_nothing_taken_is_nothing_judged() -> None:
    judged = fleet_of().take(ride(10).batch([]))
    assert len(judged.verdict) == len(judged.touched) == 0
    assert judged.counted() == {}


@settings(deadline=None, max_examples=12)
@given(
    st.lists(st.integers(1, 119), max_size=6),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_how_fixes_are_shared_out_into_batches_is_no_matter(
    cuts: list[int], vehicles: int, random: object
) -> None:
    ways = [ride(120, seed=seed, mps=5.0 + seed) for seed in range(vehicles)]
    whole, parts = fleet_of(vehicles), fleet_of(vehicles)
    whole.take(join(way.batch(vehicle=n) for n, way in enumerate(ways)))
    bounds = [0, *sorted(set(cuts)), 120]
    for begin, end in itertools.pairwise(bounds):
        batch = join(way.batch(slice(begin, end), vehicle=n) for n, way in enumerate(ways))
        order = list(range(len(batch)))
        random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis's own Random
        parts.take(batch.some(np.array(order)))
    assert same(whole, parts)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, REMEMBERED - 2), min_size=60, max_size=60))
def test_fixes_that_overtake_each_other_a_little_end_where_they_would_have_in_order(
    late_by: list[int],
) -> None:
    way = ride(60)
    in_order, mixed = fleet_of(), fleet_of()
    in_order.take(way.batch())
    # The first is what all others are put in order after: it stays in front.
    order = [0, *sorted(range(1, 60), key=lambda n: (n + late_by[n], n))]
    verdicts = [words(mixed.take(way.batch([n])))[0] for n in order]
    assert set(verdicts) == {"ok"}
    assert same(in_order, mixed)


@settings(deadline=None, max_examples=12)
@given(st.lists(st.integers(0, 59), max_size=80))
def test_what_comes_again_changes_nothing(again: list[int]) -> None:
    way = ride(60)
    once, twice = fleet_of(), fleet_of()
    once.take(way.batch())
    twice.take(way.batch())
    for number in again:
        verdict = words(twice.take(way.batch([number])))[0]
        # Only the last few are remembered: of the others nobody can tell.
        assert verdict == ("duplicate" if number >= 60 - REMEMBERED else "late")
    assert same(once, twice)


def test_the_same_moment_told_twice_in_one_batch_is_used_once() -> None:
    way = ride(30)
    judged = fleet_of().take(join([way.batch(), way.batch()]))
    assert judged.counted() == {Verdict.OK: 30, Verdict.DUPLICATE: 30}


@settings(deadline=None, max_examples=120)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), TIMES, DEGREES, DEGREES, FLOATS, FLOATS, FLOATS),
        min_size=1, max_size=30,
    ),
    st.integers(1, 30),
)  # fmt: skip
def test_whatever_is_told_a_vehicle_is_somewhere_or_nowhere(
    told: list[tuple[int, float, float, float, float, float, float]], at_once: int
) -> None:
    fleet = fleet_of(3)
    for begin in range(0, len(told), at_once):
        vehicle, t, lat, lon, accuracy, speed, heading = zip(*told[begin : begin + at_once],
                                                             strict=True)  # fmt: skip
        judged = fleet.take(
            FixBatch.of(vehicle, t, lat, lon, received=NOON + begin, accuracy_m=accuracy,
                        speed_mps=speed, heading_deg=heading)
        )  # fmt: skip
        moved = used(judged.verdict)
        assert np.isfinite(judged.lat[moved]).all()
        assert np.isfinite(judged.lon[moved]).all()
        assert np.isnan(judged.lat[~moved]).all()
        standing = judged.standing
        assert set(standing.vehicle.tolist()) == {vehicle[n] for n in np.flatnonzero(moved)}
        assert (np.abs(standing.lon) <= 180.0).all()
        assert (standing.speed_mps <= Limits().most_mps + 1e-6).all()
        assert np.isfinite(standing.spread_m).all()


def test_what_cannot_be_is_put_out_by_its_reason() -> None:
    nan = float("nan")
    wrong = [
        (NOON, 91.0, 10.0, "invalid"),
        (NOON, nan, 10.0, "invalid"),
        (NOON, 10.0, -180.5, "invalid"),
        (nan, 10.0, 10.0, "invalid"),
        (float("inf"), 10.0, 10.0, "invalid"),
        (NOON, 0.0, 0.0, "null-island"),
        (NOON, 0.004, -0.003, "null-island"),
        (0.0, 60.0, 24.0, "stale"),
        (4_102_444_800.0, 60.0, 24.0, "future"),
        (NOON + 16.0, 60.0, 24.0, "future"),
        (NOON + 14.0, 60.0, 24.0, "ok"),
        (NOON - 90_000.0, 60.0, 24.0, "stale"),
        (NOON - 80_000.0, 60.0, 24.0, "ok"),
    ]
    for t, lat, lon, word in wrong:
        assert words(fleet_of().take(FixBatch.of([0], [t], [lat], [lon], received=NOON))) == [word]


@pytest.mark.parametrize(("accuracy_m", "word"), [(3_000.0, "inaccurate"), (float("inf"),
    "inaccurate"), (149.0, "ok"), (-1.0, "ok"), (float("nan"), "ok")])  # fmt: skip
def test_a_fix_that_could_be_anywhere_by_its_own_word_is_not_used(
    accuracy_m: float, word: str
) -> None:
    batch = FixBatch.of([0], [NOON], [60.0], [24.0], received=NOON, accuracy_m=[accuracy_m])
    assert words(fleet_of().take(batch)) == [word]


@settings(deadline=None, max_examples=30)
@given(
    st.integers(5, 110),
    st.floats(0, 2 * np.pi),
    st.floats(200.0, 40_000.0),
    st.sampled_from([1.0, 2.0]),
)
def test_a_fix_that_leaps_away_is_put_out_and_no_good_one_with_it(
    where: int, angle: float, by_m: float, every_s: float
) -> None:
    way = ride(int(120 * every_s), every_s=every_s)
    wrong = way.moved(where, (by_m * float(np.sin(angle)), by_m * float(np.cos(angle))))
    judged = fleet_of().take(wrong.batch())
    assert words(judged)[where] in {"jump", "outlier"}
    assert lost(judged) == 1
    off = way.off_m(judged.lat, judged.lon)
    assert np.nanmax(off) < 25.0


def test_where_several_agree_they_are_right_and_the_break_is_told() -> None:
    here, there = ride(60), ride(60, begin=NOON + 60.0)
    for n in range(60):
        there = there.moved(n, (5_000.0, 0.0))
    fleet = fleet_of()
    fleet.take(here.batch())
    judged = fleet.take(there.batch())
    assert words(judged)[:4] == ["jump", "jump", "ok", "ok"]
    assert judged.gap_s[2] == 3.0
    assert judged.standing.gaps[0] == 1.0
    assert judged.standing.distance_m[0] < 1_200.0


def test_a_silence_is_told_and_not_taken_for_a_way() -> None:
    before, after = ride(300), ride(300, begin=NOON + 900.0)
    for n in range(300):
        after = after.moved(n, (4_000.0, 0.0))
    fleet = fleet_of()
    fleet.take(before.batch())
    judged = fleet.take(after.batch())
    standing = judged.standing
    assert standing.gaps[0] == 1.0
    assert standing.gap_from[0] == before.t[-1]
    assert standing.gap_until[0] == after.t[1]
    assert judged.gap_s[1] == after.t[1] - before.t[-1]
    assert standing.distance_m[0] == pytest.approx(2 * 2_990.0, rel=0.05)


def test_who_wakes_up_with_a_wrong_fix_is_not_moved_by_it() -> None:
    fleet = fleet_of()
    fleet.take(ride(120, mps=0.0).batch())
    awake = ride(60, mps=0.0, begin=NOON + 4_000.0)
    judged = fleet.take(awake.moved(0, (1_500.0, 0.0)).batch())
    assert words(judged) == ["outlier"] + ["ok"] * 59
    assert np.nanmax(awake.off_m(judged.lat, judged.lon)) < 30.0


def test_who_wakes_up_elsewhere_is_believed_with_the_second_fix() -> None:
    fleet = fleet_of()
    fleet.take(ride(120, mps=0.0).batch())
    awake = ride(60, mps=0.0, begin=NOON + 4_000.0)
    for n in range(60):
        awake = awake.moved(n, (1_500.0, 0.0))
    judged = fleet.take(awake.batch())
    assert words(judged) == ["outlier"] + ["ok"] * 59
    assert judged.gap_s[1] == 3_882.0


@pytest.mark.parametrize("every_s", [15.0, 60.0, 300.0])
def test_who_speaks_seldom_loses_nothing_by_it(every_s: float) -> None:
    judged = fleet_of().take(ride(int(40 * every_s), every_s=every_s, turn_every_s=700.0).batch())
    assert lost(judged) == 0
    assert np.count_nonzero(judged.gap_s) == (39 if every_s > Limits().gap_s else 0)


def test_a_fix_every_millisecond_is_thinned_out_to_what_can_be_of_use() -> None:
    way = ride(3, every_s=0.001, noise_m=0.1)
    judged = fleet_of().take(way.batch())
    assert set(judged.counted()) == {Verdict.OK, Verdict.TOO_OFTEN}
    assert 20 <= judged.counted()[Verdict.OK] <= 34


def test_ten_fixes_a_second_are_all_used() -> None:
    judged = fleet_of().take(ride(30, every_s=0.1).batch())
    assert judged.counted() == {Verdict.OK: 300}


def test_a_late_fix_from_before_what_is_remembered_is_kept_for_history_alone() -> None:
    way = ride(60)
    fleet, other = fleet_of(), fleet_of()
    for each in (fleet, other):
        each.take(way.batch([0, *range(20, 60)]))
    assert words(fleet.take(way.batch([10]))) == ["late"]
    assert same(fleet, other)


def test_a_fleet_goes_on_from_its_rows_as_if_it_had_never_stopped() -> None:
    way = ride(200, mps=12.0)
    lasting, first = fleet_of(), fleet_of()
    lasting.take(way.batch())
    first.take(way.batch(slice(0, 90)))
    row = first.row(0)
    assert len(row) == len(ROW)
    assert all(each is None or np.isfinite(each) for each in row)
    second = fleet_of(2)
    second.restore(1, row)
    second.take(way.batch(slice(90, 200), vehicle=1))
    # The clock is read once a batch, and one fleet had two of them.
    assert second.row(1)[: len(STATE)] == lasting.row(0)[: len(STATE)]


def test_what_came_before_a_restart_is_late_and_changes_nothing() -> None:
    way = ride(60)
    before = fleet_of()
    before.take(way.batch())
    after = fleet_of()
    after.restore(0, before.rows([0])[0])
    assert words(after.take(way.batch(slice(50, 60)))) == ["late"] * 9 + ["duplicate"]
    assert same(before, after)


def test_a_row_of_another_version_is_not_taken() -> None:
    with pytest.raises(ValueError, match=f"{len(ROW)} figures, not 3"):
        fleet_of().restore(0, [1.0, 2.0, 3.0])


def test_vehicles_are_many_and_none_knows_of_another() -> None:
    many, alone = fleet_of(300), fleet_of()
    ways = [ride(40, seed=seed) for seed in range(300)]
    many.take(join(way.batch(vehicle=n) for n, way in enumerate(ways)))
    alone.take(ways[217].batch())
    # One is reckoned in arrays and one in plain numbers: they differ by less than a hair.
    one, other = many.rows([217])[0], alone.rows([0])[0]
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6)


def test_a_forgotten_vehicle_is_as_new() -> None:
    fleet = fleet_of()
    fleet.take(ride(60).batch())
    fleet.forget(0)
    assert fleet.row(0) == fleet_of().row(0)
    assert words(fleet.take(ride(5).batch())) == ["ok"] * 5


def test_limits_follow_what_it_goes_by() -> None:
    fast = ride(60, mps=13.0, every_s=5.0)
    counts = {}
    for mode, limits in BY_MODE.items():
        judged = fleet_of(limits=limits).take(fast.batch())
        counts[mode.value] = lost(judged)
        assert (judged.standing.speed_mps <= limits.most_mps + 1e-6).all()
    assert counts["car"] == counts["scooter"] == counts["bicycle"] == 0
    assert counts["foot"] > 0
    assert all(isinstance(getattr(Limits(), each.name), float) for each in fields(Limits))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 10))
def test_slices_hold_everything_once_and_of_each_vehicle_no_more_than_asked(
    vehicles: list[int], most: int
) -> None:
    t = [NOON + n for n in range(len(vehicles))]
    batch = FixBatch.of(vehicles, t, [60.0] * len(t), [24.0] * len(t), received=NOON)
    slices = [part.tolist() for part in batch.slices(most)]
    assert sorted(n for part in slices for n in part) == list(range(len(t)))
    for vehicle in set(vehicles):
        its = [[n for n in part if vehicles[n] == vehicle] for part in slices]
        assert max(map(len, its)) <= most
        assert [n for part in its for n in part] == [
            n for n in range(len(t)) if vehicles[n] == vehicle
        ]


def test_columns_of_different_lengths_are_no_batch() -> None:
    with pytest.raises(ValueError, match="one length"):
        FixBatch.of([0, 0], [NOON], [60.0, 60.0], [24.0, 24.0], received=NOON)
