"""The tables of the stock."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    Text,
    Uuid,
)

from services.runtime.changed import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG
from services.runtime.work import OURS_ALONE, SHELVED

STOCK_ITEMS: Final = Table(
    "stock_items",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("item", SLUG, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("unit", String(8), nullable=False),
    Column("piece_g", Numeric(18, 6)),
    Column("g_per_ml", Numeric(18, 6)),
    Column("place", SLUG, nullable=False),
    Column("par", BigInteger),
    Column("low", BigInteger),
    Column("low_clear", BigInteger),
    Column("critical", BigInteger),
    Column("critical_clear", BigInteger),
    Column("packs", DOCUMENT),
)

RECIPES: Final = Table(
    "recipes",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("recipe", String(80), primary_key=True),
    Column("document", DOCUMENT, nullable=False),
    Column("takes", DOCUMENT, nullable=False),
    Column("leaves_out", DOCUMENT),
    Column("spares", DOCUMENT),
)
"""How things are made; ``takes`` says what one of it comes down to, reckoned when it was
imported, so that nobody has to follow a recipe through its parts while an order waits.
``spares`` is what a modifier that leaves out a part saves of each dish that the part is in."""

STOCK_LEVELS: Final = Table(
    "stock_levels",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("item", SLUG, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("damaged", BigInteger, nullable=False),
    Column("planned", BigInteger, nullable=False),
    Column("places", DOCUMENT, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("mark", String(16), nullable=False),
    Column("changed_at", Moment, nullable=False),
    CheckConstraint("reserved >= 0 and damaged >= 0 and planned >= 0", name="figures"),
    info={GUARD: "version", SHELVED: True, OURS_ALONE: True},
)
Index("ix_stock_levels_changed", STOCK_LEVELS.c.tenant, STOCK_LEVELS.c.changed_at)

STOCK_MOVEMENTS: Final = Table(
    "stock_movements",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("movement_id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("kept_at", Moment, nullable=False),
    Column("amounts", DOCUMENT, nullable=False),
    Column("place", SLUG),
    Column("to_place", SLUG),
    Column("order_id", Uuid),
    Column("reference", String(64)),
    Column("device", SLUG, nullable=False),
    Column("person", SLUG),
    Column("why", Text, nullable=False),
)
Index("ix_stock_movements_at", STOCK_MOVEMENTS.c.tenant, STOCK_MOVEMENTS.c.at)
Index(
    "ix_stock_movements_order",
    STOCK_MOVEMENTS.c.order_id,
    postgresql_where=STOCK_MOVEMENTS.c.order_id.is_not(None),
    sqlite_where=STOCK_MOVEMENTS.c.order_id.is_not(None),
)
"""The ledger: only added to. ``amounts`` is by item, as the kind counts it."""

STOCK_HOLDS: Final = Table(
    "stock_holds",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("order_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("lines", DOCUMENT, nullable=False),
    Column("plan_until", Moment),
    CheckConstraint("version >= 1", name="version"),
    info={GUARD: "version", SHELVED: True, OURS_ALONE: True},
)
Index(
    "ix_stock_holds_plan_until",
    STOCK_HOLDS.c.plan_until,
    postgresql_where=STOCK_HOLDS.c.plan_until.is_not(None),
    sqlite_where=STOCK_HOLDS.c.plan_until.is_not(None),
)
"""What each order was promised, line by line, and what of it is cooked."""

LOTS: Final = Table(
    "lots",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("lot_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("item", SLUG, nullable=False),
    Column("place", SLUG, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("gone", BigInteger, nullable=False),
    Column("expires_on", Date),
    Column("received_at", Moment, nullable=False),
    Column("reference", String(64)),
    Column("supplier", SLUG),
    Column("cost_minor", BigInteger),
    CheckConstraint("received > 0 and gone >= 0 and gone <= received", name="figures"),
    info={GUARD: "version"},
)
Index("ix_lots_item", LOTS.c.tenant, LOTS.c.item, LOTS.c.received_at)
"""What came in together. ``gone`` is what was named as lost of it; what cooks took is reckoned,
first expired first out, from what is on hand (`services.inventory.lots`)."""

DELIVERY_NOTES: Final = Table(
    "delivery_notes",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("delivery", String(130), primary_key=True),
    Column("movement_id", Uuid, nullable=False),
    Column("purchase_id", Uuid),
    Column("received_at", Moment, nullable=False),
)
"""Delivery notes by supplier and number (``metro/4711``): the same one counts once."""

STOCK_COUNTS: Final = Table(
    "stock_counts",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("counted_id", Uuid, primary_key=True),
    Column("count", SLUG, nullable=False),
    Column("item", SLUG, nullable=False),
    Column("place", SLUG, nullable=False),
    Column("at", Moment, nullable=False),
    Column("found", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("superseded", Boolean, nullable=False),
    Column("device", SLUG, nullable=False),
    Column("person", SLUG),
    Column("kept_at", Moment, nullable=False),
)
Index("ix_stock_counts_item", STOCK_COUNTS.c.tenant, STOCK_COUNTS.c.item, STOCK_COUNTS.c.at)
Index("ix_stock_counts_count", STOCK_COUNTS.c.tenant, STOCK_COUNTS.c.count)
"""What was found, and what the books said at that time."""

SUPPLIERS: Final = Table(
    "suppliers",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("supplier", SLUG, primary_key=True),
    Column("document", DOCUMENT, nullable=False),
)

PURCHASES: Final = Table(
    "purchases",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("purchase_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("number", String(32), nullable=False),
    Column("supplier", SLUG, nullable=False),
    Column("status", String(16), nullable=False),
    Column("lines", DOCUMENT, nullable=False),
    Column("expected_on", Date),
    Column("made_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Column("ended_at", Moment),
    Column("note", Text, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    info={GUARD: "version"},
)
Index("ix_purchases_made", PURCHASES.c.tenant, PURCHASES.c.made_at)

STOCK_USAGE: Final = Table(
    "stock_usage",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("item", SLUG, primary_key=True),
    Column("hour", Moment, primary_key=True),
    Column("consumed", BigInteger, nullable=False),
    Column("wasted", BigInteger, nullable=False),
    Column("damaged", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("counted", BigInteger, nullable=False),
)
"""What moved of each item in each hour; added up from the movements, a moment behind them."""

USAGE_MARKS: Final = Table(
    "usage_marks",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("mark", SLUG, primary_key=True),
    Column("movement_id", Uuid, nullable=False),
)
"""Up to which movement the usage is added up."""

SENSORS: Final = Table(
    "sensors",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("sensor", SLUG, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("status", String(16), nullable=False),
    Column("since", Moment, nullable=False),
    Column("out_since", Moment),
    Column("celsius", Float),
    Column("humidity", Float),
    Column("read_at", Moment),
    Column("ignored", BigInteger, nullable=False),
)
"""The house's thermometers: what each read last, and how it stands."""
