"""Positions, fences, couriers, deliveries, and what was learned of how long they take.

Revision: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.runtime.moment import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)
_SLUG = sa.String(length=64)
_OPEN = (
    "'accepted', 'arrived', 'assigned', 'at-restaurant', 'en-route', 'failed', 'near', "
    "'picked-up', 'waiting'"
)


def _of_a_tenant(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f(f"fk_{table}_tenant"))


def upgrade() -> None:
    """Make the new tables; suppliers' delivery notes make room for the word."""
    _name_notes_as_what_they_are()
    op.add_column("house_rules", sa.Column("delivery", _DOCUMENT, nullable=True))
    op.add_column("intakes", sa.Column("held", sa.Text(), nullable=True))
    _make_fixes()
    op.create_table(
        "vehicles",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("vehicle", _SLUG, nullable=False),
        sa.Column("device", _SLUG, nullable=False),
        sa.Column("at", Moment(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("moving", sa.Boolean(), nullable=False),
        sa.Column("since", Moment(), nullable=True),
        sa.Column("heard_at", Moment(), nullable=False),
        sa.Column("battery", sa.Float(), nullable=True),
        sa.Column("state", _DOCUMENT, nullable=False),
        sa.Column("counts", _DOCUMENT, nullable=False),
        sa.Column("reporting", _DOCUMENT, nullable=True),
        _of_a_tenant("vehicles"),
        sa.PrimaryKeyConstraint("tenant", "vehicle", name=op.f("pk_vehicles")),
    )
    op.create_table(
        "fences",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("fence", _SLUG, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("document", _DOCUMENT, nullable=False),
        _of_a_tenant("fences"),
        sa.PrimaryKeyConstraint("tenant", "fence", name=op.f("pk_fences")),
    )
    _make_crossings()
    op.create_table(
        "tracker_findings",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("vehicle", _SLUG, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("amount", sa.Float(), nullable=True),
        sa.Column("about", sa.String(length=80), nullable=True),
        _of_a_tenant("tracker_findings"),
        sa.PrimaryKeyConstraint("tenant", "vehicle", "kind", name=op.f("pk_tracker_findings")),
    )
    op.create_table(
        "couriers",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("courier", _SLUG, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("device", _SLUG),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("stops", _DOCUMENT, nullable=False),
        sa.Column("carries", sa.Integer(), nullable=False),
        sa.Column("on_duty", sa.Boolean(), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_couriers_version")),
        _of_a_tenant("couriers"),
        sa.PrimaryKeyConstraint("tenant", "courier", name=op.f("pk_couriers")),
        sa.UniqueConstraint("tenant", "device", name=op.f("uq_couriers_tenant_device")),
        info={"guard": "version"},
    )
    _make_deliveries()
    op.create_table(
        "eta_models",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("kind", _SLUG, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("trained_at", Moment(), nullable=False),
        sa.Column("document", _DOCUMENT, nullable=False),
        _of_a_tenant("eta_models"),
        sa.PrimaryKeyConstraint("tenant", "kind", name=op.f("pk_eta_models")),
    )
    op.create_table(
        "late_orders",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("p50_at", Moment(), nullable=False),
        sa.Column("found_at", Moment(), nullable=False),
        sa.Column("followed", sa.Boolean(), nullable=False),
        _of_a_tenant("late_orders"),
        sa.PrimaryKeyConstraint("tenant", "order_id", name=op.f("pk_late_orders")),
    )
    op.create_index(
        "ix_late_orders_unfollowed",
        "late_orders",
        ["found_at"],
        unique=False,
        sqlite_where=sa.text("followed IS 0"),
        postgresql_where=sa.text("followed IS false"),
    )
    op.create_table(
        "tracking_screens",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("device", _SLUG, nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "device"],
            ["devices.tenant", "devices.device"],
            name=op.f("fk_tracking_screens_tenant_device"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant", "device", name=op.f("pk_tracking_screens")),
    )


def _name_notes_as_what_they_are() -> None:
    op.create_table(
        "delivery_notes",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("delivery", sa.String(length=130), nullable=False),
        sa.Column("movement_id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("received_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "delivery", name=op.f("pk_delivery_notes")),
    )
    op.execute("insert into delivery_notes select * from deliveries")
    op.drop_table("deliveries")


def _make_fixes() -> None:
    op.create_table(
        "fixes",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("vehicle", _SLUG, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("accuracy_m", sa.Float(), nullable=True),
        sa.Column("speed_mps", sa.Float(), nullable=True),
        sa.Column("heading_deg", sa.Float(), nullable=True),
        sa.Column("verdict", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "vehicle", "at", name=op.f("pk_fixes")),
        postgresql_partition_by="RANGE (at)",
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("create table fixes_other partition of fixes default")


def _make_crossings() -> None:
    op.create_table(
        "crossings",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("crossing_id", sa.Uuid(), nullable=False),
        sa.Column("fence", sa.String(length=80), nullable=False),
        sa.Column("vehicle", _SLUG, nullable=False),
        sa.Column("what", sa.String(length=8), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kept_at", Moment(), nullable=False),
        sa.Column("followed", sa.Boolean(), nullable=False),
        _of_a_tenant("crossings"),
        sa.PrimaryKeyConstraint("tenant", "crossing_id", name=op.f("pk_crossings")),
    )
    op.create_index("ix_crossings_at", "crossings", ["tenant", "vehicle", "at"], unique=False)
    op.create_index(
        "ix_crossings_unfollowed",
        "crossings",
        ["kept_at"],
        unique=False,
        sqlite_where=sa.text("followed IS 0"),
        postgresql_where=sa.text("followed IS false"),
    )


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("tenant", _SLUG, nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("courier", _SLUG, nullable=True),
        sa.Column("device", _SLUG, nullable=True),
        sa.Column("stop", sa.Integer(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("distance_m", sa.Float(), nullable=True),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("placed_at", Moment(), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("begun_at", Moment(), nullable=True),
        sa.Column("quoted_p50_at", Moment(), nullable=True),
        sa.Column("promised_at", Moment(), nullable=True),
        sa.Column("ready_at", Moment(), nullable=True),
        sa.Column("assigned_at", Moment(), nullable=True),
        sa.Column("accepted_at", Moment(), nullable=True),
        sa.Column("at_restaurant_at", Moment(), nullable=True),
        sa.Column("picked_up_at", Moment(), nullable=True),
        sa.Column("set_out_at", Moment(), nullable=True),
        sa.Column("arrived_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("document", _DOCUMENT, nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_deliveries_version")),
        sa.CheckConstraint("(courier is null) = (stop is null)", name=op.f("ck_deliveries_stop")),
        sa.CheckConstraint(
            f"(ended_at is null) = (status in ({_OPEN}))", name=op.f("ck_deliveries_ended")
        ),
        _of_a_tenant("deliveries"),
        sa.PrimaryKeyConstraint("tenant", "order_id", name=op.f("pk_deliveries")),
        info={"guard": "version", "shelved": True, "ours alone": True},
    )
    for name, columns in (
        ("ix_deliveries_open", ["tenant", "placed_at", "order_id"]),
        ("ix_deliveries_ended", ["tenant", "ended_at", "order_id"]),
        ("ix_deliveries_placed", ["tenant", "placed_at"]),
    ):
        where = sa.text("ended_at IS NULL") if name == "ix_deliveries_open" else None
        op.create_index(
            name, "deliveries", columns, unique=False, sqlite_where=where, postgresql_where=where
        )
