"""Orders for a later day, when their day has come: what they take is reserved.

What is due is found in the rows, so nothing is lost with a process; and each time is asked for
under an id that always belongs to it, so that it happens once.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select

from schemas.identifiers import derived_id
from schemas.replies import Outcome
from services.inventory.inside import ReservePlanned
from services.inventory.tables import STOCK_HOLDS
from services.runtime.database import Database
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
PAGE: Final = 200
_AGAIN_AFTER: Final = timedelta(minutes=1)
"""A time that was asked for, and is still in its row, is asked for again: not at each look."""

Due = tuple[str, UUID, datetime]
"""Tenant, order, and the time that has come for it."""


class PlannedOrders:
    """Asks for what was planned to be reserved.

    Args:
        database: where the holds are.
        intake: where it is done.
        clock: tells what is due.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self,
        database: Database,
        intake: Intake,
        clock: Clock,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._clock: Final = clock
        self._look_every_s: Final = look_every_s
        self._asked: dict[Due, datetime] = {}

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "planned orders are reserved")

    async def look(self) -> int:
        """Have reserved what is due, the earliest first; returns how many orders.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        now = self._clock()
        self._asked = {due: at for due, at in self._asked.items() if now - at < _AGAIN_AFTER}
        reserved = 0
        while page := await self._due(now):
            self._asked.update(dict.fromkeys(page, now))
            await self._ask(page)
            reserved += len(page)
        return reserved

    async def _due(self, now: datetime) -> list[Due]:
        """What is due and not asked for yet; no connection is held while it is done."""
        holds = STOCK_HOLDS.c
        query = (
            select(holds.tenant, holds.order_id, holds.plan_until)
            .where(holds.plan_until <= now)
            .order_by(holds.plan_until, holds.order_id)
            .limit(PAGE + len(self._asked))
        )
        async with self._database.read() as connection:
            found = [(row[0], row[1], row[2]) for row in await connection.execute(query)]
        return [due for due in found if due not in self._asked][:PAGE]

    async def _ask(self, page: list[Due]) -> None:
        answers = await asyncio.gather(
            *(
                self._intake.ask_of_ourselves(
                    tenant,
                    ReservePlanned(order_id=order_id, plan_until=at),
                    derived_id(at, "reserve planned", tenant, str(order_id), at.isoformat()),
                )
                for tenant, order_id, at in page
            ),
            return_exceptions=True,
        )
        failed: BaseException | None = None
        for due, answer in zip(page, answers, strict=True):
            if isinstance(answer, BaseException):
                self._asked.pop(due, None)
                failed = answer
            elif answer.outcome is Outcome.REJECTED:
                told = {"tenant": due[0], "order": str(due[1]), "code": answer.code}
                log.warning("a planned order was not reserved", why=answer.message, **told)
        if failed is not None:
            # A fault of ours is in the log already: the other orders must not suffer of it.
            raise NotServing("not now") from failed
