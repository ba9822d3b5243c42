"""An evening of houses that share couriers, played small: every order delivered or explained."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Heard
from tests.conftest import SharedData

_TROUBLE = (
    *("--decline", "0.4", "--ignore", "0.1", "--lost", "1", "--lost-with-food", "1"),
    *("--stop-kitchen", "15m"),
)


@pytest.mark.timeout(900)
def test_every_order_is_delivered_or_explained_whatever_goes_wrong(
    heard: Heard, shared_data: SharedData
) -> None:
    """Nobody says who brings what; couriers decline and are lost, and a kitchen stands still."""
    orders = str(shared_data.file("orders/pizza_lines.csv"))
    few = ("--kitchens", "2", "--couriers", "6", "--orders", "10", "--rush", "1")
    how = (orders, *few, *_TROUBLE, "--speed", "90x", "--json")
    figures = heard.done("simulate", "fleet", *how).json
    assert figures["orders"] == 10
    assert figures["delivered"] + figures["explained"] == 10
    assert figures["neither"] == 0
    assert {each["house"] for each in figures["deliveries"]} == {"kitchen-1", "kitchen-2"}
    assert figures["asked"] > figures["accepted"] >= figures["delivered"] > 0
    assert figures["declined"] > 0
    assert len(figures["lost"]) == 2
    assert figures["explanations"], "what was in the bag of who was lost came to nobody"
    assert figures["alerts"]["tracker-silent"] >= 1
    for each in figures["deliveries"]:
        if each["became"] == "delivered":
            assert each["ready_at"] <= each["picked_up_at"] < each["real_at"]
            assert any("accept" in told for told in each["story"])
        else:
            assert each["why"], each
