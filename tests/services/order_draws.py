"""What is drawn at random to be asked of a house, and what that house sells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st

from schemas.menu import MenuItem, Modifier, ModifierGroup, ModifierRequest
from schemas.message import Request
from schemas.order_changes import (
    AcceptOrder,
    DeliverOrder,
    DispatchOrder,
    RejectOrder,
    ReturnOrder,
    ServeOrder,
    VoidOrder,
)
from schemas.orders import (
    CancelOrder,
    CloseOrder,
    LineRequest,
)

ITEMS: Final = ("burger", "fries", "ale", "water", "nothing-such", "sold-out", "odd-tax")
WEIGHTED: Final = ("burger", "burger", "fries", "ale", "water") * 12 + ITEMS
TAXES: Final = {"standard": 200_000, "reduced": 88_750, "none": 0}
CARD: Final = "stripe"


def menu(currency: str) -> list[MenuItem]:
    """What the house sells: prices that do not divide evenly, choices within choices."""
    sauce = Modifier(modifier="sauce", name="Sauce", price_minor=33, allergens=("egg",))
    cheese = Modifier(
        modifier="cheese",
        name="Cheese",
        price_minor=101,
        allergens=("milk",),
        groups=(ModifierGroup(group="sauces", most=2, modifiers=(sauce,)),),
    )
    bacon = Modifier(modifier="bacon", name="Bacon", price_minor=149)
    extras = ModifierGroup(group="extras", most=4, modifiers=(cheese, bacon))

    def item(name: str, station: str, price: int, **more: Any) -> MenuItem:
        return MenuItem(
            item=name,
            name=name.title(),
            station=station,
            price_minor=price,
            currency=currency,
            **more,
        )

    return [
        item("burger", "grill", 997, groups=(extras,), allergens=("gluten",)),
        item("fries", "fry", 351, tax="reduced"),
        item("ale", "bar", 479),
        item("water", "bar", 0, tax="none"),
        item("sold-out", "bar", 10, available=False),
        item("odd-tax", "bar", 10, tax="of-nowhere"),
    ]


modifier = st.one_of(
    st.just(
        ModifierRequest(
            modifier="cheese", modifiers=(ModifierRequest(modifier="sauce", quantity=2),)
        )
    ),
    st.builds(
        ModifierRequest,
        modifier=st.sampled_from((*("cheese", "bacon") * 8, "caviar")),
        quantity=st.integers(1, 3),
    ),
)
modifiers = st.lists(modifier, max_size=2, unique_by=lambda each: each.modifier)


@st.composite
def line_requests(draw: st.DrawFn) -> LineRequest:
    """A line; seldom one that cannot be had."""
    item = draw(st.sampled_from(WEIGHTED))
    chosen = tuple(draw(modifiers)) if item == "burger" else ()
    avoid = draw(st.sampled_from(((),) * 9 + (("milk",),)))
    guest = draw(st.sampled_from((None,) * 8 + (1, 2) * 4 + (7,)))
    return LineRequest(
        item=item, quantity=draw(st.integers(1, 4)), modifiers=chosen, avoid=avoid, guest=guest
    )


lines = st.lists(line_requests(), min_size=1, max_size=3).map(tuple)
nth = st.integers(0, 7)
seen = st.sampled_from((None, None, None, 0, 0, 1, 3, -1))
"""How many versions ago the sender has looked; below zero is a version that does not exist."""

STEPS: Final[dict[str, Callable[[UUID, int | None], Request]]] = {
    "accept": lambda id_, _v: AcceptOrder(order_id=id_),
    "reject": lambda id_, _v: RejectOrder(order_id=id_, reason="full"),
    "serve": lambda id_, v: ServeOrder(order_id=id_, version=v),
    "dispatch": lambda id_, _v: DispatchOrder(order_id=id_),
    "deliver": lambda id_, _v: DeliverOrder(order_id=id_),
    "return": lambda id_, _v: ReturnOrder(order_id=id_, reason="nobody was in"),
    "close": lambda id_, v: CloseOrder(order_id=id_, version=v),
    "cancel": lambda id_, v: CancelOrder(order_id=id_, reason="left", version=v),
    "void": lambda id_, v: VoidOrder(order_id=id_, reason="mistaken", version=v),
}
ON: Final = ("accept", "serve", "dispatch", "deliver", "close")
