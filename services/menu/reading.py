"""How the items of a menu can be had now, for whoever looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.menu.offering import AS_WRITTEN, modifiers_of
from services.menu.store import MENU_AVAILABILITY, menu_of, offered_of, to_standing
from services.runtime.facts import WITH


@dataclass(frozen=True, slots=True)
class HadNow:
    """How an item, or a modifier, can be had.

    Attributes:
        item: its name.
        modifier: it is a modifier, with whatever it may be chosen.
        available: whether it can be had at all.
        left: how many can still be made; None is enough, or that nobody counts.
        why: why it cannot be had.
        back_at: when it can be had again by itself, where that is known.
        by: who took it off; None where nobody did.
        sold_out: an item's modifiers that cannot be had.
    """

    item: str
    modifier: bool
    available: bool
    left: int | None
    why: str
    back_at: datetime | None
    by: str | None
    sold_out: tuple[str, ...] = ()

    @property
    def is_usual(self) -> bool:
        """Whether there is nothing to say of it."""
        return self.available and self.left is None and not self.sold_out


async def had_now(connection: AsyncConnection, tenant: str, now: datetime) -> list[HadNow]:
    """Every item of a menu, in its order; then the modifiers of which there is something to say."""
    items = await menu_of(connection, tenant)
    mine = MENU_AVAILABILITY.c.tenant == tenant
    query = select(MENU_AVAILABILITY).where(mine).order_by(MENU_AVAILABILITY.c.item)
    rows = {row["item"]: dict(row) for row in (await connection.execute(query)).mappings()}
    found = [
        HadNow(
            each.item,
            False,  # noqa: FBT003 - a record's own column
            each.available,
            each.left,
            each.why,
            each.back_at,
            rows[each.item]["by"] if each.item in rows else None,
            each.sold_out,
        )
        for each in await offered_of(connection, tenant, items, now)
    ]
    known = {name for item in items for name in modifiers_of(item.groups)}
    for name in sorted(known):
        row = rows.get(WITH + name)
        standing = to_standing(row)
        if row is None or standing == AS_WRITTEN:
            continue
        off = standing.is_off(now)
        none_left = f"no {standing.runs_out} left" if standing.left == 0 else ""
        found.append(
            HadNow(
                name,
                True,  # noqa: FBT003 - a record's own column
                not standing.is_gone(now),
                standing.left,
                standing.reason or "" if off else none_left,
                standing.back_at if off else None,
                row["by"],
            )
        )
    return found
