"""The report holds what was told against the moment that was told of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.deliveries import Delivery, DeliveryStatus
from schemas.identifiers import new_id
from schemas.positions import Place
from services.delivery.kept import Beside, Kept
from services.delivery.report import door

PLACED = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)


def after(minutes: float) -> datetime:
    return PLACED + timedelta(minutes=minutes)


def a_delivery(status: DeliveryStatus, **times: datetime) -> Kept:
    values: dict[str, Any] = {**times}
    delivery = Delivery(
        order_id=new_id(),
        number="A1",
        status=status,
        version=3,
        place=Place(lat=60.1, lon=24.9),
        placed_at=PLACED,
        promised_at=after(40),
        **values,
    )
    return Kept(delivery, Beside(), quoted_p50_at=after(30))


def test_it_was_at_the_door_when_the_guest_had_it_and_the_courier_was_there_before() -> None:
    line = door(
        a_delivery(DeliveryStatus.DELIVERED, arrived_at=after(39), ended_at=after(42)),
    )
    assert (line.arrived_at, line.door_at) == (after(39), after(42))
    assert line.late_s == 120, "late, though the courier had been in time"
    assert line.error_s == 12 * 60


@pytest.mark.parametrize(
    ("status", "times"),
    [
        (DeliveryStatus.ARRIVED, {"arrived_at": after(30)}),
        (DeliveryStatus.RETURNED, {"arrived_at": after(30), "ended_at": after(60)}),
        (DeliveryStatus.CANCELLED, {"ended_at": after(10)}),
    ],
)
def test_what_no_guest_had_was_neither_in_time_nor_late(
    status: DeliveryStatus, times: dict[str, datetime]
) -> None:
    line = door(a_delivery(status, **times))
    assert (line.door_at, line.late_s, line.error_s) == (None, None, None)
    assert line.arrived_at == times.get("arrived_at")
