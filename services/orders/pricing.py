"""What lines cost, what is in them, and which tax they bear. Pure.

Tax is reckoned for each line and rounded there, half a minor unit away from zero; an
order's tax is the sum of its lines'. So what is voided or refunded by line takes exactly
the tax of that line with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.house_rules import MILLION, STANDARD_TAX, OrderRules
from schemas.menu import (
    MAX_DEPTH,
    ChosenModifier,
    MenuItem,
    Modifier,
    ModifierGroup,
    ModifierRequest,
)
from schemas.money import MAX_MINOR
from schemas.orders import LineRequest, OrderLine
from schemas.refusals import RefusalCode
from services.runtime.refusal import Refusal

_NO_RULES: Final = OrderRules()


def price_lines(
    lines: Iterable[LineRequest],
    menu: Mapping[str, MenuItem],
    house: OrderRules = _NO_RULES,
    *,
    first: int = 1,
    version: int = 1,
) -> tuple[OrderLine, ...]:
    """Put the menu's names, prices and stations on the lines asked for.

    Args:
        lines: what was asked for.
        menu: the items of these names that there are.
        house: says which taxes there are.
        first: the number of the first line.
        version: the order's version with these lines.

    Raises:
        Refusal: `unknown-item` or `item-unavailable`, naming every such item;
            `unknown-modifier`, `wrong-choice`, `allergen`; `invalid` for an amount out of
            range, or a tax that the house has no rate for.
    """
    lines = tuple(lines)
    unknown = sorted({line.item for line in lines} - menu.keys())
    if unknown:
        raise Refusal(RefusalCode.UNKNOWN_ITEM, f"not on the menu: {', '.join(unknown)}"[:240])
    check_available(menu[line.item] for line in lines)
    return tuple(
        _price(line, menu[line.item], house, number=number, version=version)
        for number, line in enumerate(lines, first)
    )


def check_available(items: Iterable[MenuItem]) -> None:
    """See that all of these can be had.

    Raises:
        Refusal: `item-unavailable`, naming every one that cannot, and why.
    """
    sold_out = {item.item: item.why for item in items if not item.available}
    if sold_out:
        told = (f"{name} ({why})" if why else name for name, why in sorted(sold_out.items()))
        raise Refusal(RefusalCode.ITEM_UNAVAILABLE, f"sold out: {', '.join(told)}"[:240])


def _price(
    line: LineRequest, item: MenuItem, house: OrderRules, *, number: int, version: int
) -> OrderLine:
    chosen = choose(line.modifiers, item)
    unit = item.price_minor + chosen.price_minor
    rate = tax_rate(item, house)
    total, tax = with_tax(line.quantity * unit, rate, included=house.prices_include_tax)
    _in_range(unit, total)
    return OrderLine(
        line=number,
        item=line.item,
        name=item.name,
        quantity=line.quantity,
        unit_minor=unit,
        total_minor=total,
        tax_minor=tax,
        tax_ppm=rate,
        tax_included=house.prices_include_tax,
        station=item.station,
        note=line.note,
        modifiers=chosen.modifiers,
        allergens=checked_allergens(chosen.allergens, line.avoid, item.name),
        avoid=tuple(sorted(set(line.avoid))),
        seat=line.seat,
        guest=line.guest,
        course=item.course if line.course is None else line.course,
        version=version,
    )


def reprice(line: OrderLine) -> OrderLine:
    """Reckon a line anew after its quantity or its unit price changed; its tax stays what it was.

    Raises:
        Refusal: `invalid`, for an amount out of range.
    """
    total, tax = with_tax(line.quantity * line.unit_minor, line.tax_ppm, included=line.tax_included)
    _in_range(line.unit_minor, total)
    return line.model_copy(update={"total_minor": total, "tax_minor": tax})


def with_tax(amount: int, rate: int, *, included: bool) -> tuple[int, int]:
    """Tell ``(total, tax)`` of an amount; the rate is in millionths.

    >>> with_tax(1200, 200_000, included=True)
    (1200, 200)
    >>> with_tax(1000, 88_750, included=False)
    (1089, 89)
    """
    if included:
        return amount, rounded(amount * rate, MILLION + rate)
    tax = rounded(amount * rate, MILLION)
    return amount + tax, tax


def rounded(numerator: int, denominator: int) -> int:
    """Divide, and round half away from zero; the denominator is above zero."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def tax_rate(item: MenuItem, house: OrderRules) -> int:
    """The rate that an item bears, in millionths.

    Raises:
        Refusal: `invalid`, where the item names a tax that the house has no rate for.
    """
    if not house.taxes:
        return 0
    if item.tax is None:
        return house.taxes.get(STANDARD_TAX, 0)
    rate = house.taxes.get(item.tax)
    if rate is None:
        raise Refusal(
            RefusalCode.INVALID,
            f"{item.name} bears the tax {item.tax}, for which the house has no rate",
        )
    return rate


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen with an item.

    Attributes:
        modifiers: as they are kept.
        price_minor: what they add to one of the item.
        allergens: what is in the item with them.
    """

    modifiers: tuple[ChosenModifier, ...]
    price_minor: int
    allergens: tuple[str, ...]


def choose(asked: Sequence[ModifierRequest], item: MenuItem) -> Choice:
    """Resolve what was chosen against the item's groups.

    Raises:
        Refusal: `unknown-modifier` or `wrong-choice`; `item-unavailable` for a modifier that
            cannot be had.
    """
    if not asked and not item.groups:  # most lines
        return Choice((), 0, item.allergens)
    if item.sold_out:
        _check_modifiers(asked, item)
    chosen, price = _resolve(asked, item.groups, item.name, MAX_DEPTH)
    allergens = _contained(item.allergens, asked, item.groups)
    return Choice(chosen, price, tuple(sorted(allergens)))


def _check_modifiers(asked: Sequence[ModifierRequest], item: MenuItem) -> None:
    for each in asked:
        if each.modifier in item.sold_out:
            text = f"{item.name}: {each.modifier} is sold out"
            raise Refusal(RefusalCode.ITEM_UNAVAILABLE, text[:240])
        _check_modifiers(each.modifiers, item)


def _resolve(
    asked: Sequence[ModifierRequest], groups: Sequence[ModifierGroup], where: str, depth: int
) -> tuple[tuple[ChosenModifier, ...], int]:
    if asked and depth == 0:
        raise Refusal(RefusalCode.UNKNOWN_MODIFIER, f"{where}: modifiers stand too deep in others")
    offered = {each.modifier: (group, each) for group in groups for each in group.modifiers}
    taken: Counter[str] = Counter()
    seen: set[str] = set()
    chosen: list[ChosenModifier] = []
    price = 0
    for each in asked:
        if each.modifier not in offered:
            raise Refusal(RefusalCode.UNKNOWN_MODIFIER, f"{where} has no {each.modifier}"[:240])
        if each.modifier in seen:
            text = f"{where}: {each.modifier} is there twice: say its quantity"
            raise Refusal(RefusalCode.WRONG_CHOICE, text[:240])
        seen.add(each.modifier)
        group, modifier = offered[each.modifier]
        taken[group.group] += each.quantity
        inner, inner_price = _resolve(each.modifiers, modifier.groups, modifier.name, depth - 1)
        price += each.quantity * (modifier.price_minor + inner_price)
        chosen.append(
            ChosenModifier(
                modifier=modifier.modifier,
                name=modifier.name,
                quantity=each.quantity,
                unit_minor=modifier.price_minor,
                modifiers=inner,
            )
        )
    for group in groups:
        if not group.least <= taken[group.group] <= group.most:
            wanted = (
                f"{group.least}" if group.least == group.most else f"{group.least} to {group.most}"
            )
            text = f"{where}: choose {wanted} of {group.name or group.group}"
            raise Refusal(RefusalCode.WRONG_CHOICE, text[:240])
    return tuple(chosen), price


def _contained(
    own: Iterable[str], asked: Sequence[ModifierRequest], groups: Sequence[ModifierGroup]
) -> set[str]:
    """What is in it: a modifier takes out what was there before, never what another adds."""
    by_name: dict[str, Modifier] = {
        each.modifier: each for group in groups for each in group.modifiers
    }
    left = set(own)
    for each in asked:
        left -= set(by_name[each.modifier].removes)
    for each in asked:
        modifier = by_name[each.modifier]
        left |= _contained(modifier.allergens, each.modifiers, modifier.groups)
    return left


def checked_allergens(
    allergens: tuple[str, ...], avoid: Sequence[str], name: str
) -> tuple[str, ...]:
    """Give the allergens back.

    Raises:
        Refusal: `allergen`, where the guest must not get one of them.
    """
    both = sorted(set(allergens) & set(avoid))
    if both:
        raise Refusal(
            RefusalCode.ALLERGEN,
            f"{name} contains {', '.join(both)}, which its guest must not get: "
            "choose another, or take it off"[:240],
        )
    return allergens


def _in_range(*amounts: int) -> None:
    for amount in amounts:
        if amount > MAX_MINOR:
            raise Refusal(RefusalCode.INVALID, f"the amount of {amount} is beyond {MAX_MINOR}")
