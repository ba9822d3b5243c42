"""A small menu, and orders on it, for the tests of the orders' rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.menu import MenuItem, Modifier, ModifierGroup, ModifierRequest
from schemas.orders import LineRequest, Order, PlaceOrder
from schemas.refusals import RefusalCode
from services.orders import pricing, rules
from services.orders.decided import Decided
from services.runtime.refusal import Refusal

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)

_SAUCES = ModifierGroup(
    group="sauce",
    name="Sauce",
    most=2,
    modifiers=(
        Modifier(modifier="aioli", name="Aioli", price_minor=50, allergens=("eggs",)),
        Modifier(modifier="ketchup", name="Ketchup"),
    ),
)
BURGER = MenuItem(
    item="burger",
    name="Burger",
    station="grill",
    price_minor=995,
    currency="GBP",
    allergens=("gluten", "milk"),
    groups=(
        ModifierGroup(
            group="side",
            name="Side",
            least=1,
            modifiers=(
                Modifier(modifier="fries", name="Fries", price_minor=200, groups=(_SAUCES,)),
                Modifier(modifier="salad", name="Salad"),
            ),
        ),
        ModifierGroup(
            group="extra",
            name="Extra",
            most=3,
            modifiers=(
                Modifier(
                    modifier="cheese", name="Extra cheese", price_minor=120, allergens=("milk",)
                ),
                Modifier(modifier="no-cheese", name="No cheese", removes=("milk",)),
            ),
        ),
    ),
)
MENU = {
    "burger": BURGER,
    **{
        item: MenuItem(
            item=item, name=item.title(), station=station, price_minor=price, currency="GBP"
        )
        for item, station, price in [
            ("fries", "fry", 350),
            ("ale", "bar", 0),
            ("soup", "cold", 777),
            ("truffle", "grill", 10**6),
        ]
    },
}
SALAD = (ModifierRequest(modifier="salad"),)


def line(item: str, quantity: int = 1, **more: Any) -> LineRequest:
    """A line; a burger comes with salad where nothing else is said."""
    if item == "burger":
        more.setdefault("modifiers", SALAD)
    return LineRequest(item=item, quantity=quantity, **more)


def decided(lines: Sequence[LineRequest], house: OrderRules | None = None, **more: Any) -> Decided:
    """What the rules make of a new order."""
    house = house or OrderRules()
    at = more.pop("at", NOON)
    return rules.place(
        PlaceOrder(lines=tuple(lines), **more),
        house,
        order_id=new_id(),
        number=rules.order_number(NOON, 1),
        device="pos-1",
        lines=pricing.price_lines(lines, MENU, house),
        currency="GBP",
        at=at,
    )


def placed(*lines: LineRequest, house: OrderRules | None = None, **more: Any) -> Order:
    """A new order."""
    return decided(lines or (line("soup"),), house, **more).order


def refused(error: pytest.ExceptionInfo[Refusal]) -> RefusalCode:
    """The code of a refusal."""
    return error.value.code
