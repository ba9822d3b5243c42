"""Quality as the kitchen sees it."""

from __future__ import annotations

from schemas.kitchen import Ticket
from services.quality import rules, store
from services.runtime import house_rules
from services.runtime.work import Draft


class StoredQuality:
    """See `services.runtime.ports.QualityPort`."""

    async def blocking(self, draft: Draft, tenant: str, ticket: Ticket) -> tuple[str, ...]:
        """See `QualityPort.blocking`."""
        house = await house_rules.kitchen_rules(draft, tenant)
        wanted = rules.blocking(house, ticket)
        if not wanted:
            return ()
        return rules.missing(wanted, await store.of_ticket(draft, tenant, ticket.ticket_id))
