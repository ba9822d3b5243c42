"""Orders and the stock: reserved when placed, taken when cooked, given back when called off.

All of it is decided together with the order itself, so that two tills never sell the last
portion twice, and nothing stays reserved for an order that is over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from schemas.orders import Order, OrderChange, OrderChanged, OrderPlaced, PlaceOrder, Wait
from schemas.refusals import RefusalCode
from services.inventory import noticing
from services.inventory.books import book_of
from services.inventory.holding import Change, HeldLine, Hold, Kind, cook, follow
from services.inventory.inside import ReservePlanned
from services.inventory.moves import Moves, level_of, read_ahead
from services.inventory.stock_book import StockBook
from services.inventory.tables import STOCK_HOLDS, STOCK_LEVELS
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.facts import TicketMoved
from services.runtime.ports import Ports
from services.runtime.refusal import Refusal
from services.runtime.router import Router
from services.runtime.work import Draft, Row

router: Final = Router()

_OF_INTEREST: Final = frozenset(
    {
        OrderChange.ACCEPTED,
        OrderChange.REJECTED,
        OrderChange.LINES_ADDED,
        OrderChange.LINES_CHANGED,
        OrderChange.LINES_VOIDED,
        OrderChange.SERVED,
        OrderChange.OUT_FOR_DELIVERY,
        OrderChange.DELIVERED,
        OrderChange.CLOSED,
        OrderChange.CANCELLED,
        OrderChange.VOIDED,
    }
)
"""Payments and names of guests take nothing from the stock."""


@router.prepare(PlaceOrder)
async def read_levels_ahead(
    draft: Draft, _ports: Ports, asked: Sequence[tuple[str, PlaceOrder]]
) -> None:
    """Read the levels of all that a batch of orders takes, in one query a house."""
    for tenant in {tenant for tenant, _ in asked}:
        book = await book_of(draft, tenant)
        if book is not None:
            dishes = {
                line.item for whose, order in asked if whose == tenant for line in order.lines
            }
            items = {item for dish in dishes for item in book.takes.get(dish, ())}
            await read_ahead(draft, tenant, items)


@router.during(OrderPlaced)
async def reserve(fact: OrderPlaced, context: Context) -> None:
    """Promise an order what it takes.

    Raises:
        Refusal: `item-unavailable`, where there is not enough.
    """
    book = await book_of(context.draft, context.tenant)
    if book is None:
        return
    until = await _plan_until(context, fact.order)
    hold, changes = follow(Hold(), fact.order, book, planned=until is not None)
    if hold.lines:
        _keep(context, fact.order_id, hold, None, until)
        await _carry_out(context, book, changes, fact.order)


@router.during(OrderChanged)
async def follow_the_order(fact: OrderChanged, context: Context) -> None:
    """Bring what is promised to what the order is now.

    Raises:
        Refusal: `item-unavailable`, where there is not enough for what is new.
    """
    if fact.change not in _OF_INTEREST:
        return
    book = await book_of(context.draft, context.tenant)
    if book is None:
        return
    row = await context.draft.get(STOCK_HOLDS, context.tenant, fact.order_id)
    before = Hold() if row is None else _to_hold(row)
    # Until now it may have taken nothing: what is added to it is for its day all the same.
    until = await _plan_until(context, fact.order) if row is None else row["plan_until"]
    if until is not None and until <= context.now:
        until = None
    # Its other lines were promised by the book as it was then: no step of an order may fail
    # because a recipe is another since.
    after, changes = follow(before, fact.order, book, planned=until is not None, only=fact.lines)
    if after != before:
        _keep(context, fact.order_id, after, row, until if after.planned else None)
        await _carry_out(context, book, changes, fact.order, was_planned=before.planned)


@router.during(TicketMoved)
async def take_what_is_cooked(fact: TicketMoved, context: Context) -> None:
    """What a cook has begun is taken from the shelf."""
    if not fact.cooking:
        return
    book = await book_of(context.draft, context.tenant)
    if book is None:
        return
    row = await context.draft.get(STOCK_HOLDS, context.tenant, fact.order_id)
    if row is None:
        return
    after, changes = cook(_to_hold(row), fact.cooking)
    if changes:
        _keep(context, fact.order_id, after, row, None)
        await _carry_out(context, book, changes, None, order_id=fact.order_id, was_planned=True)


@router.on(ReservePlanned)
async def reserve_planned(request: ReservePlanned, context: Context) -> None:
    """The guest was promised it days ago: it is reserved before anybody else's, come what may."""
    book = await book_of(context.draft, context.tenant)
    row = await context.draft.get(STOCK_HOLDS, context.tenant, request.order_id)
    if book is None or row is None or row["plan_until"] != request.plan_until:
        return
    before = _to_hold(row)
    after = Hold(before.lines)
    amounts = before.promised()
    changes = [Change(Kind.UNPLAN, amounts), Change(Kind.RESERVE, amounts)] if amounts else []
    _keep(context, request.order_id, after, row, None)
    await _carry_out(
        context, book, changes, None, order_id=request.order_id, was_planned=before.planned
    )


