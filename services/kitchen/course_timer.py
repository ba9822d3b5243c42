"""Courses that wait follow the house's rules, those too that were changed while they waited."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import derived_id
from schemas.kitchen import HoldReason, TicketStatus
from services.kitchen.inside import ReviewCourses
from services.kitchen.store import TICKETS
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.timers import RulesTimer, together

PAGE: Final = 50
"""Orders that are asked for at once."""


class CourseTimer(RulesTimer):
    """Has courses that wait looked at again when the rules of their house have changed."""

    usual_s = 2.0
    later = "courses follow their rules"
    having = HOUSE_RULES.c.kitchen

    async def follow(self, tenant: str, version: int) -> int:
        """Have looked at what waits in one house; returns how many orders that were."""
        async with self._database.read() as connection:
            orders = await _waiting(connection, tenant)
        for start in range(0, len(orders), PAGE):
            now = self._clock()
            await together(
                self._ask(
                    tenant,
                    ReviewCourses(order_id=each),
                    derived_id(
                        now, "review courses", tenant, str(each), str(version), now.isoformat()
                    ),
                )
                for each in orders[start : start + PAGE]
            )
        return len(orders)


async def _waiting(connection: AsyncConnection, tenant: str) -> list[UUID]:
    """The orders of a house of which a course waits for its turn."""
    query = select(TICKETS.c.order_id).distinct()
    query = query.where(
        TICKETS.c.tenant == tenant,
        TICKETS.c.status == TicketStatus.HELD.value,
        TICKETS.c.held_for == HoldReason.COURSE.value,
    )
    return sorted(await connection.scalars(query))
