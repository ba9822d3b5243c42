"""What is thrown away of staff in time: who was on duty, and what they told each other."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Column, delete, select

from services.runtime.among import among
from services.runtime.database import Database
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever
from services.staff.store import DUTIES, TASKS

log = structlog.get_logger(__name__)

KEPT: Final = timedelta(days=90)
"""How long a task is kept once it is over, and somebody's name once they are off duty."""
EVERY_S: Final = 3_600.0
PAGE: Final = 500


class StaffTidying:
    """Throws old tasks and names away.

    Args:
        database: where they are.
        clock: tells what is old.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database: Final = database
        self._clock: Final = clock

    async def run(self) -> None:
        """Look once an hour, for ever."""
        await for_ever(self.tidy, EVERY_S, "old tasks are thrown away")

    async def tidy(self) -> tuple[int, int]:
        """Throw away what is old; returns how many tasks and names."""
        tasks = await self._throw(TASKS.c.task_id, TASKS.c.ended_at)
        names = await self._throw(DUTIES.c.person, DUTIES.c.until)
        if tasks or names:
            log.info("threw away what was kept of staff for long enough", tasks=tasks, names=names)
        return tasks, names

    async def _throw(self, name: Column[object], over_at: Column[object]) -> int:
        """Throw away what was over long ago, a page a transaction, so that nobody waits."""
        table, tenant = name.table, name.table.c.tenant
        before = self._clock() - KEPT
        thrown = 0
        while True:
            async with self._database.write() as connection:
                one = select(tenant).where(over_at < before).limit(1)
                whose = await connection.scalar(one)
                if whose is None:
                    return thrown
                old = select(name).where(tenant == whose, over_at < before).limit(PAGE)
                chosen = among(name, list(await connection.scalars(old)), connection.dialect.name)
                # Somebody may have come on duty meanwhile: then it is not over any more.
                mine = delete(table).where(tenant == whose, chosen, over_at < before)
                thrown += (await connection.execute(mine)).rowcount
