"""Two simulated evenings side by side: what is held against what, and what counts as longer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from cli import side_by_side, simulating
from cli.failures import Failure
from cli.kitchen_recount import KitchenRecount, Plates
from cli.order_files import FileLine, FileOrder
from tests.cli.conftest import Heard


def test_each_order_is_held_against_itself() -> None:
    at_once = {
        ("a", 1): Plates(2, 300, 600),
        ("b", 1): Plates(1, 0, 100),
        ("c", 1): Plates(2, 9, 9),
    }
    together = {("a", 1): Plates(2, 100, 600), ("b", 1): Plates(1, 0, 111)}
    figures = side_by_side.compared(at_once, together)
    assert figures == {
        "orders": 2, "orders_of_several": 1,
        "spread_at_once_s": 300, "spread_together_s": 100, "spread_share": 0.333,
        "whole_at_once_s": 350, "whole_together_s": 355.5,
        "longer": 1, "longest_share": 1.11,
    }  # fmt: skip
    told = "\n".join(side_by_side.told(figures))
    assert "300 s at once, 100 s together: 33%" in told
    assert "of 2 orders 1 took over a tenth longer, the worst 1.11 times as long" in told


def test_where_no_order_has_several_plates_nothing_is_claimed() -> None:
    alone = {("a", 1): Plates(1, 0, 100)}
    figures = side_by_side.compared(alone, alone)
    assert (figures["spread_share"], figures["longer"]) == (None, 0)
    assert list(side_by_side.told(figures)) == [
        "no order was made at several stations: there is nothing to finish together"
    ]


def test_plates_are_those_of_prep_stations_from_the_placing_on() -> None:
    recount = KitchenRecount()

    def ended(ticket: str, station: str, second: int) -> None:
        at = f"2026-03-14T18:00:{second:02d}Z"
        document: dict[str, Any] = {
            "ticket_id": ticket, "order_id": "o", "station": station, "version": 1,
            "status": "bumped", "placed_at": "2026-03-14T18:00:00Z", "ended_at": at,
        }  # fmt: skip
        recount.take(json.dumps({"data": {"ticket": document}}).encode())

    ended("1", "grill", 20)
    ended("2", "fry", 35)
    ended("3", "expo", 59)
    assert recount.plates(frozenset({"expo"})) == {("o", 1): Plates(2, 15, 35)}


def placed(day: int, hour: int) -> FileOrder:
    at = datetime(2026, 3, day, hour, tzinfo=UTC)
    return FileOrder(f"{day}-{hour}", at, (FileLine("Burger", 950, 1),))


def test_in_a_rush_the_busiest_other_days_come_on_the_same_day_at_their_hours() -> None:
    first, quiet = [placed(1, 18), placed(1, 20)], [placed(2, 19)]
    busy = [placed(3, 17), placed(3, 19), placed(3, 21)]
    rush = simulating.in_a_rush([*first, *quiet, *busy], first, 2)
    assert [each.order_id for each in rush] == ["3-17", "1-18", "3-19", "1-20", "3-21"]
    assert {each.placed_at.date() for each in rush} == {date(2026, 3, 1)}
    assert [each.placed_at.hour for each in rush] == [17, 18, 19, 20, 21]
    assert simulating.in_a_rush(first, first, 1) == first
    assert replace(rush[0], placed_at=busy[0].placed_at) == busy[0]
    with pytest.raises(Failure, match="has 1 day, too few"):
        simulating.in_a_rush(first, first, 2)


HEAD = "order_id,placed_at,item,quantity,unit_price,lines_in_order\n"


def test_one_command_plays_the_same_orders_twice_and_tells_both(
    heard: Heard, tmp_path: Path
) -> None:
    rows = [
        f"{number},2019-08-03T20:{number:02d}:00,{item},1,{price},2\n"
        for number in range(10, 16)
        for item, price in (("Plain Papadum", "0.80"), ("Korma - Chicken", "8.95"))
    ]
    file = tmp_path / "evening.csv"
    file.write_text(HEAD + "".join(rows))
    played = ("simulate", "kitchen", str(file), "--compare", "--speed", "300x", "--json")
    told = heard.done(*played, "--prep", "60").json
    for name in ("at_once", "together"):
        run = told[name]
        assert (run["orders"], run["tickets"], run["unheard"]) == (6, 18, 0)
        assert (run["displays_wrong"], run["reports_apart"]) == (0, 0)
    compared = told["compared"]
    assert (compared["orders"], compared["orders_of_several"]) == (6, 6)
    assert compared["spread_at_once_s"] == told["at_once"]["spread_mean_s"]
    assert compared["whole_together_s"] == told["together"]["whole_mean_s"]
