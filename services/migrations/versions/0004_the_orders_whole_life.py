"""The whole life of an order: its journal, its money, the house's rules.

Revision: 0004
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schemas.identifiers import new_id
from services.runtime.moment import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)
_PAGE = 1_000


def upgrade() -> None:
    """Make the tables; orders and tickets are written anew, with all that one knows of them."""
    op.add_column(
        "inbox", sa.Column("type", sa.String(length=64), nullable=False, server_default="")
    )
    with op.batch_alter_table("inbox") as inbox:
        inbox.alter_column("type", server_default=None)
    op.add_column("menu_items", sa.Column("tax", sa.String(length=64), nullable=True))
    op.add_column("menu_items", sa.Column("allergens", _DOCUMENT, nullable=True))
    op.add_column("menu_items", sa.Column("groups", _DOCUMENT, nullable=True))
    _house()
    _first_rules()
    _journal()
    _move()


def _first_rules() -> None:
    bind = op.get_bind()
    rules = sa.table(
        "house_rules",
        sa.column("tenant", sa.String),
        sa.column("book", sa.String),
        sa.column("version", sa.BigInteger),
    )
    for tenant in list(bind.scalars(sa.text("SELECT tenant FROM tenants"))):
        version = 1 + secrets.randbelow(2**40)
        bind.execute(rules.insert().values(tenant=tenant, book="main", version=version))


def _move() -> None:
    """Orders and tickets: neither database changes so many constraints in place."""
    bind = op.get_bind()
    for name in ("tickets", "orders"):
        bind.execute(sa.text(f"CREATE TEMPORARY TABLE old_{name} AS SELECT * FROM {name}"))  # noqa: S608 - our own names
        op.drop_table(name)
    _orders()
    _tickets()
    for orders in _pages("orders", "order_id"):
        _insert("orders", [_order(each) for each in orders])
        _insert("journal", [_opening(each) for each in orders])
    for tickets in _pages("tickets", "ticket_id"):
        _insert("tickets", [{**each, "kind": "dine-in"} for each in tickets])
    for name in ("tickets", "orders"):
        op.drop_table(f"old_{name}")


def _pages(name: str, key: str) -> Iterator[list[dict[str, Any]]]:
    """All old rows, by their keys; times and documents are read as such."""
    bind = op.get_bind()
    kinds: dict[str, sa.types.TypeEngine[Any]] = {"lines": _DOCUMENT, key: sa.Uuid()}
    kinds |= {"order_id": sa.Uuid()}
    old = sa.inspect(bind).get_columns(f"old_{name}")
    table = sa.table(
        f"old_{name}",
        *(
            sa.column(
                each["name"],
                kinds.get(each["name"], Moment() if each["name"].endswith("_at") else sa.String()),
            )
            if each["name"] in kinds or each["name"].endswith("_at")
            else sa.column(each["name"])
            for each in old
        ),
    )
    after: tuple[Any, Any] | None = None
    while True:
        query = sa.select(table).order_by(table.c.tenant, table.c[key]).limit(_PAGE)
        if after is not None:
            query = query.where(sa.tuple_(table.c.tenant, table.c[key]) > after)
        rows = [dict(row) for row in bind.execute(query).mappings()]
        if not rows:
            return
        yield rows
        after = (rows[-1]["tenant"], rows[-1][key])


def _insert(name: str, rows: list[dict[str, Any]]) -> None:
    bind = op.get_bind()
    table = sa.Table(name, sa.MetaData(), autoload_with=bind)
    for column in table.columns:  # what reflection cannot know
        if column.name.endswith("_at") or column.name == "at":
            column.type = Moment()
        elif column.name.endswith("_id"):
            column.type = sa.Uuid()
    bind.execute(table.insert(), rows)


def _order(old: dict[str, Any]) -> dict[str, Any]:
    """An order as it stood: taken at once, and never asked to be paid."""
    status = "accepted" if old["status"] == "placed" else old["status"]
    ended = status in {"closed", "cancelled"}
    return {
        **old,
        "status": status,
        "status_version": old["version"],
        "kind": "dine-in",
        "tax_minor": 0,
        "paid_minor": 0,
        "tips_minor": 0,
        "refunded_minor": 0,
        "due_minor": 0 if status == "cancelled" else old["total_minor"],
        "closed_at": old["placed_at"] if ended else None,
        "lines": [
            {**line, "total_minor": line["quantity"] * line["unit_minor"]} for line in old["lines"]
        ],
    }


def _opening(old: dict[str, Any]) -> dict[str, Any]:
    """What the journal says of all that happened before there was one."""
    owed = 0 if old["status"] == "cancelled" else old["total_minor"]
    return {
        "tenant": old["tenant"],
        "entry_id": new_id(),
        "order_id": old["order_id"],
        "version": old["version"],
        "at": old["placed_at"],
        "change": "placed",
        "status": _order(old)["status"],
        "device": old["device"],
        "request_id": old["order_id"],
        "why": "from before there was a journal",
        "guest_minor": owed,
        "cash_minor": 0,
        "provider_minor": 0,
        "sales_minor": -owed,
        "tax_minor": 0,
        "tips_minor": 0,
        "refunds_minor": 0,
    }


def _house() -> None:
    op.create_table(
        "house_rules",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("book", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("orders", _DOCUMENT, nullable=True),
        sa.Column("notices", _DOCUMENT, nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_house_rules_version")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_house_rules_tenant")),
        sa.PrimaryKeyConstraint("tenant", "book", name=op.f("pk_house_rules")),
        info={"guard": "version", "shelved": True},
    )
    op.create_table(
        "providers",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name=op.f("fk_providers_tenant")),
        sa.PrimaryKeyConstraint("tenant", "provider", name=op.f("pk_providers")),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("change", sa.String(length=24), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=True),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("rules", _DOCUMENT, nullable=True),
        sa.Column("lines", _DOCUMENT, nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("guest_minor", sa.BigInteger(), nullable=False),
        sa.Column("cash_minor", sa.BigInteger(), nullable=False),
        sa.Column("provider_minor", sa.BigInteger(), nullable=False),
        sa.Column("sales_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("tips_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunds_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "guest_minor + cash_minor + provider_minor + sales_minor + tax_minor + tips_minor "
            "+ refunds_minor = 0",
            name=op.f("ck_journal_balance"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_journal_version")),
        sa.PrimaryKeyConstraint("tenant", "entry_id", name=op.f("pk_journal")),
        sa.UniqueConstraint(
            "order_id", "version", "tenant", name=op.f("uq_journal_order_id_version_tenant")
        ),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status_version", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("table", sa.String(length=32), nullable=True),
        sa.Column("covers", sa.Integer(), nullable=True),
        sa.Column("guest", _DOCUMENT, nullable=True),
        sa.Column("participants", _DOCUMENT, nullable=True),
        sa.Column("waits_for", _DOCUMENT, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("tips_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("due_minor", sa.BigInteger(), nullable=False),
        sa.Column("payment", sa.String(length=16), nullable=True),
        sa.Column("payments", _DOCUMENT, nullable=True),
        sa.Column("lines", _DOCUMENT, nullable=False),
        sa.Column("placed_at", Moment(), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("wake_at", Moment(), nullable=True),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'placed') = (waits_for is not null) and (wake_at is null or status = "
            "'placed')",
            name=op.f("ck_orders_waiting"),
        ),
        sa.CheckConstraint(
            "(status in ('closed', 'rejected', 'cancelled', 'voided')) = (closed_at is not null)",
            name=op.f("ck_orders_ended"),
        ),
        sa.CheckConstraint(
            "(status in ('rejected', 'cancelled', 'voided')) = (reason is not null)",
            name=op.f("ck_orders_reason"),
        ),
        sa.CheckConstraint(
            "kind in ('dine-in', 'takeaway', 'delivery')", name=op.f("ck_orders_kind")
        ),
        sa.CheckConstraint(
            "payment in ('pending', 'authorised', 'paid', 'failed', 'partly-refunded', 'refunded')",
            name=op.f("ck_orders_payment"),
        ),
        sa.CheckConstraint(
            "status in ('placed', 'accepted', 'preparing', 'ready', 'served', "
            "'out-for-delivery', 'delivered', 'closed', 'rejected', 'cancelled', 'voided')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint(
            "paid_minor >= 0 and tips_minor >= 0 and refunded_minor between 0 and paid_minor "
            "+ tips_minor",
            name=op.f("ck_orders_money"),
        ),
        sa.CheckConstraint(
            "total_minor >= 0 and tax_minor between 0 and total_minor", name=op.f("ck_orders_total")
        ),
        sa.CheckConstraint(
            "version >= 1 and status_version between 1 and version", name=op.f("ck_orders_version")
        ),
        sa.PrimaryKeyConstraint("tenant", "order_id", name=op.f("pk_orders")),
        sa.UniqueConstraint("number", "tenant", name=op.f("uq_orders_number_tenant")),
        info={"guard": "version", "shelved": True},
    )
    op.create_index(
        "ix_orders_open",
        "orders",
        ["tenant", "placed_at"],
        unique=False,
        sqlite_where=sa.text(
            "status IN ('accepted', 'delivered', 'out-for-delivery', 'placed', 'preparing', "
            "'ready', 'served')"
        ),
        postgresql_where=sa.text(
            "status IN ('accepted', 'delivered', 'out-for-delivery', 'placed', 'preparing', "
            "'ready', 'served')"
        ),
    )
    op.create_index(
        "ix_orders_personal",
        "orders",
        ["closed_at"],
        unique=False,
        sqlite_where=sa.text("guest IS NOT NULL OR participants IS NOT NULL"),
        postgresql_where=sa.text("guest IS NOT NULL OR participants IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_wake",
        "orders",
        ["wake_at"],
        unique=False,
        sqlite_where=sa.text("wake_at IS NOT NULL"),
        postgresql_where=sa.text("wake_at IS NOT NULL"),
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
            "(changed_at is null) = (changed_sequence is null) and (change_heard_at is null) "
            "= (change_heard_by is null) and (change_heard_at is null or changed_at is not "
            "null)",
            name=op.f("ck_tickets_changed"),
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
        info={"guard": "version", "shelved": True},
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
