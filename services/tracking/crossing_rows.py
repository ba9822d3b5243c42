"""The rows of crossings, for whoever follows them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fences import CrossingKind
from services.runtime.among import among, among_pairs
from services.runtime.crossings import Crossing
from services.tracking.tables import CROSSINGS


class StoredCrossings:
    """See `services.runtime.crossings.CrossingBook`."""

    async def unfollowed(
        self, connection: AsyncConnection, most: int, *, but: Collection[tuple[str, str]] = ()
    ) -> Sequence[Crossing]:
        """See `CrossingBook.unfollowed`."""
        of, dialect = CROSSINGS.c, connection.dialect.name
        query = select(CROSSINGS).where(of.followed.is_(False))
        if but:
            query = query.where(~among_pairs(of.tenant, of.vehicle, but, dialect))
        query = query.order_by(CROSSINGS.c.kept_at, CROSSINGS.c.at, CROSSINGS.c.crossing_id).limit(
            most
        )
        return [_crossing(row) for row in await connection.execute(query)]

    async def follow(
        self, connection: AsyncConnection, crossings: Collection[tuple[str, UUID]]
    ) -> None:
        """See `CrossingBook.follow`."""
        for tenant in {tenant for tenant, _ in crossings}:
            ids = [crossing_id for whose, crossing_id in crossings if whose == tenant]
            chosen = among(CROSSINGS.c.crossing_id, ids, connection.dialect.name)
            mine = update(CROSSINGS).where(CROSSINGS.c.tenant == tenant, chosen)
            await connection.execute(mine.values(followed=True))

    async def within(
        self, connection: AsyncConnection, vehicles: Collection[tuple[str, str]], fence: str
    ) -> dict[tuple[str, str], Crossing]:
        """See `CrossingBook.within`."""
        found = {}
        for tenant, vehicle in vehicles:
            query = (
                select(CROSSINGS)
                .where(
                    CROSSINGS.c.tenant == tenant,
                    CROSSINGS.c.vehicle == vehicle,
                    CROSSINGS.c.fence == fence,
                    CROSSINGS.c.what != CrossingKind.DWELL.value,
                )
                .order_by(CROSSINGS.c.at.desc())
                .limit(1)
            )
            last = (await connection.execute(query)).one_or_none()
            if last is not None and last.what == CrossingKind.ENTER.value:
                found[tenant, vehicle] = _crossing(last)
        return found


def to_row(crossing: Crossing, kept_at: datetime) -> dict[str, Any]:
    """Write down a crossing that nobody has followed yet."""
    return {
        "tenant": crossing.tenant,
        "crossing_id": crossing.crossing_id,
        "fence": crossing.fence,
        "vehicle": crossing.vehicle,
        "what": crossing.what.value,
        "at": crossing.at,
        "kept_at": kept_at,
        "followed": False,
    }


def _crossing(row: Any) -> Crossing:
    return Crossing(
        row.tenant, row.crossing_id, row.fence, row.vehicle, CrossingKind(row.what), row.at
    )
