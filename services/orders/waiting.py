"""What a placed order waits for before the kitchen gets it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.house_rules import OrderRules, PaymentRule
from schemas.orders import Order, OrderStatus, Wait
from services.orders import bill
from services.orders.decided import Decided


def settle(order: Order, house: OrderRules, at: datetime) -> Decided | None:
    """Look again at what a placed order waits for; None where nothing is different.

    Returns:
        The order's next version: with the kitchen, or waiting for something else.
    """
    if order.status is not OrderStatus.PLACED:
        return None
    before = (order.waits_for, order.wake_at)
    order, rules = look(order, house, at)
    version = order.version + 1
    if not order.waits_for:
        changes = {
            "status": OrderStatus.ACCEPTED,
            "version": version,
            "status_version": version,
        }
        why = ("it waits for nothing any more: the kitchen has it",)
        return Decided(order.model_copy(update=changes), rules=why)
    if (order.waits_for, order.wake_at) == before:
        return None
    return Decided(order.model_copy(update={"version": version}), rules=rules)


def unpaid_too_long(order: Order, house: OrderRules, at: datetime) -> bool:
    """Tell whether a placed order has waited for its payment long enough, and still has to."""
    if Wait.PAYMENT not in order.waits_for or at < _patience_ends(order, house, at):
        return False
    return Wait.PAYMENT in look(order, house, at)[0].waits_for


def look(order: Order, house: OrderRules, at: datetime) -> tuple[Order, tuple[str, ...]]:
    """Say what a placed order waits for, when to look again, and why."""
    waits: list[Wait] = []
    rules: list[str] = []
    wakes: list[datetime] = []
    if Wait.APPROVAL in order.waits_for:
        waits.append(Wait.APPROVAL)
        rules.append("this house accepts orders by hand")
    if house.payment is PaymentRule.BEFORE_KITCHEN and not bill.is_covered(order):
        waits.append(Wait.PAYMENT)
        rules.append("this house wants the money before the kitchen sees an order")
        wakes.append(_patience_ends(order, house, at))
    if order.due_at is not None and at < (release := released_at(order.due_at, house)):
        waits.append(Wait.TIME)
        rules.append(f"it is for {_clock(order.due_at)}: the kitchen gets it {_clock(release)}")
        wakes.append(release)
    changes: dict[str, Any] = {"waits_for": tuple(waits), "wake_at": min(wakes, default=None)}
    return order.model_copy(update=changes), tuple(rules)


def released_at(due_at: datetime, house: OrderRules) -> datetime:
    """When the kitchen gets an order for later."""
    return due_at - timedelta(seconds=house.lead_s)


def _patience_ends(order: Order, house: OrderRules, at: datetime) -> datetime:
    """Until when it waits for its payment.

    Whoever is asked for money only now (more was ordered, a promise failed) has as long as
    whoever orders; the row's `wake_at` remembers it.
    """
    patience = timedelta(seconds=house.payment_patience_s)
    if Wait.PAYMENT not in order.waits_for:
        return at + patience
    usual = order.placed_at + patience
    ends = usual if order.wake_at is None else max(usual, order.wake_at)
    if order.due_at is not None and ends == released_at(order.due_at, house):
        ends += patience  # it is woken for its time then, not given up
    return ends


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
