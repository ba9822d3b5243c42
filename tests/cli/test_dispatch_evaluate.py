"""`heard dispatch evaluate`: on a real day of the delivery problem, and on folders as they come."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.cli.conftest import Heard
from tests.conftest import SharedData

SMALLEST: Final = "delivery/mdrp/0o100t100s1p100"
KEYS: Final = {
    "orders",
    "delivered",
    "click_to_door_mean",
    "click_to_door_p90",
    "ready_to_pickup_mean",
    "courier_hours",
    "cost_per_order",
    "feasible",
}


def test_a_real_day_is_planned_nearer_to_what_can_be_than_by_greedy_nearest(
    heard: Heard, shared_data: SharedData
) -> None:
    told = heard.done("dispatch", "evaluate", str(shared_data.file(SMALLEST)), "--json").json
    when_ready, at_placement = told["baseline"], told["baseline_at_placement"]
    assert told.keys() >= KEYS
    assert when_ready.keys() == at_placement.keys() == KEYS
    assert (told["orders"], told["delivered"], told["feasible"]) == (505, 505, True)
    assert told["courier_hours"] == pytest.approx(303)
    for other in (when_ready, at_placement):
        assert other["feasible"]
        assert told["delivered"] >= other["delivered"]
        assert told["click_to_door_p90"] <= other["click_to_door_p90"]
    assert told["click_to_door_mean"] < 0.8 * when_ready["click_to_door_mean"]
    # Couriers are many on this day: who is called at once loses 3.5 minutes to the bound in all.
    bound = told["click_to_door_bound"]
    assert told["click_to_door_mean"] - bound < 0.6 * (at_placement["click_to_door_mean"] - bound)


def test_a_baseline_can_be_shown_alone(heard: Heard, shared_data: SharedData) -> None:
    day = str(shared_data.file(SMALLEST))
    told = heard.done("dispatch", "evaluate", day, "--policy", "nearest", "--json").json
    assert {key: told[key] for key in KEYS} == told["baseline_at_placement"]
    shown = heard.done("dispatch", "evaluate", day, "--policy", "when-ready")
    lines = [line.split("\t") for line in shown.out.splitlines()]
    assert lines[0][:3] == ["policy", "delivered", "click to door"]
    assert lines[1][1:] == lines[2][1:]
    assert lines[2][0] == "greedy nearest when ready (baseline)"
    assert "no policy can bring the mean click-to-door below 28.42 minutes" in shown.err


def test_a_folder_that_is_no_instance_is_refused_in_a_line(
    heard: Heard, shared_data: SharedData, tmp_path: Path
) -> None:
    assert "orders.txt" in heard("dispatch", "evaluate", str(tmp_path)).complaint
    folder = tmp_path / "day"
    shutil.copytree(shared_data.file(SMALLEST), folder)
    with (folder / "orders.txt").open("a", encoding="utf-8") as file:
        file.write("o999\t1\t2\tnoon\tr1\t30\n")
    complaint = heard("dispatch", "evaluate", str(folder)).complaint
    assert "orders.txt, line 507: placement_time is 'noon', which is no number" in complaint
    assert "does not exist" in heard("dispatch", "evaluate", str(tmp_path / "no")).complaint
