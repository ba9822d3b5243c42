"""Courses that wait follow the house's rules, those too that were changed while they waited.

Which version of its rules a house had at the last look is remembered; a new process looks at
what waits once. Nothing is lost with a process, and looking twice changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import derived_id
from schemas.kitchen import HoldReason, TicketStatus
from schemas.replies import Outcome
from services.kitchen.inside import ReviewCourses
from services.kitchen.rulebooks import Rulebooks
from services.kitchen.store import TICKETS
from services.runtime.database import Database
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 2.0
PAGE: Final = 50
"""Orders that are asked for at once."""


class CourseTimer:
    """Has courses that wait looked at again when the rules of their house have changed.

    Args:
        database: where rules and tickets are.
        intake: where it is done.
        clock: the time.
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
        self._books: Final = Rulebooks()
        self._versions: dict[str, int] = {}
        """Of the rules that all that waits was looked at with."""

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "courses follow their rules")

    async def look(self) -> int:
        """Have looked at what waits under other rules; returns how many orders that were.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        async with self._database.read() as connection:
            await self._books.read(connection)
            changed = {
                tenant: book.version
                for tenant, book in self._books.known.items()
                if self._versions.get(tenant) != book.version
            }
            waiting = {tenant: await _waiting(connection, tenant) for tenant in changed}
        self._versions = {t: v for t, v in self._versions.items() if t in self._books.known}
        for tenant, version in changed.items():
            orders = waiting[tenant]
            for start in range(0, len(orders), PAGE):
                await self._ask(tenant, version, orders[start : start + PAGE])
            # Only now: what was not answered is asked for at the next look.
            self._versions[tenant] = version
        return sum(map(len, waiting.values()))

    async def _ask(self, tenant: str, version: int, orders: list[UUID]) -> None:
        now = self._clock()
        answers = await asyncio.gather(
            *(
                self._intake.ask_of_ourselves(
                    tenant,
                    ReviewCourses(order_id=each),
                    derived_id(
                        now, "review courses", tenant, str(each), str(version), now.isoformat()
                    ),
                )
                for each in orders
            ),
            return_exceptions=True,
        )
        for each, answer in zip(orders, answers, strict=True):
            if isinstance(answer, BaseException):
                # A fault of ours is in the log already: other orders must not suffer of it.
                raise NotServing("not now") from answer
            if answer.outcome is Outcome.REJECTED:
                told = {"tenant": tenant, "order": str(each), "code": answer.code}
                log.warning("a course was not looked at", why=answer.message, **told)


async def _waiting(connection: AsyncConnection, tenant: str) -> list[UUID]:
    """The orders of a house of which a course waits for its turn."""
    query = select(TICKETS.c.order_id).distinct()
    query = query.where(
        TICKETS.c.tenant == tenant,
        TICKETS.c.status == TicketStatus.HELD.value,
        TICKETS.c.held_for == HoldReason.COURSE.value,
    )
    return sorted(await connection.scalars(query))
