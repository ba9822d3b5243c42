"""What a new delivery would take that nobody has asked for: the door and the dishes of most."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.delivery.tables import DELIVERIES

LAST: Final = 100
_LATELY: Final = timedelta(days=90)
_FAR_M: Final = 2_000.0
_DISHES: Final = 2


class AverageDoor(NamedTuple):
    """What most deliveries are like.

    Attributes:
        distance_m: from the restaurant, along the straight line.
        dishes: how many are brought.
    """

    distance_m: float = _FAR_M
    dishes: int = _DISHES


async def read(connection: AsyncConnection, tenant: str, now: datetime) -> AverageDoor:
    """The medians of the last deliveries; what is assumed, of a house without any lately."""
    of = DELIVERIES.c
    query = (
        select(of.distance_m, of["items"])
        .where(of.tenant == tenant, of.placed_at > now - _LATELY)
        .order_by(of.placed_at.desc())
        .limit(LAST)
    )
    rows = (await connection.execute(query)).all()
    far = [row.distance_m for row in rows if row.distance_m is not None]
    dishes = [row[1] for row in rows]
    return AverageDoor(median(far) if far else _FAR_M, round(median(dishes)) if dishes else _DISHES)
