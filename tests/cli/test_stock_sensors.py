"""`heard stock sensors`, `alerts` and `rules`: thermometers named, seen, and taken away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Heard

AT = ("--tenant", "roma")


@pytest.fixture
def house(heard: Heard, sqlite_template: Path) -> Heard:
    """A restaurant with a thermometer, a bridge and a till; nothing of it runs."""
    heard.home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, heard.home / "heard.db")
    heard.done("tenant", "add", "roma")
    for device, role in (("fridge-1", "sensor"), ("zigbee", "sensor"), ("pos-1", "pos")):
        heard.done("device", "add", device, *AT, "--role", role)
    return heard


def test_a_thermometer_is_named_changed_listed_and_taken_away(house: Heard) -> None:
    walk_in = ("walk-in", *AT)
    told = house.done("stock", "sensors", "set", *walk_in, "--device", "fridge-1", "--most", "5")
    assert "walk-in: Walk in, at most 5 °C" in told.out
    made = house.done(
        "stock", "sensors", "set", *walk_in, "--least", "-1.5", "--may-exceed", "20m", "--json"
    ).json
    assert (made["device"], made["least"], made["most"]) == ("fridge-1", -1.5, 5)
    assert (made["may_exceed_s"], made["silent_after_s"]) == (1200, 3600)
    unlimited = house.done("stock", "sensors", "set", *walk_in, "--least", "none", "--json").json
    assert (unlimited["least"], unlimited["most"]) == (None, 5)
    house.done(
        "stock", "sensors", "set", "freezer", *AT, "--device", "zigbee", "--below", "freezer"
    )
    listed = house.done("stock", "sensors", "list", *AT).out
    assert "zigbee/freezer" in listed
    assert "at most 5 °C" in listed
    names = [each["sensor"] for each in house.done("stock", "sensors", "list", *AT, "--json").json]
    assert names == ["freezer", "walk-in"]
    house.done("stock", "sensors", "remove", *walk_in)
    names = [each["sensor"] for each in house.done("stock", "sensors", "list", *AT, "--json").json]
    assert names == ["freezer"]
    audited = [each["action"] for each in house.done("audit", "show", *AT, "--json").json]
    assert audited.count("sensor.set") == 4
    assert audited.count("sensor.remove") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "walk-in", "--most", "5"), "--device"),
        (("set", "walk-in", "--device", "nobody"), "nobody"),
        (("set", "walk-in", "--device", "pos-1", "--below", "x"), "is no sensor"),
        (("set", "walk-in", "--device", "fridge-1", "--most", "cold"), "no temperature"),
        (("set", "walk-in", "--device", "fridge-1", "--most", "5", "--least", "6"), "least must"),
        (("set", "walk-in", "--device", "fridge-1", "--most", "9999"), "300"),
        (("set", "walk-in", "--device", "fridge-1", "--silent-after", "1s"), "10"),
        (("remove", "walk-in"), "it has: none"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    house: Heard, arguments: tuple[str, ...], says: str
) -> None:
    ended = house("stock", "sensors", *arguments, *AT)
    assert ended.code != 0
    assert says in ended.complaint
    assert house.done("stock", "sensors", "list", *AT, "--json").json == []


def test_how_a_house_keeps_its_stock_is_shown_and_changed(house: Heard) -> None:
    house.done("stock", "sensors", "set", "walk-in", *AT, "--device", "fridge-1")
    made = house.done(
        "stock", "rules", "set", *AT, "--expiry-warning-days", "5", "--plan-ahead", "24h", "--json"
    ).json
    assert made == {"plan_ahead_s": 86_400, "countdown": 10, "expiry_warning_days": 5}
    assert house.done("stock", "rules", "show", *AT, "--json").json == made
    assert len(house.done("stock", "sensors", "list", *AT, "--json").json) == 1, "they stay"
    assert "--help" in house("stock", "rules", "set", *AT).complaint


def test_where_nothing_is_wrong_it_is_said(house: Heard) -> None:
    assert "nothing is wrong with the stock" in house.done("stock", "alerts", *AT).err
    assert house.done("stock", "alerts", *AT, "--json").json == []
    assert "heard tenant list" in house("stock", "alerts", "--tenant", "nobody").complaint
