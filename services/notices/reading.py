"""Reading notices, for whoever looks at them: nothing here changes a row."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.store import Row
from services.notices.tables import NOTICES


async def notices_of_order(connection: AsyncConnection, tenant: str, order_id: UUID) -> list[Row]:
    """The notices of one order, in the order in which they were made."""
    query = (
        select(NOTICES)
        .where(NOTICES.c.order_id == order_id, NOTICES.c.tenant == tenant)
        .order_by(NOTICES.c.order_version, NOTICES.c.rule)
    )
    return [dict(row) for row in (await connection.execute(query)).mappings()]
