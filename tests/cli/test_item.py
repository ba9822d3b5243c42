"""`heard item`: 86 with a reason and an end, and back; what is left, and when it is served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.conftest import Heard
from tests.cli.restaurant import AT, open_restaurant


def test_an_item_is_taken_off_says_why_and_is_put_back(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    usual = embedded.done("item", "show", *AT)
    assert "everything on the menu can be had" in usual.err
    told = embedded.done("item", "86", "burger", *AT, "--why", "no rolls").out
    assert told.strip() == "burger  sold out: no rolls"
    assert "burger (no rolls)" in roma.refused("place", "burger")
    (shown,) = embedded.done("item", "show", *AT, "--json").json
    assert (shown["item"], shown["available"], shown["why"]) == ("burger", False, "no rolls")
    assert "no rolls" in embedded.done("item", "show", "burger", *AT).out
    told = embedded.done("item", "restore", "burger", *AT).out
    assert told.strip() == "burger  can be had"
    roma.place("burger")
    assert len(embedded.done("item", "show", *AT, "--all", "--json").json) == 3


def test_an_end_is_a_time_of_the_houses_day_or_a_span(embedded: Heard, tmp_path: Path) -> None:
    open_restaurant(embedded, tmp_path)
    asked = ("item", "86", "fries", *AT, "--why", "in the fryer")
    told = embedded.done(*asked, "--for", "20m", "--json").json
    left = datetime.fromisoformat(told["back_at"]) - datetime.now(UTC)
    assert timedelta(minutes=19) < left <= timedelta(minutes=20)
    over = (datetime.now(UTC) - timedelta(minutes=2)).strftime("%H:%M")
    told = embedded.done(*asked, "--until", over, "--json").json
    left = datetime.fromisoformat(told["back_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=50) < left < timedelta(hours=24), "tomorrow's"
    assert ", back at " in embedded.done(*asked, "--for", "20m").out


def test_a_modifier_is_taken_off_wherever_it_may_be_chosen(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    embedded.done("item", "86", "bacon", "--modifier", *AT, "--why", "none came")
    assert "bacon is sold out" in roma.refused("place", "burger+bacon")
    shown = embedded.done("item", "show", *AT, "--json").json
    assert [(each["item"], each["modifier"], each["sold_out"]) for each in shown] == [
        ("burger", False, ["bacon"]),
        ("bacon", True, []),
    ]
    embedded.done("item", "restore", "bacon", "--modifier", *AT)
    roma.place("burger+bacon")


def test_hours_of_a_menu_are_shown_and_kept(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    # A span that ended a while ago, and begins again when the week has gone round.
    day = (datetime.now(UTC) - timedelta(days=2)).strftime("%a").lower()
    file = tmp_path / "hours.csv"
    file.write_text(f"name,station,price,hours\nPorridge,grill,4.00,{day} 07:00-11:00\n")
    told = embedded.done("menu", "import", str(file), *AT).out
    assert "porridge: new" in told
    assert f"served: {day} 07:00-11:00" in embedded.done("menu", "show", "porridge", *AT).out
    assert "not at this hour" in roma.refused("place", "porridge")
    file.write_text("name,station,price,hours\nPorridge,grill,4.00,\n")
    told = embedded.done("menu", "import", str(file), *AT).out
    assert f"porridge: hours {day} 07:00-11:00 → always" in told
    roma.place("porridge")


def test_what_cannot_be_meant_is_refused_in_one_line(embedded: Heard, tmp_path: Path) -> None:
    open_restaurant(embedded, tmp_path)
    off = ("item", "86", "burger", *AT)
    for arguments, says in (
        (("item", "86", "lobster", *AT, "--why", "x"), "not on the menu: lobster"),
        (("item", "restore", "rare-steak", "--modifier", *AT), "has a modifier rare-steak"),
        (("item", "show", "lobster", *AT), "there is no lobster on the menu"),
        (("item", "show", "--tenant", "nowhere"), "there is no tenant nowhere"),
        ((*off, "--why", " "), "say why"),
        ((*off, "--why", "x" * 281), "280"),
        ((*off, "--why", "x", "--for", "1h", "--until", "19:30"), "one of the two"),
        ((*off, "--why", "x", "--until", "soon"), "is no time"),
        ((*off, "--why", "x", "--until", "2020-01-01 19:30"), "name a later time"),
        ((*off, "--why", "x", "--for", "never"), "no span of time"),
    ):
        ended = embedded(*arguments)
        assert ended.code != 0, arguments
        assert says in ended.complaint, ended.err