# -- inside -----------------------------------------------------------------------------------


async def _plan_until(context: Context, order: Order) -> datetime | None:
    """From when on an order for later takes from the day's stock; None is from now on."""
    if order.due_at is None or Wait.TIME not in order.waits_for:
        return None
    rules = await house_rules.stock_rules(context.draft, context.tenant)
    until = order.due_at - timedelta(seconds=rules.plan_ahead_s)
    return until if until > context.now else None


async def _carry_out(
    context: Context,
    book: StockBook,
    changes: Sequence[Change],
    order: Order | None,
    *,
    order_id: UUID | None = None,
    was_planned: bool = False,
) -> None:
    """Move what a hold's change says, and tell what comes of it."""
    moves = Moves(context, book)
    about = order_id if order is None else order.order_id
    # An order that comes alone was not read ahead for, nor were the modifiers of any.
    await read_ahead(context.draft, context.tenant, {each for _, all_ in changes for each in all_})
    for kind, amounts in changes:
        # What is on the book no more cannot keep an order from being called off.
        known = {item: amount for item, amount in amounts.items() if item in book.items}
        if not known:
            continue
        if kind is Kind.RESERVE and not was_planned and order is not None:
            await _check(context, book, known, order)
        await moves.move(kind, known, order_id=about, promised=was_planned)
    await noticing.tell(context, book, moves)


async def _check(
    context: Context, book: StockBook, amounts: Mapping[str, int], order: Order
) -> None:
    """See that there is enough, and say it in the words of the menu where there is not."""
    for item, amount in amounts.items():
        row = await context.draft.get(STOCK_LEVELS, context.tenant, item)
        if row is None or not row["counted"] or level_of(row).available >= amount:
            continue
        available = max(0, level_of(row).available)
        for line in order.lines:
            need = book.of_line(line).get(item, 0)
            if not line.voided and need > available:
                n = available * line.quantity // need
                raise Refusal(RefusalCode.ITEM_UNAVAILABLE, _short(line.name, n, item, book))
        names = ", ".join(_users(order, book, item))
        raise Refusal(
            RefusalCode.ITEM_UNAVAILABLE,
            f"{names}: not all of them can be made, {book.items[item].name} runs out",
        )


def _short(name: str, n: int, item: str, book: StockBook) -> str:
    many = f"only {n} can still be made" if n else "sold out"
    return f"{name}: {many}, {book.items[item].name} runs out"


def _users(order: Order, book: StockBook, item: str) -> Collection[str]:
    return dict.fromkeys(
        line.name for line in order.lines if not line.voided and item in book.of_line(line)
    )


def _keep(
    context: Context, order_id: UUID, hold: Hold, before: Row | None, until: datetime | None
) -> None:
    context.draft.put(
        STOCK_HOLDS,
        {
            "tenant": context.tenant,
            "order_id": order_id,
            "version": 1 if before is None else before["version"] + 1,
            "lines": {str(number): _document(line) for number, line in hold.lines.items()},
            "plan_until": until,
        },
    )


def _document(line: HeldLine) -> dict[str, Any]:
    return {"version": line.version, "takes": dict(line.takes), "cooked": line.cooked}


def _to_hold(row: Row) -> Hold:
    lines = {
        int(number): HeldLine(each["version"], each["takes"], each["cooked"])
        for number, each in row["lines"].items()
    }
    return Hold(lines, planned=row["plan_until"] is not None)
