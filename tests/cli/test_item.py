"""`heard item`: 86 with a reason and an end, and back; what is left, and when it is served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Heard
from tests.cli.restaurant import Restaurant, open_another


@pytest.fixture
def roma(shared: Heard, tmp_path: Path) -> Restaurant:
    """A restaurant of its own."""
    return open_another(shared, tmp_path)


def test_an_item_is_taken_off_says_why_and_is_put_back(roma: Restaurant) -> None:
    heard, at = roma.heard, roma.at
    usual = heard.done("item", "show", *at)
    assert "everything on the menu can be had" in usual.err
    told = heard.done("item", "86", "burger", *at, "--why", "no rolls").out
    assert told.strip() == "burger  sold out: no rolls"
    assert "burger (no rolls)" in roma.refused("place", "burger")
    (shown,) = heard.done("item", "show", *at, "--json").json
    assert (shown["item"], shown["available"], shown["why"]) == ("burger", False, "no rolls")
    assert "no rolls" in heard.done("item", "show", "burger", *at).out
    told = heard.done("item", "restore", "burger", *at).out
    assert told.strip() == "burger  can be had"
    roma.place("burger")
    assert len(heard.done("item", "show", *at, "--all", "--json").json) == 3


def test_an_end_is_a_time_of_the_houses_day_or_a_span(roma: Restaurant) -> None:
    heard, at = roma.heard, roma.at
    asked = ("item", "86", "fries", *at, "--why", "in the fryer")
    told = heard.done(*asked, "--for", "20m", "--json").json
    left = datetime.fromisoformat(told["back_at"]) - datetime.now(UTC)
    assert timedelta(minutes=19) < left <= timedelta(minutes=20)
    over = (datetime.now(UTC) - timedelta(minutes=2)).strftime("%H:%M")
    told = heard.done(*asked, "--until", over, "--json").json
    left = datetime.fromisoformat(told["back_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=50) < left < timedelta(hours=24), "tomorrow's"
    assert ", back at " in heard.done(*asked, "--for", "20m").out


def test_a_modifier_is_taken_off_wherever_it_may_be_chosen(roma: Restaurant) -> None:
    heard, at = roma.heard, roma.at
    heard.done("item", "86", "bacon", "--modifier", *at, "--why", "none came")
    assert "bacon is sold out" in roma.refused("place", "burger+bacon")
    shown = heard.done("item", "show", *at, "--json").json
    assert [(each["item"], each["modifier"], each["sold_out"]) for each in shown] == [
        ("burger", False, ["bacon"]),
        ("bacon", True, []),
    ]
    heard.done("item", "restore", "bacon", "--modifier", *at)
    roma.place("burger+bacon")


def test_hours_of_a_menu_are_shown_and_kept(roma: Restaurant, tmp_path: Path) -> None:
    heard, at = roma.heard, roma.at
    # A span that ended a while ago, and begins again when the week has gone round.
    day = (datetime.now(UTC) - timedelta(days=2)).strftime("%a").lower()
    file = tmp_path / "hours.csv"
    file.write_text(f"name,station,price,hours\nPorridge,grill,4.00,{day} 07:00-11:00\n")
    told = heard.done("menu", "import", str(file), *at).out
    assert "porridge: new" in told
    assert f"served: {day} 07:00-11:00" in heard.done("menu", "show", "porridge", *at).out
    assert "not at this hour" in roma.refused("place", "porridge")
    file.write_text("name,station,price,hours\nPorridge,grill,4.00,\n")
    told = heard.done("menu", "import", str(file), *at).out
    assert f"porridge: hours {day} 07:00-11:00 → always" in told
    roma.place("porridge")


def test_what_cannot_be_meant_is_refused_in_one_line(roma: Restaurant) -> None:
    heard, at = roma.heard, roma.at
    off = ("item", "86", "burger", *at)
    for arguments, says in (
        (("item", "86", "lobster", *at, "--why", "x"), "not on the menu: lobster"),
        (("item", "restore", "rare-steak", "--modifier", *at), "has a modifier rare-steak"),
        (("item", "show", "lobster", *at), "there is no lobster on the menu"),
        (("item", "show", "--tenant", "nowhere"), "there is no tenant nowhere"),
        ((*off, "--why", " "), "say why"),
        ((*off, "--why", "x" * 281), "280"),
        ((*off, "--why", "x", "--for", "1h", "--until", "19:30"), "one of the two"),
        ((*off, "--why", "x", "--until", "soon"), "is no time"),
        ((*off, "--why", "x", "--until", "2020-01-01 19:30"), "name a later time"),
        ((*off, "--why", "x", "--for", "never"), "no span of time"),
    ):
        ended = heard(*arguments)
        assert ended.code != 0, arguments
        assert says in ended.complaint, ended.err
