"""Brings alerts to what stands against vehicles, by comparing the rows of both.

Both are rows, so it does not matter which process finds and which one tells: what differs is
asked for, and does nothing where the alert stands so already.
"""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import select

from schemas.alerts import AlertKind
from schemas.identifiers import new_id
from schemas.replies import Outcome
from services.runtime import alerts
from services.runtime.alerts import ALERTS
from services.runtime.database import Database
from services.runtime.intake import Intake
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever
from services.tracking import finding_rows
from services.tracking.findings import KINDS
from services.tracking.inside import TrackerFound

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
OURS: Final = (*KINDS, AlertKind.ZONE_LEFT)
"""The kinds of alerts that follow from rows of ours, and from nothing else."""


class FindingTimers:
    """Asks for alerts of vehicles to be raised and cleared.

    Args:
        database: where findings and alerts are.
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

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "what is wrong with vehicles is told")

    async def look(self) -> int:
        """Ask for what differs; returns how often it asked.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        column = ALERTS.c
        kinds = [each.value for each in OURS]
        query = select(column.tenant, column.alert, column.kind, column.about)
        query = query.where(column.cleared_at.is_(None), column.kind.in_(kinds))
        async with self._database.read() as connection:
            found = await finding_rows.every(connection)
            standing = {
                (row.tenant, row.alert): (AlertKind(row.kind), row.about)
                for row in await connection.execute(query)
            }
        wanted = {
            (each.vehicle[0], alerts.name_of(each.kind.value, each.vehicle[1])): each
            for each in found
        }
        asked = 0
        for name in sorted(wanted.keys() - standing.keys()):
            each = wanted[name]
            asked += await self._ask(
                name[0],
                TrackerFound(
                    vehicle=each.vehicle[1],
                    kind=each.kind,
                    stands=True,
                    since=each.since,
                    amount=each.amount,
                    where=each.about,
                ),
            )
        for name, (kind, vehicle) in sorted(standing.items()):
            if name not in wanted:
                over = TrackerFound(vehicle=vehicle, kind=kind, stands=False, since=self._clock())
                asked += await self._ask(name[0], over)
        return asked

    async def _ask(self, tenant: str, found: TrackerFound) -> bool:
        answer = await self._intake.ask_of_ourselves(tenant, found, new_id())
        if answer.outcome is Outcome.REJECTED:
            log.warning("a vehicle's alert was refused", vehicle=found.vehicle, why=answer.message)
            return False
        return True
