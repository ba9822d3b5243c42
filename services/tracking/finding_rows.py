"""The rows of what stands against vehicles."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import AlertKind
from services.runtime.positions import VehicleKey
from services.tracking.tables import TRACKER_FINDINGS

FindingKey = tuple[str, str, AlertKind]
"""Tenant, vehicle and kind."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that stands against a vehicle.

    Attributes:
        vehicle: tenant and name.
        kind: the alert that follows from it.
        since: since when.
        amount: what is left of the battery, metres, or metres a second.
        about: the fence, or the order.
    """

    vehicle: VehicleKey
    kind: AlertKind
    since: datetime
    amount: float | None = None
    about: str | None = None

    @property
    def key(self) -> FindingKey:
        """By which it is kept."""
        return (*self.vehicle, self.kind)


async def every(connection: AsyncConnection) -> list[Finding]:
    """All that stands, of all houses."""
    rows = await connection.execute(select(TRACKER_FINDINGS))
    return [
        Finding((row.tenant, row.vehicle), AlertKind(row.kind), row.since, row.amount, row.about)
        for row in rows
    ]


async def change(
    connection: AsyncConnection, begun: Iterable[Finding], ended: Collection[FindingKey]
) -> None:
    """Keep what begins, and forget what ends; what is there already is put in its place."""
    begun = list(begun)
    column = TRACKER_FINDINGS.c
    for tenant, vehicle, kind in {*ended, *(each.key for each in begun)}:
        await connection.execute(
            delete(TRACKER_FINDINGS).where(
                column.tenant == tenant, column.vehicle == vehicle, column.kind == kind.value
            )
        )
    if begun:
        await connection.execute(
            TRACKER_FINDINGS.insert(),
            [
                {
                    "tenant": each.vehicle[0],
                    "vehicle": each.vehicle[1],
                    "kind": each.kind.value,
                    "since": each.since,
                    "amount": each.amount,
                    "about": each.about,
                }
                for each in begun
            ],
        )
