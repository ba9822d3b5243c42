"""An evening's deliveries, played small: kitchen, couriers, guests, and one report."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Heard
from tests.conftest import SharedData


@pytest.mark.timeout(900)
def test_every_order_is_brought_and_links_show_only_what_they_may(
    heard: Heard, shared_data: SharedData
) -> None:
    orders = str(shared_data.file("orders/pizza_lines.csv"))
    how = ("--orders", "5", "--couriers", "2", "--speed", "60x")
    figures = heard.done("simulate", "delivery", orders, *how, "--json", timeout=300).json
    assert figures["orders"] == figures["delivered"] == len(figures["deliveries"]) == 5
    assert figures["refused"] == figures["status_apart"] == figures["links_wrong"] == 0, figures
    assert figures["links_with_courier"] > 0
    assert figures["etas_told"] > 20
    for each in figures["deliveries"]:
        assert each["promised_at"] is not None
        assert each["picked_up_at"] < each["real_at"]
        assert each["picked_up_error_min"] is not None
