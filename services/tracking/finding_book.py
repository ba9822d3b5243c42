"""What stands against vehicles: looked for once a second, and kept in rows.

Nobody waits for it, and nothing is lost with it: what stands follows from where vehicles are,
when they were heard, and what stood before. The alerts follow from the rows
(`services.tracking.finding_timers`), so what stands has to stand over a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import AlertKind
from services.runtime.database import Database
from services.runtime.moment import Clock
from services.runtime.positions import VehicleKey
from services.runtime.rounds import for_ever
from services.runtime.tables import TENANTS
from services.tracking import finding_rows, tracker_sight
from services.tracking.fence_watch import FenceWatch
from services.tracking.finding_rows import Finding, FindingKey
from services.tracking.findings import KINDS, Bounds, Floats, Seen, fast_since, judge
from services.tracking.ground import Ground
from services.tracking.tracker_sight import Sight
from services.tracking.vehicle_book import VehicleBook

LOOK_EVERY_S: Final = 1.0


class FindingBook:
    """Finds what is wrong with vehicles and their trackers.

    Args:
        database: where findings are kept.
        book: the vehicles as they are now; None while nobody can be heard.
        ground: what they move among.
        fences: knows who has left where they have to stay.
        clock: the time.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self,
        database: Database,
        book: Callable[[], VehicleBook | None],
        ground: Ground,
        fences: FenceWatch,
        clock: Clock,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database: Final = database
        self._book: Final = book
        self._ground: Final = ground
        self._fences: Final = fences
        self._clock: Final = clock
        self._look_every_s: Final = look_every_s
        self._kept: dict[FindingKey, Finding] | None = None
        self._listens_since: float | None = None
        self._nearest: dict[VehicleKey, tuple[str, float]] = {}
        """How near each vehicle has been to the door of which order."""
        self._fast: dict[VehicleKey, float] = {}
        """Since which of its fixes each has been too fast, in seconds since 1970."""
        self._missed: dict[VehicleKey, datetime] = {}
        """Who has something to do and was never heard of, and since when it is waited for."""

    async def run(self) -> None:
        """Look, for as long as positions are taken."""
        self._kept = self._listens_since = None  # another process may have looked meanwhile
        self._nearest.clear()
        self._fast.clear()
        await for_ever(self.look, self._look_every_s, "trackers are watched")

    async def look(self) -> None:
        """Find what stands now, and keep what has changed."""
        book = self._book()
        if book is None:
            self._listens_since = None
            return
        if self._kept is None:
            async with self._database.read() as connection:
                self._kept = {each.key: each for each in await finding_rows.every(connection)}
        now = self._clock()
        if self._listens_since is None:
            # Nobody could be heard until now: their patience begins anew.
            self._listens_since = now.timestamp()
            self._missed.clear()
        sight = tracker_sight.take(book, self._ground, now.timestamp())
        found = self._found(sight, now) | self._unheard(sight, now) | self._strayed(sight)
        begun = [each for key, each in found.items() if key not in self._kept]
        ended = self._kept.keys() - found.keys()
        if not begun and not ended:
            return
        async with self._database.write() as connection:
            there = await _there(connection, {each.vehicle[0] for each in begun})
            begun = [each for each in begun if each.vehicle[0] in there]
            await finding_rows.change(connection, begun, ended)
        kept = {key: each for key, each in self._kept.items() if key not in ended}
        self._kept = kept | {each.key: each for each in begun}

    def _found(self, sight: Sight, now: datetime) -> dict[FindingKey, Finding]:
        """What follows from where vehicles are, and when they were heard."""
        kept = self._kept or {}
        stood = np.array(
            [[(*key, kind) in kept for key in sight.keys] for kind in KINDS], dtype=np.bool_
        ).reshape(len(KINDS), len(sight))
        listened_s = now.timestamp() - (self._listens_since or 0.0)
        silent_s = np.where(stood[0], sight.silent_s, np.minimum(sight.silent_s, listened_s))
        seen = Seen(
            sight.silent_s,
            silent_s,
            sight.patience_s,
            sight.standing.moving,
            sight.still_s,
            sight.standing.speed_mps,
            self._fast_s(sight),
            sight.battery,
            sight.on_duty,
            sight.house_m,
            sight.stop_m,
            self._nearest_m(sight),
        )
        bounds = Bounds(
            sight.of_rules("dwell_after_s"),
            sight.of_rules("off_route_m"),
            sight.of_rules("battery_low"),
            sight.of_rules("speeding_mps"),
            sight.of_rules("restaurant_m"),
            sight.of_rules("door_m"),
        )
        found: dict[FindingKey, Finding] = {}
        for which, row in np.argwhere(judge(seen, bounds, stood)).tolist():
            kind, key = KINDS[which], sight.keys[row]
            before = kept.get((*key, kind))
            found[*key, kind] = before or self._made(sight, row, kind, seen, now)
        return found

    def _made(self, sight: Sight, row: int, kind: AlertKind, seen: Seen, now: datetime) -> Finding:
        key, stop = sight.keys[row], sight.stops.get(row)
        battery = _known(sight.battery[row])
        order = None if stop is None else str(stop.order_id)
        match kind:
            case AlertKind.TRACKER_SILENT:
                since = datetime.fromtimestamp(float(sight.standing.placed[row]), UTC)
                return Finding(key, kind, since, battery)
            case AlertKind.LONG_DWELL:
                since = datetime.fromtimestamp(float(sight.standing.since[row]), UTC)
                return Finding(key, kind, since, None, order)
            case AlertKind.OFF_ROUTE:
                return Finding(key, kind, now, _known(sight.stop_m[row]), order)
            case AlertKind.SPEEDING:
                return Finding(key, kind, now, _known(seen.speed_mps[row]))
            case _:
                return Finding(key, kind, now, battery)

    def _nearest_m(self, sight: Sight) -> Floats:
        """How near each has been to the door that it goes to, since it goes there."""
        nearest: dict[VehicleKey, tuple[str, float]] = {}
        column = np.full(len(sight), np.nan)
        for row, stop in sight.stops.items():
            away, order = float(sight.stop_m[row]), str(stop.order_id)
            before = self._nearest.get(sight.keys[row])
            if before is None or before[0] != order:
                before = order, self._nearest_of_row(sight, row, order)
            away = float(np.fmin(away, before[1]))  # NaN is where nobody knows where it is
            if np.isfinite(away):
                nearest[sight.keys[row]] = order, away
                column[row] = away
        self._nearest = nearest
        return column

    def _nearest_of_row(self, sight: Sight, row: int, order: str) -> float:
        """How near one has been that was off its way before this process began, at the least."""
        stood = (self._kept or {}).get((*sight.keys[row], AlertKind.OFF_ROUTE))
        if stood is None or stood.about != order or stood.amount is None:
            return np.inf
        return max(0.0, stood.amount - sight.rules[row].off_route_m)

    def _fast_s(self, sight: Sight) -> Floats:
        """For how long each has been too fast, up to its last fix; NaN where it is not."""
        limit = sight.of_rules("speeding_mps")
        if not np.isfinite(limit).any():
            self._fast.clear()
            return np.full(len(sight), np.nan)
        standing = sight.standing
        before = np.array([self._fast_before(key) for key in sight.keys])
        since = fast_since(before, standing.t, standing.gap_until, standing.speed_mps, limit)
        rows = np.flatnonzero(np.isfinite(since)).tolist()
        self._fast = {sight.keys[row]: float(since[row]) for row in rows}
        return standing.t - since

    def _fast_before(self, key: VehicleKey) -> float:
        stood = (self._kept or {}).get((*key, AlertKind.SPEEDING))
        return self._fast.get(key, np.nan if stood is None else stood.since.timestamp())

    def _unheard(self, sight: Sight, now: datetime) -> dict[FindingKey, Finding]:
        """Who has something to do, and has never said where it is."""
        placed = np.flatnonzero(np.isfinite(sight.standing.placed)).tolist()
        known = {sight.keys[row] for row in placed}
        waited = [key for key in self._ground.stops if key not in known]
        kind, kept = AlertKind.TRACKER_SILENT, self._kept or {}

        def since(key: VehicleKey) -> datetime:
            # What stood before a restart stands: nobody was heard meanwhile.
            stood = kept.get((*key, kind))
            return self._missed.get(key, now) if stood is None else stood.since

        self._missed = {key: since(key) for key in waited}
        return {
            (*key, kind): Finding(key, kind, since)
            for key, since in self._missed.items()
            if (now - since).total_seconds() > self._ground.house(key[0]).rules.silent_after_s
        }

    def _strayed(self, sight: Sight) -> dict[FindingKey, Finding]:
        """Who has left where they have to stay while they are on duty: by the hours of the
        fence, where it has any, or by what they have to do.
        """  # noqa: D205 - one sentence
        found: dict[FindingKey, Finding] = {}
        left = self._fences.left()
        rows = {key: row for row, key in enumerate(sight.keys)} if left else {}
        for (key, fence), since in left.items():
            row = rows.get(key)
            if row is None:
                continue
            tenant, vehicle = key
            drawn = self._ground.house(tenant).fences.get(fence)
            if drawn is None or not (drawn.hours or sight.on_duty[row]):
                continue
            at = datetime.fromtimestamp(since, UTC)
            kind = AlertKind.ZONE_LEFT
            found[tenant, vehicle, kind] = Finding((tenant, vehicle), kind, at, None, fence)
        return found


def _known(figure: float) -> float | None:
    return None if np.isnan(figure) else float(figure)


async def _there(connection: AsyncConnection, tenants: set[str]) -> set[str]:
    """Which of these houses there still are."""
    query = select(TENANTS.c.tenant).where(TENANTS.c.tenant.in_(sorted(tenants)))
    return {row.tenant for row in await connection.execute(query)}
