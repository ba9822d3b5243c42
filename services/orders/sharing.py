"""Who pays what of a bill that several share. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.orders import Order, OrderStatus
from schemas.payments import PaymentStatus, Share
from services.orders import bill


def shares(order: Order, ways: int | None = None) -> tuple[Share, ...]:
    """What each has to pay of what is open; together it is exactly that.

    In `ways` equal parts; or by guest: each their own lines and an equal part of what is
    for all, less what they have paid. Odd minor units go to the first.
    """
    open_ = bill.open_minor(order)
    if ways is not None:
        return tuple(Share(guest=None, amount_minor=each) for each in allot(open_, [1] * ways))
    guests = [each.guest for each in order.participants]
    if not guests:
        return (Share(guest=None, amount_minor=open_),)
    live = order.status not in {OrderStatus.CANCELLED, OrderStatus.VOIDED, OrderStatus.REJECTED}
    kept = [line for line in order.lines if live and not line.voided]
    common = allot(sum(x.total_minor for x in kept if x.guest is None), [1] * len(guests))
    gross = [
        part + sum(line.total_minor for line in kept if line.guest == guest)
        for guest, part in zip(guests, common, strict=True)
    ]
    own = [
        amount
        - sum(
            each.amount_minor
            for each in order.payments
            if each.guest == guest and each.status is not PaymentStatus.FAILED
        )
        for guest, amount in zip(guests, gross, strict=True)
    ]
    # What somebody paid for all, and what was given back, is everybody's.
    rest = allot(open_ - sum(own), [max(1, amount) for amount in gross])
    return tuple(
        Share(guest=guest, amount_minor=mine + part)
        for guest, mine, part in zip(guests, own, rest, strict=True)
    )


def allot(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide an amount by weights, to the last minor unit (largest remainder)."""
    sign, left = (-1, -amount) if amount < 0 else (1, amount)
    whole = sum(weights)
    parts = [left * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(left * weights[i] % whole), i))
    for i in order[: left - sum(parts)]:
        parts[i] += 1
    return [sign * part for part in parts]
