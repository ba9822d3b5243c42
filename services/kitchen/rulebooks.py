"""The kitchens' rules as timers know them: read again only where they are others than before."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen_rules import KitchenRules
from services.runtime.among import among
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.house_versions import HouseVersions
from services.runtime.lenient import read_or


class Rulebooks:
    """The rules of every house that has set any for its kitchen."""

    def __init__(self) -> None:
        self.known: Final[dict[str, KitchenRules]] = {}
        self._versions: Final = HouseVersions(HOUSE_RULES.c.kitchen)

    async def read(self, connection: AsyncConnection) -> None:
        """Bring them to what stands in the rows: one small query, where nothing has changed."""
        book = HOUSE_RULES.c
        changes = await self._versions.changes(connection)
        for tenant in changes.gone:
            self.known.pop(tenant, None)
        if not changes.versions:
            return
        chosen = among(book.tenant, list(changes.versions), connection.dialect.name)
        query = select(book.tenant, book.version, book.kitchen)
        for row in await connection.execute(query.where(chosen, book.kitchen.is_not(None))):
            before = self.known.get(row.tenant, KitchenRules())
            self.known[row.tenant] = read_or(
                before,
                KitchenRules.model_validate,
                row.kitchen,
                tenant=row.tenant,
                what="kitchen rules",
            )
            self._versions.saw(row.tenant, row.version)
