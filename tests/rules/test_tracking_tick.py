"""One tick after another, whoever goes meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

from schemas.delivery_rules import DeliveryRules
from schemas.topics import Plane, plane_filter
from services.runtime.bus import Delivery
from services.tracking.arriving import Teller
from services.tracking.tick import Found, Tick
from services.tracking.vehicle_book import VehicleBook

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


class Road:
    """Two trackers of one house."""

    def __init__(self) -> None:
        self.book = VehicleBook()
        self.book.rules["roma"] = DeliveryRules()
        for name in ("bike-1", "bike-2"):
            number = self.book._enter(("roma", name), name, NOON.isoformat())
            self.book._told_by[Teller("roma", name)] = number
        self.tick = Tick(self.book, Counter(), None)

    async def tells(self, device: str, second: float) -> Found:
        at = NOON + timedelta(seconds=second)
        told = {"at": at.isoformat().replace("+00:00", "Z"), "lat": 60.17, "lon": 24.94}
        topic = plane_filter(Plane.TELEMETRY, tenant="roma", tail=f"{device}/fix")
        delivery = Delivery(topic, json.dumps(told).encode(), retain=False, qos=1, tag=1)
        arrived = self.tick.read([delivery], at.timestamp())
        return await self.tick.judge(arrived, at)


async def test_one_that_is_removed_before_its_row_was_due_leaves_the_others_theirs() -> None:
    road = Road()
    await road.tells("bike-1", 0)
    found = await road.tells("bike-1", 0.5)
    assert not len(found.kept.vehicles), "its row is due later"
    gone = road.book.find(("roma", "bike-1"))
    assert gone is not None
    road.book.drop(road.book.of(gone))
    found = await road.tells("bike-2", 10)
    assert [row[1] for row in found.kept.vehicles.tuples()] == ["bike-2"]
    assert not road.tick.leave()
