"""The kitchens' rules as timers know them: read again only where they are others than before."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen_rules import KitchenRules
from services.runtime.among import among
from services.runtime.house_rules import HOUSE_RULES


class Rulebook(NamedTuple):
    """How one house's kitchen works, and since which version of its rules."""

    version: int
    rules: KitchenRules


class Rulebooks:
    """The rules of every house that has set any for its kitchen."""

    def __init__(self) -> None:
        self.known: Final[dict[str, Rulebook]] = {}

    async def read(self, connection: AsyncConnection) -> None:
        """Bring them to what stands in the rows: one small query, where nothing has changed."""
        book = HOUSE_RULES.c
        seen = select(book.tenant, book.version).where(book.kitchen.is_not(None))
        now = {row.tenant: row.version for row in await connection.execute(seen)}
        for tenant in self.known.keys() - now.keys():
            del self.known[tenant]
        changed = [each for each, version in now.items() if self._version(each) != version]
        if not changed:
            return
        chosen = among(book.tenant, changed, connection.dialect.name)
        query = select(book.tenant, book.version, book.kitchen)
        for row in await connection.execute(query.where(chosen, book.kitchen.is_not(None))):
            rules = KitchenRules.model_validate(row.kitchen)
            self.known[row.tenant] = Rulebook(row.version, rules)

    def _version(self, tenant: str) -> int | None:
        known = self.known.get(tenant)
        return None if known is None else known.version
