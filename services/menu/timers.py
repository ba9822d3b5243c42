"""What brings things back, and takes them off, because time passes: nobody asks for it.

What is due is found in the rows and in the hours that stand on the menu, so nothing is lost with
a process. An order is decided by the clock and not by these: they tell the screens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.house_rules import OrderRules
from schemas.identifiers import derived_id, new_id
from schemas.menu import ServedHours
from schemas.message import Request
from schemas.replies import Outcome
from services.menu import hours
from services.menu.inside import EndSellOut, ShowItems
from services.menu.store import MENU_AVAILABILITY, MENU_ITEMS, MENUS, to_item
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever
from services.runtime.tables import OUTBOX
from services.runtime.wall_clock import zone_of

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
PAGE: Final = 200


class SellOutTimer:
    """Ends what was taken off until a time.

    Args:
        database: where it stands.
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

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "what was sold out comes back")

    async def look(self) -> int:
        """End what is over; returns how many.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        row = MENU_AVAILABILITY.c
        query = select(row.tenant, row.item, row.version, row.back_at)
        query = query.where(row.back_at <= self._clock()).order_by(row.back_at).limit(PAGE)
        async with self._database.read() as connection:
            due = [tuple(each) for each in await connection.execute(query)]
        for tenant, name, version, back_at in due:
            # The version too: the same time may be named again after the clock was put back.
            id_ = derived_id(back_at, "end sell-out", tenant, name, str(version))
            await _ask(self._intake, tenant, EndSellOut(name=name, back_at=back_at), id_)
        return len(due)


@dataclass(slots=True)
class _House:
    """What is known of a house's menu, and up to when it was told.

    Attributes:
        version: of its menu and its rules.
        seen: the time-ordered id that was newest when this version was first seen.
        told: whether all has been told since.
        served: the hours of what is not served always, by item.
        zone: the house's clock.
        at: up to when it was told.
        next_at: when something of it turns next; None is never.
    """

    version: tuple[int, int]
    seen: UUID
    told: bool = False
    served: Mapping[str, tuple[ServedHours, ...]] = field(default_factory=dict)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    at: datetime | None = None
    next_at: datetime | None = None


class MenuWatch:
    """Has items told again when their hours begin or end, and when the menu is another.

    Who imports a menu tells of it as it stood at that moment; while that is on its way, the last
    portion may be sold. So what stands in another way than it is written is told once more,
    after that has gone out.

    Args:
        database: where menus are.
        intake: where it is done.
        clock: tells what time it is at the houses.
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
        self._houses: Final[dict[str, _House]] = {}

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "items are served at their hours")

    async def look(self) -> int:
        """Tell what turned; returns how many houses were told of anything.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        await self._notice_changes()
        told = 0
        for tenant, house in list(self._houses.items()):
            now = self._clock()
            if not house.told:
                told += await self._tell_all(tenant, house, now)
            elif house.next_at is not None and house.next_at <= now:
                told += await self._tell_turned(tenant, house, now)
        return told

    async def _notice_changes(self) -> None:
        query = select(MENUS.c.tenant, MENUS.c.version, HOUSE_RULES.c.version).join(
            HOUSE_RULES, HOUSE_RULES.c.tenant == MENUS.c.tenant
        )
        async with self._database.read() as connection:
            now = {row[0]: (row[1], row[2]) for row in await connection.execute(query)}
        for tenant in self._houses.keys() - now.keys():
            del self._houses[tenant]
        for tenant, version in now.items():
            known = self._houses.get(tenant)
            if known is None or known.version != version:
                self._houses[tenant] = _House(version, new_id())

    async def _tell_all(self, tenant: str, house: _House, now: datetime) -> bool:
        """Tell all that stands otherwise than written, once what was said of it has gone out."""
        async with self._database.read() as connection:
            waits = (OUTBOX.c.tenant == tenant) & (OUTBOX.c.parcel_id < house.seen)
            if await connection.scalar(select(exists().where(waits))):
                return False
            house.served = await _served(connection, tenant)
            mine = MENU_AVAILABILITY.c.tenant == tenant
            scarce = await connection.scalar(select(exists().where(mine)))
            house.zone = zone_of((await _order_rules(connection, tenant)).time_zone)
        if scarce or house.served:
            id_ = derived_id(now, "show items", tenant, *map(str, house.version), now.isoformat())
            await _ask(self._intake, tenant, ShowItems(), id_)
        house.told = True
        self._plan(house, now)
        return bool(scarce or house.served)

    async def _tell_turned(self, tenant: str, house: _House, now: datetime) -> bool:
        before = house.at or now
        turned = tuple(
            name
            for name, served in sorted(house.served.items())
            if hours.is_served(served, before, house.zone)
            != hours.is_served(served, now, house.zone)
        )
        if turned:
            id_ = derived_id(now, "turn items", tenant, now.isoformat())
            await _ask(self._intake, tenant, ShowItems(items=turned), id_)
        # Only now: what was not answered is asked for at the next look.
        self._plan(house, now)
        return bool(turned)

    @staticmethod
    def _plan(house: _House, now: datetime) -> None:
        turns = (hours.turns_at(each, now, house.zone) for each in house.served.values())
        house.at = now
        house.next_at = min((each for each in turns if each is not None), default=None)


async def _served(connection: AsyncConnection, tenant: str) -> dict[str, tuple[ServedHours, ...]]:
    query = select(MENU_ITEMS).where(MENU_ITEMS.c.tenant == tenant)
    rows = (await connection.execute(query.where(MENU_ITEMS.c.hours.is_not(None)))).mappings()
    return {row["item"]: to_item(dict(row)).hours for row in rows}


async def _order_rules(connection: AsyncConnection, tenant: str) -> OrderRules:
    query = select(HOUSE_RULES.c.orders).where(HOUSE_RULES.c.tenant == tenant)
    document = await connection.scalar(query)
    return OrderRules() if document is None else OrderRules.model_validate(document)


async def _ask(intake: Intake, tenant: str, request: Request, id_: UUID) -> None:
    try:
        answer = await intake.ask_of_ourselves(tenant, request, id_)
    except NotServing:
        raise
    except Exception as error:
        # A fault of ours is in the log already: nothing else must suffer of it.
        raise NotServing("not now") from error
    if answer.outcome is Outcome.REJECTED:
        log.warning("the menu was not told", tenant=tenant, code=answer.code, why=answer.message)
