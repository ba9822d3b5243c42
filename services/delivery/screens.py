"""Which screens show which orders: rows, and what a guest's link opens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.delivery import links, store
from services.delivery.kept import Kept
from services.delivery.links import Named
from services.delivery.tables import TRACKING_SCREENS
from services.runtime.link_door import LinkOpens


async def opened(
    connection: AsyncConnection, token: str, now: datetime
) -> tuple[Named, Kept] | None:
    """The delivery that a link shows; None where it is forged, over or forgotten."""
    named = links.read(token)
    if named is None:
        return None
    kept = await store.find(connection, named.tenant, named.order_id)
    if kept is None or not links.is_good(named, kept.beside.link, now):
        return None
    return named, kept


class StoredLinks:
    """See `services.runtime.link_door.LinkDoor`."""

    async def opened_by(
        self, connection: AsyncConnection, token: str, now: datetime
    ) -> LinkOpens | None:
        """See `LinkDoor.opened_by`: what has ended is shown on the page alone."""
        found = await opened(connection, token, now)
        if found is None or found[1].delivery.ended_at is not None:
            return None
        named, _ = found
        return LinkOpens(named.tenant, named.order_id, named.until)

    async def screens(self, connection: AsyncConnection, opens: LinkOpens) -> int:
        """See `LinkDoor.screens`."""
        query = select(func.count()).where(
            TRACKING_SCREENS.c.tenant == opens.tenant, TRACKING_SCREENS.c.order_id == opens.order_id
        )
        return await connection.scalar(query) or 0

    async def show(self, connection: AsyncConnection, opens: LinkOpens, device: str) -> None:
        """See `LinkDoor.show`."""
        await connection.execute(
            TRACKING_SCREENS.insert().values(
                tenant=opens.tenant, device=device, order_id=opens.order_id, until=opens.until
            )
        )
