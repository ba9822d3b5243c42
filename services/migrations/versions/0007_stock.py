"""Stock: items and recipes, a ledger of movements, lots, counts, purchases, availability.

Revision: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.runtime.moment import Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)


def upgrade() -> None:
    """Make the new tables; the menu and the houses' rules get more columns."""
    op.create_table(
        "deliveries",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("delivery", sa.String(length=130), nullable=False),
        sa.Column("movement_id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("received_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "delivery", name=op.f("pk_deliveries")),
    )
    op.create_table(
        "lots",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.BigInteger(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("supplier", sa.String(length=64), nullable=True),
        sa.Column("cost_minor", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "received > 0 and gone >= 0 and gone <= received", name=op.f("ck_lots_figures")
        ),
        sa.PrimaryKeyConstraint("tenant", "lot_id", name=op.f("pk_lots")),
        info={"guard": "version"},
    )
    op.create_index("ix_lots_item", "lots", ["tenant", "item", "received_at"], unique=False)
    op.create_table(
        "purchases",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("supplier", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("lines", _DOCUMENT, nullable=False),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("sent_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_purchases_version")),
        sa.PrimaryKeyConstraint("tenant", "purchase_id", name=op.f("pk_purchases")),
        info={"guard": "version"},
    )
    op.create_index("ix_purchases_made", "purchases", ["tenant", "made_at"], unique=False)
    op.create_table(
        "sensors",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("sensor", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("out_since", Moment(), nullable=True),
        sa.Column("celsius", sa.Float(), nullable=True),
        sa.Column("humidity", sa.Float(), nullable=True),
        sa.Column("read_at", Moment(), nullable=True),
        sa.Column("ignored", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "sensor", name=op.f("pk_sensors")),
    )
    op.create_table(
        "stock_counts",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("counted_id", sa.Uuid(), nullable=False),
        sa.Column("count", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=True),
        sa.Column("kept_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "counted_id", name=op.f("pk_stock_counts")),
    )
    op.create_index("ix_stock_counts_count", "stock_counts", ["tenant", "count"], unique=False)
    op.create_index("ix_stock_counts_item", "stock_counts", ["tenant", "item", "at"], unique=False)
    op.create_table(
        "stock_holds",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("lines", _DOCUMENT, nullable=False),
        sa.Column("plan_until", Moment(), nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_stock_holds_version")),
        sa.PrimaryKeyConstraint("tenant", "order_id", name=op.f("pk_stock_holds")),
        info={"guard": "version", "shelved": True, "ours alone": True},
    )
    op.create_index(
        "ix_stock_holds_plan_until",
        "stock_holds",
        ["plan_until"],
        unique=False,
        postgresql_where=sa.text("plan_until IS NOT NULL"),
        sqlite_where=sa.text("plan_until IS NOT NULL"),
    )
    op.create_table(
        "stock_movements",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("movement_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kept_at", Moment(), nullable=False),
        sa.Column("amounts", _DOCUMENT, nullable=False),
        sa.Column("place", sa.String(length=64), nullable=True),
        sa.Column("to_place", sa.String(length=64), nullable=True),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "movement_id", name=op.f("pk_stock_movements")),
    )
    op.create_index("ix_stock_movements_at", "stock_movements", ["tenant", "at"], unique=False)
    op.create_index(
        "ix_stock_movements_order",
        "stock_movements",
        ["order_id"],
        unique=False,
        postgresql_where=sa.text("order_id IS NOT NULL"),
        sqlite_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_table(
        "stock_usage",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("hour", Moment(), nullable=False),
        sa.Column("consumed", sa.BigInteger(), nullable=False),
        sa.Column("wasted", sa.BigInteger(), nullable=False),
        sa.Column("damaged", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "item", "hour", name=op.f("pk_stock_usage")),
    )
    op.create_table(
        "usage_marks",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("movement_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "mark", name=op.f("pk_usage_marks")),
    )
    op.create_table(
        "menu_availability",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("left", sa.Integer(), nullable=True),
        sa.Column("runs_out", sa.String(length=120), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("back_at", Moment(), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=True),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.CheckConstraint('"left" >= 0', name=op.f("ck_menu_availability_left")),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenants.tenant"], name=op.f("fk_menu_availability_tenant")
        ),
        sa.PrimaryKeyConstraint("tenant", "item", name=op.f("pk_menu_availability")),
        info={"guard": "version", "shelved": True, "ours alone": True},
    )
    op.create_index(
        "ix_menu_availability_back_at",
        "menu_availability",
        ["back_at"],
        unique=False,
        postgresql_where=sa.text("back_at IS NOT NULL"),
        sqlite_where=sa.text("back_at IS NOT NULL"),
    )
    op.create_table(
        "recipes",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.String(length=80), nullable=False),
        sa.Column("document", _DOCUMENT, nullable=False),
        sa.Column("takes", _DOCUMENT, nullable=False),
        sa.Column("leaves_out", _DOCUMENT, nullable=True),
        sa.Column("spares", _DOCUMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_recipes_tenant")),
        sa.PrimaryKeyConstraint("tenant", "recipe", name=op.f("pk_recipes")),
    )
    op.create_table(
        "stock_items",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("unit", sa.String(length=8), nullable=False),
        sa.Column("piece_g", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("g_per_ml", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("par", sa.BigInteger(), nullable=True),
        sa.Column("low", sa.BigInteger(), nullable=True),
        sa.Column("low_clear", sa.BigInteger(), nullable=True),
        sa.Column("critical", sa.BigInteger(), nullable=True),
        sa.Column("critical_clear", sa.BigInteger(), nullable=True),
        sa.Column("packs", _DOCUMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_stock_items_tenant")),
        sa.PrimaryKeyConstraint("tenant", "item", name=op.f("pk_stock_items")),
    )
    op.create_table(
        "stock_levels",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("damaged", sa.BigInteger(), nullable=False),
        sa.Column("planned", sa.BigInteger(), nullable=False),
        sa.Column("places", _DOCUMENT, nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("mark", sa.String(length=16), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.CheckConstraint(
            "reserved >= 0 and damaged >= 0 and planned >= 0", name=op.f("ck_stock_levels_figures")
        ),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenants.tenant"], name=op.f("fk_stock_levels_tenant")
        ),
        sa.PrimaryKeyConstraint("tenant", "item", name=op.f("pk_stock_levels")),
        info={"guard": "version", "shelved": True, "ours alone": True},
    )
    op.create_index(
        "ix_stock_levels_changed", "stock_levels", ["tenant", "changed_at"], unique=False
    )
    op.create_table(
        "suppliers",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("supplier", sa.String(length=64), nullable=False),
        sa.Column("document", _DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_suppliers_tenant")),
        sa.PrimaryKeyConstraint("tenant", "supplier", name=op.f("pk_suppliers")),
    )
    op.add_column("house_rules", sa.Column("stock", _DOCUMENT, nullable=True))
    op.add_column("house_rules", sa.Column("stock_book", sa.BigInteger(), nullable=True))
    op.add_column("menu_items", sa.Column("hours", _DOCUMENT, nullable=True))
