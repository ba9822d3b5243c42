"""What leaves the shelf by hand: thrown away, set aside, carried elsewhere, sent back."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from schemas.inventory import MovementKind, StockItem
from schemas.inventory_requests import LoseStock, ReturnStock, StockLoss, TransferStock
from schemas.refusals import RefusalCode
from services.inventory import noticing
from services.inventory.by_hand import check_place, move_and_tell, the_item
from services.inventory.moves import Moves
from services.inventory.quantities import amount_of
from services.inventory.receiving import receipt, the_book
from services.inventory.tables import LOTS
from services.inventory.units import text
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.rights import whose_screen
from services.runtime.router import Router
from services.runtime.work import Row

router: Final = Router()

_LEAVES_THE_HOUSE: Final = frozenset(
    {MovementKind.WASTE, MovementKind.DISCARD, MovementKind.RETURN}
)


@router.on(LoseStock)
async def lose_stock(request: LoseStock, context: Context) -> None:
    """Throw something away, or set it aside as damaged, or say that it was not after all."""
    kind = {
        StockLoss.WASTE: MovementKind.WASTE,
        StockLoss.DAMAGE: MovementKind.DAMAGE,
        StockLoss.REPAIR: MovementKind.REPAIR,
        StockLoss.DISCARD: MovementKind.DISCARD,
    }[request.what]
    await _take(request, context, kind)


@router.on(ReturnStock)
async def return_stock(request: ReturnStock, context: Context) -> None:
    """Send something back to who delivered it; what is damaged is repaired first, in the books."""
    await _take(request, context, MovementKind.RETURN, supplier=request.supplier)


@router.on(TransferStock)
async def transfer_stock(request: TransferStock, context: Context) -> None:
    """Carry something from one place of the house to another."""
    if request.place == request.to_place:
        raise Refusal(RefusalCode.INVALID, f"it is at {request.place} already: say where it goes")
    book = await the_book(context)
    item = the_item(book, request.item)
    amount = amount_of(request.quantity, item)
    await check_place(context, item, request.place, amount)
    moves = Moves(context, book)
    movement_id = await move_and_tell(
        context,
        moves,
        MovementKind.TRANSFER,
        {request.item: amount},
        place=request.place,
        to_place=request.to_place,
        person=request.person or await whose_screen(context),
    )
    await noticing.tell(context, book, moves)
    context.answer(receipt(book, moves, movement_id))


async def _take(
    request: LoseStock | ReturnStock,
    context: Context,
    kind: MovementKind,
    *,
    supplier: str | None = None,
) -> None:
    book = await the_book(context)
    item = the_item(book, request.item)
    amount = amount_of(request.quantity, item)
    place = request.place
    if request.lot_id is not None:
        lot = await _the_lot(context, item, request.lot_id)
        place = place or lot["place"]
        if kind in _LEAVES_THE_HOUSE:
            _take_of(context, item, lot, amount)
    if kind is not MovementKind.REPAIR:
        await check_place(context, item, place or item.place, amount)
    moves = Moves(context, book)
    movement_id = await move_and_tell(
        context,
        moves,
        kind,
        {request.item: amount},
        place=place,
        reference=supplier,
        person=request.person or await whose_screen(context),
        why=request.reason,
    )
    await noticing.tell(context, book, moves)
    context.answer(receipt(book, moves, movement_id))


async def _the_lot(context: Context, item: StockItem, lot_id: UUID) -> Row:
    lot = await context.draft.get(LOTS, context.tenant, lot_id)
    if lot is None or lot["item"] != item.item:
        raise Refusal(RefusalCode.NOT_FOUND, f"{item.name} has no lot {lot_id}")
    return lot


def _take_of(context: Context, item: StockItem, lot: Row, amount: int) -> None:
    """Take so much of exactly this lot."""
    gone = lot["gone"] + amount
    if gone > lot["received"]:
        left = text(lot["received"] - lot["gone"], item.unit)
        raise Refusal(RefusalCode.WRONG_STATE, f"{item.name}: there was only {left} in that lot")
    context.draft.put(LOTS, {**lot, "gone": gone, "version": lot["version"] + 1})
