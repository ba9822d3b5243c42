"""An order that nobody placed, to try channels and templates on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.identifiers import derived_id
from schemas.menu import ChosenModifier
from schemas.orders import Guest, Order, OrderChange, OrderKind, OrderLine, OrderStatus
from schemas.payments import Payment, PaymentStatus

NUMBER = "SAMPLE-1"


def sample_snapshot(
    change: OrderChange, currency: str, language: str, now: datetime
) -> dict[str, Any]:
    """A change of the sample order, as a notice keeps it."""
    order = sample_order(currency, language, now)
    return {
        "order": order.model_dump(mode="json"),
        "lines": [1],
        "payment_id": str(order.payments[0].payment_id),
        "why": "a sample" if change in _TOLD_WHY else None,
    }


_TOLD_WHY = frozenset({OrderChange.PAYMENT_FAILED, OrderChange.REFUNDED})


def sample_order(currency: str, language: str, now: datetime) -> Order:
    """Two lines, a guest who does not exist, and a payment with a tip."""
    placed_at = now - timedelta(minutes=12)
    order_id = _id(now, "order")
    lines = (
        OrderLine(
            line=1,
            item="margherita",
            name="Margherita",
            quantity=2,
            unit_minor=1_050,
            total_minor=2_100,
            station="oven",
            modifiers=(ChosenModifier(modifier="basil", name="Basil", unit_minor=100),),
            allergens=("gluten", "milk"),
        ),
        OrderLine(
            line=2,
            item="tiramisu",
            name="Tiramisù",
            quantity=1,
            unit_minor=500,
            total_minor=500,
            station="cold",
            note="two spoons",
        ),
    )
    payment = Payment(
        payment_id=_id(now, "payment"),
        status=PaymentStatus.PAID,
        method="cash",
        amount_minor=2_600,
        tip_minor=200,
        asked_at=placed_at,
        device="sample",
    )
    return Order(
        order_id=order_id,
        number=NUMBER,
        status=OrderStatus.READY,
        version=3,
        device="sample",
        kind=OrderKind.TAKEAWAY,
        guest=Guest(name="Ada Sample", email="ada@example.com", language=_known(language)),
        currency=currency,
        total_minor=2_600,
        paid_minor=2_600,
        tips_minor=200,
        payment=PaymentStatus.PAID,
        payments=(payment,),
        lines=lines,
        placed_at=placed_at,
    )


def _known(language: str) -> str | None:
    return language if len(language) in {2, 5} else None


def _id(now: datetime, what: str) -> UUID:
    return derived_id(now, "sample", what)
