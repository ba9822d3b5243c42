"""The kitchen's timer: asks for tickets to be looked at when their `wake_at` has come.

What is due is found in the rows, so nothing is lost with a process; and each time is asked
for under an id that always belongs to it, so that it happens once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select, tuple_

from schemas.identifiers import derived_id
from schemas.replies import Outcome
from services.kitchen.inside import WakeTicket
from services.kitchen.store import TICKETS
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
"""Tenant, ticket, and the time that has come for it."""


class KitchenTimers:
    """Asks for what is due.

    Args:
        database: where tickets are.
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

    async def wake(self) -> None:
        """Wake tickets when their time has come, for ever."""
        await for_ever(self.wake_due, self._look_every_s, "tickets are woken")

    async def wake_due(self) -> int:
        """Wake every ticket whose time has come; returns how many were asked for.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        now = self._clock()
        self._asked = {due: at for due, at in self._asked.items() if now - at < _AGAIN_AFTER}
        woken = 0
        async for page in self._due(now):
            fresh = [due for due in page if due not in self._asked]
            self._asked.update(dict.fromkeys(fresh, now))
            woken += await self._ask(fresh)
        return woken

    async def _due(self, now: datetime) -> AsyncIterator[list[Due]]:
        """What is due, oldest first; no connection is held while it is done."""
        place = tuple_(TICKETS.c.wake_at, TICKETS.c.ticket_id)
        query = select(TICKETS.c.tenant, TICKETS.c.ticket_id, TICKETS.c.wake_at)
        query = query.where(TICKETS.c.wake_at <= now)
        query = query.order_by(TICKETS.c.wake_at, TICKETS.c.ticket_id).limit(PAGE)
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

    async def _ask(self, due: list[Due]) -> int:
        answers = await asyncio.gather(
            *(
                self._intake.ask_of_ourselves(
                    tenant,
                    WakeTicket(ticket_id=ticket_id, wake_at=at),
                    derived_id(at, "wake ticket", tenant, str(ticket_id), at.isoformat()),
                )
                for tenant, ticket_id, at in due
            ),
            return_exceptions=True,
        )
        failed: BaseException | None = None
        for each, answer in zip(due, answers, strict=True):
            if isinstance(answer, BaseException):
                self._asked.pop(each, None)
                failed = answer
            elif answer.outcome is Outcome.REJECTED:
                told = {"tenant": each[0], "ticket": str(each[1]), "code": answer.code}
                log.warning("what was due was refused", why=answer.message, **told)
        if failed is not None:
            # A fault of ours is in the log already: other tickets must not suffer of it.
            raise NotServing("not now") from failed
        return len(due)
