"""What makes checks overdue because time passes, with nobody asking.

What is due is found in the rows, so nothing is lost with a process. When a check is due next is
remembered, and read again only when that time has come: a house that makes its checks costs a
look at its rules' version, and nothing else.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from schemas.identifiers import derived_id
from schemas.kitchen_rules import CheckRules, KitchenRules
from schemas.message import Request
from services.quality import rules, store
from services.quality.inside import CheckIsDue, ReviewChecks
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.house_versions import HouseVersions
from services.runtime.timers import Timer, one_by_one


class Watched(NamedTuple):
    """A check by the clock, at one station of one house."""

    tenant: str
    check: str
    station: str


class CheckTimer(Timer):
    """Asks for alerts of what was not checked in time."""

    usual_s = 5.0
    later = "checks are looked at"

    def _begin(self) -> None:
        self._versions = HouseVersions(HOUSE_RULES.c.kitchen)
        self._watched: dict[Watched, CheckRules] = {}
        self._version: dict[str, int] = {}
        """With which version of a house's rules its checks are watched."""
        self._unreviewed: set[str] = set()
        """The houses where an alert may stand for a check that the rules know no more."""
        self._due: dict[Watched, datetime] = {}
        self._told: dict[Watched, datetime | None] = {}
        """For which time each was asked last."""

    async def look(self) -> int:
        """Ask for what is due, or is not asked for any more; returns how often it asked.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        await self._read_rules()
        asked = await one_by_one(sorted(self._unreviewed), self._review)
        return asked + await one_by_one(list(self._watched), self._look_at)

    async def _read_rules(self) -> None:
        """Watch by the rules that are others than at the last look."""
        book = HOUSE_RULES.c
        async with self._database.read() as connection:
            changes = await self._versions.changes(connection)
            for tenant in changes.gone:
                self._forget(tenant)
            for tenant, version in changes.versions.items():
                query = select(book.kitchen).where(book.tenant == tenant)
                document = await connection.scalar(query)
                self._forget(tenant)
                if document is not None:
                    self._watch(tenant, KitchenRules.model_validate(document))
                    self._version[tenant] = version
                    self._unreviewed.add(tenant)
                    self._versions.saw(tenant, version)

    async def _review(self, tenant: str) -> bool:
        async with self._database.read() as connection:
            alerted = await store.is_alerted(connection, tenant)
        asked = alerted and await self._ask_once(tenant, ReviewChecks(), str(self._version[tenant]))
        # Only now: what was not answered is asked for at the next look.
        self._unreviewed.discard(tenant)
        return asked

    def _forget(self, tenant: str) -> None:
        self._version.pop(tenant, None)
        self._unreviewed.discard(tenant)
        for watched in [each for each in self._watched if each.tenant == tenant]:
            del self._watched[watched]
            self._due.pop(watched, None)
            self._told.pop(watched, None)

    def _watch(self, tenant: str, house: KitchenRules) -> None:
        for name, check in house.checks.items():
            if check.every_s is not None:
                for station in check.stations:
                    self._watched[Watched(tenant, name, station)] = check

    async def _look_at(self, watched: Watched) -> bool:
        now = self._clock()
        if self._due.get(watched, now) > now:
            return False
        check = self._watched[watched]
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
        version = str(self._version[tenant])
        done = await self._ask_once(tenant, request, name, station, since, version)
        self._told[watched] = due
        return done

    async def _ask_once(self, tenant: str, request: Request, *parts: str) -> bool:
        """Ask under an id that belongs to this very thing, in this hour."""
        hour = self._clock().replace(minute=0, second=0, microsecond=0)
        return await self._ask(tenant, request, derived_id(hour, request.type_name, tenant, *parts))
