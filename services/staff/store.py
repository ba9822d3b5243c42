"""Who is on duty, and what is still to be read."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, String, Table, Text, Uuid

from services.runtime.flush import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG

DUTIES: Final = Table(
    "duties",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("person", SLUG, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("station", SLUG),
    Column("since", Moment),
    Column("tickets", DOCUMENT, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    info={GUARD: "version"},
)
"""``since`` is null for who is off duty."""

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
