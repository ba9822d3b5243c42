"""The dispatcher from the command line: it asks couriers' phones, and people say otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from cli.times import coming
from devices.courier import CourierPhone
from schemas.deliveries import DeliveryStatus
from schemas.positions import OneFix
from tests.cli.conftest import Heard, beside, until
from tests.cli.restaurant import AT, Restaurant, open_restaurant
from tests.cli.test_delivery import HOUSE, ordered, phone, tracker
from tests.patience import PATIENCE_S

NEAR, AWAY = (60.1701, 24.9390), (60.1990, 24.9800)


@contextmanager
def riding(
    heard: Heard, name: str, device: str, place: tuple[float, float]
) -> Iterator[CourierPhone]:
    """A courier with their phone, who has told where they are."""
    secret = tracker(heard, device)
    heard.done("courier", "add", name, "--device", device, *AT)
    with phone(heard, secret, device) as carried:
        carried.report(OneFix(at=datetime.now(UTC), lat=place[0], lon=place[1], accuracy_m=5.0))
        until(
            lambda: (
                device in {v["vehicle"] for v in heard.done("track", "show", *AT, "--json").json}
            ),
            f"where {name} is",
        )
        yield carried


def asked(carried: CourierPhone) -> list[UUID]:
    """What a courier's phone asks them to accept."""
    run = carried.run
    stops = () if run is None else run.stops
    return [each.order_id for each in stops if each.status is DeliveryStatus.ASSIGNED]


def status(heard: Heard) -> Any:
    return heard.done("dispatch", "status", *AT, "--json").json


@pytest.fixture
def roma(stack: Heard, tmp_path: Path) -> Restaurant:
    made = open_restaurant(stack, tmp_path)
    stack.done("delivery", "rules", "set", f"place={HOUSE}", "ask-ahead-s=3600", *AT)
    return made


def test_couriers_are_asked_once_dispatch_runs_and_the_next_one_when_one_declines(
    stack: Heard, roma: Restaurant
) -> None:
    with (
        roma.kitchen(),
        riding(stack, "anna", "bike-1", NEAR) as near,
        riding(stack, "bo", "bike-2", AWAY) as away,
    ):
        placed = ordered(roma)
        order_id, number = UUID(placed["order_id"]), placed["number"]
        planned = stack.done("dispatch", "plan", *AT, "--json").json
        assert [each["courier"] for each in planned["trips"]] == ["anna"]
        assert planned["trips"][0]["doors"][0]["number"] == number
        assert not asked(near), "a plan asks nobody"
        told = stack.done("dispatch", "status", *AT).out
        assert "nobody is asked by itself: heard dispatch run --tenant roma begins that" in told
        with beside(stack, "dispatch", "run", *AT) as watching:
            until(lambda: asked(near) == [order_id], "anna is asked")
            (shown,) = status(stack)["orders"]
            assert (shown["status"], shown["courier"]) == ("assigned", "anna")
            assert shown["next"].endswith("left to answer")
            near.decline_delivery(order_id, "a flat tyre").result(PATIENCE_S)
            until(lambda: asked(away) == [order_id], "bo is asked")
            away.accept_delivery(order_id).result(PATIENCE_S)
            until(lambda: f"{number} accepted by bo" in watching.last_words(), "it is shown")
        said = watching.last_words()
        assert f"{number} asked anna: free now" in said
        assert f"{number} declined: a flat tyre" in said
        assert f"{number} accepted by bo\n" in said, "what was said of somebody else is over"
        off = stack.done("dispatch", "run", "--off", *AT).out
        assert "not asked by themselves any more" in off
        assert "nobody was asked anyway" in stack.done("dispatch", "run", "--off", *AT).out
        (shown,) = status(stack)["orders"]
        assert shown["declined_by"] == ["anna"]


def test_people_pin_override_and_send_couriers_home(stack: Heard, roma: Restaurant) -> None:
    with (
        roma.kitchen(),
        riding(stack, "anna", "bike-1", NEAR) as near,
        riding(stack, "bo", "bike-2", AWAY) as away,
    ):
        ended = stack.done("courier", "duty", "anna", "off", *AT)
        assert "is off duty" in ended.out
        stack.done("delivery", "rules", "set", "automatic=true", *AT)
        placed = ordered(roma)
        order_id, number = UUID(placed["order_id"]), placed["number"]
        until(lambda: asked(away) == [order_id], "bo is asked, who alone is on duty")
        pinned = stack.done("dispatch", "pin", number, "anna", *AT).out
        assert pinned.strip().endswith("for anna alone")
        away.decline_delivery(order_id).result(PATIENCE_S)
        until(
            lambda: "pinned to anna, who is not at work" in status(stack)["orders"][0]["next"],
            "nobody may be asked",
        )
        stack.done("courier", "duty", "anna", "on", "--until", "23:59", *AT)
        until(lambda: asked(near) == [order_id], "anna is back and asked")
        assert stack.done("dispatch", "override", number, "bo", *AT).out.split()[1] == "assigned"
        until(lambda: asked(away) == [order_id] and not asked(near), "bo is asked instead")
        (shown,) = status(stack)["orders"]
        assert (shown["courier"], shown["pinned"]) == ("bo", "bo")
        assert "for whoever is best" in stack.done("dispatch", "unpin", number, *AT).out
        assert status(stack)["orders"][0]["pinned"] is None


def test_what_cannot_be_dispatched_says_what_to_do(embedded: Heard, tmp_path: Path) -> None:
    open_restaurant(embedded, tmp_path)
    for command in (["plan"], ["status"], ["run"]):
        ended = embedded("dispatch", *command, *AT)
        assert ended.code == 1
        assert "heard delivery rules set --tenant roma place=LAT,LON" in ended.complaint
    embedded.done("delivery", "rules", "set", f"place={HOUSE}", *AT)
    assert "no trips are planned" in embedded.done("dispatch", "plan", *AT).err
    assert "no couriers yet: heard courier add" in embedded.done("dispatch", "status", *AT).err
    assert embedded("dispatch", "pin", "nothing", "anna", *AT).code == 1
    unknown = embedded("dispatch", "plan", "--tenant", "nowhere")
    assert "there is no tenant nowhere" in unknown.complaint
    wrong = embedded("courier", "duty", "anna", "on", "--until", "tonight", *AT)
    assert "is no time: write 19:30" in wrong.err
    assert json.loads(embedded.done("dispatch", "status", *AT, "--json").out)["orders"] == []


def test_a_shift_ends_when_the_clock_shows_it_next() -> None:
    zone = ZoneInfo("Europe/Helsinki")
    evening = datetime(2026, 3, 14, 20, 0, tzinfo=UTC)  # 22:00 there
    assert coming("23:00", zone, evening) == datetime(2026, 3, 14, 21, 0, tzinfo=UTC)
    assert coming("02:00", zone, evening) == datetime(2026, 3, 15, 0, 0, tzinfo=UTC)
    with pytest.raises(ValueError, match="is no time"):
        coming("soon", zone, evening)
