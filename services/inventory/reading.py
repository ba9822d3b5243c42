"""How much there is, for whoever asks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import SheetLine, StockItem, StockLevel
from schemas.inventory_requests import MAX_STOCK_LINES, ReadCountSheet, ReadStock
from schemas.refusals import RefusalCode
from schemas.replies import CountSheet, StockPage
from services.inventory.books import to_item
from services.inventory.moves import level_told
from services.inventory.quantities import units_of
from services.inventory.tables import STOCK_ITEMS, STOCK_LEVELS
from services.runtime.among import among
from services.runtime.refusal import Refusal
from services.runtime.router import Asking, Router

router: Final = Router()


class Kept(NamedTuple):
    """An item, and how much there is of it."""

    item: StockItem
    level: StockLevel


@router.answer(ReadStock)
async def read_stock(query: ReadStock, asking: Asking) -> StockPage:
    """The items that were named, or the next page of all."""
    connection, tenant = asking.connection, asking.tenant
    if query.items:
        found = await levels(connection, tenant, asking.now, items=query.items)
        known = {each.item.item for each in found}
        unknown = [each for each in query.items if each not in known]
        if unknown:
            raise Refusal(RefusalCode.UNKNOWN_ITEM, f"the book has no item {', '.join(unknown)}")
        return StockPage(levels=tuple(each.level for each in found))
    found = await levels(
        connection, tenant, asking.now, after=query.after, limit=MAX_STOCK_LINES + 1
    )
    page = found[:MAX_STOCK_LINES]
    return StockPage(levels=tuple(each.level for each in page), more=len(found) > len(page))


@router.answer(ReadCountSheet)
async def read_count_sheet(query: ReadCountSheet, asking: Asking) -> CountSheet:
    """The next page of what there is to count."""
    found = await levels(
        asking.connection,
        asking.tenant,
        asking.now,
        after=query.after,
        limit=MAX_STOCK_LINES + 1,
    )
    page = found[:MAX_STOCK_LINES]
    return CountSheet(
        lines=tuple(to_be_counted(each) for each in page), more=len(found) > len(page)
    )


def to_be_counted(kept: Kept) -> SheetLine:
    """What somebody needs to know who counts an item, and no more."""
    item = kept.item
    elsewhere = sorted({each.place for each in kept.level.places if each.on_hand} - {item.place})
    return SheetLine(
        item=item.item,
        name=item.name,
        unit=item.unit,
        places=(item.place, *elsewhere),
        units=units_of(item),
    )


async def levels(
    connection: AsyncConnection,
    tenant: str,
    now: datetime,
    *,
    items: Collection[str] | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[Kept]:
    """Items by name, with how much there is of each; of what never moved, nothing.

    Args:
        connection: a view of the rows.
        tenant: whose.
        now: the time.
        items: only these; what is unknown is left out.
        after: only those whose names come after this one.
        limit: at most so many.
    """
    same = and_(
        STOCK_LEVELS.c.tenant == STOCK_ITEMS.c.tenant, STOCK_LEVELS.c.item == STOCK_ITEMS.c.item
    )
    figures = [each.label(f"level_{each.name}") for each in STOCK_LEVELS.c]
    query = select(STOCK_ITEMS, *figures).select_from(STOCK_ITEMS.outerjoin(STOCK_LEVELS, same))
    query = query.where(STOCK_ITEMS.c.tenant == tenant).order_by(STOCK_ITEMS.c.item)
    if items is not None:
        query = query.where(among(STOCK_ITEMS.c.item, items, connection.dialect.name))
    if after is not None:
        query = query.where(STOCK_ITEMS.c.item > after)
    if limit is not None:
        query = query.limit(limit)
    return [_kept(row, now) for row in (await connection.execute(query)).mappings()]


def _kept(row: Any, now: datetime) -> Kept:
    item = to_item(row)
    if row["level_item"] is None:
        figures = dict.fromkeys(("on_hand", "reserved", "damaged", "planned", "available"), 0)
        level = StockLevel(item=item.item, unit=item.unit, **figures, counted=False, changed_at=now)
        return Kept(item, level)
    figures = {each.name: row[f"level_{each.name}"] for each in STOCK_LEVELS.c}
    return Kept(item, level_told(figures, item.unit))
