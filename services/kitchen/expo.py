"""The expo: it makes nothing, sees whole orders, and lets them go when all plates are there. Pure.

Its ticket holds a plate for each ticket of the order, which follows that ticket. With an expo
an order is ready when the expo has bumped it, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from schemas.kitchen import LineMark, Plate, Ticket, TicketStatus, TicketStep
from schemas.kitchen_rules import KitchenRules, StationKind
from schemas.orders import Order
from schemas.refusals import RefusalCode
from services.kitchen import marks, rules
from services.runtime.refusal import Refusal

_THERE = frozenset({TicketStatus.BUMPED, TicketStatus.CANCELLED, TicketStatus.MOVED})


def expos(book: KitchenRules) -> list[str]:
    """The expos of a house, by name."""
    return sorted(name for name, each in book.stations.items() if each.kind is StationKind.EXPO)


def cut(
    ticket_id: UUID,
    station: str,
    order: Order,
    tickets: Sequence[Ticket],
    *,
    at: datetime,
    mark: LineMark | None = None,
) -> Ticket:
    """Make the expo's ticket of what was just cut of an order; its sequence is still to come."""
    made = {line.line for ticket in tickets for line in ticket.lines}
    lines = tuple(
        marks.ticket_line(order, line, mark=mark) for line in order.lines if line.line in made
    )
    one = tickets[0]
    return Ticket(
        ticket_id=ticket_id,
        station=station,
        order_id=order.order_id,
        order_number=order.number,
        status=TicketStatus.SENT,
        version=1,
        sequence=1,
        lines=lines,
        kind=one.kind,
        table=one.table,
        guest=one.guest,
        due_at=one.due_at,
        placed_at=at,
        placed_by=one.placed_by,
        course=min(each.course for each in tickets),
        priority=one.priority,
        sent_at=at,
        plates=tuple(plate(each) for each in tickets),
    )


def plate(ticket: Ticket) -> Plate:
    """A ticket as the expo sees it."""
    return Plate(
        ticket_id=ticket.ticket_id,
        station=ticket.station,
        course=ticket.course,
        status=ticket.status,
    )


def is_expo(ticket: Ticket) -> bool:
    """Tell whether this is an expo's ticket."""
    return bool(ticket.plates)


def with_plate(
    at_expo: Ticket,
    ticket: Ticket,
    instead_of: UUID,
    *,
    sequence: int,
    at: datetime,
    by: str,
) -> Ticket | None:
    """The expo's ticket with a plate as its ticket now is; None where it shows that already.

    What was let go comes back with the first of its plates that does.

    Args:
        at_expo: the expo's ticket.
        ticket: the one that has changed.
        instead_of: whose plate it was: its own, or that of the ticket it was moved from.
        sequence: the expo's, at this change.
        at: now.
        by: the device that does it.
    """
    now = plate(ticket)
    plates = tuple(now if each.ticket_id == instead_of else each for each in at_expo.plates)
    if plates == at_expo.plates:
        return None
    after = at_expo.model_copy(update={"plates": plates})
    if rules.is_open(at_expo):
        return after.model_copy(update={"version": at_expo.version + 1, "sequence": sequence})
    if at_expo.status is TicketStatus.BUMPED and rules.is_open(ticket):
        return rules.move(after, TicketStep.RECALL, sequence=sequence, at=at, by=by)
    return None


def check_complete(ticket: Ticket) -> None:
    """See that an expo's ticket can go.

    Raises:
        Refusal: `wrong-state`, naming the stations that are not done.
    """
    missing = [each for each in ticket.plates if each.status not in _THERE]
    if not missing:
        return
    named = ", ".join(f"{each.station} is {each.status}" for each in missing)
    raise rules.wrong_state(ticket, f"and not all its plates are done: {named}")


def check_makes(ticket: Ticket, step: str) -> None:
    """Refuse a step that is for who makes something.

    Raises:
        Refusal: `wrong-station`, at the expo.
    """
    if is_expo(ticket):
        raise Refusal(
            RefusalCode.WRONG_STATION,
            f"{ticket.station} is an expo: it makes nothing, and cannot {step} "
            f"the ticket of {ticket.order_number}, only bump it",
            state=rules.receipt(ticket),
        )
