"""Late against promise: found by the live ETA, kept in rows, and made an alert by the worker.

The live ETA may be reckoned in another process than the one that decides. So what it finds is a
row; a timer of the serving process asks for what follows, under an id that belongs to that finding:
it is raised once and cleared once, whatever dies between.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import delete, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import Alert, AlertKind, Audience
from schemas.deliveries import OPEN_DELIVERY, DeliveryStatus
from schemas.identifiers import derived_id
from services.delivery.inside_late import LatenessSeen
from services.delivery.tables import DELIVERIES, LATE_ORDERS
from services.runtime import alerts, house_rules
from services.runtime.context import Context
from services.runtime.database import Database
from services.runtime.facts import DeliveryMoved
from services.runtime.intake import Intake
from services.runtime.rounds import for_ever
from services.runtime.router import Router
from services.runtime.timers import NotNow, ask, one_by_one
from services.runtime.wall_clock import zone_of

router: Final = Router()
LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 200


class Found(NamedTuple):
    """What was found of an order's lateness."""

    late: bool
    p50_at: datetime
    found_at: datetime


class _Unfollowed(NamedTuple):
    """A finding of which nobody was told yet; as it lies in its row."""

    tenant: str
    order_id: UUID
    late: bool
    p50_at: datetime
    found_at: datetime


OrderKey = tuple[str, UUID]


async def read_found(connection: AsyncConnection) -> dict[OrderKey, bool]:
    """What stands of each order's lateness."""
    of = LATE_ORDERS.c
    rows = await connection.execute(select(of.tenant, of.order_id, of.late))
    return {(row.tenant, row.order_id): row.late for row in rows}


async def keep_found(
    connection: AsyncConnection, found: Mapping[OrderKey, Found], over: Collection[OrderKey]
) -> None:
    """Keep what was found of orders that are open still; forget orders that are over."""
    of, mine = LATE_ORDERS.c, DELIVERIES.c
    for tenant, order_id in {*found, *over}:
        whose = (of.tenant == tenant, of.order_id == order_id)
        await connection.execute(delete(LATE_ORDERS).where(*whose))
    for (tenant, order_id), each in found.items():
        values = {**each._asdict(), "followed": False}
        # From its row: it may have ended meanwhile, or be gone with its house.
        row = select(
            mine.tenant, mine.order_id, *(literal(v, of[name].type) for name, v in values.items())
        ).where(mine.tenant == tenant, mine.order_id == order_id, mine.ended_at.is_(None))
        names = ["tenant", "order_id", *values]
        await connection.execute(LATE_ORDERS.insert().from_select(names, row))


class LateTimer:
    """Asks for the alerts of what was found.

    Args:
        database: where it was kept.
        intake: where it is done.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self, database: Database, intake: Intake, *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._look_every_s: Final = look_every_s

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "late orders are told of")

    async def look(self) -> int:
        """Ask for what follows from new findings; returns how many there were.

        One that fails by a fault of ours waits, and holds up no other.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
            NotNow: a fault of ours with some of them; the others are done.
        """
        of = LATE_ORDERS.c
        place = (of.found_at, of.tenant, of.order_id)
        query = (
            select(of.tenant, of.order_id, of.late, of.p50_at, of.found_at)
            .where(of.followed.is_(False))
            .order_by(*place)
            .limit(AT_ONCE)
        )
        done, failed, page = 0, False, query
        while True:
            async with self._database.read() as connection:
                rows = [_Unfollowed(*row) for row in await connection.execute(page)]
            try:
                done += await one_by_one(rows, self._follow)
            except NotNow:
                failed = True
            if len(rows) < AT_ONCE:
                break
            last = rows[-1]
            page = query.where(tuple_(*place) > (last.found_at, last.tenant, last.order_id))
        if failed:
            raise NotNow("some of it fails, and is tried again")
        return done

    async def _follow(self, row: _Unfollowed) -> int:
        seen = LatenessSeen(order_id=row.order_id, late=row.late, p50_at=row.p50_at)
        parts = (seen.type_name, row.tenant, str(row.order_id), str(row.late))
        await ask(self._intake, row.tenant, seen, derived_id(row.found_at, *parts))
        of = LATE_ORDERS.c
        this = (of.tenant == row.tenant, of.order_id == row.order_id, of.found_at == row.found_at)
        async with self._database.write() as connection:
            await connection.execute(update(LATE_ORDERS).where(*this).values(followed=True))
        return 1


@router.on(LatenessSeen)
async def tell_of_lateness(request: LatenessSeen, context: Context) -> None:
    """Raise the alert, or end it."""
    name = alerts.name_of("late", str(request.order_id))
    row = await context.draft.get(DELIVERIES, context.tenant, request.order_id)
    if row is None or DeliveryStatus(row["status"]) not in OPEN_DELIVERY or not request.late:
        await alerts.clear(context, name)
        return
    zone = zone_of((await house_rules.order_rules(context.draft, context.tenant)).time_zone)
    promised, expected = (
        "" if at is None else f"{at.astimezone(zone):%H:%M}"
        for at in (row["promised_at"], request.p50_at)
    )
    whose = f"{row['courier']} brings it" if row["courier"] else "nobody is to bring it yet"
    await alerts.raise_(
        context,
        Alert(
            alert=name,
            kind=AlertKind.LATE_DELIVERY,
            audience=Audience.MANAGERS,
            to="managers",
            about=str(request.order_id),
            text=(
                f"Order {row['number']} was promised for {promised} and is expected at "
                f"{expected}; {whose}: tell the guest, or give it to somebody who is nearer."
            ),
            raised_at=context.now,
        ),
    )


@router.during(DeliveryMoved)
async def forget_what_ended(moved: DeliveryMoved, context: Context) -> None:
    """Who has their food waits no more."""
    row = await context.draft.get(DELIVERIES, context.tenant, moved.order_id)
    if row is not None and row["ended_at"] is not None:
        await alerts.clear(context, alerts.name_of("late", str(moved.order_id)))
