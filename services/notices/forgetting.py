"""What is erased from notices: on a guest's request, and in time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import derived_id
from schemas.notices import NoticeStatus
from services.notices import store
from services.notices.tables import NOTICES
from services.runtime.among import among
from services.runtime.database import Database
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)

KEPT: Final = timedelta(days=90)
"""How long an ended notice is kept, dead ones whole."""
EVERY_S: Final = 3_600.0
PAGE: Final = 500


async def forget(
    connection: AsyncConnection, tenant: str, order_ids: Collection[UUID], now: datetime
) -> int:
    """Erase a guest's data from the notices of these orders; returns how many had some.

    What was to be sent to the guest is not sent any more. What tells somebody else of the
    order still goes out, without the guest in it.

    Args:
        connection: a transaction that writes.
        tenant: whose orders.
        order_ids: which.
        now: the time.
    """
    erased = 0
    ids = list(order_ids)
    for start in range(0, len(ids), PAGE):
        chosen = among(NOTICES.c.order_id, ids[start : start + PAGE], connection.dialect.name)
        query = select(NOTICES).where(chosen, NOTICES.c.tenant == tenant)
        for row in (await connection.execute(query)).mappings().all():
            values = without_guest(dict(row), now)
            # A sender may be changing the very row: then it is read again.
            current: store.Row | None = dict(row)
            while values and current is not None:
                if await store.change(connection, current, values):
                    erased += 1
                    break
                current = await store.find(connection, tenant, row["notice_id"])
                values = {} if current is None else without_guest(current, now)
    return erased


def without_guest(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What changes in a row so that nothing of the guest is left in it; nothing, if so it is."""
    snapshot = row["snapshot"]
    if snapshot is None:
        return {}
    order = snapshot["order"]
    guest = order.get("guest") or {}
    address = guest.get("email")
    if not guest and not order.get("participants"):
        return {}
    if row["to"] is not None and row["to"] == address:
        if row["status"] == NoticeStatus.WAITING:
            return store.dropped(row, store.FORGOTTEN, now)
        # Mail servers say the address in their refusals.
        told = {} if row["error"] is None else {"error": store.FORGOTTEN}
        return {"to": None, "snapshot": None, **told}
    # What people wrote to a line may say who they are.
    lines = [{**line, "note": ""} for line in order.get("lines") or []]
    kept = {**order, "guest": None, "participants": [], "lines": lines}
    return {"snapshot": {**snapshot, "order": kept}}


class Tidying:
    """Throws away what ended long ago.

    Args:
        database: where notices are.
        clock: tells what is old.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database: Final = database
        self._clock: Final = clock

    async def run(self) -> None:
        """Look once an hour, for ever."""
        await for_ever(self.tidy, EVERY_S, "old notices are thrown away")

    async def tidy(self) -> int:
        """Throw away what is old; returns how many notices."""
        return await throw_away(self._database, self._clock() - KEPT)


async def throw_away(database: Database, before: datetime) -> int:
    """Throw away notices that ended, and were made, before a time; returns how many."""
    thrown = 0
    async with database.read() as connection:
        tenants = list(await connection.scalars(select(NOTICES.c.tenant).distinct()))
    for tenant in tenants:
        # By the times in their ids, so that only what is old is looked at.
        old = (
            select(NOTICES.c.notice_id)
            .where(
                NOTICES.c.tenant == tenant,
                NOTICES.c.notice_id < derived_id(before),
                NOTICES.c.ended_at < before,
            )
            .limit(PAGE)
        )
        while True:
            async with database.read() as connection:
                ids = list(await connection.scalars(old))
            if not ids:
                break
            async with database.write() as connection:
                chosen = among(NOTICES.c.notice_id, ids, connection.dialect.name)
                await connection.execute(delete(NOTICES).where(NOTICES.c.tenant == tenant, chosen))
            thrown += len(ids)
    return thrown
