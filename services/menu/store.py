"""The menu's rows."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.menu import MenuItem, ModifierRequest
from schemas.orders import LineRequest
from services.menu.offering import AS_WRITTEN, UTC, Standing, gone_of, modifiers_of, offered
from services.runtime import house_rules
from services.runtime.among import among
from services.runtime.changed import GUARD
from services.runtime.facts import WITH
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG
from services.runtime.wall_clock import zone_of
from services.runtime.work import OURS_ALONE, SHELVED, Draft, Row, made_of

MENU_ITEMS: Final = Table(
    "menu_items",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("item", SLUG, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("category", String(64), nullable=False),
    Column("station", SLUG, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("available", Boolean, nullable=False),
    Column("tax", SLUG),
    Column("allergens", DOCUMENT),
    Column("groups", DOCUMENT),
    Column("components", DOCUMENT),
    Column("prep_s", Integer),
    Column("course", Integer, nullable=False),
    Column("hours", DOCUMENT),
    CheckConstraint("price_minor >= 0", name="price"),
    CheckConstraint("prep_s >= 1", name="prep"),
    CheckConstraint("course >= 1", name="course"),
    info={SHELVED: True},
)

MENUS: Final = Table(
    "menus",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("menu", SLUG, primary_key=True),
    Column("version", BigInteger, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    info={GUARD: "version", SHELVED: True},
)
"""One row a menu; its version grows with every change of any of its items."""

MAIN: Final = "main"
MENU_AVAILABILITY: Final = Table(
    "menu_availability",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("item", String(80), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("left", Integer),
    Column("runs_out", String(120)),
    Column("reason", Text),
    Column("back_at", Moment),
    Column("by", SLUG),
    Column("changed_at", Moment, nullable=False),
    CheckConstraint('"left" >= 0', name="left"),
    info={GUARD: "version", SHELVED: True, OURS_ALONE: True},
)
_comes_back = MENU_AVAILABILITY.c.back_at.is_not(None)
Index(
    "ix_menu_availability_back_at",
    MENU_AVAILABILITY.c.back_at,
    postgresql_where=_comes_back,
    sqlite_where=_comes_back,
)
"""What is scarce, or taken off by hand: by item, and by ``with:`` and the modifier. ``left`` is
what the stock says, and ``runs_out`` of what it has not enough; ``reason`` is there while somebody
has taken it off. Whoever serves writes it alone; who imports a menu reads it."""

_LISTS: Final = ("allergens", "groups", "components", "hours")
"""Empty for most items: nothing stands in the row then."""
_AS_IT_IS: Final = frozenset({"left", "sold_out", "why", "back_at"})
"""They come from `MENU_AVAILABILITY`, not from who writes the menu."""


def to_item(row: Row) -> MenuItem:
    """Read a row."""
    values = {name: row[name] for name in MenuItem.model_fields if name not in _AS_IT_IS}
    for name in _LISTS:
        if values[name] is None:
            values[name] = ()
    return MenuItem.model_validate(values)


def to_row(tenant: str, item: MenuItem) -> dict[str, Any]:
    """Write a row."""
    row = item.model_dump(mode="json", exclude=set(_AS_IT_IS))
    for name in _LISTS:
        row[name] = row[name] or None
    return {"tenant": tenant, **row}


def to_standing(row: Row | None) -> Standing:
    """Read a row of `MENU_AVAILABILITY`."""
    if row is None or (row["left"] is None and row["reason"] is None):
        return AS_WRITTEN
    return Standing(row["left"], row["runs_out"] or "", row["reason"], row["back_at"])


class StoredMenu:
    """The menu as other areas see it: `services.runtime.ports.MenuPort`."""

    async def items(
        self, draft: Draft, tenant: str, ids: Collection[str]
    ) -> Mapping[str, MenuItem]:
        """See `MenuPort.items`."""
        work = draft.work
        await work.fetch(MENUS, [(tenant, MAIN)])
        if work.peek(MENUS, (tenant, MAIN)) is not None:
            work.rely(MENUS, (tenant, MAIN))
        await work.fetch(MENU_ITEMS, [(tenant, item) for item in ids])
        found = {}
        for item in ids:
            row = work.peek(MENU_ITEMS, (tenant, item))
            if row is None:
                continue
            found[item] = made_of(row, to_item)
        return found

    async def offered(
        self,
        draft: Draft,
        tenant: str,
        lines: Collection[LineRequest],
        *,
        now: datetime,
        due_at: datetime | None = None,
    ) -> Mapping[str, MenuItem]:
        """See `MenuPort.offered`."""
        found = await self.items(draft, tenant, {line.item for line in lines})
        names = list(found)
        for line in lines:
            if line.modifiers:
                names += [WITH + name for name in _chosen(line.modifiers)]
        standings = await _standings(draft, tenant, names)
        by_hours = any(item.hours for item in found.values())
        if not standings and not by_hours:
            return found  # most orders
        at, planned = await _wanted(draft, tenant, now, due_at)
        zone = await zone_of_house(draft, tenant) if by_hours else UTC
        gone = {
            name.removeprefix(WITH)
            for name, each in standings.items()
            if name.startswith(WITH) and each.is_gone(at, planned=planned)
        }
        return {
            name: offered(
                item,
                standings.get(name, AS_WRITTEN),
                gone and gone & set(modifiers_of(item.groups)),
                at=at,
                zone=zone,
                planned=planned,
            )
            for name, item in found.items()
        }

    async def prepare(self, draft: Draft, wanted: Collection[tuple[str, str]]) -> None:
        """See `MenuPort.prepare`."""
        await draft.work.fetch(MENUS, {(tenant, MAIN) for tenant, _ in wanted})
        await draft.work.fetch(MENU_ITEMS, wanted)
        await draft.work.fetch(MENU_AVAILABILITY, wanted)


async def _standings(draft: Draft, tenant: str, names: Sequence[str]) -> dict[str, Standing]:
    """How those of these stand that do not stand as they are written."""
    work = draft.work
    keys = [(tenant, name) for name in names]
    await work.fetch(MENU_AVAILABILITY, keys)
    drafted = draft.changes.get(MENU_AVAILABILITY, ())
    found = {}
    for key, name in zip(keys, names, strict=True):
        # All were looked up just now: asking for each anew would cost more than all the rest.
        if key in drafted or work.peek(MENU_AVAILABILITY, key) is not None:
            standing = await standing_of(draft, tenant, name)
            if standing is not AS_WRITTEN:
                found[name] = standing
    return found


def _chosen(modifiers: Sequence[ModifierRequest]) -> Iterator[str]:
    for each in modifiers:
        yield each.modifier
        if each.modifiers:
            yield from _chosen(each.modifiers)


async def _wanted(
    draft: Draft, tenant: str, now: datetime, due_at: datetime | None
) -> tuple[datetime, bool]:
    """For when it is wanted, and whether that is a later day: see `StockRules.plan_ahead_s`."""
    if due_at is None or due_at <= now:
        return now, False
    rules = await house_rules.stock_rules(draft, tenant)
    return due_at, due_at - timedelta(seconds=rules.plan_ahead_s) > now


async def standing_of(draft: Draft, tenant: str, name: str) -> Standing:
    """How an item stands, or with `WITH` a modifier."""
    return to_standing(await draft.get(MENU_AVAILABILITY, tenant, name))


async def zone_of_house(draft: Draft, tenant: str) -> ZoneInfo:
    """The clock on the house's wall."""
    return zone_of((await house_rules.order_rules(draft, tenant)).time_zone)


