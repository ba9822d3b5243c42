"""The journal of each order: what happened to it, who did it, and which money moved.

One entry a version, never changed. Each is a double entry too: its columns are accounts,
and the database itself keeps none whose sum is not zero. An account grows with what the
house has or is owed, and falls with what it has earned or owes:

============  ============================================================
``guest``     owed by the guests; below zero, owed to them
``cash``      in the till
``provider``  with payment providers
``sales``     earned, without tax (grows downwards)
``tax``       collected for the state (grows downwards)
``tips``      held for the staff (grows downwards)
``refunds``   given back of what was earned, without tax
============  ============================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from schemas.identifiers import new_id
from schemas.orders import Order, OrderChange
from services.orders.ledger import ACCOUNTS, NOTHING, Posting
from services.runtime.context import Context
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG

JOURNAL: Final = Table(
    "journal",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("entry_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("change", String(24), nullable=False),
    Column("status", String(16), nullable=False),
    Column("device", SLUG, nullable=False),
    Column("person", SLUG),
    Column("request_id", Uuid, nullable=False),
    Column("why", Text),
    Column("rules", DOCUMENT),
    Column("lines", DOCUMENT),
    Column("payment_id", Uuid),
    Column("guest_minor", BigInteger, nullable=False),
    Column("cash_minor", BigInteger, nullable=False),
    Column("provider_minor", BigInteger, nullable=False),
    Column("sales_minor", BigInteger, nullable=False),
    Column("tax_minor", BigInteger, nullable=False),
    Column("tips_minor", BigInteger, nullable=False),
    Column("refunds_minor", BigInteger, nullable=False),
    # The order first: see `services.orders.store`.
    UniqueConstraint("order_id", "version", "tenant"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint(" + ".join(f"{name}_minor" for name in ACCOUNTS) + " = 0", name="balance"),
)
"""``rules`` says in words which rules decided; ``device`` is ``heard`` for the services."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What the journal says of one change.

    Attributes:
        change: what kind.
        why: the reason that somebody gave, or that follows from a rule.
        rules: each rule that decided, in words.
        lines: the lines it is about.
        payment_id: the payment it is about.
        posting: the money it moved.
    """

    change: OrderChange
    why: str | None = None
    rules: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    payment_id: UUID | None = None
    posting: Posting = NOTHING


def write(context: Context, order: Order, happened: Happened, person: str | None) -> None:
    """Write the entry of an order's version."""
    by = By(context.device, context.request_id, person)
    context.draft.put(JOURNAL, to_row(context.tenant, order, happened, by, context.now))


@dataclass(frozen=True, slots=True)
class By:
    """Who asked for a change, and by which request."""

    device: str
    request_id: UUID
    person: str | None = None


def to_row(tenant: str, order: Order, happened: Happened, by: By, at: datetime) -> dict[str, Any]:
    """Write a row."""
    return {
        "tenant": tenant,
        "entry_id": new_id(),
        "order_id": order.order_id,
        "version": order.version,
        "at": at,
        "change": happened.change.value,
        "status": order.status.value,
        "device": by.device,
        "person": by.person,
        "request_id": by.request_id,
        "why": happened.why,
        "rules": list(happened.rules) or None,
        "lines": list(happened.lines) or None,
        "payment_id": happened.payment_id,
        **happened.posting.columns(),
    }


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as it is read."""

    order_id: UUID
    version: int
    at: datetime
    change: OrderChange
    status: str
    device: str
    person: str | None
    request_id: UUID
    why: str | None
    rules: Sequence[str]
    lines: Sequence[int]
    payment_id: UUID | None
    posting: Posting


def to_entry(row: Any) -> Entry:
    """Read a row."""
    return Entry(
        order_id=row["order_id"],
        version=row["version"],
        at=row["at"],
        change=OrderChange(row["change"]),
        status=row["status"],
        device=row["device"],
        person=row["person"],
        request_id=row["request_id"],
        why=row["why"],
        rules=tuple(row["rules"] or ()),
        lines=tuple(row["lines"] or ()),
        payment_id=row["payment_id"],
        posting=Posting(**{name: row[f"{name}_minor"] for name in ACCOUNTS}),
    )
