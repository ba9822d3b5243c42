"""The demonstration's couriers bring what guests at home ordered, and are seen on their way."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import Heard, until, up


def test_a_visitor_sees_couriers_ride_and_fetch_orders(heard: Heard) -> None:
    def told(*command: str) -> list[dict[str, Any]]:
        ended = heard(*command, "--tenant", "demo", "--json")
        return ended.json if ended.code == 0 else []  # it opens a moment after it is up

    with up(heard, "--demo"):
        until(
            lambda: any(each["courier"] for each in told("delivery", "list")),
            "an order that a courier has",
        )
        until(
            lambda: (
                {"courier-1", "courier-2"} <= {each["vehicle"] for each in told("track", "show")}
            ),
            "both couriers on the map",
        )