async def menu_of(connection: AsyncConnection, tenant: str) -> Sequence[MenuItem]:
    """The whole menu, by category and name."""
    query = (
        select(MENU_ITEMS)
        .where(MENU_ITEMS.c.tenant == tenant)
        .order_by(MENU_ITEMS.c.category, MENU_ITEMS.c.name, MENU_ITEMS.c.item)
    )
    return [to_item(dict(row)) for row in (await connection.execute(query)).mappings()]


async def offered_of(
    connection: AsyncConnection, tenant: str, items: Sequence[MenuItem], now: datetime
) -> Sequence[MenuItem]:
    """Items as they can be had now, from the rows; as every till shows them.

    Args:
        connection: a transaction.
        tenant: whose menu.
        items: as they are written.
        now: the time.
    """
    mine = MENU_AVAILABILITY.c.tenant == tenant
    rows = (await connection.execute(select(MENU_AVAILABILITY).where(mine))).mappings()
    standings = {row["item"]: to_standing(dict(row)) for row in rows}
    if not standings and not any(item.hours for item in items):
        return items
    zone = zone_of((await house_rules.read(connection, tenant)).orders.time_zone)
    return [
        offered(
            item,
            standings.get(item.item, AS_WRITTEN),
            gone_of(item, standings, now),
            at=now,
            zone=zone,
        )
        for item in items
    ]


async def write(
    connection: AsyncConnection, tenant: str, put: Sequence[MenuItem], gone: Sequence[str]
) -> None:
    """Put items on the menu, over what stands there under their names; take others off."""
    names = [item.item for item in put] + list(gone)
    if names:
        newer = MENUS.update().values(version=MENUS.c.version + 1)
        counted = await connection.execute(
            newer.where(MENUS.c.tenant == tenant, MENUS.c.menu == MAIN)
        )
        if counted.rowcount == 0:
            # Not from one: after a tenant was removed and added again, the same version
            # would vouch for items that are remembered from before.
            first = 1 + secrets.randbelow(2**40)
            await connection.execute(MENUS.insert().values(tenant=tenant, menu=MAIN, version=first))
        chosen = among(MENU_ITEMS.c.item, names, connection.dialect.name)
        await connection.execute(
            delete(MENU_ITEMS).where(MENU_ITEMS.c.tenant == tenant).where(chosen)
        )
    if put:
        await connection.execute(MENU_ITEMS.insert(), [to_row(tenant, item) for item in put])
