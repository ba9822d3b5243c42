"""What a template is filled with: plain values, made of the order as it stood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from schemas.menu import ChosenModifier
from schemas.money import digits
from schemas.orders import Order, OrderLine
from schemas.payments import Payment


@dataclass(frozen=True, slots=True)
class Money:
    """An amount; false where it is nothing, so that ``{% if order.due %}`` reads well."""

    minor: int
    currency: str

    @property
    def places(self) -> int:
        """How many decimals its currency has."""
        return digits(self.currency)

    @property
    def decimal(self) -> Decimal:
        """In the currency's main unit."""
        return Decimal(self.minor).scaleb(-self.places)

    def __bool__(self) -> bool:
        return self.minor != 0


def view_of(
    snapshot: Mapping[str, Any], *, house: str, tenant: str, change: str, at: datetime
) -> dict[str, Any]:
    """What a template may name: ``order``, ``guest``, ``payment``, ``house``, ``change``, ….

    Args:
        snapshot: the change with the order as it stood, as JSON.
        house: the restaurant's name, for people.
        tenant: its name in topics.
        change: what happened.
        at: when.
    """
    order = Order.model_validate(snapshot["order"])
    paid_by = snapshot.get("payment_id")
    payment = next((each for each in order.payments if str(each.payment_id) == paid_by), None)
    numbers = set(snapshot.get("lines") or ())
    why = snapshot.get("why") or (payment.reason if payment is not None else None) or ""
    return {
        "house": {"name": house, "tenant": tenant},
        "change": change,
        "at": at,
        "why": why,
        "order": _order(order),
        "lines": [_line(each, order.currency) for each in order.lines if each.line in numbers],
        "guest": _guest(order),
        "payment": None if payment is None else _payment(payment, order.currency),
    }


def _order(order: Order) -> dict[str, Any]:
    def money(minor: int) -> Money:
        return Money(minor, order.currency)

    return {
        "number": order.number,
        "status": order.status.value,
        "kind": order.kind.value,
        "table": order.table or "",
        "covers": order.covers or 0,
        "reference": order.reference or "",
        "reason": order.reason or "",
        "placed_at": order.placed_at,
        "due_at": order.due_at,
        "closed_at": order.closed_at,
        "currency": order.currency,
        "total": money(order.total_minor),
        "tax": money(order.tax_minor),
        "paid": money(order.paid_minor),
        "tips": money(order.tips_minor),
        "refunded": money(order.refunded_minor),
        "due": money(order.due_minor),
        "lines": [_line(each, order.currency) for each in order.lines],
    }


def _guest(order: Order) -> dict[str, str]:
    guest = order.guest
    names = ("name", "email", "phone", "address")
    return {name: (getattr(guest, name, None) or "") for name in names}


def _line(line: OrderLine, currency: str) -> dict[str, Any]:
    return {
        "line": line.line,
        "name": line.name,
        "quantity": line.quantity,
        "unit": Money(line.unit_minor, currency),
        "total": Money(line.total_minor, currency),
        "tax": Money(line.tax_minor, currency),
        "note": line.note,
        "seat": line.seat or "",
        "voided": line.voided,
        "modifiers": list(_modifiers(line.modifiers)),
        "allergens": list(line.allergens),
    }


def _modifiers(chosen: Iterable[ChosenModifier]) -> Iterable[str]:
    for each in chosen:
        yield each.name if each.quantity == 1 else f"{each.quantity} × {each.name}"  # noqa: RUF001 - the sign that is meant
        yield from _modifiers(each.modifiers)


def _payment(payment: Payment, currency: str) -> dict[str, Any]:
    return {
        "status": payment.status.value,
        "method": payment.method,
        "amount": Money(payment.amount_minor, currency),
        "tip": Money(payment.tip_minor, currency),
        "refunded": Money(payment.refunded_minor, currency),
    }
