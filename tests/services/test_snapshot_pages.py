"""A snapshot of a station comes in pages, none larger than a broker takes."""

from __future__ import annotations

from uuid import UUID

from broker_config.mosquitto_conf import MAX_PAYLOAD_BYTES
from schemas.devices import Role
from schemas.kitchen import SNAPSHOT_BYTES
from schemas.kitchen_requests import ReadStation
from schemas.orders import LineRequest, PlaceOrder
from schemas.replies import StationPage
from tests.system import RunningTenant

ORDERS = 12


def test_long_tickets_come_in_pages_that_a_broker_takes(tenant: RunningTenant) -> None:
    wordy = LineRequest(item="burger", quantity=1, note="\N{HOT BEVERAGE}" * 200)
    placed: set[UUID] = set()
    with tenant.speaker() as till, tenant.speaker(Role.KITCHEN_DISPLAY) as screen:
        for _ in range(ORDERS):
            placed.add(till.accepted(PlaceOrder(lines=(wordy,) * 60)).order_id)
        seen: list[UUID] = []
        sizes: list[int] = []
        after, more = 0, True
        while more:
            page: StationPage = screen.accepted(ReadStation(station="grill", after=after))
            assert page.tickets, "every page leads on"
            sizes.append(len(page.model_dump_json().encode()))
            seen += [each.order_id for each in page.tickets]
            after, more = page.tickets[-1].sequence, page.more
    assert len(seen) == ORDERS
    assert set(seen) == placed
    assert len(sizes) > 1
    assert max(sizes) < MAX_PAYLOAD_BYTES / 2
    assert max(sizes[:-1]) > SNAPSHOT_BYTES / 4, "nor are they many small ones"
