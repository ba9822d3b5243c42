"""The log of checks: only added to."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Float, Index, String, Table, Text, Uuid

from services.runtime.moment import Moment
from services.runtime.tables import METADATA, SLUG

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
    Column("limits", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("device", SLUG, nullable=False),
    Column("person", SLUG),
    Column("at", Moment, nullable=False),
    Index("ix_findings_ticket", "ticket_id", "tenant"),
    Index("ix_findings_at", "tenant", "at"),
)
