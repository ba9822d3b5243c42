"""The ledger as it is kept, read back item by item."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Select, String, cast, column, func, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import MovementKind
from services.inventory.ledger import EFFECT
from services.inventory.places import Moved
from services.inventory.tables import STOCK_MOVEMENTS
from services.runtime.work import Row

ON_THE_SHELF: Final = frozenset(
    {kind for kind, effect in EFFECT.items() if effect.on_hand} | {MovementKind.TRANSFER}
)
"""They change what is on hand at some place."""


async def moved(
    connection: AsyncConnection,
    tenant: str,
    items: Collection[str],
    *,
    after: datetime | None = None,
    until: datetime | None = None,
    kinds: Collection[MovementKind] = ON_THE_SHELF,
) -> list[Moved]:
    """What moved of these items, in the order of the times at which it was so.

    The database takes the entries apart, so that nobody reads a whole night for one item.

    Args:
        connection: a view of the rows.
        tenant: whose.
        items: of what.
        after: only what was so later than this.
        until: only what was so then or earlier.
        kinds: which movements.
    """
    table = STOCK_MOVEMENTS.c
    query = _apart(connection.dialect.name, items).where(
        table.tenant == tenant, table.kind.in_(sorted(each.value for each in kinds))
    )
    if after is not None:
        query = query.where(table.at > after)
    if until is not None:
        query = query.where(table.at <= until)
    rows = await connection.execute(query.order_by(table.at, table.movement_id))
    return [_to_moved(row) for row in rows.mappings()]


async def summed(
    connection: AsyncConnection, tenant: str, items: Collection[str], *, after: datetime
) -> list[Moved]:
    """What moved on the shelves after a time, summed up by item, kind and place.

    A week of a busy house is hundreds of thousands of these: the database adds them up.
    """
    table = STOCK_MOVEMENTS.c
    apart = _apart(connection.dialect.name, items).where(
        table.tenant == tenant,
        table.kind.in_(sorted(kind.value for kind in ON_THE_SHELF)),
        table.at > after,
    )
    each = apart.subquery()
    alike = (each.c.kind, each.c.item, each.c.place, each.c.to_place)
    query = select(
        *alike,
        cast(func.sum(each.c.amount), BigInteger).label("amount"),
        func.max(each.c.at).label("at"),
        func.max(each.c.kept_at).label("kept_at"),
        null().label("reference"),
    ).group_by(*alike)
    return [_to_moved(row) for row in (await connection.execute(query)).mappings()]


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of one entry of the ledger, with who made it and why.

    Attributes:
        movement_id: of the entry.
        moved: what moved.
        device: where it was said.
        person: by whom, where that is known.
        order_id: for which order.
        why: in their words.
    """

    movement_id: UUID
    moved: Moved
    device: str
    person: str | None
    order_id: UUID | None
    why: str


async def newest(
    connection: AsyncConnection,
    tenant: str,
    item: str,
    *,
    since: datetime | None = None,
    kinds: Collection[MovementKind] = frozenset(MovementKind),
    limit: int,
) -> list[Entry]:
    """The movements of an item in the order in which the books took them, the newest first.

    Args:
        connection: a view of the rows.
        tenant: whose.
        item: of what.
        since: only what was kept then or later.
        kinds: which movements.
        limit: at most so many.
    """
    table = STOCK_MOVEMENTS.c
    query = (
        _apart(connection.dialect.name, [item])
        .add_columns(table.movement_id, table.device, table.person, table.order_id, table.why)
        .where(table.tenant == tenant, table.kind.in_(sorted(each.value for each in kinds)))
        .order_by(table.movement_id.desc())
        .limit(limit)
    )
    if since is not None:
        query = query.where(table.kept_at >= since)
    return [
        Entry(
            row["movement_id"],
            _to_moved(row),
            row["device"],
            row["person"],
            row["order_id"],
            row["why"],
        )
        for row in (await connection.execute(query)).mappings()
    ]


def _apart(dialect: str, items: Collection[str]) -> Select[Any]:
    """One row for each of these items in each entry."""
    table = STOCK_MOVEMENTS.c
    # Each database has its own way to take a document apart.
    apart = func.json_each if dialect == "sqlite" else func.jsonb_each_text
    amounts = apart(table.amounts).table_valued(
        column("key", String), column("value", String), joins_implicitly=True
    )
    return select(
        table.kind,
        amounts.c.key.label("item"),
        cast(amounts.c.value, BigInteger).label("amount"),
        table.at,
        table.kept_at,
        table.place,
        table.to_place,
        table.reference,
    ).where(amounts.c.key.in_(sorted(items)))


def _to_moved(row: Any) -> Moved:
    return Moved(
        kind=MovementKind(row["kind"]),
        item=row["item"],
        amount=row["amount"],
        at=row["at"],
        kept_at=row["kept_at"],
        place=row["place"],
        to_place=row["to_place"],
        reference=row["reference"],
    )


def unwritten(rows: Iterable[Row]) -> list[Moved]:
    """Entries that are decided and not yet written, item by item."""
    return [
        _to_moved({**row, "item": item, "amount": amount})
        for row in rows
        for item, amount in row["amounts"].items()
    ]
