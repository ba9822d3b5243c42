"""The tables of deliveries."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from schemas.deliveries import OPEN_DELIVERY
from services.runtime.changed import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG
from services.runtime.work import OURS_ALONE, SHELVED

_OPEN: Final = ", ".join(f"'{each}'" for each in sorted(OPEN_DELIVERY))

COURIERS: Final = Table(
    "couriers",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("courier", SLUG, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("name", String(120), nullable=False),
    Column("device", SLUG),
    Column("mode", String(16), nullable=False),
    Column("stops", DOCUMENT, nullable=False),
    Column("carries", Integer, nullable=False, default=4),
    Column("on_duty", Boolean, nullable=False, default=True),
    Column("until", Moment),
    CheckConstraint("version >= 1", name="version"),
    UniqueConstraint("tenant", "device"),
    info={GUARD: "version"},
)
"""``stops`` are the orders that the courier has to bring, in their sequence. Without a ``device``
they are a courier no more: past deliveries name them still."""

DELIVERIES: Final = Table(
    "deliveries",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("order_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("number", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("courier", SLUG),
    Column("device", SLUG),
    Column("stop", Integer),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("distance_m", Float),
    Column("items", Integer, nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("due_at", Moment),
    Column("begun_at", Moment),
    Column("quoted_p50_at", Moment),
    Column("promised_at", Moment),
    Column("ready_at", Moment),
    Column("assigned_at", Moment),
    Column("accepted_at", Moment),
    Column("at_restaurant_at", Moment),
    Column("picked_up_at", Moment),
    Column("set_out_at", Moment),
    Column("arrived_at", Moment),
    Column("ended_at", Moment),
    Column("document", DOCUMENT, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("(courier is null) = (stop is null)", name="stop"),
    CheckConstraint(f"(ended_at is null) = (status in ({_OPEN}))", name="ended"),
    info={GUARD: "version", SHELVED: True, OURS_ALONE: True},
)
Index(
    "ix_deliveries_open",
    DELIVERIES.c.tenant,
    DELIVERIES.c.placed_at,
    DELIVERIES.c.order_id,
    sqlite_where=DELIVERIES.c.ended_at.is_(None),
    postgresql_where=DELIVERIES.c.ended_at.is_(None),
)
Index("ix_deliveries_ended", DELIVERIES.c.tenant, DELIVERIES.c.ended_at, DELIVERIES.c.order_id)
Index("ix_deliveries_placed", DELIVERIES.c.tenant, DELIVERIES.c.placed_at)
"""``distance_m`` is about how far the door was as the order came, and outlives its guest's place.
``begun_at`` is when its order was accepted, and its delivery began; none is as it was placed.
``ready_at`` is when the kitchen had the last of it; ``document`` what is neither looked for
nor reckoned with: proof, code, tries, reason, who declined. Deliveries are never deleted: whatever
is asked of them while somebody waits names an index that leads past those of the years before."""

ETA_MODELS: Final = Table(
    "eta_models",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("kind", SLUG, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("trained_at", Moment, nullable=False),
    Column("document", DOCUMENT, nullable=False),
)
"""What was learned of a house: ``whole`` of order to door, ``legs`` of each part of the way."""

LATE_ORDERS: Final = Table(
    "late_orders",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("order_id", Uuid, primary_key=True),
    Column("late", Boolean, nullable=False),
    Column("p50_at", Moment, nullable=False),
    Column("found_at", Moment, nullable=False),
    Column("followed", Boolean, nullable=False),
)
Index(
    "ix_late_orders_unfollowed",
    LATE_ORDERS.c.found_at,
    sqlite_where=LATE_ORDERS.c.followed.is_(False),
    postgresql_where=LATE_ORDERS.c.followed.is_(False),
)
"""Open orders that were found to be late against their promise, or to be so no more; ``followed``
once the worker was asked for what comes of it. Gone with the delivery."""

TRACKING_SCREENS: Final = Table(
    "tracking_screens",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("device", SLUG, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("until", Moment, nullable=False),
    ForeignKeyConstraint(
        ["tenant", "device"], ["devices.tenant", "devices.device"], ondelete="CASCADE"
    ),
)
"""Which order each screen shows that a guest's link has let in, and until when; gone with it."""
