"""What makes deliveries follow where their couriers are: crossings of fences become steps.

A crossing is a row, kept with the fix that showed it, and noted as followed once the worker has
answered to all that comes of it, here and in other areas. What is asked, is asked under an id that
belongs to the crossing: so each is followed once, whichever process dies in between. One that
fails by a fault of ours waits, with what its vehicle crossed later; it holds up no other, however
many wait.

A phone that was away tells of doors that it passed long ago: what its courier had nothing to do
with at that time does not move (`services.delivery.rules.may_follow`). Who is at the restaurant
already when they accept never comes in: for those, what counts is that they are within.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import DeliveryStatus, DeliveryStep
from schemas.fences import CrossingKind
from schemas.identifiers import derived_id
from services.delivery import rules, store
from services.delivery.inside import FollowArrival
from services.delivery.kept import Kept
from services.delivery.tables import DELIVERIES
from services.runtime.crossings import HOUSE, NEAR, STOP, Crossing, CrossingBook, Follow
from services.runtime.database import Database
from services.runtime.intake import Intake
from services.runtime.rounds import for_ever
from services.runtime.timers import NotNow, ask

LOOK_EVERY_S: Final = 0.5
AT_ONCE: Final = 200


Vehicle = tuple[str, str]
"""Tenant and device."""


class _Step(NamedTuple):
    """A step that follows, and the id of what it follows from."""

    tenant: str
    request: FollowArrival
    id_: UUID


class Arrivals:
    """Asks for the steps that follow from where couriers are.

    Args:
        database: where crossings and deliveries are.
        intake: where it is done.
        crossings: who came and went.
        also: what else comes of a crossing.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self,
        database: Database,
        intake: Intake,
        crossings: CrossingBook,
        *,
        also: Sequence[Follow] = (),
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._crossings: Final = crossings
        self._also: Final = tuple(also)
        self._look_every_s: Final = look_every_s

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "couriers' arrivals are followed")

    async def look(self) -> int:
        """Follow what is not followed yet; returns how many steps were asked for.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        asked = 0
        waiting: set[Vehicle] = set()
        more = True
        while more:
            async with self._database.read() as connection:
                page = await self._crossings.unfollowed(connection, AT_ONCE, but=waiting)
                owed = await _owed(connection, {(each.tenant, each.vehicle) for each in page})
            followed: list[tuple[str, UUID]] = []
            for crossing in page:
                vehicle = crossing.tenant, crossing.vehicle
                if vehicle in waiting:
                    continue
                try:
                    asked += await self._follow(crossing, owed.get(vehicle, ()))
                except NotNow:
                    waiting.add(vehicle)
                else:
                    followed.append((crossing.tenant, crossing.crossing_id))
            if followed:
                async with self._database.write() as connection:
                    await self._crossings.follow(connection, followed)
            more = len(page) == AT_ONCE
        failed = bool(waiting)
        async with self._database.read() as connection:
            there = await self._there_already(connection)
        for step in there:
            try:
                asked += await self._ask(step)
            except NotNow:
                failed = True
        if failed:
            raise NotNow("some of it fails, and is tried again")
        return asked

    async def _follow(self, crossing: Crossing, mine: Sequence[Kept]) -> bool:
        """Have all done that comes of a crossing; tells whether a step did."""
        step = _step(crossing, mine)
        asked = step is not None and await self._ask(step)
        for follow in self._also:
            await follow(crossing)
        return asked

    async def _there_already(self, connection: AsyncConnection) -> list[_Step]:
        """Who accepted an order while they were at the restaurant."""
        query = select(
            DELIVERIES.c.tenant,
            DELIVERIES.c.device,
            DELIVERIES.c.order_id,
            DELIVERIES.c.accepted_at,
        ).where(
            DELIVERIES.c.ended_at.is_(None),
            DELIVERIES.c.status == DeliveryStatus.ACCEPTED.value,
            DELIVERIES.c.device.is_not(None),
        )
        rows = list(await connection.execute(query))
        within = await self._crossings.within(
            connection, {(row.tenant, row.device) for row in rows}, HOUSE
        )
        return [
            _Step(
                row.tenant,
                FollowArrival(
                    vehicle=row.device,
                    step=DeliveryStep.REACH_RESTAURANT,
                    order_ids=(row.order_id,),
                    at=row.accepted_at,
                ),
                derived_id(row.accepted_at, "was-there", row.tenant, row.device, str(row.order_id)),
            )
            for row in rows
            if (row.tenant, row.device) in within
        ]

    async def _ask(self, step: _Step) -> bool:
        return await ask(self._intake, step.tenant, step.request, step.id_)


async def _owed(
    connection: AsyncConnection, vehicles: Collection[Vehicle]
) -> Mapping[Vehicle, Sequence[Kept]]:
    """What each vehicle has to bring now, in the sequence of its stops."""
    found: dict[Vehicle, list[Kept]] = defaultdict(list)
    for tenant, kept in await store.of_vehicles(connection, vehicles):
        found[tenant, kept.delivery.device or ""].append(kept)
    return found


def _step(crossing: Crossing, mine: Sequence[Kept]) -> _Step | None:
    """The step that a crossing is, of what its vehicle had to bring then; None where it is none."""
    meant = _meaning(crossing)
    if meant is None:
        return None
    step, order = meant
    order_ids = [
        each.delivery.order_id
        for each in mine
        if order in {None, str(each.delivery.order_id)}
        and rules.may_follow(each, step, crossing.at)
    ]
    if not order_ids:
        return None
    request = FollowArrival(
        vehicle=crossing.vehicle, step=step, order_ids=tuple(order_ids), at=crossing.at
    )
    # What the courier has to bring may change before it is asked again: then it is another
    # request, and what was done already has no such step any more.
    told = [str(each) for each in order_ids]
    id_ = derived_id(crossing.at, "crossing", str(crossing.crossing_id), step.value, *told)
    return _Step(crossing.tenant, request, id_)


def _meaning(crossing: Crossing) -> tuple[DeliveryStep, str | None] | None:
    """Which step a crossing is, and of which order alone; None where it is none."""
    came, fence = crossing.what is CrossingKind.ENTER, crossing.fence
    if fence == HOUSE and came:
        return DeliveryStep.REACH_RESTAURANT, None
    if fence == HOUSE and crossing.what is CrossingKind.EXIT:
        return DeliveryStep.SET_OUT, None
    for prefix, step in ((NEAR, DeliveryStep.APPROACH), (STOP, DeliveryStep.ARRIVE)):
        if came and fence.startswith(prefix):
            return step, fence.removeprefix(prefix)
    return None
