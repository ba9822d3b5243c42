"""`heard kitchen queue`, `all-day` and `report`: narrow terminals, and stations that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.commands.kitchen_queue import _lines, _narrow
from cli.printing import counted
from devices.all_day import Count
from schemas.kitchen import Priority, TicketStatus
from tests.cli.conftest import Heard
from tests.cli.restaurant import AT, open_restaurant
from tests.devices.station_model import ticket

NOW = datetime(2026, 3, 14, 19, 30, tzinfo=UTC)


@pytest.mark.parametrize("width", [40, 80])
def test_a_ticket_in_a_narrow_terminal_says_all_of_it_within_its_width(width: int) -> None:
    cooking = ticket(1, sequence=1, status=TicketStatus.STARTED).model_copy(
        update={
            "sent_at": NOW - timedelta(minutes=4),
            "course": 2,
            "priority": Priority.RUSH,
            "ready_p50_at": NOW + timedelta(minutes=5, seconds=59),
        }
    )
    drawn = _narrow(cooking, NOW, UTC, width)
    assert max(map(len, drawn.splitlines())) <= width
    together = " ".join(drawn.split())
    for part in ("course 2", "RUSH", "4:00", "started", "~19:35", "1 Burger"):
        assert part in together
    tomorrow = cooking.model_copy(update={"ready_p50_at": NOW + timedelta(hours=5)})
    assert "~Sun 00:30" in _narrow(tomorrow, NOW, UTC, width)


def test_what_is_only_held_is_not_counted_as_to_be_made() -> None:
    counts = [Count("a", "Ale", 2, 0), Count("b", "Burger", 1, 3), Count("c", "Cake", 0, 1)]
    assert _lines(counts, []) == ["    2  Ale", "    1  Burger  +3 held", "       Cake  1 held"]
    assert _lines([], []) == ["nothing to do"]


def test_one_is_one_and_two_are_many() -> None:
    assert [counted(number, "ticket") for number in (0, 1, 2)] == [
        "0 tickets",
        "1 ticket",
        "2 tickets",
    ]
    assert counted(2, "entry", "entries") == "2 entries"


def test_a_station_that_the_house_has_not_is_refused_with_those_that_it_has(
    embedded: Heard, tmp_path: Path
) -> None:
    roma = open_restaurant(embedded, tmp_path)
    says = "roma has no station nix, only bar, fry, grill"
    for command in (("report",), ("report", "--json"), ("queue",), ("all-day",)):
        refused = embedded("kitchen", *command, *AT, "--station", "nix")
        assert (refused.code, refused.complaint) == (1, says)
    # One of the menu's at which nothing was ever made is a station all the same.
    quiet = embedded.done("kitchen", "report", *AT, "--station", "bar")
    assert "nothing was made" in quiet.err
    roma.place("burger", "fries")
    assert embedded.done("kitchen", "queue", *AT, "--station", "bar").err == "nothing to do\n"
