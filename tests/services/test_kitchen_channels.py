"""Channels over MQTT: paused from a till, seen on it, and open again with nobody asking."""

from __future__ import annotations

from datetime import timedelta

from schemas.kitchen_pace import PauseChannel
from schemas.orders import OrderKind
from services.kitchen.channels_store import INTAKES
from tests.running import StartSystem
from tests.services.test_order_timers import HandMoved
from tests.spoken import order
from tests.system import until


def test_a_till_pauses_a_kind_of_order_and_it_opens_again_by_itself(
    start_system: StartSystem,
) -> None:
    clock = HandMoved()
    system = start_system(clock=clock)
    tenant = system.add_tenant()
    with tenant.speaker() as pos:
        pos.accepted(PauseChannel(channel=OrderKind.DELIVERY, for_s=600, why="no riders"))
        refused = pos.ask(order("burger", kind=OrderKind.DELIVERY))
        assert refused.code == "channel-paused"
        assert refused.message is not None
        assert "no riders" in refused.message
        pos.accepted(order("burger"))
        # A life later it still holds, and ends when its time is up.
        system.restart()
        assert pos.ask(order("burger", kind=OrderKind.DELIVERY)).code == "channel-paused"
        clock.at += timedelta(seconds=600)
        until(lambda: not by_hand(tenant.rows(INTAKES)), "the pause to end by itself")
        pos.accepted(order("burger", kind=OrderKind.DELIVERY))


def by_hand(rows: list[dict[str, object]]) -> bool:
    (row,) = [each for each in rows if each["channel"] == OrderKind.DELIVERY]
    return bool(row["by_hand"])
