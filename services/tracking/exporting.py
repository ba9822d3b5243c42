"""Positions as other programs read them: GPX 1.1 and GeoJSON, as a stream.

What is written is the way as it was told, without what was found wrong. Over a gap no line is
drawn: there a new piece begins.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import Database
from services.tracking.limits import Limits
from services.tracking.tables import FIXES, VEHICLES
from services.tracking.verdicts import Verdict

PAGE: Final = 5_000
GAP_S: Final = Limits().gap_s
_GOOD: Final = (Verdict.OK, Verdict.CORRECTED_CLOCK, Verdict.LATE)

_GPX_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<gpx version="1.1" creator="heard" xmlns="http://www.topografix.com/GPX/1/1">\n'
)


@dataclass(frozen=True, slots=True)
class KeptFix:
    """A position as it is kept.

    Attributes:
        vehicle: whose.
        at: when.
        lat: degrees, as told.
        lon: the same.
        verdict: what was found of it.
    """

    vehicle: str
    at: datetime
    lat: float
    lon: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which positions are wanted.

    Attributes:
        tenant: whose.
        vehicles: of those alone; none named is all.
        since: from then on; None is from the first on.
        until: before then; None is to the last.
        all: with those that were found wrong, too.
    """

    tenant: str
    vehicles: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    all: bool = False


def _which(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What the rows that are wanted fulfil."""
    column = FIXES.c
    told: list[ColumnElement[bool]] = [column.tenant == wanted.tenant]
    if wanted.vehicles:
        told.append(column.vehicle.in_(wanted.vehicles))
    if wanted.since is not None:
        told.append(column.at >= wanted.since)
    if wanted.until is not None:
        told.append(column.at < wanted.until)
    if not wanted.all:
        told.append(column.verdict.in_([each.value for each in _GOOD]))
    return told


async def is_any(connection: AsyncConnection, wanted: Wanted) -> bool:
    """Whether there is any such position."""
    query = select(FIXES.c.at).where(*_which(wanted)).limit(1)
    return (await connection.execute(query)).first() is not None


async def is_known(connection: AsyncConnection, tenant: str, vehicle: str) -> bool:
    """Whether a vehicle is there, or was: one that has gone leaves its positions."""
    column = VEHICLES.c
    query = select(column.vehicle).where(column.tenant == tenant, column.vehicle == vehicle)
    if (await connection.execute(query)).first() is not None:
        return True
    return await is_any(connection, Wanted(tenant, (vehicle,), all=True))


async def kept_between(
    connection: AsyncConnection, wanted: Wanted
) -> tuple[datetime, datetime] | None:
    """The first and the last moment of such positions; None where there are none."""
    column = FIXES.c.at
    query = select(func.min(column), func.max(column)).where(*_which(wanted))
    first, last = (await connection.execute(query)).one()
    return None if first is None else (first, last)


async def pages(database: Database, wanted: Wanted) -> AsyncIterator[list[KeptFix]]:
    """The positions, by vehicle and time, some thousands at a time."""
    column = FIXES.c
    query = select(column.vehicle, column.at, column.lat, column.lon, column.verdict)
    query = query.where(*_which(wanted)).order_by(column.vehicle, column.at).limit(PAGE)
    last: KeptFix | None = None
    while True:
        page = query
        if last is not None:
            later = and_(column.vehicle == last.vehicle, column.at > last.at)
            page = query.where(or_(column.vehicle > last.vehicle, later))
        # No connection is held while somebody writes what was read.
        async with database.read() as connection:
            rows = (await connection.execute(page)).all()
        found = [KeptFix(r.vehicle, r.at, r.lat, r.lon, Verdict(r.verdict)) for r in rows]
        if found:
            yield found
            last = found[-1]
        if len(found) < PAGE:
            return


def pieces(fixes: Sequence[KeptFix], before: KeptFix | None) -> Iterator[list[KeptFix]]:
    """Cut fixes where the vehicle is another one, or there was a gap.

    Args:
        fixes: in order.
        before: the last one of the page before; the first piece goes on from it, unless it is
            empty.
    """
    piece: list[KeptFix] = []
    last = before
    for fix in fixes:
        if last is not None and _is_apart(last, fix):
            yield piece
            piece = []
        piece.append(fix)
        last = fix
    yield piece


async def gpx(database: Database, wanted: Wanted, write: Callable[[str], object]) -> int:
    """Write GPX 1.1, a track a vehicle, a segment a way without gaps; returns how many points."""
    write(_GPX_HEAD)
    count, last = 0, None
    async for page in pages(database, wanted):
        for piece in pieces(page, last):
            if not piece:
                continue
            if last is None or _is_apart(last, piece[0]):
                if last is not None:
                    write("</trkseg>")
                if last is None or last.vehicle != piece[0].vehicle:
                    write("" if last is None else "</trk>\n")
                    write(f"<trk><name>{escape(piece[0].vehicle)}</name>")
                write("<trkseg>\n")
            for fix in piece:
                write(
                    f'<trkpt lat="{fix.lat:.7f}" lon="{fix.lon:.7f}">'
                    f"<time>{_text(fix.at)}</time></trkpt>\n"
                )
            last, count = piece[-1], count + len(piece)
    write("" if last is None else "</trkseg></trk>\n")
    write("</gpx>\n")
    return count


async def geojson(database: Database, wanted: Wanted, write: Callable[[str], object]) -> int:
    """Write GeoJSON, a feature a way without gaps, with its times; returns how many points."""
    write('{"type": "FeatureCollection", "features": [')
    count, first = 0, True
    way: list[KeptFix] = []

    def put() -> None:
        nonlocal first
        if way:
            write(("\n" if first else ",\n") + json.dumps(_feature(way)))
            first = False

    async for page in pages(database, wanted):
        for piece in pieces(page, way[-1] if way else None):
            if piece and way and _is_apart(way[-1], piece[0]):
                put()
                way = []
            way += piece
            count += len(piece)
    put()
    write("\n]}\n")
    return count


def _feature(way: Sequence[KeptFix]) -> dict[str, object]:
    places = [[round(fix.lon, 7), round(fix.lat, 7)] for fix in way]
    geometry = (
        {"type": "Point", "coordinates": places[0]}
        if len(places) == 1
        else {"type": "LineString", "coordinates": places}
    )
    # As the converters of GPX name it, so that maps know the times.
    properties = {"vehicle": way[0].vehicle, "coordTimes": [_text(fix.at) for fix in way]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _is_apart(before: KeptFix, fix: KeptFix) -> bool:
    return before.vehicle != fix.vehicle or (fix.at - before.at).total_seconds() > GAP_S


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
