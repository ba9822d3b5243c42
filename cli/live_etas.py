"""When open orders will be at their doors, reckoned from the rows for whoever looks."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import envelope_of
from schemas.etas import EtaState
from services.delivery.eta_book import EtaBook
from services.kitchen.ready_times import ready_times
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.positions import Positions
from services.tracking.tables import VEHICLES


async def live_etas(database: Database, tenant: str) -> dict[UUID, EtaState]:
    """The ETAs of a house's open orders; of rides as straight lines go, for nobody waits here."""
    told: dict[UUID, EtaState] = {}

    def hear(messages: Sequence[Outgoing]) -> None:
        for each in messages:
            if each.tenant == tenant and each.payload:
                eta: EtaState = envelope_of(EtaState).model_validate_json(each.payload).data
                told[eta.order_id] = eta

    async with database.read() as connection:
        seen = await last_seen(connection, tenant)
    book = EtaBook(database, ready_times, system_clock, keeps=False, only=tenant)
    book.begin(hear)
    book.moved(seen)
    await book.look()
    return told


async def last_seen(connection: AsyncConnection, tenant: str) -> Positions:
    """Where the house's vehicles were last, as their rows say."""
    of = VEHICLES.c
    query = select(of.vehicle, of.at, of.lat, of.lon, of.moving).where(
        of.tenant == tenant, of.at.is_not(None)
    )
    rows = list(await connection.execute(query))
    count = len(rows)
    return Positions(
        keys=[(tenant, row.vehicle) for row in rows],
        number=np.arange(count, dtype=np.int32),
        at=np.array([row.at.timestamp() for row in rows], dtype=np.float64),
        lat=np.array([row.lat for row in rows], dtype=np.float64),
        lon=np.array([row.lon for row in rows], dtype=np.float64),
        spread_m=np.zeros(count),
        speed_mps=np.zeros(count),
        heading_deg=np.full(count, np.nan),
        moving=np.array([row.moving for row in rows], dtype=np.bool_),
    )
