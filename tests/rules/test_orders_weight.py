"""An order stays small enough to be told, whatever is put on it and given back of it."""

from __future__ import annotations

import pytest

from broker_config.mosquitto_conf import MAX_PAYLOAD_BYTES
from schemas.identifiers import new_id
from schemas.menu import MenuItem, Modifier, ModifierGroup, ModifierRequest
from schemas.orders import MAX_LINES, LineRequest, OrderChange, OrderChanged
from schemas.payments import MAX_REFUNDS, PayOrder, RefundOrder
from schemas.refusals import RefusalCode
from services.orders import paying, pricing, rules
from services.orders.weight import MOST_BYTES
from services.runtime.refusal import Refusal
from tests.rules.orders_world import NOON, line, placed, refused

_NAME = "Ü" * 120
BUFFET = MenuItem(
    item="buffet",
    name=_NAME,
    station="grill",
    price_minor=100,
    currency="GBP",
    groups=(
        ModifierGroup(
            group="dish",
            most=32,
            modifiers=tuple(Modifier(modifier=f"d{n}", name=_NAME) for n in range(32)),
        ),
    ),
)
ALL = LineRequest(
    item="buffet",
    quantity=1,
    modifiers=tuple(ModifierRequest(modifier=f"d{n}") for n in range(32)),
)
MENU = {"buffet": BUFFET}


def test_lines_of_which_an_order_could_not_be_told_are_refused() -> None:
    order = placed(line("soup"))
    fit = pricing.price_lines([ALL] * 48, MENU, first=2)
    order = rules.add_lines(order, fit).order  # many such lines have room
    much = pricing.price_lines([ALL] * 40, MENU, first=50)
    with pytest.raises(Refusal) as error:
        rules.add_lines(order, much)
    assert refused(error) is RefusalCode.TOO_LARGE
    assert len(order.model_dump_json().encode()) < MOST_BYTES + 2_000
    less = order.lines[-1].model_copy(update={"modifiers": ()})
    assert rules.change_line(order, less).order.lines[-1] != order.lines[-1]


def test_two_hundred_plain_lines_with_long_notes_have_room() -> None:
    order = placed(*[line("soup", note="é" * 280) for _ in range(MAX_LINES)])
    assert len(order.lines) == MAX_LINES


def test_the_largest_order_can_still_be_paid_given_back_and_told() -> None:
    order = placed(line("soup", quantity=999))
    lines = pricing.price_lines([ALL] * 48, MENU, first=2)
    order = rules.add_lines(order, lines).order
    asked = PayOrder(order_id=order.order_id)
    order = paying.begin(order, asked, payment_id=new_id(), device="pos-1", at=NOON).order
    why = "ß" * 280
    for _ in range(MAX_REFUNDS):
        wanted = RefundOrder(order_id=order.order_id, amount_minor=1, reason=why)
        order = paying.refund(order, wanted, refund_id=new_id())[0].order
    told = OrderChanged(order_id=order.order_id, change=OrderChange.REFUNDED, order=order, why=why)
    assert len(told.model_dump_json().encode()) < MAX_PAYLOAD_BYTES
    with pytest.raises(Refusal, match="100 refunds") as error:
        paying.refund(order, wanted, refund_id=new_id())
    assert refused(error) is RefusalCode.WRONG_STATE
