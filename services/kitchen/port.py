"""The kitchen as other areas see it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.kitchen import OPEN_TICKET, LineMark, Ticket, TicketStatus
from schemas.orders import LineRequest, OrderKind
from services.kitchen import as_if_cut, channels, foreseeing
from services.kitchen.ready_times import ready_with
from services.kitchen.store import TICKETS, open_tickets_of, rows_of, ticket_of, tickets_of
from services.runtime.ports import ChannelClosed, LineWork, MenuPort, PacePort
from services.runtime.work import Draft

_WORK: Final = {
    TicketStatus.HELD: LineWork.WAITING,
    TicketStatus.SENT: LineWork.WAITING,
    TicketStatus.HEARD: LineWork.WAITING,
    TicketStatus.STARTED: LineWork.STARTED,
    TicketStatus.BUMPED: LineWork.COOKED,
    TicketStatus.CANCELLED: LineWork.GONE,
    TicketStatus.MOVED: LineWork.GONE,
}


class StoredKitchen:
    """See `services.runtime.ports.KitchenPort`.

    Args:
        menu: what there is.
        pace: what was learnt of the stations.
    """

    def __init__(self, menu: MenuPort, pace: PacePort) -> None:
        self._menu: Final = menu
        self._pace: Final = pace

    async def work(self, draft: Draft, tenant: str, order_id: UUID) -> Mapping[int, LineWork]:
        """See `KitchenPort.work`."""
        found: dict[int, LineWork] = {}
        for row in await rows_of(draft, tenant, order_id):
            status = TicketStatus(row["status"])
            if status is TicketStatus.MOVED or (row["details"] or {}).get("plates"):
                continue  # another ticket says how far these lines are
            # Two words of each line, not all of them: a ticket may have sixty.
            lines = {line["line"]: line.get("mark") for line in row["lines"]}
            done = {line["line"] for line in row["lines"] if line.get("bumped_at")}
            found |= work_of(status, lines, done)
            # What is allowed because nobody cooks it yet must not be kept once somebody does.
            draft.work.rely(TICKETS, (tenant, row["ticket_id"]))
        return found

    async def open_tickets(self, draft: Draft, tenant: str, order_id: UUID) -> int:
        """See `KitchenPort.open_tickets`."""
        return await open_tickets_of(draft, tenant, order_id)

    async def ticket(self, draft: Draft, tenant: str, ticket_id: UUID) -> Ticket | None:
        """See `KitchenPort.ticket`."""
        ticket = await ticket_of(draft, tenant, ticket_id)
        if ticket is not None:
            draft.work.rely(TICKETS, (tenant, ticket_id))
        return ticket

    async def ready(
        self, draft: Draft, tenant: str, order_id: UUID
    ) -> tuple[datetime, datetime] | None:
        """See `KitchenPort.ready`."""
        found = await tickets_of(draft, tenant, order_id)
        return ready_with([each for each in found if each.status in OPEN_TICKET])

    async def foreseen(
        self,
        draft: Draft,
        tenant: str,
        *,
        now: datetime,
        dishes: int,
        lines: Sequence[LineRequest] = (),
    ) -> tuple[datetime, datetime] | None:
        """See `KitchenPort.foreseen`."""
        told = None
        if lines:
            told = await as_if_cut.ready(draft, tenant, self._menu, self._pace, lines, now=now)
        return told or await foreseeing.foresee(draft, tenant, self._pace, now=now, dishes=dishes)

    async def closed(
        self, draft: Draft, tenant: str, channel: OrderKind, now: datetime
    ) -> ChannelClosed | None:
        """See `KitchenPort.closed`."""
        return await channels.closed(draft, tenant, channel, now)


def work_of(
    status: TicketStatus, marks: Mapping[int, str | None], done: Collection[int] = ()
) -> dict[int, LineWork]:
    """How far each line of a ticket is, by its number and how it is marked.

    Those that are `done` were bumped by themselves.
    """
    found = {}
    for line, mark in marks.items():
        work = LineWork.COOKED if line in done else _WORK[status]
        found[line] = LineWork.GONE if mark == LineMark.CANCELLED else work
    return found
