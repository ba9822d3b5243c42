"""Real tracks, read into arrays, and what was judged of them by eye."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from services.tracking.batches import FixBatch, Judged
from services.tracking.fleet import Fleet
from services.tracking.limits import Limits

Floats = NDArray[np.float64]

LABELS: Final = Path(__file__).parent.parent / "tests" / "gps" / "labels.yaml"


@dataclass(frozen=True, slots=True)
class Track:
    """One file: seconds since 1970, and degrees."""

    name: str
    t: Floats
    lat: Floats
    lon: Floats


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of a track, judged by eye; ``kind`` is empty for a good one."""

    file: str
    begin: float
    end: float
    good: bool
    kind: str

    def of(self, track: Track) -> NDArray[np.bool_]:
        """Which of the track's fixes are in it."""
        return np.asarray((track.t >= self.begin) & (track.t <= self.end))


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one track in a fleet: its fixes alone, in their own order."""

    track: Track
    batch: FixBatch
    judged: Judged
    which: NDArray[np.intp]


def read_track(path: Path) -> Track:
    """Read one file.

    Raises:
        OSError: if it is not to be read.
        KeyError: if it is no track.
    """
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    t = [datetime.fromisoformat(row["recorded_at"]).timestamp() for row in rows]
    lat, lon = ([float(row[name]) for row in rows] for name in ("lat", "lon"))
    return Track(path.name, np.array(t), np.array(lat), np.array(lon))


def read_tracks(folder: Path) -> list[Track]:
    """Read all of a folder, by name.

    Raises:
        FileNotFoundError: if it has none.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise FileNotFoundError(f"no tracks in {folder}: give the folder with the CSV files")
    return [read_track(path) for path in paths]


def read_labels(path: Path = LABELS) -> list[Stretch]:
    """Read what was judged by eye."""
    return [
        Stretch(
            each["file"], each["from"].timestamp(), each["to"].timestamp(),
            each["is"] == "good", each.get("kind", ""),
        )
        for each in yaml.safe_load(path.read_text())
    ]  # fmt: skip


def take_all(tracks: list[Track], limits: Limits) -> list[Taken]:
    """Let a fleet take them, a vehicle each, as if each fix came when it was made."""
    fleet = Fleet()
    numbers = [np.full(len(track.t), fleet.add(limits), dtype=np.int32) for track in tracks]
    t = np.concatenate([track.t for track in tracks])
    batch = FixBatch.of(
        np.concatenate(numbers),
        t,
        np.concatenate([track.lat for track in tracks]),
        np.concatenate([track.lon for track in tracks]),
        received=t,
    )
    judged = fleet.take(batch)
    return [
        Taken(track, batch, judged, np.flatnonzero(batch.vehicle == number))
        for number, track in enumerate(tracks)
    ]
