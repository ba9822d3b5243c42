"""What a count found, held against the books, and what had moved since the count before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import MovementKind
from services.inventory.ledger_rows import moved
from services.inventory.places import Moved, Shelf, change_at
from services.inventory.tables import STOCK_COUNTS, STOCK_ITEMS
from services.runtime.among import among

_CORRECTS = frozenset({MovementKind.COUNT, MovementKind.DISCARD})


@dataclass(frozen=True, slots=True)
class CountedShelf:
    """What was found on one shelf, in thousandths of the item's base unit.

    Attributes:
        counted_id: its name.
        count: the count that it belongs to.
        item: of what.
        place: where.
        at: when somebody looked.
        kept_at: when that came here.
        found: how much there was.
        expected: what the books had there then.
        superseded: whether a later count had come before it, and it moved nothing.
        device: where it was said.
        person: by whom, where that is known.
    """

    counted_id: UUID
    count: str
    item: str
    place: str
    at: datetime
    kept_at: datetime
    found: int
    expected: int
    superseded: bool
    device: str
    person: str | None

    @property
    def difference(self) -> int:
        """How much more there was than the books had."""
        return self.found - self.expected


@dataclass(frozen=True, slots=True)
class Explained:
    """A counted shelf, and how the books came to what they had there.

    Attributes:
        now: what was found.
        before: what the count before it found; None where there was none, and the books began
            with nothing.
        moved: what moved between the two, by kind: how much more lay there after it.
    """

    now: CountedShelf
    before: CountedShelf | None
    moved: Mapping[MovementKind, int]

    @property
    def adds_up(self) -> bool:
        """Whether what was found before, and what moved since, is what the books had."""
        began = 0 if self.before is None else self.before.found
        return began + sum(self.moved.values()) == self.now.expected


async def explain(connection: AsyncConnection, tenant: str, count: str) -> list[Explained]:
    """Every shelf of a count, in the order in which they were seen; none where there is no such.

    A shelf that was counted twice in one count stands there twice.
    """
    counts = STOCK_COUNTS.c
    mine = select(STOCK_COUNTS).where(counts.tenant == tenant)
    of_count = await _shelves(connection, mine.where(counts.count == count))
    if not of_count:
        return []
    items = sorted({each.item for each in of_count})
    dialect = connection.dialect.name
    of_items = mine.where(
        among(counts.item, items, dialect), counts.at <= max(each.at for each in of_count)
    )
    known = await _shelves(connection, of_items.where(counts.superseded.is_(False)))
    of_shelf: dict[tuple[str, str], list[CountedShelf]] = {}
    for each in known:
        of_shelf.setdefault((each.item, each.place), []).append(each)
    before = {
        each.counted_id: _before(each, of_shelf.get((each.item, each.place), ()))
        for each in of_count
    }
    movements = await _moved_until(connection, tenant, of_count, before)
    homes = select(STOCK_ITEMS.c.item, STOCK_ITEMS.c.place).where(STOCK_ITEMS.c.tenant == tenant)
    found = await connection.execute(homes.where(among(STOCK_ITEMS.c.item, items, dialect)))
    home: dict[str, str] = {item: place for item, place in found}  # noqa: C416 - rows are no pairs to mypy
    by_item: dict[str, list[Moved]] = {}
    for one in movements:
        by_item.setdefault(one.item, []).append(one)
    return [
        Explained(
            each,
            before[each.counted_id],
            sums(
                each,
                before[each.counted_id],
                home.get(each.item, each.place),
                by_item.get(each.item, ()),
            ),
        )
        for each in of_count
    ]


def sums(
    now: CountedShelf, before: CountedShelf | None, home: str, movements: Iterable[Moved]
) -> dict[MovementKind, int]:
    """What moved on a shelf between two counts, by kind; what a count itself moved is not of it.

    Args:
        now: what was found.
        before: what was found before.
        home: where the kitchen takes the item from.
        movements: of the item.
    """
    shelf = Shelf(now.item, now.place, home)
    found: dict[MovementKind, int] = {}
    for each in movements:
        if each.at > now.at or (before is not None and each.at <= before.at):
            continue
        # A movement's place in the ledger is that of its time; only its count came with it.
        own = each.reference == now.count and each.kept_at == now.kept_at and each.at == now.at
        change = 0 if own and each.kind in _CORRECTS else change_at(shelf, each)
        if change:
            found[each.kind] = found.get(each.kind, 0) + change
    return found


def _before(now: CountedShelf, known: Sequence[CountedShelf]) -> CountedShelf | None:
    """The last of a shelf's counts that was made before this one; they come in their order."""
    earlier = [each for each in known if (each.at, each.counted_id) < (now.at, now.counted_id)]
    return earlier[-1] if earlier else None


async def _moved_until(
    connection: AsyncConnection,
    tenant: str,
    of_count: Sequence[CountedShelf],
    before: Mapping[UUID, CountedShelf | None],
) -> list[Moved]:
    """What moved of the counted items; of those that were counted before, since then."""
    until = max(each.at for each in of_count)
    first = {each.item for each in of_count if before[each.counted_id] is None}
    again = {each.item for each in of_count} - first
    found: list[Moved] = []
    if first:
        found += await moved(connection, tenant, first, until=until)
    if again:
        counted = (before[each.counted_id] for each in of_count if each.item in again)
        since = min(each.at for each in counted if each is not None)
        found += await moved(connection, tenant, again, after=since, until=until)
    return found


async def _shelves(connection: AsyncConnection, query: Any) -> list[CountedShelf]:
    table = STOCK_COUNTS.c
    rows = await connection.execute(query.order_by(table.at, table.counted_id))
    names = CountedShelf.__dataclass_fields__
    return [CountedShelf(**{name: row[name] for name in names}) for row in rows.mappings()]
