"""What may happen to a ticket. Pure: no clock, no database, no messages."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from schemas.kitchen import (
    OPEN_TICKET,
    TICKET_STEPS,
    Ticket,
    TicketLine,
    TicketStatus,
    TicketStep,
)
from schemas.orders import Order, OrderLine
from schemas.refusals import RefusalCode
from services.runtime.refusal import Refusal


def lines_by_station(
    order: Order, chosen: Collection[int] | None = None
) -> dict[str, tuple[OrderLine, ...]]:
    """Share an order's lines (all, or those of the `chosen` numbers) out to their stations."""
    shared: dict[str, list[OrderLine]] = {}
    for line in order.lines:
        if chosen is None or line.line in chosen:
            shared.setdefault(line.station, []).append(line)
    return {station: tuple(lines) for station, lines in shared.items()}


def cut(
    ticket_id: UUID,
    order: Order,
    station: str,
    lines: Collection[OrderLine],
    *,
    sequence: int,
    at: datetime,
) -> Ticket:
    """Make the ticket of one station."""
    return Ticket(
        ticket_id=ticket_id,
        station=station,
        order_id=order.order_id,
        order_number=order.number,
        status=TicketStatus.SENT,
        version=1,
        sequence=sequence,
        lines=tuple(
            TicketLine(
                line=line.line,
                item=line.item,
                name=line.name,
                quantity=line.quantity,
                note=line.note,
            )
            for line in lines
        ),
        table=order.table,
        placed_at=at,
    )


def may(ticket: Ticket, step: TicketStep) -> bool:
    """Tell whether the table has this step from where the ticket stands."""
    return (ticket.status, step) in TICKET_STEPS


def is_open(ticket: Ticket) -> bool:
    """Tell whether the ticket still stands on a screen."""
    return ticket.status in OPEN_TICKET


def move(ticket: Ticket, step: TicketStep, *, sequence: int, at: datetime, by: str) -> Ticket:
    """Move the ticket one step; whoever starts a ticket has heard it.

    Raises:
        Refusal: `wrong-state`, when the table has no such step from here.
    """
    following = TICKET_STEPS.get((ticket.status, step))
    if following is None:
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"the ticket of {ticket.order_number} at {ticket.station} is {ticket.status}: "
            f"cannot {step}",
        )
    changes: dict[str, object] = {
        "status": following,
        "version": ticket.version + 1,
        "sequence": sequence,
    }
    if ticket.heard_at is None and step in {TicketStep.HEAR, TicketStep.START}:
        changes |= {"heard_at": at, "heard_by": by}
    if step is TicketStep.START:
        changes["started_at"] = at
    if following not in OPEN_TICKET:
        changes["ended_at"] = at
    return ticket.model_copy(update=changes)
