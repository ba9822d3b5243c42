"""One tick: what came is read and judged, and what of it is kept is written down.

Everything here is reckoning: no database is asked, and no broker.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from services.runtime.bus import Delivery
from services.runtime.crossings import Crossing
from services.runtime.positions import VehicleKey
from services.tracking import arriving
from services.tracking.arriving import Arrived
from services.tracking.batches import FixBatch, Floats, Judged, Numbers
from services.tracking.copying import FixRows, joined, nothing
from services.tracking.crossing_rows import to_row
from services.tracking.keeping import Kept
from services.tracking.vehicle_book import UNREADABLE, VehicleBook
from services.tracking.vehicle_rows import rows_of
from services.tracking.verdicts import WORTH_A_ROW, Verdict, used

KEPT: Final = np.array([each in WORTH_A_ROW for each in Verdict])
"""By verdict: whether a raw fix is worth a row."""
ROW_EVERY_S: Final = 3.0
"""A vehicle's row is written so often while it tells something; after a crash the filter goes
on from there."""
_NOBODY: Final = np.empty(0, dtype=np.int32)
MOST_OF_VEHICLE: Final = 50
"""So many fixes of one vehicle are judged in one go; a tunnel's worth takes several."""


class Watch(Protocol):
    """Finds who crosses a fence."""

    async def start(self) -> None:
        """Begin from the rows."""
        ...

    def crossed(
        self, keys: Sequence[VehicleKey], vehicle: Numbers, at: Floats, lat: Floats, lon: Floats
    ) -> list[Crossing]:
        """See `services.tracking.fence_watch.FenceWatch.crossed`."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a tick.

    Attributes:
        kept: what is to be written.
        touched: who was moved by it.
    """

    kept: Kept
    touched: Numbers


