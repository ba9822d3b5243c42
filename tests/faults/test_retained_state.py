"""What a broker has forgotten or made up is put right by the services."""

from __future__ import annotations

from pathlib import Path

from schemas.identifiers import new_id
from schemas.kitchen import TicketState
from tests.faults.ending import must_be_right
from tests.faults.evening import Evening
from tests.faults.ground import TENANT, Ground, footing
from tests.faults.plan import Kind, Stack, draw_orders, seeded
from tests.mqtt_client import MqttClient


def test_a_broker_that_came_back_empty_is_filled_again_and_strays_are_cleared(
    ground: Ground, tmp_path: Path
) -> None:
    orders = draw_orders(seeded(3), 3, 8, over_s=0.5)
    stray = TicketState.route.topic(tenant=TENANT, station="grill", ticket_id=str(new_id()))
    with (
        footing(Stack.MIXED, ground, tmp_path) as standing,
        Evening(standing, orders, cooks=False) as house,
    ):
        must_be_right(house)
        # The services may come back only when the stray stands there.
        house.suffer(Kind.SERVICES_HELD, 60.0)
        standing.kill_broker(forget=True)
        standing.restart_broker()
        inspector = standing.inspector
        with MqttClient(inspector.address, inspector.login) as someone:
            someone.publish(stray, b"left by an older life", retain=True)
            someone.subscribe(stray)
            assert someone.next_message().retain
            house.heal()
            house.until(
                lambda: any(not each.payload for each in list(someone.messages)),
                "the stray's clearing",
            )
        must_be_right(house)
