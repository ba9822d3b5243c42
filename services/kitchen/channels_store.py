"""How each kind of order is taken, and how much work each quarter of an hour holds."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Integer,
    String,
    Table,
    Text,
)

from services.runtime.flush import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import METADATA, SLUG
from services.runtime.work import SHELVED

INTAKES: Final = Table(
    "intakes",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("intake", String(16), nullable=False),
    Column("quoted_s", Integer, nullable=False),
    Column("load", Float, nullable=False),
    Column("station", SLUG),
    Column("why", Text, nullable=False),
    Column("by_hand", Boolean, nullable=False),
    Column("until", Moment),
    Column("since", Moment, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    info={GUARD: "version", SHELVED: True},
)

QUARTERS: Final = Table(
    "quarters",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("slot", String(96), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("station", SLUG, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("work_s", BigInteger, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("work_s >= 0", name="work"),
    info={GUARD: "version", SHELVED: True},
)
"""``slot`` is the station and the start of the quarter, as ``grill 2026-03-14T19:15Z``."""
