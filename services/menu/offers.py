"""A house's menu the other way round: what is on it, and which items a modifier goes with.

It is read again when the menu is another, and asked only when something runs out or comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from schemas.menu import MenuItem
from services.menu.offering import modifiers_of
from services.menu.store import MAIN, MENU_ITEMS, MENUS, to_item
from services.runtime.facts import WITH
from services.runtime.work import Draft

HOUSES: Final = 256
"""How many houses' menus stay in memory; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What stands on one house's menu.

    Attributes:
        version: of the menu.
        items: by name, as they are written.
        offering: the items that a modifier may be chosen with, by its name.
        by_hours: those that are served at some hours only.
    """

    version: int
    items: Mapping[str, MenuItem]
    offering: Mapping[str, Collection[str]]
    by_hours: Collection[str]

    def concerned(self, name: str) -> Collection[str]:
        """The items that show how this stands: an item itself, or those with a modifier."""
        if name.startswith(WITH):
            return self.offering.get(name.removeprefix(WITH), ())
        return (name,) if name in self.items else ()

    def has(self, name: str) -> bool:
        """Whether there is such an item, or with `WITH` such a modifier."""
        return bool(self.concerned(name))


_KNOWN: Final[dict[str, Offers]] = {}
_NOTHING: Final = Offers(0, {}, {}, ())


async def offers_of(draft: Draft, tenant: str) -> Offers:
    """What stands on a house's menu; the decision rests on it."""
    work = draft.work
    key = (tenant, MAIN)
    await work.fetch(MENUS, [key])
    row = work.peek(MENUS, key)
    if row is None:
        return _NOTHING
    work.rely(MENUS, key)
    known = _KNOWN.get(tenant)
    # Versions are never used twice: see `store.write`.
    if known is None or known.version != row["version"]:
        query = select(MENU_ITEMS).where(MENU_ITEMS.c.tenant == tenant)
        rows = (await work.connection.execute(query)).mappings()
        known = _made(row["version"], [to_item(dict(each)) for each in rows])
        _KNOWN.pop(tenant, None)
        _KNOWN[tenant] = known
        while len(_KNOWN) > HOUSES:
            del _KNOWN[next(iter(_KNOWN))]
    return known


def _made(version: int, items: Collection[MenuItem]) -> Offers:
    offering: dict[str, dict[str, None]] = {}
    for item in items:
        for name in modifiers_of(item.groups):
            offering.setdefault(name, {})[item.item] = None
    return Offers(
        version,
        {item.item: item for item in items},
        offering,
        tuple(item.item for item in items if item.hours),
    )
