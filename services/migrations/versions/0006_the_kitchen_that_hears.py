"""The kitchen that hears: courses, stations' load, alerts, staff, checks, limits.

Revision: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.runtime.moment import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)


def upgrade() -> None:
    """Make the new tables; tickets, stations and the menu get more columns and constraints."""
    op.add_column("house_rules", sa.Column("kitchen", _DOCUMENT, nullable=True))
    _new_tables()
    # Neither database changes so many constraints in place.
    for name in ("menu_items", "stations", "tickets"):
        op.execute(sa.text(f"CREATE TEMPORARY TABLE old_{name} AS SELECT * FROM {name}"))  # noqa: S608 - our own names
        op.drop_table(name)
    _menu_items()
    _stations()
    _tickets()
    _copy("menu_items", {"course": "1"})
    _copy(
        "stations",
        {
            "version": "sequence + 1",
            "open": "(SELECT count(*) FROM old_tickets t WHERE t.tenant = old_stations.tenant "
            "AND t.station = old_stations.station AND t.status IN ('sent', 'heard', 'started'))",
            "work_s": "0",
        },
    )
    _copy(
        "tickets",
        {"course": "1", "priority": "'normal'", "recalls": "0", "sent_at": "placed_at"},
    )
    for name in ("menu_items", "stations", "tickets"):
        op.drop_table(f"old_{name}")


def _copy(name: str, more: dict[str, str]) -> None:
    """Take all rows over; `more` says what stands in the columns that are new."""
    bind = op.get_bind()
    old = [each["name"] for each in sa.inspect(bind).get_columns(f"old_{name}")]
    quote = bind.dialect.identifier_preparer.quote
    into = ", ".join(quote(each) for each in [*old, *more])
    values = ", ".join([*(quote(each) for each in old), *more.values()])
    op.execute(sa.text(f"INSERT INTO {name} ({into}) SELECT {values} FROM old_{name}"))  # noqa: S608 - our own names


def _new_tables() -> None:
    op.create_table(
        "alerts",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("alert", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("audience", sa.String(length=16), nullable=False),
        sa.Column("to", sa.String(length=64), nullable=False),
        sa.Column("about", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tickets", _DOCUMENT, nullable=False),
        sa.Column("raised_at", Moment(), nullable=False),
        sa.Column("acknowledged_at", Moment(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=64), nullable=True),
        sa.Column("cleared_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "alert", name=op.f("pk_alerts")),
        info={"guard": "version"},
    )
    op.create_index(
        "ix_alerts_standing",
        "alerts",
        ["tenant", "alert"],
        unique=False,
        sqlite_where=sa.text("cleared_at IS NULL"),
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "duties",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("since", Moment(), nullable=True),
        sa.Column("until", Moment(), nullable=True),
        sa.Column("tickets", _DOCUMENT, nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_duties_version")),
        sa.CheckConstraint("(since is null) = (until is not null)", name=op.f("ck_duties_until")),
        sa.PrimaryKeyConstraint("tenant", "person", name=op.f("pk_duties")),
        info={"guard": "version"},
    )
    op.create_table(
        "findings",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("finding_id", sa.Uuid(), nullable=False),
        sa.Column("check", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("ticket_id", sa.Uuid(), nullable=True),
        sa.Column("order_number", sa.String(length=32), nullable=True),
        sa.Column("item", sa.String(length=64), nullable=True),
        sa.Column("celsius", sa.Float(), nullable=True),
        sa.Column("yes", sa.Boolean(), nullable=True),
        sa.Column("photo", sa.String(length=120), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("waived", sa.Boolean(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.CheckConstraint("not (passed and waived)", name=op.f("ck_findings_waived")),
        sa.PrimaryKeyConstraint("tenant", "finding_id", name=op.f("pk_findings")),
    )
    op.create_index("ix_findings_at", "findings", ["tenant", "at"], unique=False)
    op.create_index(
        "ix_findings_check", "findings", ["tenant", "check", "station", "at"], unique=False
    )
    op.create_index("ix_findings_ticket", "findings", ["ticket_id", "tenant"], unique=False)
    op.create_table(
        "intakes",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("intake", sa.String(length=16), nullable=False),
        sa.Column("quoted_s", sa.Integer(), nullable=False),
        sa.Column("load", sa.Float(), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        sa.Column("since", Moment(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_intakes_version")),
        sa.PrimaryKeyConstraint("tenant", "channel", name=op.f("pk_intakes")),
        info={"guard": "version", "shelved": True},
    )
    op.create_table(
        "quarters",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.String(length=96), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("starts_at", Moment(), nullable=False),
        sa.Column("work_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_quarters_version")),
        sa.CheckConstraint("work_s >= 0", name=op.f("ck_quarters_work")),
        sa.PrimaryKeyConstraint("tenant", "slot", name=op.f("pk_quarters")),
        info={"guard": "version", "shelved": True},
    )
    op.create_table(
        "station_metrics",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("figures", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "station", name=op.f("pk_station_metrics")),
    )
    op.create_table(
        "tasks",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("addressee", sa.String(length=16), nullable=False),
        sa.Column("to", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("must_read", sa.Boolean(), nullable=False),
        sa.Column("hand_over", sa.Boolean(), nullable=False),
        sa.Column("sent_by", sa.String(length=64), nullable=False),
        sa.Column("sent_at", Moment(), nullable=False),
        sa.Column("waits_for", _DOCUMENT, nullable=False),
        sa.Column("read_by", _DOCUMENT, nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_tasks_version")),
        sa.PrimaryKeyConstraint("tenant", "task_id", name=op.f("pk_tasks")),
        info={"guard": "version"},
    )
    op.create_index(
        "ix_tasks_standing",
        "tasks",
        ["tenant", "sent_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _menu_items() -> None:
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
        sa.Column("tax", sa.String(length=64), nullable=True),
        sa.Column("allergens", _DOCUMENT, nullable=True),
        sa.Column("groups", _DOCUMENT, nullable=True),
        sa.Column("components", _DOCUMENT, nullable=True),
        sa.Column("prep_s", sa.Integer(), nullable=True),
        sa.Column("course", sa.Integer(), nullable=False),
        sa.CheckConstraint("course >= 1", name=op.f("ck_menu_items_course")),
        sa.CheckConstraint("prep_s >= 1", name=op.f("ck_menu_items_prep")),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_menu_items_price")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_menu_items_tenant")),
        sa.PrimaryKeyConstraint("tenant", "item", name=op.f("pk_menu_items")),
        info={"shelved": True},
    )


def _stations() -> None:
    op.create_table(
        "stations",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.Integer(), nullable=False),
        sa.Column("work_s", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.Text(), nullable=True),
        sa.Column("displays", _DOCUMENT, nullable=True),
        sa.Column("printers", _DOCUMENT, nullable=True),
        sa.Column("unheard", _DOCUMENT, nullable=True),
        sa.Column("left_at", _DOCUMENT, nullable=True),
        sa.CheckConstraint("open >= 0 and work_s >= 0", name=op.f("ck_stations_load")),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_stations_sequence")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_stations_version")),
        sa.PrimaryKeyConstraint("tenant", "station", name=op.f("pk_stations")),
        info={"guard": "version", "shelved": True},
    )


def _tickets() -> None:
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
        sa.Column("lines", _DOCUMENT, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("table", sa.String(length=32), nullable=True),
        sa.Column("guest", sa.String(length=120), nullable=True),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("placed_at", Moment(), nullable=False),
        sa.Column("heard_at", Moment(), nullable=True),
        sa.Column("heard_by", sa.String(length=64), nullable=True),
        sa.Column("changed_sequence", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", Moment(), nullable=True),
        sa.Column("change_heard_at", Moment(), nullable=True),
        sa.Column("change_heard_by", sa.String(length=64), nullable=True),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("course", sa.Integer(), nullable=False),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("sent_at", Moment(), nullable=True),
        sa.Column("wake_at", Moment(), nullable=True),
        sa.Column("recalls", sa.Integer(), nullable=False),
        sa.Column("held_for", sa.String(length=16), nullable=True),
        sa.Column("details", _DOCUMENT, nullable=True),
        sa.CheckConstraint(
            "(ended_at is not null) = (status in ('bumped', 'cancelled', 'moved'))",
            name=op.f("ck_tickets_ended"),
        ),
        sa.CheckConstraint(
            "(held_for is not null) = (status = 'held')", name=op.f("ck_tickets_held")
        ),
        sa.CheckConstraint(
            "heard_at is not null or status in ('held', 'sent', 'cancelled', 'moved')",
            name=op.f("ck_tickets_heard_before_made"),
        ),
        sa.CheckConstraint(
            "status in ('held', 'sent', 'heard', 'started', 'bumped', 'cancelled', 'moved')",
            name=op.f("ck_tickets_status"),
        ),
        sa.CheckConstraint(
            "(changed_at is null) = (changed_sequence is null) and (change_heard_at is null) "
            "= (change_heard_by is null) and (change_heard_at is null or changed_at is not null)",
            name=op.f("ck_tickets_changed"),
        ),
        sa.CheckConstraint(
            "(heard_at is null) = (heard_by is null)", name=op.f("ck_tickets_heard")
        ),
        sa.CheckConstraint("course >= 1 and recalls >= 0", name=op.f("ck_tickets_counts")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_tickets_version")),
        sa.CheckConstraint("wake_at is null or ended_at is null", name=op.f("ck_tickets_asleep")),
        sa.ForeignKeyConstraint(
            ["tenant", "order_id"],
            ["orders.tenant", "orders.order_id"],
            name=op.f("fk_tickets_tenant_order_id"),
        ),
        sa.PrimaryKeyConstraint("tenant", "ticket_id", name=op.f("pk_tickets")),
        info={"guard": "version", "shelved": True},
    )
    op.create_index(
        "ix_tickets_ended",
        "tickets",
        ["tenant", "station", "ended_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index(
        "ix_tickets_open",
        "tickets",
        ["tenant", "station", "sequence"],
        unique=False,
        sqlite_where=sa.text("status IN ('heard', 'held', 'sent', 'started')"),
        postgresql_where=sa.text("status IN ('heard', 'held', 'sent', 'started')"),
    )
    op.create_index("ix_tickets_order", "tickets", ["order_id", "tenant"], unique=False)
    op.create_index(
        "ix_tickets_waking",
        "tickets",
        ["wake_at"],
        unique=False,
        sqlite_where=sa.text("wake_at IS NOT NULL"),
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    )
