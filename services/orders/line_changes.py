"""Lines that change after they were sent: changed, and voided."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from schemas.menu import ChosenModifier
from schemas.order_changes import ChangeLine, VoidLines
from schemas.orders import (
    LineRequest,
    Order,
    OrderChange,
    OrderLine,
    OrderStatus,
    OrderStep,
)
from schemas.refusals import RefusalCode
from services.orders import pricing, rules
from services.orders.changes import changed, finish_if_made, load, receipt
from services.orders.decided import Decided
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.ports import LineWork
from services.runtime.refusal import Refusal
from services.runtime.rights import is_manager
from services.runtime.router import Router

router: Final = Router()


@router.on(ChangeLine)
async def change_line(request: ChangeLine, context: Context) -> None:
    """Change one line, as long as it is not cooked; its station sees what is different."""
    order = await load(context, request.order_id)
    rules.check_version(order, request.version, {request.line})
    line = rules.line_of(order, request.line)
    if request.line in await _cooked(order, context):
        raise Refusal(
            RefusalCode.ALREADY_COOKED, f"line {line.line} of {order.number} is cooked: add another"
        )
    altered = await _altered(request, line, context, order.due_at)
    if altered == line:
        context.answer(receipt(order))
        return
    decided = rules.change_line(order, altered)
    house = await house_rules.order_rules(context.draft, context.tenant)
    rules.check_more(order, house, decided.order.total_minor - order.total_minor)
    order = await changed(
        context, decided, OrderChange.LINES_CHANGED, lines=(line.line,), why=request.reason
    )
    context.answer(receipt(order))


async def _altered(
    request: ChangeLine, line: OrderLine, context: Context, due_at: datetime | None
) -> OrderLine:
    """The line as it shall be; what was ordered keeps the price it was ordered at.

    More of it, and what is newly chosen with it, must be there to be had; the rest was promised.
    """
    changes: dict[str, Any] = {
        name: value
        for name in ("quantity", "note", "seat")
        if (value := getattr(request, name)) is not None
    }
    more = request.quantity is not None and request.quantity > line.quantity
    if request.modifiers is None and not more:
        return pricing.reprice(line.model_copy(update=changes))
    wanted = LineRequest(item=line.item, quantity=1, modifiers=request.modifiers or ())
    menu = await context.ports.menu.offered(
        context.draft, context.tenant, [wanted], now=context.now, due_at=due_at
    )
    item = menu.get(line.item)
    if more and item is not None:
        pricing.check_available([item])
    if request.modifiers is not None:
        if item is None:
            raise Refusal(
                RefusalCode.UNKNOWN_ITEM, f"{line.item} has left the menu: void the line instead"
            )
        promised = set(_names(line.modifiers))
        gone = tuple(each for each in item.sold_out if each not in promised)
        chosen = pricing.choose(request.modifiers, item.model_copy(update={"sold_out": gone}))
        changes |= {
            "modifiers": chosen.modifiers,
            "unit_minor": line.unit_minor - _worth(line.modifiers) + chosen.price_minor,
            "allergens": pricing.checked_allergens(chosen.allergens, line.avoid, line.name),
        }
    return pricing.reprice(line.model_copy(update=changes))


def _names(modifiers: tuple[ChosenModifier, ...]) -> Iterator[str]:
    for each in modifiers:
        yield each.modifier
        yield from _names(each.modifiers)


def _worth(modifiers: tuple[ChosenModifier, ...]) -> int:
    return sum(each.quantity * (each.unit_minor + _worth(each.modifiers)) for each in modifiers)


@router.on(VoidLines)
async def void_lines(request: VoidLines, context: Context) -> None:
    """Take lines off; what is cooked needs a manager. With the last line the order goes."""
    order = await load(context, request.order_id)
    numbers = set(request.lines)
    rules.check_version(order, request.version, numbers)
    for number in sorted(numbers):
        rules.line_of(order, number)
    why_allowed: tuple[str, ...] = ()
    if cooked := sorted(numbers & await _cooked(order, context)):
        if not await is_manager(context):
            raise Refusal(
                RefusalCode.ALREADY_COOKED,
                f"line {cooked[0]} of {order.number} is cooked: only a manager may void it",
            )
        why_allowed = ("what is cooked was voided by a manager's right",)
    lines = tuple(sorted(numbers))
    if all(line.voided or line.line in numbers for line in order.lines):
        waiting = order.status is OrderStatus.PLACED
        decided = rules.void_all(
            order, OrderStep.CANCEL if waiting else OrderStep.VOID, context.now, request.reason
        )
        change = OrderChange.CANCELLED if waiting else OrderChange.VOIDED
        told = Decided(decided.order, decided.posting, why_allowed)
        order = await changed(context, told, change, lines=lines, why=request.reason)
    else:
        decided = rules.void_lines(order, numbers)
        told = Decided(decided.order, decided.posting, why_allowed)
        order = await changed(
            context, told, OrderChange.LINES_VOIDED, lines=lines, why=request.reason
        )
        order = await finish_if_made(context, order)
    context.answer(receipt(order))


async def _cooked(order: Order, context: Context) -> set[int]:
    if order.status is OrderStatus.PLACED:
        return set()
    work = await context.ports.kitchen.work(context.draft, context.tenant, order.order_id)
    return {line for line, far in work.items() if far is LineWork.COOKED}
