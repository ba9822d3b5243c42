"""An evening of houses that share couriers, played small: every order delivered or explained."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Heard
from tests.conftest import SharedData

_SMALL = ("--kitchens", "2", "--rush", "1", "--speed", "120x", "--json")
_NO_TROUBLE = (
    *("--decline", "0", "--ignore", "0", "--lost", "0", "--lost-with-food", "0"),
    *("--stop-kitchen", "never"),
)


@pytest.mark.timeout(900)
def test_two_houses_share_couriers_whom_nobody_assigns(
    heard: Heard, shared_data: SharedData
) -> None:
    orders = str(shared_data.file("orders/pizza_lines.csv"))
    how = (orders, "--couriers", "3", "--orders", "6", *_SMALL, *_NO_TROUBLE)
    figures = heard.done("simulate", "dispatch", *how).json
    assert figures["orders"] == figures["delivered"] == 6, figures
    assert {each["house"] for each in figures["deliveries"]} == {"kitchen-1", "kitchen-2"}
    assert figures["asked"] >= figures["accepted"] >= 6
    assert figures["declined"] == 0
    for each in figures["deliveries"]:
        assert each["ready_at"] <= each["picked_up_at"] < each["real_at"]
