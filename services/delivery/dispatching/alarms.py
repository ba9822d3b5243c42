"""Of which orders the managers are told that nobody brings them, and of which they were."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import AlertKind
from schemas.deliveries import DeliveryStatus
from services.delivery.dispatching import watching
from services.delivery.dispatching.showing import LONGEST_WHY
from services.delivery.dispatching.situating import HouseNow
from services.delivery.tables import DELIVERIES
from services.dispatch.situation import Plan
from services.runtime.alerts import ALERTS

OrderKey = tuple[str, UUID]
"""Whose order, and which."""

OUR_FAULT: Final = "it cannot be planned by a fault of ours, which the log of the services names"


def left(
    houses: Sequence[HouseNow], plan: Plan, vain: Mapping[str, str], now_s: float
) -> dict[OrderKey, str]:
    """What nobody is to bring as things stand, and why.

    Args:
        houses: the fleet.
        plan: its plan.
        vain: why nobody could be asked for what should have been, by the plan's names.
        now_s: the moment, seconds since 1970.
    """
    said = {each.order: each.why for each in plan.left_out} | dict(vain)
    found: dict[OrderKey, str] = {}
    for house in houses:
        for stop in house.stops:
            why = said.get(stop.name)
            # What is held is not to be brought yet.
            if why is not None and not math.isnan(stop.ready_p50_s):
                found[stop.tenant, stop.order_id] = why[:LONGEST_WHY]
            elif house.rules.automatic and watching.unanswered(house, stop, now_s):
                asked = f"{stop.courier} was asked for it and does not answer"
                found[stop.tenant, stop.order_id] = asked
    return found


async def standing(connection: AsyncConnection, tenants: Collection[str]) -> dict[OrderKey, str]:
    """The alarms that stand in these houses, with what they say."""
    of = ALERTS.c
    query = select(of.tenant, of.about, of.text).where(
        of.tenant.in_(list(tenants)),
        of.cleared_at.is_(None),
        of.kind == AlertKind.NOBODY_BRINGS.value,
    )
    rows = await connection.execute(query)
    return {(row.tenant, UUID(row.about)): row.text for row in rows}


async def waiting(connection: AsyncConnection, tenants: Collection[str]) -> list[OrderKey]:
    """Orders of these houses that nobody was asked for."""
    of = DELIVERIES.c
    query = select(of.tenant, of.order_id).where(
        of.tenant.in_(list(tenants)),
        of.ended_at.is_(None),
        of.status == DeliveryStatus.WAITING.value,
    )
    return [(row.tenant, row.order_id) for row in await connection.execute(query)]
