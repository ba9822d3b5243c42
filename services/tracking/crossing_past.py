"""What the crossings that were kept say of the time before: read once, at each start."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fences import CrossingKind
from services.runtime.among import among
from services.runtime.crossings import Crossing
from services.runtime.positions import VehicleKey
from services.tracking.tables import CROSSINGS

IS_OF_A_DOOR: Final = CROSSINGS.c.fence.contains(":")
"""Whether a crossing is of a fence that stands around a door, for one order alone."""


async def last_times(connection: AsyncConnection) -> dict[VehicleKey, float]:
    """When the last crossing of each vehicle was, in seconds since 1970."""
    column = CROSSINGS.c
    query = select(column.tenant, column.vehicle, func.max(column.at).label("at"))
    rows = await connection.execute(query.group_by(column.tenant, column.vehicle))
    return {(row.tenant, row.vehicle): row.at.timestamp() for row in rows}


async def last_of_fences(connection: AsyncConnection, doors: Collection[str]) -> list[Crossing]:
    """The last time that each vehicle came or went at each fence, with what was told since.

    Args:
        connection: reads.
        doors: the fences around doors that count; there are others, of all orders that ever were.

    Returns:
        In the order of their times.
    """
    column = CROSSINGS.c
    counts = or_(~IS_OF_A_DOOR, among(column.fence, doors, connection.dialect.name))
    last = (
        select(column.tenant, column.vehicle, column.fence, func.max(column.at).label("at"))
        .where(column.what != CrossingKind.DWELL.value, counts)
        .group_by(column.tenant, column.vehicle, column.fence)
        .subquery()
    )
    query = select(CROSSINGS).join(
        last,
        (column.tenant == last.c.tenant)
        & (column.vehicle == last.c.vehicle)
        & (column.fence == last.c.fence)
        & (column.at >= last.c.at),
    )
    return [
        Crossing(
            row.tenant, row.crossing_id, row.fence, row.vehicle, CrossingKind(row.what), row.at
        )
        for row in await connection.execute(query.order_by(column.at))
    ]
