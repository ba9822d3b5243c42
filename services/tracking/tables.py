"""The tables of positions."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Table,
    Uuid,
)

from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG

FIXES: Final = Table(
    "fixes",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("vehicle", SLUG, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("received_at", Moment, nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("accuracy_m", Float),
    Column("speed_mps", Float),
    Column("heading_deg", Float),
    Column("verdict", SmallInteger, nullable=False),
    postgresql_partition_by="RANGE (at)",
)
"""Raw fixes as they were told, with what was found of them (`services.tracking.verdicts`).

On PostgreSQL a partition a day, made ahead; what no partition is for lies in ``fixes_other``.
The key keeps out what comes twice: a batch that was kept and not acknowledged comes again.
"""

VEHICLES: Final = Table(
    "vehicles",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("vehicle", SLUG, primary_key=True),
    Column("device", SLUG, nullable=False),
    Column("at", Moment),
    Column("lat", Float),
    Column("lon", Float),
    Column("moving", Boolean, nullable=False),
    Column("since", Moment),
    Column("heard_at", Moment, nullable=False),
    Column("battery", Float),
    Column("state", DOCUMENT, nullable=False),
    Column("counts", DOCUMENT, nullable=False),
    Column("reporting", DOCUMENT),
)
"""One row a vehicle, kept with its fixes: ``state`` is the filter's, to begin again from;
``counts`` its fixes by verdict; ``reporting`` what its tracker was asked for last (``wished``),
and what that says it does (``taken``)."""

FENCES: Final = Table(
    "fences",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("fence", SLUG, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("document", DOCUMENT, nullable=False),
)

CROSSINGS: Final = Table(
    "crossings",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("crossing_id", Uuid, primary_key=True),
    Column("fence", String(80), nullable=False),
    Column("vehicle", SLUG, nullable=False),
    Column("what", String(8), nullable=False),
    Column("at", Moment, nullable=False),
    Column("kept_at", Moment, nullable=False),
    Column("followed", Boolean, nullable=False),
)
Index("ix_crossings_at", CROSSINGS.c.tenant, CROSSINGS.c.vehicle, CROSSINGS.c.at)
Index(
    "ix_crossings_unfollowed",
    CROSSINGS.c.kept_at,
    sqlite_where=CROSSINGS.c.followed.is_(False),
    postgresql_where=CROSSINGS.c.followed.is_(False),
)
"""Who came and went, kept with the fix that showed it; ``followed`` once the worker was asked
for all that follows. The fences of stops are no rows of `FENCES`: ``stop:`` and the order's id,
``near:`` likewise, ``house`` the restaurant itself."""

TRACKER_FINDINGS: Final = Table(
    "tracker_findings",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("vehicle", SLUG, primary_key=True),
    Column("kind", String(24), primary_key=True),
    Column("since", Moment, nullable=False),
    Column("amount", Float),
    Column("about", String(80)),
)
"""What stands against a vehicle now: an alert follows from each, and ends with the row.

``kind`` is the alert's; ``amount`` what is left of a battery, or metres, or metres a second;
``about`` the fence or the order."""
