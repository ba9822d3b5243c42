"""What happens to orders because time passes, with nobody asking.

A placed order is looked at again when its `wake_at` has come: it is for later, or its payment
was waited for long enough. Who the guests of an ended order were is erased when the house
has kept it for as long as its rules say. And a party ends when its time is up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.house_rules import OrderRules
from services.orders import party_store
from services.orders.inside import EndParty, ForgetGuest, WakeOrder
from services.orders.store import NAMES_SOMEBODY, ORDERS
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.timers import DueTimer

log = structlog.get_logger(__name__)

FORGET_PARTIES_EVERY: Final = timedelta(hours=1)
PARTIES_KEPT: Final = timedelta(days=1)
_USUAL_DAYS: Final = OrderRules().keep_guests_days


class OrderTimer(DueTimer):
    """Wakes orders."""

    usual_s = 0.5
    later = "orders are woken"

    def due(self, now: datetime) -> Select[Any]:
        """The orders whose time has come."""
        order = ORDERS.c
        return select(order.tenant, order.wake_at, order.order_id).where(order.wake_at <= now)

    def request(self, row: Row[Any]) -> WakeOrder:
        """Look at it."""
        return WakeOrder(order_id=row.order_id, wake_at=row.wake_at)


class GuestTimer(DueTimer):
    """Erases guests' personal data when it was kept for long enough."""

    usual_s = 3600.0
    later = "guests are forgotten"

    async def look(self) -> int:
        """Have forgotten whose time is up, house by house; returns how many orders.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        now = self._clock()
        async with self._database.read() as connection:
            own = await _own_days(connection)
        usual = self.due(now - timedelta(days=_USUAL_DAYS))
        forgotten = await self._ask_for(usual.where(ORDERS.c.tenant.not_in(own)) if own else usual)
        for tenant, days in own.items():
            mine = self.due(now - timedelta(days=days)).where(ORDERS.c.tenant == tenant)
            forgotten += await self._ask_for(mine)
        if forgotten:
            log.info("guests were forgotten, as their houses' rules say", orders=forgotten)
        return forgotten

    def due(self, now: datetime) -> Select[Any]:
        """The orders of somebody that ended before a time."""
        order = ORDERS.c
        query = select(order.tenant, order.closed_at, order.order_id)
        return query.where(NAMES_SOMEBODY, order.closed_at <= now)

    def request(self, row: Row[Any]) -> ForgetGuest:
        """Forget whose it was."""
        return ForgetGuest(order_id=row.order_id)


class PartyTimer(DueTimer):
    """Ends the parties whose time is up, and forgets those that ended long ago."""

    usual_s = 1.0
    later = "parties are ended"

    def _begin(self) -> None:
        super()._begin()
        self._forget_at: datetime | None = None

    async def look(self) -> int:
        """End the parties whose time is up; returns how many there were.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        ended = await super().look()
        now = self._clock()
        if self._forget_at is None or self._forget_at <= now:
            async with self._database.write() as connection:
                forgotten = await party_store.forget_ended(connection, now - PARTIES_KEPT)
            if forgotten:
                log.info("forgot parties that have ended", parties=forgotten)
            self._forget_at = now + FORGET_PARTIES_EVERY
        return ended

    def due(self, now: datetime) -> Select[Any]:
        """The parties whose time is up."""
        return party_store.overdue(now)

    def request(self, row: Row[Any]) -> EndParty:
        """End it."""
        return EndParty(party_id=row.party_id, ends_at=row.ends_at)


async def _own_days(connection: AsyncConnection) -> dict[str, int]:
    """For how many days the houses keep guests that have a rule of their own."""
    query = select(HOUSE_RULES.c.tenant, HOUSE_RULES.c.orders)
    found = {}
    for tenant, orders in await connection.execute(query.where(HOUSE_RULES.c.orders.is_not(None))):
        days = OrderRules.model_validate(orders).keep_guests_days
        if days != _USUAL_DAYS:
            found[tenant] = days
    return found
