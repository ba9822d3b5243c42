"""The fences of a house, as they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fences import Fence
from services.tracking.tables import FENCES


@dataclass(frozen=True, slots=True)
class FenceChanges:
    """What an import makes otherwise: names, in order."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


async def every(connection: AsyncConnection, tenant: str) -> dict[str, Fence]:
    """All fences of a house, by name."""
    query = select(FENCES.c.document).where(FENCES.c.tenant == tenant).order_by(FENCES.c.fence)
    found = [Fence.model_validate(row.document) for row in await connection.execute(query)]
    return {each.fence: each for each in found}


def compared(
    before: Mapping[str, Fence], wanted: Mapping[str, Fence], *, replace: bool
) -> FenceChanges:
    """What it takes to have these."""
    return FenceChanges(
        tuple(name for name in wanted if name not in before),
        tuple(name for name in wanted if name in before and before[name] != wanted[name]),
        tuple(name for name in wanted if before.get(name) == wanted[name]),
        tuple(name for name in before if replace and name not in wanted),
    )


async def keep(
    connection: AsyncConnection,
    tenant: str,
    fences: Mapping[str, Fence],
    changes: FenceChanges,
    now: datetime,
) -> None:
    """Put what is new or otherwise in its place, and take away what goes."""
    mine = FENCES.c.tenant == tenant
    going = (*changes.changed, *changes.removed)
    last = await connection.scalar(select(func.max(FENCES.c.version)).where(mine))
    if going:
        await connection.execute(delete(FENCES).where(mine, FENCES.c.fence.in_(going)))
    # A version that no fence has had: by the time, so that one who looks away misses nothing.
    version = max(int(now.timestamp() * 1e6), (last or 0) + 1)
    coming = (*changes.added, *changes.changed)
    if coming:
        rows = [
            {
                "tenant": tenant,
                "fence": name,
                "version": version,
                "document": fences[name].model_dump(mode="json"),
            }
            for name in coming
        ]
        await connection.execute(FENCES.insert(), rows)
