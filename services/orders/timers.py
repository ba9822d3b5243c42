"""Timers: what happens to orders because time passes, with nobody asking.

A placed order is looked at again when its `wake_at` has come: it is for later, or its payment
was waited for long enough. Who the guests of an ended order were is erased when the house
has kept it for as long as its rules say.

What is due is found in the rows, so nothing is lost with a process; and each time is asked
for under an id that always belongs to it, so that it happens once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.house_rules import OrderRules
from schemas.identifiers import derived_id
from schemas.message import Request
from schemas.replies import Outcome
from services.orders.inside import ForgetGuest, WakeOrder
from services.orders.store import NAMES_SOMEBODY, ORDERS
from services.runtime.database import Database, is_away
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
FORGET_EVERY_S: Final = 3600.0
PAGE: Final = 200
_AGAIN_AFTER: Final = timedelta(minutes=1)
"""A time that was asked for, and is still in its row, is asked for again: not at each look."""
_USUAL_DAYS: Final = OrderRules().keep_guests_days

Due = tuple[str, UUID, datetime]
"""Tenant, order, and the time that has come for it."""


class OrderTimers:
    """Asks for what is due.

    Args:
        database: where orders are.
        intake: where it is done.
        clock: tells what is due.
        look_every_s: seconds between two looks for orders to be woken.
        forget_every_s: seconds between two looks for guests to be forgotten.
    """

    def __init__(
        self,
        database: Database,
        intake: Intake,
        clock: Clock,
        *,
        look_every_s: float = LOOK_EVERY_S,
        forget_every_s: float = FORGET_EVERY_S,
    ) -> None:
        self._look_every_s: Final = look_every_s
        self._database: Final = database
        self._intake: Final = intake
        self._clock: Final = clock
        self._forget_every_s: Final = forget_every_s
        self._asked: dict[Due, datetime] = {}

    async def wake(self) -> None:
        """Wake orders when their time has come, for ever."""
        await for_ever(self.wake_due, self._look_every_s, "orders are woken")

    async def forget(self) -> None:
        """Erase guests' personal data when it was kept for long enough, for ever."""
        while True:
            try:
                forgotten = await self.forget_due()
            except NotServing:
                pass
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("database away; guests are forgotten later", why=str(error)[:200])
            else:
                if forgotten:
                    log.info("guests were forgotten, as their houses' rules say", orders=forgotten)
            await asyncio.sleep(self._forget_every_s)

    async def wake_due(self) -> int:
        """Wake every order whose time has come; returns how many were asked for.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        now = self._clock()
        self._asked = {due: at for due, at in self._asked.items() if now - at < _AGAIN_AFTER}
        query = select(ORDERS.c.tenant, ORDERS.c.order_id, ORDERS.c.wake_at)
        query = query.where(ORDERS.c.wake_at <= now)
        woken = 0
        async for page in self._pages(query, ORDERS.c.wake_at):
            fresh = [due for due in page if due not in self._asked]
            self._asked.update(dict.fromkeys(fresh, now))
            woken += await self._ask(
                "wake", fresh, [WakeOrder(order_id=o, wake_at=at) for _, o, at in fresh]
            )
        return woken

    async def forget_due(self) -> int:
        """Have forgotten whose time is up, house by house; returns how many orders.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        now = self._clock()
        async with self._database.read() as connection:
            own = await _own_days(connection)
        usual = ORDERS.c.tenant.not_in(own) if own else None
        forgotten = await self._forget_until(now - timedelta(days=_USUAL_DAYS), usual)
        for tenant, days in own.items():
            forgotten += await self._forget_until(
                now - timedelta(days=days), ORDERS.c.tenant == tenant
            )
        return forgotten

    async def _forget_until(self, until: datetime, whose: ColumnElement[bool] | None) -> int:
        query = select(ORDERS.c.tenant, ORDERS.c.order_id, ORDERS.c.closed_at)
        query = query.where(NAMES_SOMEBODY, ORDERS.c.closed_at <= until)
        if whose is not None:
            query = query.where(whose)
        forgotten = 0
        async for page in self._pages(query, ORDERS.c.closed_at):
            requests = [ForgetGuest(order_id=order_id) for _, order_id, _ in page]
            forgotten += await self._ask("forget", page, requests)
        return forgotten

    async def _pages(
        self, query: Select[Any], at: ColumnElement[datetime]
    ) -> AsyncIterator[list[Due]]:
        """What is due, oldest first; no connection is held while it is done."""
        place = tuple_(at, ORDERS.c.order_id)
        query = query.order_by(at, ORDERS.c.order_id).limit(PAGE)
        after: tuple[datetime, UUID] | None = None
        while True:
            wanted = query if after is None else query.where(place > after)
            async with self._database.read() as connection:
                page = [(row[0], row[1], row[2]) for row in await connection.execute(wanted)]
            if page:
                yield page
            if len(page) < PAGE:
                return
            after = (page[-1][2], page[-1][1])

    async def _ask(self, what: str, due: Sequence[Due], requests: Sequence[Request]) -> int:
        answers = await asyncio.gather(
            *(
                self._intake.ask_of_ourselves(tenant, request, _id_of(what, tenant, order_id, at))
                for (tenant, order_id, at), request in zip(due, requests, strict=True)
            ),
            return_exceptions=True,
        )
        failed: BaseException | None = None
        for each, answer in zip(due, answers, strict=True):
            if isinstance(answer, BaseException):
                self._asked.pop(each, None)
                failed = answer
            elif answer.outcome is Outcome.REJECTED:
                told = {"tenant": each[0], "order": str(each[1]), "code": answer.code}
                log.warning("what was due was refused", what=what, why=answer.message, **told)
        if failed is not None:
            # A fault of ours is in the log already: orders must not suffer of it.
            raise NotServing("not now") from failed
        return len(due)


async def _own_days(connection: AsyncConnection) -> dict[str, int]:
    """For how many days the houses keep guests that have a rule of their own."""
    query = select(HOUSE_RULES.c.tenant, HOUSE_RULES.c.orders)
    found = {}
    for tenant, orders in await connection.execute(query.where(HOUSE_RULES.c.orders.is_not(None))):
        days = OrderRules.model_validate(orders).keep_guests_days
        if days != _USUAL_DAYS:
            found[tenant] = days
    return found


def _id_of(what: str, tenant: str, order_id: UUID, at: datetime) -> UUID:
    return derived_id(at, what, tenant, str(order_id), at.isoformat())
