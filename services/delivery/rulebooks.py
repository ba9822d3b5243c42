"""How each house delivers, for whoever looks at all houses again and again."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.delivery_rules import DeliveryRules
from services.runtime.among import among
from services.runtime.house_rules import HOUSE_RULES, delivery_of
from services.runtime.house_versions import HouseVersions
from services.runtime.lenient import read_or


class RuleBooks:
    """The rules of all houses that have said how they deliver; read anew where they are others.

    Rules that cannot be read leave what counted before; of a house not seen yet, the usual ones.

    Attributes:
        rules: as they were read last, by house.
    """

    def __init__(self) -> None:
        self.rules: Final[dict[str, DeliveryRules]] = {}
        self._versions: Final = HouseVersions(HOUSE_RULES.c.delivery)

    async def read(self, connection: AsyncConnection) -> dict[str, int]:
        """Bring them to what stands in the rows; returns those that are others, by version.

        What is another is so until it is `saw`.
        """
        changes = await self._versions.changes(connection)
        for tenant in changes.gone:
            self.rules.pop(tenant, None)
        if changes.versions:
            of = HOUSE_RULES.c
            chosen = among(of.tenant, list(changes.versions), connection.dialect.name)
            query = select(of.tenant, of.delivery).where(chosen, of.delivery.is_not(None))
            for row in await connection.execute(query):
                before = self.rules.get(row.tenant, DeliveryRules())
                self.rules[row.tenant] = read_or(
                    before, delivery_of, row.delivery, tenant=row.tenant, what="delivery rules"
                )
        return {each: version for each, version in changes.versions.items() if each in self.rules}

    def saw(self, tenant: str, version: int) -> None:
        """Take a house's rules of this version for known."""
        self._versions.saw(tenant, version)
