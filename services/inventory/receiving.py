"""Deliveries: what comes in, once, with the lots that it comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from schemas.identifiers import new_id
from schemas.inventory import MovedLine, MovementKind, StockMoved, StockMovement
from schemas.inventory_requests import ReceivedLine, ReceiveStock
from schemas.refusals import RefusalCode
from schemas.replies import StockReceipt
from services.inventory import noticing, purchase_rules
from services.inventory.books import book_of
from services.inventory.moves import Moves, to_level
from services.inventory.purchase_keeping import expected_from, has_come
from services.inventory.quantities import amount_of
from services.inventory.stock_book import StockBook
from services.inventory.tables import DELIVERY_NOTES, LOTS
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.rights import whose_screen
from services.runtime.router import Router
from services.runtime.wall_clock import zone_of

router: Final = Router()


@router.on(ReceiveStock)
async def receive_stock(request: ReceiveStock, context: Context) -> None:
    """Put a delivery on the shelves: all of it, or, where any line is wrong, none."""
    book = await the_book(context)
    name = f"{request.supplier}/{request.note}"
    if await context.draft.get(DELIVERY_NOTES, context.tenant, name) is not None:
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"the delivery {request.note} of {request.supplier} was received before",
        )
    await _check_dates(request, context)
    purchase = None
    if request.purchase is not None:
        purchase = await expected_from(context, request.purchase, request.supplier)
    moves = Moves(context, book)
    person = request.person or await whose_screen(context)
    by_place: dict[str | None, dict[str, int]] = {}
    for line in request.lines:
        item = book.items.get(line.item)
        if item is None:
            raise Refusal(RefusalCode.UNKNOWN_ITEM, f"the book has no item {line.item}")
        amount = amount_of(line.quantity, item)
        placed = by_place.setdefault(line.place, {})
        placed[line.item] = placed.get(line.item, 0) + amount
        cost = line.cost_minor
        if cost is None and purchase is not None:
            cost = purchase_rules.cost_of(purchase, line.item, amount)
        priced = line.model_copy(update={"cost_minor": cost})
        _add_lot(context, request, priced, amount, line.place or item.place)
    ids = []
    for place, amounts in by_place.items():
        movement_id = await moves.move(
            MovementKind.RECEIVE,
            amounts,
            place=place,
            reference=request.note,
            person=person,
            counted=True,
        )
        ids.append(movement_id)
        movement = StockMovement(
            movement_id=movement_id,
            kind=MovementKind.RECEIVE,
            at=context.now,
            kept_at=context.now,
            lines=tuple(MovedLine(item=each, amount=amount) for each, amount in amounts.items()),
            place=place,
            reference=request.note,
            device=context.device,
            person=person,
        )
        await context.emit(StockMoved(movement_id=movement_id, movement=movement))
    context.draft.put(
        DELIVERY_NOTES,
        {
            "tenant": context.tenant,
            "delivery": name,
            "movement_id": ids[0],
            "purchase_id": request.purchase,
            "received_at": context.now,
        },
    )
    if purchase is not None:
        await has_come(context, book, purchase, _sum(by_place.values()))
    await noticing.tell(context, book, moves)
    context.answer(receipt(book, moves, ids[0]))


def _sum(all_: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for amounts in all_:
        for item, amount in amounts.items():
            found[item] = found.get(item, 0) + amount
    return found


async def the_book(context: Context) -> StockBook:
    """The house's book.

    Raises:
        Refusal: `not-found`, where it keeps no stock.
    """
    book = await book_of(context.draft, context.tenant)
    if book is None:
        raise Refusal(
            RefusalCode.NOT_FOUND, "this house keeps no stock yet: import its recipes first"
        )
    return book


def receipt(book: StockBook, moves: Moves, movement_id: UUID | None) -> StockReceipt:
    """What was done, and how all that was touched stands now."""
    levels = [to_level(each.after, book) for each in moves.touched.values()]
    return StockReceipt(
        movement_id=movement_id, levels=tuple(each for each in levels if each is not None)
    )


async def _check_dates(request: ReceiveStock, context: Context) -> None:
    rules = await house_rules.order_rules(context.draft, context.tenant)
    today = context.now.astimezone(zone_of(rules.time_zone)).date()
    for line in request.lines:
        if line.expires_on is not None and line.expires_on < today:
            raise Refusal(
                RefusalCode.TIME_PASSED,
                f"{line.item} expired on {line.expires_on}: send it back",
            )


def _add_lot(
    context: Context, request: ReceiveStock, line: ReceivedLine, amount: int, place: str
) -> None:
    context.draft.put(
        LOTS,
        {
            "tenant": context.tenant,
            "lot_id": new_id(),
            "version": 1,
            "item": line.item,
            "place": place,
            "received": amount,
            "gone": 0,
            "expires_on": line.expires_on,
            "received_at": context.now,
            "reference": request.note,
            "supplier": request.supplier,
            "cost_minor": line.cost_minor,
        },
    )
