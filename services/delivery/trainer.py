"""Learns how long a house's parts of the way take, and its orders as a whole: from its own rows.

Once an hour, beside everything else. A house of which nothing was closed since keeps what it has;
one of which something is wrong keeps it too, and holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.delivery_rules import DeliveryRules
from schemas.identifiers import new_id
from services.delivery.closed_orders import (
    HISTORY,
    built,
    legs_shown,
    read_closed,
    read_modes,
    rides_shown,
    whole_orders,
)
from services.delivery.learning.learner import fit
from services.delivery.legs import Legs, learn
from services.delivery.models import LEGS, WHOLE
from services.delivery.tables import DELIVERIES, ETA_MODELS
from services.runtime import house_rules
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever
from services.runtime.tables import TENANTS
from services.runtime.wall_clock import zone_of

EVERY_S: Final = 3_600.0
FEWEST: Final = 20
"""While it is known of fewer orders how far off it told them, the model of the whole wait promises
nothing: its margin is still the one that is assumed, and the parts know theirs."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned of a house.

    Attributes:
        orders: from how many closed deliveries.
        legs: each part of the way.
        whole: the model of the whole wait; None where there is too little to learn it from.
    """

    orders: int
    legs: Legs
    whole: Mapping[str, Any] | None


class Trainer:
    """See the module.

    Args:
        database: where deliveries are, and what is learned is kept.
        clock: the time.
        every_s: seconds between two lessons.
    """

    def __init__(self, database: Database, clock: Clock, *, every_s: float = EVERY_S) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._every_s: Final = every_s
        self._closed: Final[dict[str, datetime]] = {}
        """When the newest delivery of those ended that each house was taught by."""

    async def run(self) -> None:
        """Learn, for ever."""
        await for_ever(self.look, self._every_s, "how long deliveries take is learned")

    async def look(self) -> list[str]:
        """Learn of every house of which deliveries were closed since; returns which."""
        newest = (
            select(func.max(DELIVERIES.c.ended_at))
            .where(DELIVERIES.c.tenant == TENANTS.c.tenant)
            .scalar_subquery()
        )
        async with self._database.read() as connection:
            rows = await connection.execute(select(TENANTS.c.tenant, newest.label("ended_at")))
            ended = {row.tenant: row.ended_at for row in rows if row.ended_at is not None}
        taught = []
        for tenant, ended_at in ended.items():
            if self._closed.get(tenant) == ended_at:
                continue
            try:
                learned = await self.learn(tenant)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("how long deliveries take was not learned", tenant=tenant)
                continue
            if learned is not None:
                taught.append(tenant)
            self._closed[tenant] = ended_at
        return taught

    async def learn(self, tenant: str) -> Learned | None:
        """Learn of one house, and keep it; None where it has no place, or is no more."""
        now = self._clock()
        async with self._database.read() as connection:
            books = await house_rules.read(connection, tenant)
            place = _place(books.delivery)
            if place is None:
                return None
            modes = await read_modes(connection, tenant)
            rows = await read_closed(connection, tenant, now - HISTORY)
        zone = zone_of(books.orders.time_zone)

        def lesson() -> Learned:
            closed = built(rows)
            legs = learn(legs_shown(closed, now), rides_shown(closed, place, modes, now))
            whole = fit(whole_orders(closed, place, zone))
            document = whole.as_json() if whole.measured >= FEWEST else None
            return Learned(len(closed), legs, document)

        learned = await asyncio.to_thread(lesson)  # some hundred milliseconds, of a large house
        async with self._database.write() as connection:
            if not await _is_there(connection, tenant):
                return None
            await _keep(connection, tenant, LEGS, learned.legs.to_document(), now)
            await _keep(connection, tenant, WHOLE, learned.whole, now)
        return learned


async def _is_there(connection: AsyncConnection, tenant: str) -> bool:
    """Tell whether a house is there, and stays until this transaction ends."""
    mine = select(TENANTS.c.tenant).where(TENANTS.c.tenant == tenant)
    return await connection.scalar(mine.with_for_update(read=True, key_share=True)) is not None


async def _keep(
    connection: AsyncConnection, tenant: str, kind: str, document: Any, now: datetime
) -> None:
    # A version that was never there before: after a tenant was removed and added again too.
    version = new_id().int >> 66
    whose = (ETA_MODELS.c.tenant == tenant, ETA_MODELS.c.kind == kind)
    await connection.execute(delete(ETA_MODELS).where(*whose))
    if document is None:
        return
    await connection.execute(
        ETA_MODELS.insert().values(
            tenant=tenant, kind=kind, version=version, trained_at=now, document=document
        )
    )


def _place(rules: DeliveryRules) -> tuple[float, float] | None:
    return None if rules.place is None else (rules.place.lat, rules.place.lon)
