"""Alerts: kept by their names, so that the same trouble is raised once and cleared once."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Index, Integer, String, Table, Text, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import Alert, AlertState
from services.runtime.changed import GUARD
from services.runtime.context import Context, Outgoing, outgoing
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG
from services.runtime.work import Draft, Row

_NAME: Final = 64
_DIGEST: Final = 8

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("alert", SLUG, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("audience", String(16), nullable=False),
    Column("to", SLUG, nullable=False),
    Column("about", SLUG, nullable=False),
    Column("text", Text, nullable=False),
    Column("tickets", DOCUMENT, nullable=False),
    Column("raised_at", Moment, nullable=False),
    Column("acknowledged_at", Moment),
    Column("acknowledged_by", SLUG),
    Column("cleared_at", Moment),
    info={GUARD: "version"},
)
Index(
    "ix_alerts_standing",
    ALERTS.c.tenant,
    ALERTS.c.alert,
    sqlite_where=ALERTS.c.cleared_at.is_(None),
    postgresql_where=ALERTS.c.cleared_at.is_(None),
)


def name_of(what: str, about: str) -> str:
    """The name of an alert about something: always the same one."""
    name = f"{what}-{about}"
    if len(name) <= _NAME:
        return name
    digest = hashlib.sha256(about.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _NAME - _DIGEST - 1]}-{digest}"


async def standing(draft: Draft, tenant: str, alert: str) -> Alert | None:
    """An alert that stands, as this message sees it; None where it does not."""
    row = await draft.get(ALERTS, tenant, alert)
    return None if row is None or row["cleared_at"] is not None else to_alert(row)


async def raise_(context: Context, alert: Alert) -> None:
    """Raise an alert, or bring one that stands to what it says now.

    Who acknowledged it, and when it was raised first, stays while it stands.
    """
    before = await standing(context.draft, context.tenant, alert.alert)
    if before is not None:
        alert = alert.model_copy(
            update={
                "raised_at": before.raised_at,
                "acknowledged_at": before.acknowledged_at,
                "acknowledged_by": before.acknowledged_by,
            }
        )
        if alert == before:
            return
    await put(context, alert)


async def put(context: Context, alert: Alert) -> None:
    """Keep an alert as it is, and show it."""
    row = await context.draft.get(ALERTS, context.tenant, alert.alert)
    _write(context, alert, row, cleared_at=None)
    state = AlertState(alert_id=alert.alert, alert=alert)
    # One request may change it many times: only how it stands in the end is told.
    topic = state.topic(tenant=context.tenant)
    context.emitted[:] = [each for each in context.emitted if each.topic != topic]
    await context.emit(state)


async def clear(context: Context, alert: str) -> bool:
    """End an alert; False where it did not stand."""
    before = await standing(context.draft, context.tenant, alert)
    if before is None:
        return False
    row = await context.draft.get(ALERTS, context.tenant, alert)
    _write(context, before, row, cleared_at=context.now)
    context.clear(AlertState, alert_id=alert)
    return True


async def states(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: every alert that is not over."""
    return [
        outgoing(AlertState(alert_id=each.alert, alert=each), tenant=tenant, now=now)
        for each in await every(connection, tenant)
    ]


async def every(connection: AsyncConnection, tenant: str) -> list[Alert]:
    """All alerts that stand, by name."""
    query = select(ALERTS).where(ALERTS.c.tenant == tenant, ALERTS.c.cleared_at.is_(None))
    rows = (await connection.execute(query.order_by(ALERTS.c.alert))).mappings()
    return [to_alert(dict(row)) for row in rows]


def to_alert(row: Row) -> Alert:
    """Read a row."""
    return Alert.model_validate({name: row[name] for name in Alert.model_fields})


def _write(context: Context, alert: Alert, row: Row | None, *, cleared_at: datetime | None) -> None:
    values: dict[str, Any] = {name: getattr(alert, name) for name in Alert.model_fields}
    for name in ("kind", "severity", "audience"):
        values[name] = values[name].value
    values["tickets"] = [str(each) for each in alert.tickets]
    context.draft.put(
        ALERTS,
        {
            "tenant": context.tenant,
            **values,
            "version": 1 if row is None else row["version"] + 1,
            "cleared_at": cleared_at,
        },
    )
