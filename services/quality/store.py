"""The log of checks: only added to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Select,
    String,
    Table,
    Text,
    Uuid,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import Alert, AlertKind
from schemas.quality import Finding
from services.runtime.alerts import ALERTS, to_alert
from services.runtime.moment import Moment
from services.runtime.tables import METADATA, SLUG
from services.runtime.work import Draft, Row

FINDINGS: Final = Table(
    "findings",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("finding_id", Uuid, primary_key=True),
    Column("check", SLUG, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("station", SLUG),
    Column("ticket_id", Uuid),
    Column("order_number", String(32)),
    Column("item", SLUG),
    Column("celsius", Float),
    Column("yes", Boolean),
    Column("photo", String(120)),
    Column("passed", Boolean, nullable=False),
    Column("waived", Boolean, nullable=False),
    Column("limits", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("device", SLUG, nullable=False),
    Column("person", SLUG),
    Column("at", Moment, nullable=False),
    CheckConstraint("not (passed and waived)", name="waived"),
    Index("ix_findings_ticket", "ticket_id", "tenant"),
    Index("ix_findings_at", "tenant", "at"),
    Index("ix_findings_check", "tenant", "check", "station", "at"),
)

PAGE: Final = 500
_MADE: Final = "findings made"
_OF_TICKET: Final = "findings of a ticket"
_OF_STATION: Final = "the last finding at a station"


def add(draft: Draft, tenant: str, finding: Finding) -> None:
    """Put a finding into the log."""
    values: dict[str, Any] = {name: getattr(finding, name) for name in Finding.model_fields}
    draft.put(FINDINGS, {"tenant": tenant, **values, "kind": finding.kind.value})
    draft.work.notes.setdefault((_MADE, tenant), []).append(finding.finding_id)


async def of_ticket(draft: Draft, tenant: str, ticket_id: UUID) -> list[Finding]:
    """All that was found of a ticket, as this message sees it, the oldest first."""
    query = select(FINDINGS).where(FINDINGS.c.ticket_id == ticket_id, FINDINGS.c.tenant == tenant)
    known = await _noted(draft, (_OF_TICKET, tenant, ticket_id), query)
    fresh = [each for each in await _fresh(draft, tenant) if each.ticket_id == ticket_id]
    return sorted([*known, *fresh], key=_order)


async def last_of(draft: Draft, tenant: str, check: str, station: str) -> Finding | None:
    """How a check by the clock came out last at a station, as this message sees it."""
    query = _last(tenant, check, station)
    known = await _noted(draft, (_OF_STATION, tenant, check, station), query)
    fresh = [
        each
        for each in await _fresh(draft, tenant)
        if (each.check, each.station, each.ticket_id) == (check, station, None)
    ]
    return max([*known, *fresh], key=_order, default=None)


async def standing_alerts(draft: Draft, tenant: str) -> list[Alert]:
    """The alerts of checks that stand, as the database has them; each is read anew when cleared."""
    rows = (await draft.work.connection.execute(_alerts(tenant))).mappings()
    return [to_alert(dict(row)) for row in rows]


# -- for whoever looks ------------------------------------------------------------------------


async def is_alerted(connection: AsyncConnection, tenant: str) -> bool:
    """Tell whether any alert of a check stands."""
    return (await connection.execute(_alerts(tenant).limit(1))).first() is not None


async def last_at(
    connection: AsyncConnection, tenant: str, check: str, station: str
) -> datetime | None:
    """When a check by the clock was made last at a station."""
    row = (await connection.execute(_last(tenant, check, station))).mappings().one_or_none()
    return None if row is None else row["at"]


async def log(
    connection: AsyncConnection,
    tenant: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    check: str | None = None,
) -> AsyncIterator[list[Finding]]:
    """All that was found, page by page, the oldest first; not before `since`, before `until`."""
    place = tuple_(FINDINGS.c.at, FINDINGS.c.finding_id)
    query = select(FINDINGS).where(FINDINGS.c.tenant == tenant)
    if since is not None:
        query = query.where(FINDINGS.c.at >= since)
    if until is not None:
        query = query.where(FINDINGS.c.at < until)
    if check is not None:
        query = query.where(FINDINGS.c.check == check)
    query = query.order_by(FINDINGS.c.at, FINDINGS.c.finding_id).limit(PAGE)
    after: tuple[datetime, UUID] | None = None
    while True:
        wanted = query if after is None else query.where(place > after)
        rows = (await connection.execute(wanted)).mappings()
        page = [to_finding(dict(row)) for row in rows]
        if page:
            after = (page[-1].at, page[-1].finding_id)
            yield page
        if len(page) < PAGE:
            return


def to_finding(row: Row) -> Finding:
    """Read a row."""
    return Finding.model_validate({name: row[name] for name in Finding.model_fields})


# -- inside -----------------------------------------------------------------------------------


def _alerts(tenant: str) -> Select[Any]:
    kinds = [AlertKind.CHECK_FAILED.value, AlertKind.CHECK_OVERDUE.value]
    return select(ALERTS).where(
        ALERTS.c.tenant == tenant, ALERTS.c.cleared_at.is_(None), ALERTS.c.kind.in_(kinds)
    )


def _last(tenant: str, check: str, station: str) -> Select[Any]:
    return (
        select(FINDINGS)
        .where(
            FINDINGS.c.tenant == tenant,
            FINDINGS.c.check == check,
            FINDINGS.c.station == station,
            FINDINGS.c.ticket_id.is_(None),
        )
        .order_by(FINDINGS.c.at.desc(), FINDINGS.c.finding_id.desc())
        .limit(1)
    )


async def _noted(draft: Draft, note: tuple[Any, ...], query: Any) -> Sequence[Finding]:
    """What the database had when the batch began; read once in it."""
    notes = draft.work.notes
    if note not in notes:
        rows = (await draft.work.connection.execute(query)).mappings()
        notes[note] = [to_finding(dict(row)) for row in rows]
    found: Sequence[Finding] = notes[note]
    return found


async def _fresh(draft: Draft, tenant: str) -> list[Finding]:
    """What this batch has found itself; what was refused in the end is not there."""
    made = draft.work.notes.get((_MADE, tenant), ())
    rows = [await draft.get(FINDINGS, tenant, each) for each in made]
    return [to_finding(row) for row in rows if row is not None]


def _order(finding: Finding) -> tuple[datetime, UUID]:
    return finding.at, finding.finding_id
