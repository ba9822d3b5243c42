"""The ledger as it is kept, read back item by item."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, String, cast, column, func, select
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
    # Each database has its own way to take a document apart.
    apart = func.json_each if connection.dialect.name == "sqlite" else func.jsonb_each_text
    amounts = apart(table.amounts).table_valued(
        column("key", String), column("value", String), joins_implicitly=True
    )
    query = select(
        table.kind,
        amounts.c.key.label("item"),
        cast(amounts.c.value, BigInteger).label("amount"),
        table.at,
        table.kept_at,
        table.place,
        table.to_place,
        table.reference,
    ).where(
        table.tenant == tenant,
        table.kind.in_(sorted(each.value for each in kinds)),
        amounts.c.key.in_(sorted(items)),
    )
    if after is not None:
        query = query.where(table.at > after)
    if until is not None:
        query = query.where(table.at <= until)
    rows = await connection.execute(query.order_by(table.at, table.movement_id))
    return [_to_moved(row) for row in rows.mappings()]


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
