"""What must be so before food leaves a station, and what follows once it has."""

from __future__ import annotations

from schemas.kitchen import Ticket, TicketStatus, TicketStep
from services.kitchen import checking, courses, expo, rules, showing
from services.runtime.context import Context
from services.runtime.house_rules import kitchen_rules
from services.runtime.refusal import Refusal


async def check(context: Context, ticket: Ticket) -> None:
    """See that nothing keeps a ticket from being bumped; what cannot be bumped at all is left.

    Raises:
        Refusal: `wrong-state`, where plates of it are not done; `check-missing`, where a check
            of what is on it has not passed.
    """
    if rules.may(ticket, TicketStep.BUMP):
        expo.check_complete(ticket)
        await checking.refuse_unchecked(context, ticket)


async def stay(context: Context, before: Ticket, after: Ticket) -> Ticket:
    """Keep on the screen what a change of its order would bump, and what must not leave yet.

    What is left of it is done: a cook bumps it once its checks have passed.
    """
    if after.status is not TicketStatus.BUMPED:
        return after
    try:
        await check(context, after.model_copy(update={"status": before.status}))
    except Refusal:
        still = {"status": before.status, "ended_at": None, "wake_at": before.wake_at}
        return after.model_copy(update=still)
    return after


async def tell_the_order(context: Context, ticket: Ticket, *, started: bool) -> None:
    """Let the next course and the order go on with a ticket, and answer."""
    book = await kitchen_rules(context.draft, context.tenant)
    await courses.follow(context, book, ticket.order_id)
    await showing.tell_the_order(context, ticket, started=started)
