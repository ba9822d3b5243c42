"""What an order is promised of the stock, line by line, and how that follows the order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.inventory import MovementKind
from schemas.orders import OPEN_ORDER, Order, OrderLine, OrderStatus
from services.inventory.stock_book import StockBook

Kind = MovementKind

HANDED_OVER = frozenset(
    {
        OrderStatus.SERVED,
        OrderStatus.OUT_FOR_DELIVERY,
        OrderStatus.DELIVERED,
        OrderStatus.CLOSED,
    }
)
"""What is here was made, whether or not a screen was told."""


@dataclass(frozen=True, slots=True)
class HeldLine:
    """What one line of an order is promised, or has taken.

    Attributes:
        version: the line's version that this was reckoned from.
        takes: by item, in thousandths of its base unit.
        cooked: whether it is taken.
    """

    version: int
    takes: Mapping[str, int]
    cooked: bool = False


class Change(NamedTuple):
    """One movement that brings the stock to what the order is."""

    kind: MovementKind
    amounts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Hold:
    """What an order is promised.

    Attributes:
        lines: by the number of the line; a line that takes nothing is absent.
        planned: whether it is for a later day, and takes nothing from today.
    """

    lines: Mapping[int, HeldLine] = field(default_factory=dict)
    planned: bool = False

    def promised(self) -> dict[str, int]:
        """All that is promised and not cooked."""
        return _sum(each.takes for each in self.lines.values() if not each.cooked)


def follow(
    hold: Hold,
    order: Order,
    book: StockBook,
    *,
    planned: bool = False,
    only: Collection[int] | None = None,
) -> tuple[Hold, list[Change]]:
    """Bring what is promised to what the order is now.

    What is cooked stays taken, even where its line is voided: the food is gone. Where more is
    wanted of a line that a cook has begun, the more is taken at once. A line that did not change
    keeps what it was promised, though its recipe be another by now.

    Args:
        hold: what was promised.
        order: as it is now.
        book: the house's items and recipes.
        planned: whether the order is for a later day.
        only: the lines that are new or changed; None is all of them. What was ordered before
            its recipe was written down takes nothing.
    """
    ended = order.status not in OPEN_ORDER and order.status is not OrderStatus.CLOSED
    lines: dict[int, HeldLine] = {}
    more: list[Mapping[str, int]] = []
    for line in order.lines:
        held = hold.lines.get(line.line)
        told = only is None or line.line in only
        if held is not None and held.cooked:
            lines[line.line] = held
            if told and held.version != line.version and not (ended or line.voided):
                lines[line.line], new = _grown(held, line, book)
                more.append(new)
        elif ended or line.voided:
            continue
        elif held is not None and (held.version == line.version or not told):
            lines[line.line] = held
        elif told:
            takes = book.of_line(line)
            if takes:
                lines[line.line] = HeldLine(line.version, takes)
    after = Hold(lines, planned and hold_may_wait(order))
    changes = _between(hold, after)
    if begun := {item: amount for item, amount in _sum(more).items() if amount}:
        changes += [Change(Kind.RESERVE, begun), Change(Kind.CONSUME, begun)]
    if order.status in HANDED_OVER:
        after, cooked = cook(after, lines)
        changes += cooked
    return after, changes


def _grown(held: HeldLine, line: OrderLine, book: StockBook) -> tuple[HeldLine, Mapping[str, int]]:
    """A line that a cook has begun, as it is wanted now, and how much more that takes."""
    wanted, taken = book.of_line(line), held.takes
    most = {item: max(wanted.get(item, 0), taken.get(item, 0)) for item in {*wanted, *taken}}
    more = {item: amount - taken.get(item, 0) for item, amount in most.items()}
    return HeldLine(line.version, most, cooked=True), more


def hold_may_wait(order: Order) -> bool:
    """Tell whether the kitchen has not got it yet."""
    return order.status is OrderStatus.PLACED


def cook(hold: Hold, numbers: Collection[int]) -> tuple[Hold, list[Change]]:
    """Take what these lines were promised; what is cooked already is not taken twice."""
    begun = {n: hold.lines[n] for n in numbers if n in hold.lines and not hold.lines[n].cooked}
    if not begun:
        return hold, []
    now = Hold(hold.lines) if hold.planned else hold
    changes = _between(hold, now)
    made = {n: HeldLine(line.version, line.takes, cooked=True) for n, line in begun.items()}
    lines = {**hold.lines, **made}
    taken = _sum(each.takes for each in begun.values())
    return Hold(lines), [*changes, Change(Kind.CONSUME, taken)]


def _between(before: Hold, after: Hold) -> list[Change]:
    """The movements from one to the other, what is given back first."""
    was, now = before.promised(), after.promised()
    if before.planned and after.planned:
        back, more = Kind.UNPLAN, Kind.PLAN
    elif before.planned:
        changes = [Change(Kind.UNPLAN, was), Change(Kind.RESERVE, now)]
        return [each for each in changes if each.amounts]
    elif after.planned:
        changes = [Change(Kind.RELEASE, was), Change(Kind.PLAN, now)]
        return [each for each in changes if each.amounts]
    else:
        back, more = Kind.RELEASE, Kind.RESERVE
    less = {i: a - now.get(i, 0) for i, a in was.items() if a > now.get(i, 0)}
    new = {i: a - was.get(i, 0) for i, a in now.items() if a > was.get(i, 0)}
    changes = [Change(back, less), Change(more, new)]
    return [each for each in changes if each.amounts]


def _sum(all_: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for takes in all_:
        for item, amount in takes.items():
            found[item] = found.get(item, 0) + amount
    return found
