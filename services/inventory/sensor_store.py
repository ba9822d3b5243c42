"""The rows of the house's thermometers: what each read last, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import AlertKind
from schemas.sensors import SensorState, SensorStatus
from services.inventory.tables import SENSORS
from services.runtime.alerts import ALERTS
from services.runtime.context import Outgoing, outgoing

KINDS: Final = (AlertKind.TEMPERATURE, AlertKind.SENSOR_SILENT)


async def keep(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Keep how a thermometer stands."""
    key = (SENSORS.c.tenant == row["tenant"]) & (SENSORS.c.sensor == row["sensor"])
    changed = await connection.execute(SENSORS.update().where(key).values(**row))
    if changed.rowcount == 0:
        await connection.execute(SENSORS.insert().values(**row))


async def forget(connection: AsyncConnection, tenant: str, sensor: str) -> None:
    """Forget a thermometer that the house has no more."""
    key = (SENSORS.c.tenant == tenant) & (SENSORS.c.sensor == sensor)
    await connection.execute(delete(SENSORS).where(key))


async def every_row(connection: AsyncConnection) -> list[Mapping[str, Any]]:
    """Every row of every house, to begin from after a start."""
    return [dict(row) for row in (await connection.execute(select(SENSORS))).mappings()]


async def standing(connection: AsyncConnection) -> set[tuple[str, str]]:
    """The alerts of thermometers that stand, in every house: tenant and name."""
    query = select(ALERTS.c.tenant, ALERTS.c.alert).where(
        ALERTS.c.cleared_at.is_(None), ALERTS.c.kind.in_([each.value for each in KINDS])
    )
    return {(row.tenant, row.alert) for row in await connection.execute(query)}


async def of_house(connection: AsyncConnection, tenant: str) -> list[SensorState]:
    """How each thermometer of a house stands, by name."""
    query = select(SENSORS).where(SENSORS.c.tenant == tenant).order_by(SENSORS.c.sensor)
    return [to_state(dict(row)) for row in (await connection.execute(query)).mappings()]


async def sensor_states(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: how each thermometer stands."""
    found = await of_house(connection, tenant)
    return [outgoing(state, tenant=tenant, now=now) for state in found]


def to_state(row: Mapping[str, Any]) -> SensorState:
    """What is told of a row."""
    return SensorState(
        sensor_id=row["sensor"],
        name=row["name"],
        status=SensorStatus(row["status"]),
        since=row["since"],
        celsius=row["celsius"],
        humidity=row["humidity"],
        read_at=row["read_at"],
        ignored=row["ignored"],
    )
