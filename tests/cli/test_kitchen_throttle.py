"""`heard kitchen throttle`: a kind of order is stopped by hand, says why, and is taken again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cli.house_clock import on_screen
from tests.cli.conftest import Heard
from tests.cli.restaurant import AT, open_restaurant

ROME = ZoneInfo("Europe/Rome")


def test_a_channel_is_paused_says_why_and_is_resumed(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    throttle = ("kitchen", "throttle")
    embedded.done("tenant", "rules", "set", *AT, "time_zone=Europe/Rome")
    nothing = embedded.done(*throttle, "show", *AT)
    assert "every kind of order is taken" in nothing.err
    asked = (*throttle, "pause", "delivery", *AT, "--for", "20m", "--why", "two cooks are ill")
    told = embedded.done(*asked, "--json").json
    assert told["intake"] == "paused"
    until = datetime.fromisoformat(told["until"])
    assert timedelta(minutes=19) < until - datetime.now(UTC) <= timedelta(minutes=20)
    again = embedded.done(*asked).out
    stands = embedded.done(*throttle, "show", *AT, "--json").json
    [shown] = [each for each in stands["channels"] if each["channel"] == "delivery"]
    # Until when it says is reckoned from the second command: a minute may have begun since.
    says = on_screen(datetime.fromisoformat(shown["until"]), datetime.now(UTC), ROME)
    assert f"delivery  paused until {says}, " in again
    assert (shown["intake"], shown["by_hand"]) == ("paused", True)
    assert "two cooks are ill" in shown["why"]
    assert "paused by hand" in embedded.done(*throttle, "show", *AT).out
    refused = roma.refused("place", "burger", "--kind", "delivery", "--address", "Via Roma 1")
    assert refused.startswith("channel-paused: ")
    assert "two cooks are ill" in refused
    resumed = embedded.done(*throttle, "resume", "delivery", *AT, "--json").json
    assert resumed["intake"] == "open"
    roma.place("burger", "--kind", "delivery", "--address", "Via Roma 1")


def test_the_load_is_that_of_now_and_says_when_it_was_reckoned(
    embedded: Heard, tmp_path: Path
) -> None:
    roma = open_restaurant(embedded, tmp_path)
    show = ("kitchen", "throttle", "show", *AT)
    assert "no station has any work" in embedded.done(*show).out
    embedded.done("station", "set", "grill", *AT, "prep=5m", "hands=2")
    number = roma.place("burger", "fries")["number"]
    stands = embedded.done(*show, "--json").json
    # Five minutes of work, and two hands for a quarter of an hour; one hand at the other.
    assert stands["stations"] == {"fry": 0.333, "grill": 0.167}
    assert stands["load"] == 0.333
    assert abs(datetime.now(UTC) - datetime.fromisoformat(stands["at"])) < timedelta(minutes=1)
    shown = embedded.done(*show)
    assert re.search(r"^load at \d\d:\d\d:\d\d: fry 33%, grill 17%$", shown.out, re.MULTILINE)
    roma.done("cancel", number, "--reason", "gone")
    assert embedded.done(*show, "--json").json["load"] == 0