class Tick:
    """Takes one tick after another.

    Args:
        book: the vehicles.
        counts: what happened, by its name.
        watch: finds what else is kept; None for nothing.
    """

    def __init__(self, book: VehicleBook, counts: Counter[str], watch: Watch | None) -> None:
        self._book: Final = book
        self._counts: Final = counts
        self._watch: Final = watch
        self._written = np.empty(0)
        """When each vehicle's row was written last, in seconds since 1970, by number."""
        self._changed: set[int] = set()

    def read(self, deliveries: Sequence[Delivery], received: float) -> Arrived:
        """Read what came."""
        return arriving.read(deliveries, received)

    async def judge(self, arrived: Arrived, now: datetime) -> Found:
        """Judge it; everybody in it must have been looked up.

        A tunnel's worth of one vehicle takes long: others on this loop have their turn between.
        """
        book, received = self._book, now.timestamp()
        numbers = np.array(
            [-1 if (number := book.number_of(each)) is None else number
             for each in arrived.tellers],
            dtype=np.int32,
        )  # fmt: skip
        told, vehicle = arrived.told, numbers[np.array(arrived.owner, dtype=np.intp)]
        known = vehicle >= 0
        if not known.all():
            self._counts["of no vehicle"] += int((~known).sum())
            told, vehicle = told[known], vehicle[known]
        self._note_unread(arrived)
        self._note_battery(vehicle, told[:, 6])
        for name, count in arrived.left.items():
            self._counts[f"left:{name}"] += count
        for name, count in arrived.faults.items():
            self._counts[f"reader failed:{name}"] += count
        batch = FixBatch.of(
            vehicle,
            told[:, 0],
            told[:, 1],
            told[:, 2],
            received=received,
            accuracy_m=told[:, 3],
            speed_mps=told[:, 4],
            heading_deg=told[:, 5],
        )
        pieces: list[tuple[FixRows, Judged, list[Crossing]]] = []
        for piece in batch.slices(MOST_OF_VEHICLE) if len(batch) else ():
            if pieces:
                await asyncio.sleep(0)
            pieces.append(self._take(batch.some(piece)))
        rows = joined([rows for rows, _, _ in pieces])
        touched = _all_of([each.touched for _, each, _ in pieces])
        crossings = [to_row(each, now) for _, _, found in pieces for each in found]
        urgent = _all_of([each.clocks for _, each, _ in pieces])
        answered = self._note_taken(arrived, now)
        there = numbers[numbers >= 0]
        book.fleet.hear(there, received)
        if arrived.taken:
            # One that told no position yet has no row, whatever else it said.
            there = there[book.counts[there].any(axis=1)]
        self._changed.update(there.tolist())
        late = rows.verdict == Verdict.LATE
        vehicles = rows_of(book, self._due(received, [*urgent.tolist(), *answered]))
        return Found(Kept(rows.some(~late), rows.some(late), vehicles, crossings), touched)

    def overdue(self, now: datetime) -> Kept:
        """What is due to be written though nobody said more."""
        none = nothing()
        return Kept(none, none, rows_of(self._book, self._due(now.timestamp(), ())))

    def leave(self) -> Kept:
        """All that is not written yet, at the end."""
        none = nothing()
        there = [each for each in sorted(self._changed) if self._book.vehicles[each] is not None]
        self._changed.clear()
        return Kept(none, none, rows_of(self._book, np.array(there, dtype=np.int32)))

    def _take(self, batch: FixBatch) -> tuple[FixRows, Judged, list[Crossing]]:
        book = self._book
        judged = book.fleet.take(batch)
        np.add.at(book.counts, (batch.vehicle, judged.verdict), 1)
        for verdict, count in judged.counted().items():
            self._counts[verdict.word] += count
        moved = used(judged.verdict)
        crossings: list[Crossing] = []
        if self._watch is not None and moved.any():
            crossings = self._watch.crossed(
                book.keys,
                batch.vehicle[moved],
                judged.t[moved],
                judged.lat[moved],
                judged.lon[moved],
            )
        return _rows(book, batch, judged, KEPT[judged.verdict]), judged, crossings

    def _note_unread(self, arrived: Arrived) -> None:
        for teller, count in arrived.unreadable.items():
            self._counts["unreadable"] += count
            number = self._book.number_of(teller)
            if number is not None:
                self._book.counts[number, UNREADABLE] += count

    def _note_taken(self, arrived: Arrived, now: datetime) -> list[int]:
        answered: list[int] = []
        for teller, taken in arrived.taken.items():
            number = self._book.number_of(teller)
            if number is not None:
                at = now.isoformat(timespec="seconds")
                self._book.of(number).taken = {**taken.model_dump(mode="json"), "at": at}
                answered.append(number)
        return answered

    def _note_battery(self, vehicle: Numbers, battery: Floats) -> None:
        known = (battery >= 0.0) & (battery <= 1.0)
        self._book.battery[vehicle[known]] = battery[known]

    def _due(self, now: float, urgent: Collection[int]) -> Numbers:
        """Whose rows are to be written: those that changed, each every few seconds."""
        if len(self._written) < len(self._book):
            more = len(self._book) - len(self._written)
            self._written = np.append(self._written, np.full(more, -np.inf))
        # One whose tracker was removed meanwhile has no row any more.
        self._changed = {each for each in self._changed if self._book.vehicles[each] is not None}
        changed = np.array(sorted(self._changed), dtype=np.int32)
        due = now - self._written[changed] >= ROW_EVERY_S
        if urgent:
            due |= np.isin(changed, list(urgent))
        numbers = changed[due]
        # Not all at one time, though all were heard at one time: it spreads over the ticks.
        first = ~np.isfinite(self._written[numbers])
        self._written[numbers] = now - np.where(first, numbers % 30 / 30 * ROW_EVERY_S, 0.0)
        self._changed.difference_update(numbers.tolist())
        return numbers


def _rows(book: VehicleBook, batch: FixBatch, judged: Judged, which: NDArray[np.bool_]) -> FixRows:
    told = np.array((batch.accuracy_m, batch.speed_mps, batch.heading_deg))[:, which]
    told[~(np.isfinite(told) & (told >= 0.0))] = np.nan
    told[2, told[2] > 360.0] = np.nan
    vehicle = batch.vehicle[which]
    return FixRows(
        book.tenants[vehicle],
        book.names[vehicle],
        _micros(judged.t[which]),
        _micros(batch.received[which]),
        batch.lat[which],
        batch.lon[which],
        told,
        judged.verdict[which],
    )


def _all_of(numbers: Sequence[Numbers]) -> Numbers:
    return np.unique(np.concatenate((_NOBODY, *numbers)))


def _micros(seconds: Floats) -> NDArray[np.int64]:
    return np.rint(seconds * 1e6).astype(np.int64)
