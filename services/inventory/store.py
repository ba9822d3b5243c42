"""What a house's book of items and recipes is written with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, delete
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import StockItem
from schemas.suppliers import Supplier
from services.inventory.tables import RECIPES, STOCK_ITEMS, SUPPLIERS
from services.runtime import house_rules
from services.runtime.among import among


@dataclass(frozen=True, slots=True)
class KeptRecipe:
    """A recipe as it is kept.

    Attributes:
        recipe: its name: a menu item's, a part's, or ``with:`` and a modifier's.
        document: as it was written, for people.
        takes: what one of it comes down to, by item, in thousandths of its base unit.
        leaves_out: which items a modifier takes out of its dish.
        spares: what a modifier that leaves out a part saves of each dish, by item.
    """

    recipe: str
    document: Mapping[str, Any]
    takes: Mapping[str, int]
    leaves_out: Sequence[str] = ()
    spares: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


async def put(
    connection: AsyncConnection,
    tenant: str,
    items: Collection[StockItem],
    recipes: Collection[KeptRecipe],
    *,
    gone_items: Collection[str] = (),
    gone_recipes: Collection[str] = (),
) -> None:
    """Put items and recipes into a house's book, over what stands there under their names.

    Every decision that is made from now on rests on them: whoever was deciding decides again.
    """
    rows = [
        {**each.model_dump(mode="json", exclude={"piece_g", "g_per_ml"}), "tenant": tenant}
        | {"piece_g": each.piece_g, "g_per_ml": each.g_per_ml}
        for each in items
    ]
    await _replace(connection, STOCK_ITEMS.c.item, tenant, rows, gone_items)
    kept = [
        {
            "tenant": tenant,
            "recipe": each.recipe,
            "document": dict(each.document),
            "takes": dict(each.takes),
            "leaves_out": list(each.leaves_out) or None,
            "spares": {dish: dict(saved) for dish, saved in each.spares.items()} or None,
        }
        for each in recipes
    ]
    await _replace(connection, RECIPES.c.recipe, tenant, kept, gone_recipes)
    await house_rules.new_stock_book(connection, tenant)


async def put_suppliers(
    connection: AsyncConnection,
    tenant: str,
    suppliers: Collection[Supplier],
    *,
    gone: Collection[str] = (),
) -> None:
    """Put suppliers into a house's book, over what stands there under their names."""
    rows = [
        {"tenant": tenant, "supplier": each.supplier, "document": each.model_dump(mode="json")}
        for each in suppliers
    ]
    await _replace(connection, SUPPLIERS.c.supplier, tenant, rows, gone)


async def _replace(
    connection: AsyncConnection,
    name: Column[str],
    tenant: str,
    rows: Sequence[Mapping[str, Any]],
    gone: Collection[str],
) -> None:
    table = name.table
    names = [row[name.name] for row in rows] + list(gone)
    if names:
        chosen = among(name, names, connection.dialect.name)
        await connection.execute(delete(table).where(table.c.tenant == tenant).where(chosen))
    if rows:
        await connection.execute(table.insert(), [dict(row) for row in rows])
