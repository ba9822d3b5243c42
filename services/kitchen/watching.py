"""Watches over the stations: a display that is gone attends its station no more.

Presence knows which devices are there, and the stations' rows who attends them. What does not
fit is asked of ourselves, under an id that always belongs to that one attendance: so a display
is lost once, whatever dies meanwhile, and one that attends anew is not lost by the old news.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol
from uuid import UUID

import structlog
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import derived_id
from services.kitchen.hearing import DISPLAY
from services.kitchen.inside import LoseDisplay
from services.kitchen.store import STATIONS, Attending
from services.runtime.database import Database
from services.runtime.intake import Intake
from services.runtime.moment import Clock
from services.runtime.timers import Timer, together

log = structlog.get_logger(__name__)

AT_ONCE: Final = 200
TO_ATTEND_ANEW: Final = timedelta(seconds=5)
"""A display whose newer session is heard says within this that it attends; or it does not."""
TO_BE_HEARD: Final = timedelta(seconds=60)
"""Who attends is heard by presence within this, or was never there."""


class Word(Protocol):
    """What presence believes of a device; see `services.presence.store.LastWord`."""

    @property
    def offline(self) -> bool:
        """It is not there."""

    @property
    def epoch(self) -> UUID:
        """The session that was heard last."""

    @property
    def since(self) -> datetime:
        """When it was last found to be there, or not."""


Words = Mapping[tuple[str, str], Word | None]
LastWords = Callable[[AsyncConnection, Collection[tuple[str, str]]], Awaitable[Words]]


class Attendance(NamedTuple):
    """One device at one station."""

    tenant: str
    station: str
    device: str
    since: str
    epoch: str | None


def is_over(attendance: Attendance, word: Word | None, now: datetime) -> bool:
    """Tell whether a device attends no more, by what presence last believed of it. Pure.

    Presence may not have heard yet of the session that attends: what it believes of an older
    one says nothing.
    """
    since = datetime.fromisoformat(attendance.since)
    if word is None:
        return now - since > TO_BE_HEARD
    if attendance.epoch is None:
        return word.offline and word.since >= since
    epoch = UUID(attendance.epoch)
    if word.epoch < epoch:
        return now - since > TO_BE_HEARD
    if word.offline:
        return True
    return word.epoch > epoch and now - word.since > TO_ATTEND_ANEW and now - since > TO_ATTEND_ANEW


class StationWatch(Timer):
    """Looks at who attends, for as long as this process serves.

    Args:
        database: where stations are kept.
        intake: takes what the services ask of themselves.
        clock: the time.
        last_words: what presence believes.
        look_every_s: seconds between two looks.
    """

    usual_s = 1.0
    later = "displays are looked after"

    def __init__(
        self,
        database: Database,
        intake: Intake,
        clock: Clock,
        last_words: LastWords,
        *,
        look_every_s: float | None = None,
    ) -> None:
        super().__init__(database, intake, clock, look_every_s=look_every_s)
        self._last_words: Final = last_words

    async def look(self) -> int:
        """Take those off their stations who are gone; returns how many there were.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        lost = await self._lost()
        for start in range(0, len(lost), AT_ONCE):
            page = lost[start : start + AT_ONCE]
            await together(self._lose(each, removed=removed) for each, removed in page)
        return len(lost)

    async def _lost(self) -> list[tuple[Attendance, bool]]:
        async with self._database.read() as connection:
            attending, silent = await _attending(connection)
            if not attending and not silent:
                return []
            now = self._clock()
            words: dict[tuple[str, str], Word | None] = {}
            devices = sorted({(each.tenant, each.device) for each in [*attending, *silent]})
            for start in range(0, len(devices), AT_ONCE):
                words.update(await self._last_words(connection, devices[start : start + AT_ONCE]))
        lost = []
        for each in attending:
            known = (each.tenant, each.device) in words
            if not known or is_over(each, words[each.tenant, each.device], now):
                lost.append((each, not known))
        # One that was lost first, and then removed or taken to another station, will never hear
        # what it was sent here; its alert still stands.
        there = {(each.tenant, each.station, each.device) for each in attending}
        elsewhere = {(each.tenant, each.device) for each in attending}
        for each in silent:
            device = (each.tenant, each.device)
            if (each.tenant, each.station, each.device) in there:
                continue
            if device in elsewhere or device not in words:
                lost.append((each._replace(since=now.isoformat()), True))
        return lost

    async def _lose(self, each: Attendance, *, removed: bool) -> None:
        at = datetime.fromisoformat(each.since)
        parts = ("lose-display", each.tenant, each.station, each.device, each.since)
        message = LoseDisplay(
            station=each.station, device=each.device, since=each.since, removed=removed
        )
        request_id = derived_id(at, *parts, "removed" if removed else "gone")
        await self._ask(each.tenant, message, request_id)
        log.info("a display is gone", tenant=each.tenant, station=each.station, device=each.device)


async def _attending(
    connection: AsyncConnection,
) -> tuple[list[Attendance], list[Attendance]]:
    """Who attends any station; and who is called silent at one, whether he attends it or not."""
    names = ("tenant", "station", "displays", "printers", "unheard")
    some = (STATIONS.c[name].is_not(None) for name in names[2:])
    query = select(*(STATIONS.c[name] for name in names)).where(or_(*some))
    found: list[Attendance] = []
    silent: list[Attendance] = []
    for tenant, station, displays, printers, unheard in await connection.execute(query):
        for each in (displays, printers):
            found += [
                Attendance(tenant, station, device, since, epoch)
                for device, since, epoch in _sessions(each or {})
            ]
        silent += [
            Attendance(tenant, station, who.removeprefix(DISPLAY), "", None)
            for who in unheard or {}
            if who.startswith(DISPLAY)
        ]
    return found, silent


def _sessions(attending: Mapping[str, Attending]) -> Iterator[tuple[str, str, str | None]]:
    for device, each in attending.items():
        yield device, each["since"] or "", each["epoch"]
