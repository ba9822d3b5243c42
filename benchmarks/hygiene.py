"""What the hygiene makes of real tracks, judged by stretches that were labelled by eye.

    python -m benchmarks.hygiene FOLDER [--json]

FOLDER holds tracks as CSV files with recorded_at, lat and lon. Says how many of the good fixes
are lost, how many of the bad ones are kept, and whether anything passes that is impossible.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.gps_tracks import Stretch, Taken, Track, read_labels, read_tracks, take_all
from services.geography.sphere import distance_m
from services.tracking.filtering import UNKNOWN_M
from services.tracking.limits import Limits
from services.tracking.verdicts import Verdict, counted, used


def impossible(taken: Taken, limits: Limits) -> int:
    """How many steps between used fixes, with no break told between them, nothing could go.

    As the fixes were told, each of which may be off by its accuracy, and as they were filtered.
    """
    return int(np.count_nonzero(_speeds(taken, filtered=False) > limits.most_mps)) + int(
        np.count_nonzero(_own_speeds(taken) > limits.most_mps * 1.001)
    )


def _own_speeds(taken: Taken) -> NDArray[np.float64]:
    which = taken.which[used(taken.judged.verdict[taken.which])]
    return np.hypot(taken.judged.east_mps[which], taken.judged.north_mps[which])


def _speeds(taken: Taken, *, filtered: bool) -> NDArray[np.float64]:
    """Of each unbroken step, less what two fixes may be off."""
    judged, batch = taken.judged, taken.batch
    which = taken.which[used(judged.verdict[taken.which])]
    lat, lon = (judged.lat, judged.lon) if filtered else (batch.lat, batch.lon)
    t, lat, lon, gap = batch.t[which], lat[which], lon[which], judged.gap_s[which]
    way = distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    whole = gap[1:] == 0.0
    return np.asarray(np.maximum(way - 2.0 * UNKNOWN_M, 0.0)[whole] / np.diff(t)[whole])


def measure(tracks: list[Track], labels: list[Stretch], limits: Limits) -> dict[str, Any]:
    """All figures."""
    began = time.process_time()
    all_taken = {taken.track.name: taken for taken in take_all(tracks, limits)}
    took = time.process_time() - began
    good, lost, twice = Counter[str](), Counter[str](), 0
    bad, kept = Counter[str](), Counter[str]()
    for stretch in labels:
        taken = all_taken[stretch.file]
        verdict = taken.judged.verdict[taken.which[stretch.of(taken.track)]]
        if stretch.good:
            again = int(np.count_nonzero(verdict == Verdict.DUPLICATE))
            twice += again
            good[stretch.file] += len(verdict) - again
            lost[stretch.file] += len(verdict) - again - int(np.count_nonzero(used(verdict)))
        else:
            bad[stretch.kind] += len(verdict)
            kept[stretch.kind] += int(np.count_nonzero(used(verdict)))
    verdicts = counted(next(iter(all_taken.values())).judged.verdict)
    fastest = max(float(_speeds(taken, filtered=False).max(initial=0)) for taken in
                  all_taken.values())  # fmt: skip
    return {
        "tracks": len(tracks),
        "fixes": sum(len(track.t) for track in tracks),
        "verdicts": {verdict.word: count for verdict, count in verdicts.items()},
        "impossible_passed": sum(impossible(taken, limits) for taken in all_taken.values()),
        "fastest_passed_mps": round(fastest, 1),
        "good": good.total(),
        "good_told_twice": twice,
        "good_lost": lost.total(),
        "good_lost_share": round(lost.total() / max(1, good.total()), 5),
        "worst_file": {
            name: round(lost[name] / count, 4)
            for name, count in sorted(good.items(), key=lambda each: -lost[each[0]] / each[1])[:3]
        },
        "bad": dict(bad),
        "bad_kept": {kind: kept[kind] for kind in bad},
        "cpu_s": round(took, 2),
    }


def main() -> int:
    """Read, take, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    try:
        tracks = read_tracks(asked.folder)
    except (OSError, KeyError) as error:
        print(f"cannot read the tracks: {error}", file=sys.stderr)
        return 2
    names = {track.name for track in tracks}
    labels = [stretch for stretch in read_labels() if stretch.file in names]
    figures = measure(tracks, labels, Limits())
    if asked.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, figure in figures.items():
            print(f"{name:20} {figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
