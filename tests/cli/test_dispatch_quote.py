"""`heard dispatch quote`: what the services would promise, as a till hears it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cli.house_clock import on_screen
from tests.cli.conftest import Heard, until
from tests.cli.restaurant import AT, Restaurant, open_restaurant

HOUSE, DOOR = "60.1699,24.9384", "60.1719,24.9414"
QUOTE = ("dispatch", "quote")
ROME = ZoneInfo("Europe/Rome")


def delivering(heard: Heard, folder: Path) -> Restaurant:
    """A restaurant that delivers, with anna on her bicycle."""
    roma = open_restaurant(heard, folder)
    heard.done("delivery", "rules", "set", f"place={HOUSE}", *AT)
    heard.done("device", "add", "bike-1", *AT, "--role", "tracker")
    heard.done("courier", "add", "anna", "--device", "bike-1", *AT)
    return roma


def test_a_quote_says_by_when_and_what_it_is_made_of(embedded: Heard, tmp_path: Path) -> None:
    delivering(embedded, tmp_path)
    embedded.done("tenant", "rules", "set", *AT, "time_zone=Europe/Rome")
    told = embedded.done(*QUOTE, DOOR, *AT, "--items", "3", "--json").json
    promised, p50 = (datetime.fromisoformat(told[name]) for name in ("promised_at", "p50_at"))
    assert datetime.now(UTC) < p50 < promised
    assert (told["items"], told["couriers"], told["waiting"]) == (3, 1, 0)
    assert (told["taken"], told["why_not"], told["average_door"]) == (True, None, False)
    assert 200 < told["distance_m"] < 400
    for part in ("kitchen", "courier", "way", "wait"):
        assert 0 < told[part]["p50_s"] <= told[part]["p90_s"]
    assert told["pause_over_min"] is None

    shown = embedded.done(*QUOTE, DOOR, *AT, "--items", "3").out
    # It was asked once more: a minute may have begun since.
    may_be = (on_screen(promised + timedelta(minutes=n), datetime.now(UTC), ROME) for n in (0, 1))
    assert any(f"by {each} nine times of ten" in shown for each in may_be)
    assert "0.3 km away, 3 dishes; 0 deliveries wait, 1 courier" in shown
    assert "food ready\t15.0\t28.0" in shown
    assert "deliveries are taken" in shown

    dishes = ("--dish", "burger+rare=2", "--dish", "fries")
    told = embedded.done(*QUOTE, DOOR, *dishes, *AT, "--as-manager", "--json").json
    assert told["items"] == 3
    assert told["kitchen"]["p50_s"] != 900, "of these the kitchen knows how long they take"

    average = embedded.done(*QUOTE, *AT, "--json").json
    assert (average["average_door"], average["distance_m"], average["items"]) == (True, 2_000, 2)
    assert "an average door, 2.0 km away" in embedded.done(*QUOTE, *AT).out


def test_a_quote_says_that_deliveries_are_paused_and_why(embedded: Heard, tmp_path: Path) -> None:
    roma = delivering(embedded, tmp_path)
    embedded.done("delivery", "rules", "set", "pause-over-min=45", "resume-under-min=40", *AT)
    until(lambda: not embedded.done(*QUOTE, *AT, "--json").json["taken"], "deliveries to be paused")
    told = embedded.done(*QUOTE, DOOR, *AT, "--json").json
    assert told["why_not"].startswith("deliveries are paused: a new one would take ")
    assert (told["pause_over_min"], told["resume_under_min"]) == (45, 40)
    shown = embedded.done(*QUOTE, DOOR, *AT).out
    assert f"deliveries are not taken: {told['why_not']}" in shown
    assert "paused over 45 minutes for most doors, taken again below 40" in shown
    assert told["why_not"] in embedded.done("kitchen", "throttle", "show", *AT).out
    where = ("--kind", "delivery", "--place", DOOR, "--address", "Yrjönkatu 1", "--name", "Ada")
    assert roma.refused("place", "burger+rare", *where) == f"channel-paused: {told['why_not']}"
    roma.place("burger+rare", "--kind", "takeaway")

    embedded.done("delivery", "rules", "set", "pause-over-min=", "resume-under-min=", *AT)
    until(lambda: embedded.done(*QUOTE, *AT, "--json").json["taken"], "what is taken back to end")
    roma.place("burger+rare", *where)


def test_what_is_wrong_is_said_in_one_line(embedded: Heard, tmp_path: Path) -> None:
    open_restaurant(embedded, tmp_path)
    assert "nobody has said where the restaurant is" in embedded(*QUOTE, DOOR, *AT).complaint
    embedded.done("delivery", "rules", "set", f"place={HOUSE}", *AT)
    assert "latitude comes first" in embedded(*QUOTE, "24.9414,60.1719", *AT).complaint
    south = embedded(*QUOTE, "-33.86,151.21", *AT).complaint
    assert "farther than 100 km" in south, "a place, though it begins like an option"
    assert "is no place" in embedded(*QUOTE, "here", *AT).err
    assert "0" in embedded(*QUOTE, DOOR, *AT, "--items", "0").err
    marks = ("pause-over-min=60", "resume-under-min=60")
    said = embedded("delivery", "rules", "set", *marks, *AT).complaint
    assert said.startswith("resume-under-min (60) must be below pause-over-min (60)")
    shown = embedded.done("delivery", "rules", "show", *AT).out
    assert "pause-over-min" in shown
