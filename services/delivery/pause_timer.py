"""Deliveries are paused and taken again by themselves: how long one takes is looked at regularly.

What is found is decided once more by the worker, on the same rows, and kept with the kitchen: how
each kind of order is taken is said in one place.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog

from schemas.delivery_rules import DeliveryRules
from schemas.orders import OrderKind
from services.delivery import asked_for
from services.delivery.inside_pause import LookAtDeliveries
from services.delivery.pausing import why_paused
from services.delivery.rulebooks import RuleBooks
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.database import Database
from services.runtime.facts import ChannelHeld
from services.runtime.intake import Intake
from services.runtime.moment import Clock
from services.runtime.ports import Ports
from services.runtime.router import Router
from services.runtime.timers import NotNow, Timer, one_by_one
from services.runtime.work import Draft, UnitOfWork

log = structlog.get_logger(__name__)
router: Final = Router()


class PauseTimer(Timer):
    """Looks whether deliveries are to be paused, or taken again, in any house.

    Args:
        database: where it is found.
        intake: where it is done.
        clock: the time.
        ports: what the kitchen offers.
        look_every_s: seconds between two looks; without, what is usual for it.
    """

    usual_s = 5.0
    later = "deliveries are paused and taken again"

    def __init__(
        self,
        database: Database,
        intake: Intake,
        clock: Clock,
        ports: Ports,
        *,
        look_every_s: float | None = None,
    ) -> None:
        super().__init__(database, intake, clock, look_every_s=look_every_s)
        self._ports: Final = ports

    async def look(self) -> list[str]:
        """Have said anew what does not hold any more; returns of which houses.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
            NotNow: a fault of ours with some houses; the others are done.
        """
        async with self._database.read() as connection:
            # Houses of other rules are looked at once, marks or none: what one has taken back
            # holds no more.
            fresh = await self._books.read(connection)
        known = self._books.rules
        changed: list[str] = []

        async def look_at(tenant: str) -> int:
            house = known[tenant]
            if await self._is_stale(tenant, house) and await self._ask(tenant, LookAtDeliveries()):
                changed.append(tenant)
            if tenant in fresh:
                self._books.saw(tenant, fresh[tenant])
            return 1

        wanted = {each for each, house in known.items() if house.pause_over_min is not None}
        await one_by_one(sorted(wanted | fresh.keys()), look_at)
        return changed

    def _begin(self) -> None:
        self._books = RuleBooks()

    async def _is_stale(self, tenant: str, house: DeliveryRules) -> bool:
        """Tell whether another thing is to be said than is.

        Raises:
            NotNow: a fault of ours with this house.
        """
        try:
            async with self._database.read() as connection:
                draft = Draft(UnitOfWork(connection))
                said, why = await _look(draft, self._ports, tenant, house, self._clock())
        except Exception as error:
            log.warning("deliveries cannot be looked at", tenant=tenant, why=repr(error)[:200])
            raise NotNow("not now") from error
        return said != why


@router.on(LookAtDeliveries)
async def look_at_deliveries(_request: LookAtDeliveries, context: Context) -> None:
    """Hold the channel of deliveries, or let go of it."""
    house = await house_rules.delivery_rules(context.draft, context.tenant)
    said, why = await _look(context.draft, context.ports, context.tenant, house, context.now)
    if said != why:
        await context.tell(ChannelHeld(OrderKind.DELIVERY, why))


async def _look(
    draft: Draft, ports: Ports, tenant: str, house: DeliveryRules, now: datetime
) -> tuple[str | None, str | None]:
    """Why deliveries are held as it is said, and why they are to be; None where they are not."""
    closed = await ports.kitchen.closed(draft, tenant, OrderKind.DELIVERY, now)
    said = None if closed is None else closed.held
    if house.pause_over_min is None:
        return said, None
    return said, why_paused(house, await asked_for.seen(draft, ports, tenant, house, now), said)
