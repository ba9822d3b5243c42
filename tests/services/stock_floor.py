"""A kitchen that keeps stock: what is on its shelves, and whether the ledger adds up."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.identifiers import new_id
from schemas.inventory import BaseUnit, MovementKind, Quantity, StockItem
from schemas.inventory_requests import ReceivedLine, ReceiveStock
from services.inventory import ledger
from services.inventory.ledger import Level
from services.inventory.moves import level_of
from services.inventory.store import KeptRecipe, put
from services.inventory.tables import STOCK_HOLDS, STOCK_LEVELS, STOCK_MOVEMENTS
from services.runtime.database import Database
from tests.services.kitchen_floor import KitchenFloor
from tests.services.order_world import TILL

ITEMS = (
    StockItem(item="stock", name="Stock", unit=BaseUnit.MILLILITRE, low=2_000_000),
    StockItem(item="beef", name="Beef", unit=BaseUnit.GRAM, low=1_000_000, critical=500_000),
    StockItem(item="potato", name="Potatoes", unit=BaseUnit.GRAM),
    StockItem(item="cake", name="Cake", unit=BaseUnit.EACH),
)
TAKES: Mapping[str, Mapping[str, int]] = {
    "soup": {"stock": 300_000, "potato": 50_000},
    "steak": {"beef": 250_000},
    "chips": {"potato": 200_000},
    "cake": {"cake": 1000},
}


class StockFloor(KitchenFloor):
    """A restaurant with a book of items and recipes.

    Args:
        database: at its newest version.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)

    async def open(self) -> None:
        await super().open()
        recipes = [KeptRecipe(name, {}, takes) for name, takes in TAKES.items()]
        async with self.database.write() as connection:
            await put(connection, self.tenant, ITEMS, recipes)

    async def fill(self, **quantities: str) -> None:
        """Receive so much of each: ``beef="2 kg"``."""
        lines = [
            ReceivedLine(item=item, quantity=Quantity(amount=said.split()[0], unit=said.split()[1]))
            for item, said in quantities.items()
        ]
        note = new_id().hex[-8:]
        await self.do(ReceiveStock(supplier="market", note=note, lines=tuple(lines)), TILL)

    async def levels(self) -> dict[str, Level]:
        """How much there is of each item, by the rows."""
        (rows,) = await self.rows(STOCK_LEVELS)
        return {row["item"]: level_of(row) for row in rows}

    async def held(self) -> dict[str, int]:
        """All that is promised to orders and not cooked, by the holds."""
        (rows,) = await self.rows(STOCK_HOLDS)
        found: dict[str, int] = {}
        for row in rows:
            for line in row["lines"].values():
                for item, amount in line["takes"].items():
                    found[item] = found.get(item, 0) + (0 if line["cooked"] else amount)
        return found

    async def check(self) -> None:
        """See that every figure is the sum of its movements, and nothing is promised to nobody."""
        await super().check()
        levels = await self.levels()
        (rows,) = await self.rows(STOCK_MOVEMENTS)
        moved: dict[str, list[tuple[MovementKind, int]]] = {}
        for row in rows:
            for item, amount in row["amounts"].items():
                moved.setdefault(item, []).append((MovementKind(row["kind"]), amount))
        for item, level in levels.items():
            assert ledger.total(moved.get(item, ())) == level, f"{item} does not add up"
        assert moved.keys() <= levels.keys()
        held = await self.held()
        for item, level in levels.items():
            assert level.reserved + level.planned == held.get(item, 0), f"{item} leaks"
