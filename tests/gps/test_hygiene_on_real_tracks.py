"""What the hygiene makes of real tracks: nothing impossible passes, and hardly a good fix is lost.

The tracks are real, so nobody wrote down the truth: stretches of them were judged by eye
(``labels.yaml``), before the hygiene had its say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby, pairwise

import numpy as np
import pytest

from benchmarks.gps_tracks import Stretch, Taken, Track, read_labels, read_tracks, take_all
from benchmarks.hygiene import impossible
from services.geography.sphere import distance_m
from services.tracking.batches import FixBatch
from services.tracking.fleet import Fleet
from services.tracking.limits import BY_MODE, Limits
from services.tracking.verdicts import Verdict, used
from tests.conftest import SharedData

FOLDER = "gps/geolife"


@pytest.fixture(scope="module")
def taken(shared_data: SharedData) -> dict[str, Taken]:
    """Every track, as a fleet took it; by the name of its file."""
    tracks = read_tracks(shared_data.file(FOLDER))
    return {each.track.name: each for each in take_all(tracks, Limits())}


@pytest.fixture(scope="module")
def labels() -> list[Stretch]:
    return read_labels()


def verdicts_of(stretch: Stretch, taken: dict[str, Taken]) -> Iterator[Verdict]:
    its = taken[stretch.file]
    for verdict in its.judged.verdict[its.which[stretch.of(its.track)]].tolist():
        yield Verdict(verdict)


def test_every_track_is_there_and_every_label_is_of_one(
    taken: dict[str, Taken], labels: list[Stretch]
) -> None:
    assert len(taken) == 53
    for stretch in labels:
        assert any(stretch.of(taken[stretch.file].track)), stretch
    assert {stretch.kind for stretch in labels} == {"", "cold", "jump", "drift"}


def test_labels_do_not_contradict_each_other(labels: list[Stretch]) -> None:
    by_file = sorted(labels, key=lambda stretch: (stretch.file, stretch.begin))
    for _, group in groupby(by_file, key=lambda stretch: stretch.file):
        its = list(group)
        assert all(one.end < other.begin for one, other in pairwise(its))


def test_no_impossible_jump_passes(taken: dict[str, Taken]) -> None:
    assert {name: impossible(each, Limits()) for name, each in taken.items()} == dict.fromkeys(
        taken, 0
    )


@pytest.mark.parametrize("mode", BY_MODE)
def test_no_impossible_jump_passes_whatever_it_is_taken_for(
    mode: str, shared_data: SharedData
) -> None:
    limits = {each.value: value for each, value in BY_MODE.items()}[mode]
    for each in take_all(read_tracks(shared_data.file(FOLDER))[::4], limits):
        which = each.which[used(each.judged.verdict[each.which])]
        speed = np.hypot(each.judged.east_mps[which], each.judged.north_mps[which])
        assert (speed <= limits.most_mps + 1e-6).all()
        lat, lon, t = each.judged.lat[which], each.judged.lon[which], each.batch.t[which]
        way = distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
        whole = each.judged.gap_s[which][1:] == 0.0
        # What is held to be the place may be put right by as much as a fix may be off.
        assert (way <= limits.most_mps * np.diff(t) + 40.0)[whole].all()


def test_less_than_one_good_fix_in_a_hundred_is_lost(
    taken: dict[str, Taken], labels: list[Stretch]
) -> None:
    lost, count = 0, 0
    for stretch in labels:
        if stretch.good:
            found = [each for each in verdicts_of(stretch, taken) if each != Verdict.DUPLICATE]
            its = sum(each not in {Verdict.OK, Verdict.CORRECTED_CLOCK} for each in found)
            assert its / len(found) < 0.01, stretch
            lost, count = lost + its, count + len(found)
    assert count > 30_000
    assert lost / count < 0.002


def test_what_is_put_out_as_a_duplicate_was_told_for_the_same_moment(
    taken: dict[str, Taken],
) -> None:
    for each in taken.values():
        verdict = each.judged.verdict[each.which]
        again = np.flatnonzero(verdict == Verdict.DUPLICATE)
        assert (np.diff(each.track.t)[again - 1] == 0.0).all()


def test_who_leaps_away_and_back_is_not_followed(
    taken: dict[str, Taken], labels: list[Stretch]
) -> None:
    jumps = [stretch for stretch in labels if stretch.kind == "jump"]
    assert jumps
    for stretch in jumps:
        assert set(verdicts_of(stretch, taken)) <= {Verdict.JUMP, Verdict.OUTLIER}


def test_the_way_back_from_where_a_receiver_woke_up_wrong_is_told_as_a_gap(
    taken: dict[str, Taken], labels: list[Stretch]
) -> None:
    """Two fixes that agree after a silence must be believed; no line is drawn back from them."""
    believed = 0
    for stretch in labels:
        if stretch.kind == "cold" and stretch.begin > taken[stretch.file].track.t[0]:
            its = taken[stretch.file]
            which = its.which[used(its.judged.verdict[its.which])]
            inside = (its.batch.t[which] >= stretch.begin) & (its.batch.t[which] <= stretch.end)
            for last in np.flatnonzero(np.diff(inside.astype(int)) == -1):
                believed += 1
                assert its.judged.gap_s[which[last + 1]] > 0.0, stretch
    assert believed > 0


def test_errors_that_are_put_into_good_stretches_are_found_again(
    taken: dict[str, Taken], labels: list[Stretch]
) -> None:
    draw = np.random.default_rng(11)
    tracks, wrong = [], []
    for stretch in labels:
        track = taken[stretch.file].track
        inside = stretch.of(track)
        if not stretch.good:
            continue
        t, lat, lon = track.t[inside], track.lat[inside].copy(), track.lon[inside].copy()
        picked = np.arange(20, min(len(t), 2_000) - 5, 40)
        dt = np.diff(t)[picked - 1]
        picked = picked[(dt > 0.0) & (dt <= 10.0)]
        angle = draw.uniform(0.0, 2.0 * np.pi, len(picked))
        by_m = 10.0 ** draw.uniform(3.0, 5.0, len(picked))
        lat[picked] += by_m * np.cos(angle) / 111_195.0
        lon[picked] += by_m * np.sin(angle) / 111_195.0 / np.cos(np.radians(lat[0]))
        tracks.append(Track(stretch.file, t[:2_000], lat[:2_000], lon[:2_000]))
        wrong.append(np.isin(np.arange(len(tracks[-1].t)), picked))
    put_in = np.concatenate(wrong)
    judged = take_all(tracks, Limits())[0].judged
    good = ~put_in & (judged.verdict != Verdict.DUPLICATE)
    assert put_in.sum() > 400
    assert not used(judged.verdict)[put_in].any()
    assert (~used(judged.verdict))[good].mean() < 0.01


def test_a_phones_recording_is_used_where_it_says_where_it_is(shared_data: SharedData) -> None:
    """OwnTracks as it comes: an accuracy of 5 km is no place, a velocity of -1 is none."""
    told = []
    for line in shared_data.file("gps/owntracks-demo.rec").read_text().splitlines():
        came, _, payload = line.split("\t", 2)
        said = json.loads(payload)
        if said["_type"] == "location":
            told.append((datetime.fromisoformat(came).timestamp(), said))
    fleet = Fleet()
    number = fleet.add(Limits())
    words = []
    for came_at, said in told:
        judged = fleet.take(
            FixBatch.of(
                [number], [float(said["tst"])], [said["lat"]], [said["lon"]], received=came_at,
                accuracy_m=[said["acc"]], speed_mps=[said["vel"] / 3.6],
                heading_deg=[said["cog"]],
            )
        )  # fmt: skip
        words.append(Verdict(int(judged.verdict[0])))
    rough = [said["acc"] > 150 for _, said in told]
    assert [word == Verdict.INACCURATE for word in words] == rough
    assert words.count(Verdict.OK) == rough.count(False) == 8
    standing = fleet.standing([number])
    assert standing.t[0] == 1_440_405_601.0
    assert standing.spread_m[0] < 12.0
    assert 0.0 <= standing.speed_mps[0] < 55.0
