"""Moves of stock inside one decision: levels changed, the ledger written, the house told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from schemas.identifiers import new_id
from schemas.inventory import BaseUnit, MovementKind, PlacedStock, StockItem, StockLevel, StockMark
from schemas.refusals import RefusalCode
from services.inventory import ledger
from services.inventory.ledger import EFFECT, Level, checked
from services.inventory.marks import mark_after
from services.inventory.stock_book import StockBook
from services.inventory.tables import STOCK_LEVELS, STOCK_MOVEMENTS
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.work import Draft, Row

Kind = MovementKind

MAX_PLACES: Final = 100
"""At so many places of the house an item may lie: all of them are told together."""


class Touched(NamedTuple):
    """An item whose level is another than before, with both rows."""

    before: Row | None
    after: Row


def level_of(row: Row | None) -> Level:
    """The figures of a row; nothing where there is none."""
    if row is None:
        return Level()
    return Level(row["on_hand"], row["reserved"], row["damaged"], row["planned"])


def to_level(row: Row, book: StockBook) -> StockLevel | None:
    """What is told of a row; None where the item is on the book no more."""
    item = book.items.get(row["item"])
    return None if item is None else level_told(row, item.unit)


def level_told(row: Row, unit: BaseUnit) -> StockLevel:
    """What is told of a row."""
    level = level_of(row)
    return StockLevel(
        item=row["item"],
        unit=unit,
        **level._asdict(),
        available=level.available,
        places=tuple(
            PlacedStock(place=place, on_hand=held) for place, held in sorted(row["places"].items())
        ),
        counted=row["counted"],
        mark=StockMark(row["mark"]),
        changed_at=row["changed_at"],
    )


async def read_ahead(draft: Draft, tenant: str, items: Iterable[str]) -> None:
    """Read the levels of many items at once."""
    await draft.work.fetch(STOCK_LEVELS, {(tenant, item) for item in items})


class Moves:
    """What one decision moves; `tell` says in the end what comes of it.

    Args:
        context: of the decision.
        book: the house's items and recipes.
    """

    def __init__(self, context: Context, book: StockBook) -> None:
        self._context: Final = context
        self._book: Final = book
        self.touched: Final[dict[str, Touched]] = {}

    async def move(
        self,
        kind: MovementKind,
        amounts: Mapping[str, int],
        *,
        place: str | None = None,
        to_place: str | None = None,
        at: datetime | None = None,
        order_id: UUID | None = None,
        reference: str | None = None,
        person: str | None = None,
        why: str = "",
        promised: bool = False,
        counted: bool = False,
    ) -> UUID:
        """Move so much of each item, and write it down; all of it, or none.

        Args:
            kind: what moves.
            amounts: by item, in thousandths of its base unit.
            place: where; None is the place of each item.
            to_place: with a transfer, where to.
            at: when it was so; None is now.
            order_id: the order that it is for.
            reference: a delivery note, a count.
            person: who said so.
            why: in their words.
            promised: see `ledger.checked`.
            counted: whether from now on somebody has said how much there is.

        Raises:
            Refusal: `unknown-item`, and see `ledger.check_amount` and `ledger.checked`.
        """
        context = self._context
        for item, amount in amounts.items():
            ledger.check_amount(kind, amount, item)
            where = (place, to_place)
            await self._move_one(kind, item, amount, where, promised=promised, counted=counted)
        movement_id = new_id()
        context.draft.put(
            STOCK_MOVEMENTS,
            {
                "tenant": context.tenant,
                "movement_id": movement_id,
                "kind": kind.value,
                "at": context.now if at is None else at,
                "kept_at": context.now,
                "amounts": dict(amounts),
                "place": place,
                "to_place": to_place,
                "order_id": order_id,
                "reference": reference,
                "device": context.device,
                "person": person,
                "why": why,
            },
        )
        return movement_id

    async def _move_one(
        self,
        kind: MovementKind,
        name: str,
        amount: int,
        where: tuple[str | None, str | None],
        *,
        promised: bool,
        counted: bool,
    ) -> None:
        context = self._context
        item = self._book.items.get(name)
        if item is None:
            raise Refusal(RefusalCode.UNKNOWN_ITEM, f"the book has no item {name!r:.70}")
        before = await context.draft.get(STOCK_LEVELS, context.tenant, name)
        was = level_of(before)
        known = before is not None and before["counted"]
        now = checked(was, kind, amount, name, item.unit, counted=known, promised=promised)
        places = _placed(before, kind, amount, where[0] or item.place, where[1])
        self._put(item, before, now, places, known=known or counted)

    async def vouch(self, name: str) -> None:
        """Somebody has looked, and found what the books say: nothing moves, and it counts.

        Raises:
            Refusal: `unknown-item`.
        """
        item = self._book.items.get(name)
        if item is None:
            raise Refusal(RefusalCode.UNKNOWN_ITEM, f"the book has no item {name!r:.70}")
        before = await self._context.draft.get(STOCK_LEVELS, self._context.tenant, name)
        if before is None or not before["counted"]:
            places = {} if before is None else before["places"]
            self._put(item, before, level_of(before), places, known=True)

    def _put(
        self,
        item: StockItem,
        before: Row | None,
        now: Level,
        places: Mapping[str, int],
        *,
        known: bool,
    ) -> None:
        context, name = self._context, item.item
        mark = StockMark.OK if before is None else StockMark(before["mark"])
        row: dict[str, Any] = {
            "tenant": context.tenant,
            "item": name,
            "version": 1 if before is None else before["version"] + 1,
            **now._asdict(),
            "places": places,
            "counted": known,
            "mark": (mark_after(mark, now.available, item) if known else mark).value,
            "changed_at": context.now,
        }
        context.draft.put(STOCK_LEVELS, row)
        first = self.touched.get(name)
        self.touched[name] = Touched(before if first is None else first.before, row)


def _placed(
    before: Row | None, kind: MovementKind, amount: int, place: str, to_place: str | None
) -> Mapping[str, int]:
    """What is on hand at each place after a movement."""
    places: Mapping[str, int] = {} if before is None else before["places"]
    if kind is Kind.TRANSFER and to_place is not None:
        now = dict(places)
        if now.get(place, 0) < amount:
            raise Refusal(
                RefusalCode.WRONG_STATE,
                f"the books have less than that at {place}: count it first",
            )
        now[place] -= amount
        now[to_place] = now.get(to_place, 0) + amount
        return _few({each: held for each, held in now.items() if held}, kind)
    change = EFFECT[kind].on_hand * amount
    if not change:
        return places
    return _few({**places, place: places.get(place, 0) + change}, kind)


def _few(places: Mapping[str, int], kind: MovementKind) -> Mapping[str, int]:
    if len(places) <= MAX_PLACES or kind is Kind.CONSUME:
        return places
    some = {each: held for each, held in places.items() if held}
    if len(some) > MAX_PLACES:
        raise Refusal(
            RefusalCode.INVALID,
            f"it would lie at over {MAX_PLACES} places of the house: put some of it together",
        )
    return some
