"""What was promised of each order, and when its guest really had it; pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from schemas.deliveries import DeliveryStatus
from services.delivery.kept import Kept


class Door(NamedTuple):
    """One order's promise, and its door.

    Attributes:
        number: the order's.
        order_id: its id.
        status: where its delivery stands.
        courier: who brought it, or has it to bring.
        placed_at: when it was ordered.
        quoted_p50_at: when it was thought to be there, as it was placed.
        promised_at: by when the guest was told to have it.
        ready_at: when the kitchen had it.
        picked_up_at: when it left.
        arrived_at: when its courier was there, should somebody have seen that.
        door_at: when the guest had it: of that moment they were told, and it is what is promised.
            None where it never came.
        late_s: from the promise to `door_at`; below zero it came sooner.
        error_s: from `quoted_p50_at` to `door_at`.
    """

    number: str
    order_id: str
    status: str
    courier: str | None
    placed_at: datetime
    quoted_p50_at: datetime | None
    promised_at: datetime | None
    ready_at: datetime | None
    picked_up_at: datetime | None
    arrived_at: datetime | None
    door_at: datetime | None
    late_s: float | None
    error_s: float | None


def door(kept: Kept) -> Door:
    """The line of a delivery in the report."""
    delivery = kept.delivery
    had_at = delivery.ended_at if delivery.status is DeliveryStatus.DELIVERED else None
    return Door(
        delivery.number,
        str(delivery.order_id),
        delivery.status.value,
        delivery.courier,
        delivery.placed_at,
        kept.quoted_p50_at,
        delivery.promised_at,
        kept.ready_at,
        delivery.picked_up_at,
        delivery.arrived_at,
        had_at,
        _after(delivery.promised_at, had_at),
        _after(kept.quoted_p50_at, had_at),
    )


def _after(wanted: datetime | None, was: datetime | None) -> float | None:
    return None if wanted is None or was is None else (was - wanted).total_seconds()
