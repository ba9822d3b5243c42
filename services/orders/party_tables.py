"""The rows of parties, and of where each device sits."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from schemas.parties import PartyStatus
from services.runtime.changed import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG

_STATUSES: Final = ", ".join(f"'{each}'" for each in PartyStatus)

PARTIES: Final = Table(
    "parties",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("party_id", Uuid, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("code", String(16), nullable=False),
    Column("host", SLUG, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("table", String(32)),
    Column("currency", String(3), nullable=False),
    Column("guests", DOCUMENT, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("order_id", Uuid),
    Column("order_status", String(16)),
    UniqueConstraint("code", "tenant"),
    CheckConstraint(f"status in ({_STATUSES})", name="status"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("(order_id is null) = (order_status is null)", name="order"),
    CheckConstraint("status != 'sent' or order_id is not null", name="sent"),
    info={GUARD: "version"},
)
_standing = PARTIES.c.status != PartyStatus.ENDED.value
Index(
    "ix_parties_standing",
    PARTIES.c.tenant,
    PARTIES.c.ends_at,
    sqlite_where=_standing,
    postgresql_where=_standing,
)
Index("ix_parties_order", PARTIES.c.order_id, PARTIES.c.tenant)

PARTY_SEATS: Final = Table(
    "party_seats",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("device", SLUG, primary_key=True),
    Column("party_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    info={GUARD: "version"},
)
"""In which party each device sat down last: a device is in one at a time."""
