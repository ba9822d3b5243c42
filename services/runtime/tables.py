"""The tables of the runtime itself. Every key begins with the tenant.

So the data can be partitioned or sharded by tenant, and no query can reach across
two of them by accident.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.runtime.moment import Moment

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

NO_TENANT: Final = "-"
"""Stands as the tenant of what belongs to none; no tenant may be called so."""
# Nothing is no row's value, not JSON's null: what has no document is found as such.
DOCUMENT: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
SLUG: Final = String(64)

TENANTS: Final = Table(
    "tenants",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("limits", DOCUMENT),
)

DEVICES: Final = Table(
    "devices",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("device", SLUG, primary_key=True),
    Column("role", String(32), nullable=False),
    Column("station", SLUG),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("person", SLUG),
    Column("limits", DOCUMENT),
)
"""``person`` says whose screen it is; ``limits`` stands instead of the role's."""

CREDENTIALS: Final = Table(
    "credentials",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("device", SLUG, primary_key=True),
    Column("serial", Integer, primary_key=True, autoincrement=False),
    Column("secret", String(255), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    ForeignKeyConstraint(
        ["tenant", "device"], ["devices.tenant", "devices.device"], ondelete="CASCADE"
    ),
    CheckConstraint("serial >= 1", name="serial"),
)
"""The hashes of a device's secrets: more than one while it changes them."""

INBOX: Final = Table(
    "inbox",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("request_id", Uuid, primary_key=True),
    Column("device", SLUG, nullable=False),
    Column("type", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("reply", Text, nullable=False),
    Column("received_at", Moment, nullable=False),
)
"""Every request that was answered, with its answer: the second time gets the first answer."""

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("parcel_id", Uuid, primary_key=True),
    Column("messages", Text, nullable=False),
)
"""Every message that was decided and that the broker has not yet taken.

``parcel_id`` is a UUIDv7 made by one process in rising order: the order to publish in.
"""

QUARANTINE: Final = Table(
    "quarantine",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("entry_id", Uuid, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("received_at", Moment, nullable=False),
)
"""What could not be understood: kept whole, for a person to look at."""
