"""`heard dispatch simulate`: policies side by side, as a table and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from cli.dispatch_plot import Drawn, bars
from services.dispatch.simulation.comparing import live
from services.dispatch.simulation.policies import POLICIES
from services.dispatch.simulation.world import Setting
from tests.cli.conftest import Heard

SMALL: Final = ("--orders", "24", "--couriers", "6", "--restaurants", "3")


def test_policies_meet_the_same_evening_and_the_seed_says_which(heard: Heard) -> None:
    first = heard.done("dispatch", "simulate", *SMALL, "--json").json
    assert list(first["policies"]) == list(POLICIES)
    assert first == heard.done("dispatch", "simulate", *SMALL, "--json").json
    for figures in first["policies"].values():
        assert figures["orders"] == 24
        assert figures["delivered"] + figures["explained"] == 24
        assert sum(figures["why"].values()) == figures["explained"]
    both = ("--policy", "planned", "--policy", "assign-at-placement", "--days", "2")
    told = heard.done("dispatch", "simulate", *SMALL, *both, "--seed", "7", "--json").json
    assert list(told["policies"]) == ["assign-at-placement", "planned"]
    assert (told["setting"]["seed"], told["days"]) == (7, 2)


def test_many_orders_are_shared_among_processes_and_come_out_the_same(heard: Heard) -> None:
    greedy = ("--policy", "assign-at-placement", "--policy", "called-when-ready")
    told = heard.done("dispatch", "simulate", "--orders", "300", *greedy, "--json").json
    for name, figures in told["policies"].items():
        alone = live(Setting(orders=300), name).metrics
        assert figures["click_to_door_mean"] == pytest.approx(alone.click_to_door_mean, abs=1e-3)
        assert figures["kilometers"] == pytest.approx(alone.kilometers, abs=1e-3)


def test_the_table_says_why_orders_were_not_brought(heard: Heard) -> None:
    one = ("--policy", "called-when-ready")
    shown = heard.done("dispatch", "simulate", *SMALL, *one, "--decline", "1")
    lines = [line.split("\t") for line in shown.out.splitlines()]
    assert lines[0][:3] == ["policy", "delivered", "click to door"]
    assert lines[1][:3] == ["called-when-ready", "0 of 24", ""]
    assert "called-when-ready: 24 not brought: every courier who was asked" in shown.err


def test_an_evening_without_anybody_or_anything_is_told_like_any_other(heard: Heard) -> None:
    nobody = heard.done("dispatch", "simulate", "--orders", "5", "--couriers", "0", "--json").json
    for figures in nobody["policies"].values():
        assert figures["why"] == {"there are no couriers": 5}
        assert figures["click_to_door_mean"] is None
    nothing = heard.done("dispatch", "simulate", "--orders", "0", "--json").json
    assert {each["orders"] for each in nothing["policies"].values()} == {0}
    assert "--decline" in heard("dispatch", "simulate", "--decline", "2").complaint


def test_the_picture_names_each_policy_and_draws_what_became_of_it(
    heard: Heard, tmp_path: Path
) -> None:
    picture = tmp_path / "evening.svg"
    heard.done("dispatch", "simulate", *SMALL, "--plot", str(picture))
    svg = ET.fromstring(picture.read_text())  # noqa: S314 - our own picture
    words = [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert all(words.count(name) == 2 for name in POLICIES)
    lines = [each.get("points", "") for each in svg.iter("{http://www.w3.org/2000/svg}polyline")]
    assert sum(1 for each in lines if len(each.split()) > 100) == len(POLICIES)
    assert picture.stat().st_size < 60_000
    nobody = ("--orders", "0", "--couriers", "0")
    heard.done("dispatch", "simulate", *nobody, "--plot", str(picture))
    assert "name it FILE.svg" in heard("dispatch", "simulate", "--plot", "a.png").complaint


def test_bars_are_as_long_as_the_waiting_they_stand_for() -> None:
    nothing = float("nan")
    lines = bars([Drawn("one", 8.0, 2.0, [], 0), Drawn("other", nothing, 0.0, [], 0)], 60)
    assert [line.count("█") for line in lines] == [37, 9, 0, 0]
    assert [line.split()[-1] for line in lines] == ["8.0", "2.0", "food", "0.0"]
    assert max(map(len, lines)) <= 60
