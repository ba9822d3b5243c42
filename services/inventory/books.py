"""A house's items and recipes, as decisions know them: read again only when they have changed.

A house may have ten thousand items and two thousand recipes. They change a few times a week, and
every order asks what its dishes take: so they stay in memory, under the version that stands in
the house's rules, which every decision relies on.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import StockItem
from services.inventory.stock_book import StockBook, made
from services.inventory.tables import RECIPES, STOCK_ITEMS
from services.runtime import house_rules
from services.runtime.work import Draft, Row

HOUSES: Final = 256
"""How many houses' books stay in memory; the oldest go first."""


_BOOKS: Final[dict[str, StockBook]] = {}


async def book_of(draft: Draft, tenant: str) -> StockBook | None:
    """The book of a house, as this decision must see it; None where it keeps no stock."""
    version = await house_rules.stock_book(draft, tenant)
    if version is None:
        return None
    known = _BOOKS.get(tenant)
    # Versions are never used twice: see `house_rules.first_row`.
    if known is None or known.version != version:
        known = await read(draft.work.connection, tenant, version)
        _BOOKS[tenant] = known
        while len(_BOOKS) > HOUSES:
            del _BOOKS[next(iter(_BOOKS))]
    return known


async def read(connection: AsyncConnection, tenant: str, version: int) -> StockBook:
    """Read a house's book."""
    rows = await connection.execute(select(STOCK_ITEMS).where(STOCK_ITEMS.c.tenant == tenant))
    items = {row["item"]: to_item(dict(row)) for row in rows.mappings()}
    query = select(RECIPES.c.recipe, RECIPES.c.takes, RECIPES.c.leaves_out, RECIPES.c.spares)
    takes, leaves_out, spares = {}, {}, {}
    rows_made = await connection.execute(query.where(RECIPES.c.tenant == tenant))
    for name, taken, left_out, spared in rows_made:
        takes[name] = taken
        if left_out:
            leaves_out[name] = tuple(left_out)
        if spared:
            spares[name] = spared
    return made(version, items, takes, leaves_out, spares)


def to_item(row: Row) -> StockItem:
    """Read a row."""
    values = {name: row[name] for name in StockItem.model_fields}
    values["packs"] = values["packs"] or ()
    return StockItem.model_validate(values)
