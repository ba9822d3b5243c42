"""Food that must not leave before somebody has checked it."""

from __future__ import annotations

from schemas.kitchen import Ticket
from schemas.refusals import RefusalCode
from services.kitchen import rules
from services.runtime.context import Context
from services.runtime.refusal import Refusal


async def refuse_unchecked(context: Context, ticket: Ticket) -> None:
    """Refuse to bump a ticket while a check of it is missing.

    Raises:
        Refusal: `check-missing`, with each check that has not passed, and what to do.
    """
    missing = await context.ports.quality.blocking(context.draft, context.tenant, ticket)
    if missing:
        raise Refusal(
            RefusalCode.CHECK_MISSING,
            f"{ticket.order_number} must not leave {ticket.station} before this has passed: "
            f"{'; '.join(missing)}. Check it and record it, or have a manager waive it",
            state=rules.receipt(ticket),
        )
