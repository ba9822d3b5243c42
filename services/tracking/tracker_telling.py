"""What trackers are told: how often to say where they are, and what is wrong with what they say.

Both are desired states, retained on topics that the device alone may read. They are looked over
once a second, and published only when they are otherwise than before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from schemas.message import State
from schemas.positions import Complained, Complaint, ReportingWish, TrackerAdvice
from services.runtime.context import Outgoing, clearing, outgoing
from services.runtime.moment import Clock
from services.runtime.positions import Announce, Positions, VehicleKey
from services.tracking import reporting, tracker_sight
from services.tracking.advice import Counts, complaints, troubled
from services.tracking.ground import Ground
from services.tracking.reporting import Asked, Wish, wish
from services.tracking.tracker_sight import Sight
from services.tracking.vehicle_book import UNREADABLE, VehicleBook
from services.tracking.verdicts import COMPLAINTS, Verdict

LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 200
"""So many are told something else in one look; the others in the next."""
_WINDOW: Final = 10
_WINDOW_STEP_S: Final = 60.0
_KINDS: Final = tuple(Complaint)
PATIENCE_S: Final = 60.0
"""A tracker that follows another wish for so long after this one is asked once more."""
_THERE_S: Final = 60.0
"""Who was heard of so lately is there to be asked."""
_SELDOMER: Final = 2.0
_LEAST_OFTEN_S: Final = 3_600.0
"""Each time it is waited twice as long, up to this: some will never follow."""


@dataclass(slots=True)
class _Told:
    """What one device was told last."""

    step: int = reporting.NEVER
    wish: ReportingWish | None = None
    said_at: float = 0.0
    patience_s: float = PATIENCE_S
    complaints: dict[Complaint, Complained] = field(default_factory=dict)


class TrackerTelling:
    """Tells trackers how often to report, and what they should mend.

    Args:
        book: the vehicles as they are now.
        ground: what they move among.
        clock: the time.
        look_every_s: seconds between two looks.
    """

    kinds: Sequence[type[State]] = (ReportingWish, TrackerAdvice)

    def __init__(
        self,
        book: Callable[[], VehicleBook],
        ground: Ground,
        clock: Clock,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._book: Final = book
        self._ground: Final = ground
        self._clock: Final = clock
        self._look_every_s: Final = look_every_s
        self._announce: Announce | None = None
        self._told: dict[VehicleKey, _Told] = {}
        self._counts: deque[tuple[float, Counts]] = deque(maxlen=_WINDOW)

    # -- listening: see `services.runtime.positions.PositionListener` -----------------------------

    def begin(self, announce: Announce) -> None:
        """Take what publishes."""
        self._announce = announce
        self._told.clear()
        self._counts.clear()

    async def ready(self) -> None:
        """See `PositionListener.ready`."""

    def moved(self, positions: Positions) -> None:
        """All are looked over once a second, whoever has moved."""

    def standing(self) -> Sequence[Outgoing]:
        """All wishes and all advice that stand."""
        if not self._told:
            self._look(most=None)
        now = self._clock()
        told: list[Outgoing] = []
        for (tenant, device), each in self._told.items():
            if each.wish is not None:
                told.append(outgoing(each.wish, tenant=tenant, now=now))
            if each.complaints:
                told.append(outgoing(_advice(device, each), tenant=tenant, now=now))
        return told

    # -- looking ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look, for as long as positions are taken."""
        while True:
            await asyncio.sleep(self._look_every_s)
            self.look()

    def look(self) -> None:
        """Tell those who have to do otherwise than they were told."""
        if self._announce is None:
            return
        messages = self._look(most=AT_ONCE)
        if messages:
            self._announce(messages)

    def _look(self, most: int | None) -> list[Outgoing]:
        book = self._book()
        now = self._clock()
        sight = tracker_sight.take(book, self._ground, now.timestamp())
        # A bridge follows no wish: it tells what its own trackers do.
        own = [row for row, key in enumerate(sight.keys) if key[1] == sight.devices[row]]
        messages = self._ask(book, sight, own, most)
        messages += self._remind(book, sight, own)
        messages += self._advise(book, sight, own)
        gone = self._told.keys() - {sight.keys[row] for row in own}
        for key in gone:
            del self._told[key]
            messages += [clearing(kind, tenant=key[0], device=key[1]) for kind in self.kinds]
        return messages

    def _ask(
        self, book: VehicleBook, sight: Sight, own: Sequence[int], most: int | None
    ) -> list[Outgoing]:
        # To the door with the food, or to the restaurant for it.
        ahead = np.where(np.isfinite(sight.stop_m), sight.stop_m, sight.house_m)
        before = np.array([self._of(key).step for key in sight.keys], dtype=np.int16)
        fastest, slowest = sight.of_rules("fastest_s"), sight.of_rules("slowest_s")
        low = sight.battery < sight.of_rules("battery_low")
        asked = Asked(
            np.where(sight.on_duty, ahead, np.nan), sight.standing.speed_mps, low, fastest, slowest
        )
        steps = reporting.steps(asked, before)
        messages: list[Outgoing] = []
        for row in own:
            step, rules = int(steps[row]), sight.rules[row]
            # A house that says not where it is delivers nothing: its trackers do as they like.
            if step == before[row] or rules.place is None:
                continue
            if most is not None and len(messages) >= most:
                break
            tenant, device = sight.keys[row]
            told = self._of((tenant, device))
            told.step = step
            found = wish(step, rules.fastest_s, rules.slowest_s, rules.silent_after_s)
            told.wish = self._numbered(device, found, told.wish)
            told.said_at, told.patience_s = self._clock().timestamp(), PATIENCE_S
            vehicle = book.of(int(sight.number[row]))
            vehicle.wished = told.wish.model_dump(mode="json", exclude={"device"})
            messages.append(outgoing(told.wish, tenant=tenant, now=self._clock()))
        return messages

    def _remind(self, book: VehicleBook, sight: Sight, own: Sequence[int]) -> list[Outgoing]:
        """Ask those once more who are there, and say that they follow another wish."""
        now = self._clock()
        messages: list[Outgoing] = []
        for row in own:
            told = self._told.get(sight.keys[row])
            vehicle = book.of(int(sight.number[row]))
            if told is None or told.wish is None:
                continue
            # Who never answers is of another make, and does as its own settings say.
            if vehicle.taken is None or vehicle.taken["number"] == told.wish.number:
                continue
            waited_s = now.timestamp() - told.said_at
            if waited_s < told.patience_s or sight.unheard_s[row] > _THERE_S:
                continue
            told.said_at = now.timestamp()
            told.patience_s = min(told.patience_s * _SELDOMER, _LEAST_OFTEN_S)
            messages.append(outgoing(told.wish, tenant=sight.keys[row][0], now=now))
        return messages

    def _numbered(self, device: str, found: Wish, before: ReportingWish | None) -> ReportingWish:
        # Numbers go on over every start, with nothing kept: there is no more than one a second.
        now = int(self._clock().timestamp())
        number = now if before is None else max(before.number + 1, now)
        return ReportingWish(
            device=device,
            number=number,
            every_s=found.every_s,
            still_s=found.still_s,
            least_m=found.least_m,
            together=found.together,
            why=found.why,
        )

    def _advise(self, book: VehicleBook, sight: Sight, own: Sequence[int]) -> list[Outgoing]:
        now = self._clock()
        recent, sent = self._recent(book, sight, now.timestamp())
        clock_s = sight.standing.clock_s
        bad = troubled(recent, sent) | (clock_s != 0.0)
        messages: list[Outgoing] = []
        for row in own:
            key = sight.keys[row]
            told = self._told.get(key)
            before = {} if told is None else told.complaints
            if not bad[row] and not before:
                continue
            counts = dict(zip(_KINDS, recent[:, row].tolist(), strict=True))
            found = complaints(counts, int(sent[row]), float(clock_s[row]), before, now)
            after = {each.what: each for each in found}
            if after == before:
                continue
            told = self._of(key)
            told.complaints = after
            if after:
                messages.append(outgoing(_advice(key[1], told), tenant=key[0], now=now))
            else:
                messages.append(clearing(TrackerAdvice, tenant=key[0], device=key[1]))
        return messages

    def _recent(self, book: VehicleBook, sight: Sight, now: float) -> tuple[Counts, Counts]:
        """Bad positions of the last minutes, a row a kind, and all of them."""
        if not self._counts or now - self._counts[-1][0] >= _WINDOW_STEP_S:
            self._counts.append((now, book.counts.copy()))
        first = self._counts[0][1]
        mine = book.counts[sight.number]
        there = sight.number < len(first)
        before = np.zeros_like(mine)
        before[there] = first[sight.number[there]]
        # Whose number was another's before has fewer than that one had.
        since = np.maximum(mine - before, 0)
        columns: dict[Complaint, list[int]] = {each: [] for each in _KINDS}
        for verdict, complaint in COMPLAINTS.items():
            columns[complaint].append(verdict)
        columns[Complaint.UNREADABLE].append(UNREADABLE)
        bad = np.stack([since[:, columns[each]].sum(axis=1) for each in _KINDS])
        return bad, since.sum(axis=1) - since[:, Verdict.DUPLICATE]

    def _of(self, key: VehicleKey) -> _Told:
        return self._told.setdefault(key, _Told())


def _advice(device: str, told: _Told) -> TrackerAdvice:
    return TrackerAdvice(device=device, complaints=tuple(told.complaints.values()))
