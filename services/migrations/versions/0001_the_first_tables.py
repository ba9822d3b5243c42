"""The first tables.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.runtime.moment import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "inbox",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "request_id", name=op.f("pk_inbox")),
    )

    op.create_table(
        "orders",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("table", sa.String(length=32), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "lines", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("placed_at", Moment(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'cancelled') = (reason is not null)", name=op.f("ck_orders_reason")
        ),
        sa.CheckConstraint(
            "status in ('placed', 'preparing', 'ready', 'closed', 'cancelled')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint("total_minor >= 0", name=op.f("ck_orders_total")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_orders_version")),
        sa.PrimaryKeyConstraint("tenant", "order_id", name=op.f("pk_orders")),
        sa.UniqueConstraint("number", "tenant", name=op.f("uq_orders_number_tenant")),
    )
    op.create_table(
        "outbox",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("parcel_id", sa.Uuid(), nullable=False),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "parcel_id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "presence",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("epoch", sa.Uuid(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.CheckConstraint(
            "status in ('online', 'idle', 'offline')", name=op.f("ck_presence_status")
        ),
        sa.PrimaryKeyConstraint("tenant", "device", name=op.f("pk_presence")),
    )
    op.create_table(
        "quarantine",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "entry_id", name=op.f("pk_quarantine")),
    )
    op.create_table(
        "stations",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_stations_sequence")),
        sa.PrimaryKeyConstraint("tenant", "station", name=op.f("pk_stations")),
    )
    op.create_table(
        "tenants",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenants")),
    )
    op.create_table(
        "devices",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("secret", sa.String(length=255), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_devices_tenant")),
        sa.PrimaryKeyConstraint("tenant", "device", name=op.f("pk_devices")),
    )
    op.create_table(
        "menus",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("menu", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_menus_version")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_menus_tenant")),
        sa.PrimaryKeyConstraint("tenant", "menu", name=op.f("pk_menus")),
    )
    op.create_table(
        "menu_items",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_menu_items_price")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_menu_items_tenant")),
        sa.PrimaryKeyConstraint("tenant", "item", name=op.f("pk_menu_items")),
    )
    op.create_table(
        "tickets",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_number", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column(
            "lines", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("table", sa.String(length=32), nullable=True),
        sa.Column("placed_at", Moment(), nullable=False),
        sa.Column("heard_at", Moment(), nullable=True),
        sa.Column("heard_by", sa.String(length=64), nullable=True),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.CheckConstraint(
            "(ended_at is not null) = (status in ('bumped', 'cancelled'))",
            name=op.f("ck_tickets_ended"),
        ),
        sa.CheckConstraint(
            "heard_at is not null or status in ('sent', 'cancelled')",
            name=op.f("ck_tickets_heard_before_made"),
        ),
        sa.CheckConstraint(
            "status in ('sent', 'heard', 'started', 'bumped', 'cancelled')",
            name=op.f("ck_tickets_status"),
        ),
        sa.CheckConstraint(
            "(heard_at is null) = (heard_by is null)", name=op.f("ck_tickets_heard")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_tickets_version")),
        sa.ForeignKeyConstraint(
            ["tenant", "order_id"],
            ["orders.tenant", "orders.order_id"],
            name=op.f("fk_tickets_tenant_order_id"),
        ),
        sa.PrimaryKeyConstraint("tenant", "ticket_id", name=op.f("pk_tickets")),
    )
    op.create_index(
        "ix_tickets_open",
        "tickets",
        ["tenant", "station", "sequence"],
        unique=False,
        sqlite_where=sa.text("status IN ('heard', 'sent', 'started')"),
        postgresql_where=sa.text("status IN ('heard', 'sent', 'started')"),
    )
    op.create_index("ix_tickets_order", "tickets", ["order_id", "tenant"], unique=False)
