"""Who is on duty, and what is still to be read."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.staff import OnDuty, Task
from services.runtime.changed import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG
from services.runtime.work import Draft, Row

DUTIES: Final = Table(
    "duties",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("person", SLUG, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("station", SLUG),
    Column("since", Moment),
    Column("until", Moment),
    Column("tickets", DOCUMENT, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("(since is null) = (until is not null)", name="until"),
    info={GUARD: "version"},
)
"""``since`` is null for who is off duty; ``until`` says when they went."""

TASKS: Final = Table(
    "tasks",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("task_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("addressee", String(16), nullable=False),
    Column("to", SLUG, nullable=False),
    Column("text", Text, nullable=False),
    Column("must_read", Boolean, nullable=False),
    Column("hand_over", Boolean, nullable=False),
    Column("sent_by", SLUG, nullable=False),
    Column("sent_at", Moment, nullable=False),
    Column("waits_for", DOCUMENT, nullable=False),
    Column("read_by", DOCUMENT, nullable=False),
    Column("ended_at", Moment),
    CheckConstraint("version >= 1", name="version"),
    info={GUARD: "version"},
)
"""``ended_at`` is set when nobody has to read it any more."""

Index(
    "ix_tasks_standing",
    TASKS.c.tenant,
    TASKS.c.sent_at,
    sqlite_where=TASKS.c.ended_at.is_(None),
    postgresql_where=TASKS.c.ended_at.is_(None),
)

_ON_DUTY: Final = "who is on duty"
_STANDING: Final = "tasks that stand"


# -- duties -----------------------------------------------------------------------------------


async def duty_of(draft: Draft, tenant: str, person: str) -> OnDuty | None:
    """Somebody's duty, as this message sees it; None for who is off duty."""
    row = await draft.get(DUTIES, tenant, person)
    return None if row is None or row["since"] is None else to_duty(row)


async def is_known(draft: Draft, tenant: str, person: str) -> bool:
    """Tell whether somebody of this name was ever on duty, as far as that is kept."""
    return await draft.get(DUTIES, tenant, person) is not None


async def on_duty(draft: Draft, tenant: str) -> list[OnDuty]:
    """All who are on duty, as this message sees it, by name."""
    standing = DUTIES.c.since.is_not(None)
    rows = await _all(draft, DUTIES, tenant, (_ON_DUTY, tenant), standing)
    return [to_duty(row) for row in rows if row["since"] is not None]


async def put_duty(draft: Draft, tenant: str, duty: OnDuty, *, until: datetime | None) -> None:
    """Keep somebody's duty, or, with `until`, that they went."""
    before = await draft.get(DUTIES, tenant, duty.person)
    draft.put(
        DUTIES,
        {
            "tenant": tenant,
            "person": duty.person,
            "version": 1 if before is None else before["version"] + 1,
            "station": duty.station if until is None else None,
            "since": duty.since if until is None else None,
            "until": until,
            "tickets": [str(each) for each in duty.tickets] if until is None else [],
        },
    )
    _made(draft, (_ON_DUTY, tenant), duty.person)


def to_duty(row: Row) -> OnDuty:
    """Read a row of somebody who is on duty."""
    return OnDuty.model_validate({name: row[name] for name in OnDuty.model_fields})


# -- tasks ------------------------------------------------------------------------------------


async def task_of(draft: Draft, tenant: str, task_id: UUID) -> Task | None:
    """One task, as this message sees it."""
    row = await draft.get(TASKS, tenant, task_id)
    return None if row is None else to_task(row)


async def standing(draft: Draft, tenant: str) -> list[Task]:
    """All tasks that somebody has still to read, as this message sees it, the oldest first."""
    still = TASKS.c.ended_at.is_(None)
    rows = await _all(draft, TASKS, tenant, (_STANDING, tenant), still)
    tasks = [to_task(row) for row in rows if row["ended_at"] is None]
    return sorted(tasks, key=lambda task: (task.sent_at, task.task_id))


def put_task(draft: Draft, tenant: str, task: Task, *, ended_at: datetime | None) -> None:
    """Keep a task, new or changed."""
    values: dict[str, Any] = {name: getattr(task, name) for name in Task.model_fields}
    values["addressee"] = task.addressee.value
    values["waits_for"] = list(task.waits_for)
    values["read_by"] = [each.model_dump(mode="json") for each in task.read_by]
    draft.put(TASKS, {"tenant": tenant, **values, "ended_at": ended_at})
    _made(draft, (_STANDING, tenant), task.task_id)


def to_task(row: Row) -> Task:
    """Read a row."""
    return Task.model_validate({name: row[name] for name in Task.model_fields})


# -- for whoever looks ------------------------------------------------------------------------


async def read_on_duty(connection: AsyncConnection, tenant: str) -> list[OnDuty]:
    """All who are on duty, by name."""
    query = select(DUTIES).where(DUTIES.c.tenant == tenant, DUTIES.c.since.is_not(None))
    rows = (await connection.execute(query.order_by(DUTIES.c.person))).mappings()
    return [to_duty(dict(row)) for row in rows]


async def read_tasks(
    connection: AsyncConnection, tenant: str, *, limit: int | None = None
) -> list[Task]:
    """The tasks that somebody has still to read, oldest first; with `limit` the last of all."""
    query = select(TASKS).where(TASKS.c.tenant == tenant)
    if limit is None:
        query = query.where(TASKS.c.ended_at.is_(None))
        query = query.order_by(TASKS.c.sent_at, TASKS.c.task_id)
    else:
        query = query.order_by(TASKS.c.task_id.desc()).limit(limit)
    return [to_task(dict(row)) for row in (await connection.execute(query)).mappings()]


# -- inside -----------------------------------------------------------------------------------


async def _all(
    draft: Draft, table: Table, tenant: str, note: tuple[str, str], standing_: Any
) -> list[Row]:
    """The rows that stood when the batch began, and those it has made, by their keys."""
    work = draft.work
    key = list(table.primary_key)[1]
    if note not in work.notes:
        query = select(table).where(table.c.tenant == tenant, standing_)
        found = (await work.connection.execute(query)).mappings()
        work.notes[note] = []
        for each in found:
            work.adopt(table, dict(each))
            work.notes[note].append(each[key.name])
    names = {*work.notes[note], *work.notes.get(("made", *note), ())}
    rows: list[Row] = []
    for name in sorted(names):
        row = await draft.get(table, tenant, name)
        if row is not None:
            # Whom a task waits for must follow from who is there when it is kept.
            work.rely(table, (tenant, name))
            rows.append(row)
    return rows


def _made(draft: Draft, note: tuple[str, str], name: Any) -> None:
    draft.work.notes.setdefault(("made", *note), []).append(name)
