"""Notices, and several guests on one order.

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.runtime.moment import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)


def upgrade() -> None:
    """Make the tables."""
    _parties()
    _notices()


def _parties() -> None:
    op.create_table(
        "parties",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("table", sa.String(length=32), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("guests", _DOCUMENT, nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("order_status", sa.String(length=16), nullable=True),
        sa.CheckConstraint(
            "status != 'sent' or order_id is not null", name=op.f("ck_parties_sent")
        ),
        sa.CheckConstraint("status in ('open', 'sent', 'ended')", name=op.f("ck_parties_status")),
        sa.CheckConstraint(
            "(order_id is null) = (order_status is null)", name=op.f("ck_parties_order")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_parties_version")),
        sa.PrimaryKeyConstraint("tenant", "party_id", name=op.f("pk_parties")),
        sa.UniqueConstraint("code", "tenant", name=op.f("uq_parties_code_tenant")),
        info={"guard": "version"},
    )
    op.create_index("ix_parties_order", "parties", ["order_id", "tenant"], unique=False)
    op.create_index(
        "ix_parties_standing",
        "parties",
        ["tenant", "ends_at"],
        unique=False,
        sqlite_where=sa.text("status != 'ended'"),
        postgresql_where=sa.text("status != 'ended'"),
    )
    op.create_table(
        "party_seats",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_party_seats_version")),
        sa.PrimaryKeyConstraint("tenant", "device", name=op.f("pk_party_seats")),
        info={"guard": "version"},
    )
    op.create_table(
        "guest_passes",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "device"],
            ["devices.tenant", "devices.device"],
            name=op.f("fk_guest_passes_tenant_device"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant", "device", name=op.f("pk_guest_passes")),
    )


def _notices() -> None:
    op.create_table(
        "channels",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'webhook') = (url is not null) and (kind = 'webhook') = (secret is not null)",
            name=op.f("ck_channels_webhook"),
        ),
        sa.CheckConstraint("kind in ('mqtt', 'webhook', 'email')", name=op.f("ck_channels_kind")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_channels_tenant")),
        sa.PrimaryKeyConstraint("tenant", "channel", name=op.f("pk_channels")),
    )
    op.create_table(
        "templates",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_templates_tenant")),
        sa.PrimaryKeyConstraint("tenant", "template", "language", name=op.f("pk_templates")),
    )
    op.create_table(
        "notices",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_version", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("change", sa.String(length=24), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("next_at", Moment(), nullable=True),
        sa.Column("to", sa.String(length=120), nullable=True),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("snapshot", _DOCUMENT, nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'waiting') = (ended_at is null)", name=op.f("ck_notices_ended")
        ),
        sa.CheckConstraint(
            "(status = 'waiting') = (next_at is not null)", name=op.f("ck_notices_waiting")
        ),
        sa.CheckConstraint("status != 'dead' or error is not null", name=op.f("ck_notices_dead")),
        sa.CheckConstraint(
            "status in ('waiting', 'sent', 'dead', 'dropped')", name=op.f("ck_notices_status")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_notices_attempts")),
        sa.PrimaryKeyConstraint("tenant", "notice_id", name=op.f("pk_notices")),
        sa.UniqueConstraint(
            "order_id",
            "order_version",
            "rule",
            "tenant",
            name=op.f("uq_notices_order_id_order_version_rule_tenant"),
        ),
        info={"guard": "version"},
    )
    op.create_index(
        "ix_notices_next",
        "notices",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
