"""Counts: what somebody found on a shelf, against what the books had there at that time.

Whoever counts does not see the books, and may have counted while the tablet was offline: so a
count is held against what the books had when it was made, and what has moved since stays moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from sqlalchemy import select

from schemas.envelope import MAX_AGE, MAX_AHEAD
from schemas.identifiers import new_id
from schemas.inventory import MovementKind
from schemas.inventory_requests import CountStock
from schemas.refusals import RefusalCode
from schemas.replies import StockReceipt
from services.inventory import noticing
from services.inventory.by_hand import move_and_tell, the_item
from services.inventory.ledger_rows import moved, summed, unwritten
from services.inventory.moves import Moves, read_ahead
from services.inventory.places import Moved, Shelf, books_had
from services.inventory.quantities import amount_of
from services.inventory.receiving import the_book
from services.inventory.stock_book import StockBook
from services.inventory.tables import STOCK_COUNTS, STOCK_LEVELS, STOCK_MOVEMENTS
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.rights import whose_screen
from services.runtime.router import Router

router: Final = Router()


@dataclass(frozen=True, slots=True)
class Found:
    """What somebody found of an item at a place, in thousandths of its unit."""

    item: str
    place: str
    at: datetime
    amount: int


@router.on(CountStock)
async def count_stock(request: CountStock, context: Context) -> None:
    """Bring the books to what was found: all lines of it, or, where any is wrong, none.

    A count that comes after a later one of the same shelf is kept, and moves nothing: the later
    one knows better.
    """
    book = await the_book(context)
    found = read(request, book, context.now)
    items = {each.item for each in found}
    await read_ahead(context.draft, context.tenant, items)
    later = await _later_counts(context, items, found[0].at)
    since = await _moved_since(context, items, found[0].at, found[-1].at)
    moves = Moves(context, book)
    counting = _Counting(context, book, moves, request, await whose_screen(context))
    for shelf, lines in groupby(found, key=_shelf):
        await counting.take(*shelf, list(lines), later, since)
    await noticing.tell(context, book, moves)
    # The levels are not told: who counts the next shelf must not know what to expect there.
    superseded = tuple(counting.superseded)
    context.answer(StockReceipt(movement_id=counting.first, superseded=superseded))


def read(request: CountStock, book: StockBook, now: datetime) -> list[Found]:
    """What was found, in the order in which it was seen.

    Raises:
        Refusal: `unknown-item`; `invalid`, for a quantity that is none and for one shelf twice
            in an instant; `time-out-of-range`, for a time that is not yet or too long ago.
    """
    found: dict[tuple[str, str, datetime], Found] = {}
    for line in request.lines:
        item = the_item(book, line.item)
        at = now if line.at is None else line.at
        if not now - MAX_AGE <= at <= now + MAX_AHEAD:
            raise Refusal(
                RefusalCode.TIME_OUT_OF_RANGE,
                f"{item.name} was counted at {at:%Y-%m-%d %H:%M} UTC, it is said: "
                f"only what was counted within {MAX_AGE.days} days is taken",
            )
        amount = 0
        if line.quantity is not None:
            amount = amount_of(line.quantity, item, may_be_nothing=True)
        # A tablet's clock may be a little ahead; nothing was counted later than now.
        key = (line.item, line.place or item.place, min(at, now))
        if key in found:
            raise Refusal(
                RefusalCode.INVALID,
                f"{item.name} is counted twice at {key[1]} at one time: add the two up",
            )
        found[key] = Found(*key, amount)
    return sorted(found.values(), key=_shelf)


def _shelf(found: Found) -> tuple[datetime, str]:
    return found.at, found.place


class _Counting:
    """One count that is being taken, shelf by shelf."""

    def __init__(
        self,
        context: Context,
        book: StockBook,
        moves: Moves,
        request: CountStock,
        screen: str | None,
    ) -> None:
        self.first: UUID | None = None
        self.superseded: list[str] = []
        self._context = context
        self._book = book
        self._moves = moves
        self._request = request
        self._person = request.person or screen

    async def take(
        self,
        at: datetime,
        place: str,
        lines: Sequence[Found],
        later: Mapping[tuple[str, str], datetime],
        since: Mapping[str, Sequence[Moved]],
    ) -> None:
        """Keep what was found at a place at one time, and move the differences."""
        missing: dict[str, int] = {}
        thrown: dict[str, int] = {}
        for each in lines:
            item = self._book.items[each.item]
            row = await self._context.draft.get(STOCK_LEVELS, self._context.tenant, each.item)
            held = 0 if row is None else row["places"].get(place, 0)
            shelf = Shelf(each.item, place, item.place)
            had = books_had(shelf, held, since.get(each.item, ()), at)
            known_better = at < later.get((each.item, place), at)
            self._keep(each, had, superseded=known_better)
            if known_better:
                self.superseded.append(each.item)
                continue
            difference = each.amount - had
            gone = 0 if row is None else _damaged_and_gone(row, difference)
            if gone:
                thrown[each.item] = gone
            if difference + gone:
                missing[each.item] = difference + gone
            if not difference:
                await self._moves.vouch(each.item)
        await self._move(MovementKind.DISCARD, thrown, place, at)
        await self._move(MovementKind.COUNT, missing, place, at)

    async def _move(
        self, kind: MovementKind, amounts: Mapping[str, int], place: str, at: datetime
    ) -> None:
        if not amounts:
            return
        movement_id = await move_and_tell(
            self._context,
            self._moves,
            kind,
            amounts,
            place=place,
            at=at,
            reference=self._request.count,
            person=self._person,
            why=self._request.note,
            counted=True,
        )
        self.first = self.first or movement_id

    def _keep(self, found: Found, expected: int, *, superseded: bool) -> None:
        self._context.draft.put(
            STOCK_COUNTS,
            {
                "tenant": self._context.tenant,
                "counted_id": new_id(),
                "count": self._request.count,
                "item": found.item,
                "place": found.place,
                "at": found.at,
                "found": found.amount,
                "expected": expected,
                "superseded": superseded,
                "device": self._context.device,
                "person": self._person,
                "kept_at": self._context.now,
            },
        )


def _damaged_and_gone(row: Mapping[str, int], difference: int) -> int:
    """How much of what is missing must have been set aside as damaged: there is no more left."""
    on_hand = row["on_hand"] + difference
    return max(0, min(-difference, row["damaged"] - max(0, on_hand)))


async def _later_counts(
    context: Context, items: set[str], since: datetime
) -> dict[tuple[str, str], datetime]:
    """When each shelf was last counted, of those that were counted after a time."""
    table = STOCK_COUNTS.c
    query = select(table.item, table.place, table.at).where(
        table.tenant == context.tenant,
        table.item.in_(sorted(items)),
        table.at > since,
        table.superseded.is_(False),
    )
    rows = [tuple(row) for row in await context.draft.work.connection.execute(query)]
    rows += [
        (row["item"], row["place"], row["at"])
        for row in context.draft.unwritten(STOCK_COUNTS)
        if row["tenant"] == context.tenant and not row["superseded"]
    ]
    last: dict[tuple[str, str], datetime] = {}
    for item, place, at in rows:
        last[item, place] = max(at, last.get((item, place), at))
    return last


async def _moved_since(
    context: Context, items: set[str], first: datetime, last: datetime
) -> dict[str, list[Moved]]:
    """What moved after the first shelf was counted, written or decided in this same batch.

    By item: of a count of many nobody goes through what moved of the others.

    One by one while somebody was counting; what moved after the last shelf moved for all.
    """
    decided = [
        row
        for row in context.draft.unwritten(STOCK_MOVEMENTS)
        if row["tenant"] == context.tenant and row["at"] > first
    ]
    found = unwritten(decided)
    connection = context.draft.work.connection
    if first < last:
        found += await moved(connection, context.tenant, items, after=first, until=last)
    if last < context.now:
        found += await summed(connection, context.tenant, items, after=last)
    by_item: dict[str, list[Moved]] = {}
    for each in found:
        by_item.setdefault(each.item, []).append(each)
    return by_item
