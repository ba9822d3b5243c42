"""A ticket goes to another station: it ends here, and a new one is cut there."""

from __future__ import annotations

from schemas.identifiers import new_id
from schemas.kitchen import Ticket, TicketLine, TicketStatus, TicketStep
from schemas.kitchen_rules import KitchenRules
from services.kitchen import beside, hearing, pace, rules, showing, store
from services.runtime.context import Context


async def pass_on(
    context: Context, book: KitchenRules, ticket: Ticket, to: str, why: str | None
) -> Ticket:
    """Move a ticket; returns the new one, which whoever stands there has to hear.

    What is held stays held. Who was asked already stands on the new one too, so that the
    same step is not taken again.

    Args:
        context: of the decision.
        book: the kitchen's rules.
        ticket: as it stands.
        to: the station that makes it.
        why: for people.

    Raises:
        Refusal: `wrong-state`, where it has ended.
    """
    draft, tenant = context.draft, context.tenant
    sequence = ticket.sequence
    if rules.may(ticket, TicketStep.MOVE):
        sequence = await store.next_sequence(draft, tenant, ticket.station)
    ended = rules.move(
        ticket, TicketStep.MOVE, sequence=sequence, at=context.now, by=context.device
    )
    await showing.show(context, ended.model_copy(update={"moved_to": to, "why": why}))
    held = ticket.status is TicketStatus.HELD
    there = Ticket.model_validate(
        {
            **{name: getattr(ticket, name) for name in _STAYS},
            "ticket_id": new_id(),
            "station": to,
            "status": ticket.status if held else TicketStatus.SENT,
            "version": 1,
            "sequence": await store.next_sequence(draft, tenant, to),
            # Numbers of the other station's sequence mean nothing here.
            "lines": tuple(_passed_on(line, ticket.station) for line in ticket.lines),
            "work_s": ticket.work_s - ticket.done_s,
            "sent_at": ticket.sent_at if held else context.now,
            # It waits since it was to be made, wherever that was.
            "queued_at": None if ticket.sent_at is None else ticket.since,
            "wake_at": ticket.wake_at if held else None,
            "held_for": ticket.held_for,
            "moved_from": ticket.station,
            "why": why,
        }
    )
    if not held:
        there = await pace.anew(context, book, there)
        now = await store.station_now(draft, tenant, to)
        there = hearing.address(there, now.displays, book.escalation, context.now)
    await showing.show(context, there)
    if there.expos:
        await showing.follow_at_expo(context, there, ticket.ticket_id)
    await beside.follow(context, there)
    return there


def _passed_on(line: TicketLine, station: str) -> TicketLine:
    done_here = line.bumped_at is not None and line.made_at is None
    return line.model_copy(
        update={"unheard": None, "made_at": station if done_here else line.made_at}
    )


_STAYS = (
    "order_id",
    "order_number",
    "kind",
    "table",
    "guest",
    "due_at",
    "placed_at",
    "placed_by",
    "course",
    "priority",
    "recalls",
    "recalled_at",
    "ready_p50_at",
    "ready_p90_at",
    "warn_at",
    "late_at",
    "also_at",
    "plates",
    "expos",
    "asked",
    "prints",
)
