"""Reading tickets, for whoever looks at them: nothing here changes a row."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen import Ticket
from schemas.kitchen_pace import ChannelState
from services.kitchen import channels_store, throttling
from services.kitchen.channels_store import INTAKES
from services.kitchen.store import TICKETS, to_ticket
from services.runtime import house_rules


async def tickets_of_order(
    connection: AsyncConnection, tenant: str, order_id: UUID
) -> list[Ticket]:
    """The tickets of one order, by station and time."""
    query = (
        select(TICKETS)
        .where(TICKETS.c.tenant == tenant, TICKETS.c.order_id == order_id)
        .order_by(TICKETS.c.station, TICKETS.c.placed_at)
    )
    return [to_ticket(dict(row)) for row in (await connection.execute(query)).mappings()]


async def ticket_of_id(
    connection: AsyncConnection, tenant: str, ticket_id: UUID | None
) -> Ticket | None:
    """One ticket by its id; None where there is none."""
    query = select(TICKETS).where(TICKETS.c.tenant == tenant, TICKETS.c.ticket_id == ticket_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else to_ticket(dict(row))


async def load_now(connection: AsyncConnection, tenant: str, at: datetime) -> dict[str, float]:
    """How full each station is in the quarter of this moment: 1 is all that its hands can do.

    A station for which nothing was booked in the quarter yet has what is left on its line.
    """
    book = (await house_rules.read(connection, tenant)).kitchen
    work_s = await channels_store.work_now(connection, tenant, at)
    return {name: throttling.share_of(book, name, work) for name, work in sorted(work_s.items())}


async def intakes(connection: AsyncConnection, tenant: str) -> list[ChannelState]:
    """How each kind of order is taken, as far as that was ever anything but freely."""
    query = select(INTAKES).where(INTAKES.c.tenant == tenant).order_by(INTAKES.c.channel)
    return [
        ChannelState.model_validate({name: row[name] for name in ChannelState.model_fields})
        for row in (await connection.execute(query)).mappings()
    ]
