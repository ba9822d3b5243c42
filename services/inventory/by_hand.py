"""A movement that a person asked for: moved, and told of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from schemas.inventory import MovedLine, MovementKind, StockItem, StockMoved, StockMovement
from schemas.refusals import RefusalCode
from services.inventory.moves import Moves
from services.inventory.stock_book import StockBook
from services.inventory.tables import STOCK_LEVELS
from services.inventory.units import text
from services.runtime.context import Context
from services.runtime.refusal import Refusal


async def move_and_tell(
    context: Context,
    moves: Moves,
    kind: MovementKind,
    amounts: Mapping[str, int],
    *,
    place: str | None = None,
    to_place: str | None = None,
    at: datetime | None = None,
    reference: str | None = None,
    person: str | None = None,
    why: str = "",
    counted: bool = False,
) -> UUID:
    """Move so much of each item, and tell whoever listens; see `Moves.move`."""
    movement_id = await moves.move(
        kind,
        amounts,
        place=place,
        to_place=to_place,
        at=at,
        reference=reference,
        person=person,
        why=why,
        counted=counted,
    )
    movement = StockMovement(
        movement_id=movement_id,
        kind=kind,
        at=context.now if at is None else at,
        kept_at=context.now,
        lines=tuple(MovedLine(item=each, amount=amount) for each, amount in amounts.items()),
        place=place,
        to_place=to_place,
        reference=reference,
        device=context.device,
        person=person,
        why=why,
    )
    await context.emit(StockMoved(movement_id=movement_id, movement=movement))
    return movement_id


def the_item(book: StockBook, name: str) -> StockItem:
    """An item of the house.

    Raises:
        Refusal: `unknown-item`.
    """
    item = book.items.get(name)
    if item is None:
        raise Refusal(RefusalCode.UNKNOWN_ITEM, f"the book has no item {name}")
    return item


async def check_place(context: Context, item: StockItem, place: str, amount: int) -> None:
    """See that so much of an item is where somebody says that it was.

    Raises:
        Refusal: `wrong-state`, where the books have less there.
    """
    row = await context.draft.get(STOCK_LEVELS, context.tenant, item.item)
    places: dict[str, int] = {} if row is None else row["places"]
    held = places.get(place, 0)
    if held < amount:
        said = text(max(0, held), item.unit)
        others = sorted((each, has) for each, has in places.items() if each != place and has > 0)
        lies = ", ".join(f"{text(has, item.unit)} at {each}" for each, has in others)
        also = f" ({lies})" if lies else ""
        where = "say where it was taken, or count it" if lies else "count it"
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"{item.name}: the books have only {said} at {place}{also}; {where} at {place} first",
        )
