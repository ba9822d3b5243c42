"""What makes checks overdue because time passes, with nobody asking.

What is due is found in the rows, so nothing is lost with a process. When a check is due next is
remembered, and read again only when that time has come: a house that makes its checks costs a
look at its rules' version, and nothing else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import structlog
from sqlalchemy import select

from schemas.identifiers import derived_id
from schemas.kitchen_rules import CheckRules, KitchenRules
from schemas.message import Request
from schemas.replies import Outcome
from services.quality import rules, store
from services.quality.inside import CheckIsDue, ReviewChecks
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 5.0


class Watched(NamedTuple):
    """A check by the clock, at one station of one house."""

    tenant: str
    check: str
    station: str


class CheckTimers:
    """Asks for alerts of what was not checked in time.

    Args:
        database: where rules and findings are.
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
        self._versions: dict[str, int] = {}
        self._watched: dict[Watched, CheckRules] = {}
        self._due: dict[Watched, datetime] = {}
        self._told: dict[Watched, datetime | None] = {}
        """For which time each was asked last."""

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "checks are looked at")

    async def look(self) -> int:
        """Ask for what is due, or is not asked for any more; returns how often it asked.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        asked = 0
        for tenant, version in (await self._changed()).items():
            async with self._database.read() as connection:
                alerted = await store.is_alerted(connection, tenant)
            if alerted:
                asked += await self._ask(tenant, ReviewChecks(), str(version))
            # Only now: what was not answered is asked for at the next look.
            self._versions[tenant] = version
        now = self._clock()
        for watched, check in list(self._watched.items()):
            if self._due.get(watched, now) <= now:
                asked += await self._look_at(watched, check, now)
        return asked

    async def _changed(self) -> dict[str, int]:
        """The houses whose rules are others than at the last look, with their versions."""
        book = HOUSE_RULES.c
        seen = select(book.tenant, book.version).where(book.kitchen.is_not(None))
        async with self._database.read() as connection:
            now = {row.tenant: row.version for row in await connection.execute(seen)}
            changed = {t: version for t, version in now.items() if self._versions.get(t) != version}
            gone = self._versions.keys() - now.keys()
            for tenant in gone | changed.keys():
                self._forget(tenant)
            for tenant in changed:
                query = select(book.kitchen).where(book.tenant == tenant)
                document = await connection.scalar(query)
                if document is not None:
                    self._watch(tenant, KitchenRules.model_validate(document))
        return changed

    def _forget(self, tenant: str) -> None:
        self._versions.pop(tenant, None)
        for watched in [each for each in self._watched if each.tenant == tenant]:
            del self._watched[watched]
            self._due.pop(watched, None)
            self._told.pop(watched, None)

    def _watch(self, tenant: str, house: KitchenRules) -> None:
        for name, check in house.checks.items():
            if check.every_s is not None:
                for station in check.stations:
                    self._watched[Watched(tenant, name, station)] = check

    async def _look_at(self, watched: Watched, check: CheckRules, now: datetime) -> bool:
        tenant, name, station = watched
        async with self._database.read() as connection:
            last = await store.last_at(connection, tenant, name, station)
        due = rules.due_at(check, last)
        if due is not None and due > now:
            self._due[watched] = due
            return False
        if watched in self._told and self._told[watched] == due:
            return False
        since = "never" if due is None else due.isoformat()
        request = CheckIsDue(check=name, station=station, due_at=due)
        version = str(self._versions[tenant])
        done = await self._ask(tenant, request, name, station, since, version)
        self._told[watched] = due
        return done

    async def _ask(self, tenant: str, request: Request, *parts: str) -> bool:
        """Ask under an id that belongs to this very thing, in this hour."""
        hour = self._clock().replace(minute=0, second=0, microsecond=0)
        id_ = derived_id(hour, request.type_name, tenant, *parts)
        try:
            answer = await self._intake.ask_of_ourselves(tenant, request, id_)
        except NotServing:
            raise
        except Exception as error:
            # A fault of ours is in the log already: nothing else must suffer of it.
            raise NotServing("not now") from error
        if answer.outcome is Outcome.REJECTED:
            log.warning("a check was refused", tenant=tenant, code=answer.code, why=answer.message)
            return False
        return True
