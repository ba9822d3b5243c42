"""Which houses have intakes: so that those that have none are never asked for theirs.

Rows that exist stay on the shelf between batches; that there is none cannot stay there. Most
houses never pause anything, and each of their orders would ask the database for nothing.
"""

from __future__ import annotations

from sqlalchemy import select

from services.kitchen.channels_store import INTAKES
from services.runtime.database import Database


class IntakeBook:
    """See `services.runtime.ports.IntakePort`.

    Only the process that serves writes intakes, through handlers that note it here first; so
    what it has read at its start holds.
    """

    def __init__(self) -> None:
        self._known: set[str] | None = None
        """None before it was read: then anybody may have one."""

    async def read(self, database: Database) -> None:
        """Read who has any; before anything is decided."""
        async with database.read() as connection:
            known = set(await connection.scalars(select(INTAKES.c.tenant).distinct()))
        self._known = known

    def may_have(self, tenant: str) -> bool:
        """See `IntakePort.may_have`."""
        return self._known is None or tenant in self._known

    def note(self, tenant: str) -> None:
        """See `IntakePort.note`."""
        if self._known is not None:
            self._known.add(tenant)
