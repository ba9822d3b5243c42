"""Deliveries from the command line, over MQTT: couriers, steps, the guest's link, the report."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from devices.courier import CourierPhone
from devices.pending import Rejected
from schemas.delivery_requests import ByHand
from schemas.refusals import RefusalCode
from tests.cli.conftest import Heard, until
from tests.cli.restaurant import AT, Restaurant, open_restaurant
from tests.patience import PATIENCE_S

HOUSE, DOOR, ELSEWHERE = "60.1699,24.9384", "60.1719,24.9414", "60.18,24.96"


def delivering(heard: Heard, folder: Path, *rules: str) -> Restaurant:
    """A restaurant that delivers, with anna on her bicycle."""
    roma = open_restaurant(heard, folder)
    heard.done("delivery", "rules", "set", f"place={HOUSE}", *rules, *AT)
    return roma


def tracker(heard: Heard, name: str = "bike-1") -> str:
    added = heard.done("device", "add", name, *AT, "--role", "tracker", "--json").json
    return str(added["secret"])


def ordered(roma: Restaurant) -> Any:
    where = ("--kind", "delivery", "--place", DOOR, "--address", "Yrjönkatu 1", "--name", "Ada")
    return roma.place("burger+rare=2", *where)


def phone(heard: Heard, secret: str, name: str = "bike-1") -> CourierPhone:
    run = heard.home / "run.json"
    port = (
        json.loads(run.read_text())["port"] if run.exists() else int(heard.env["HEARD_BROKER_PORT"])
    )
    return CourierPhone("127.0.0.1", port, tenant="roma", device=name, secret=secret)


def test_a_courier_brings_an_order_and_the_report_says_when(stack: Heard, tmp_path: Path) -> None:
    roma = delivering(stack, tmp_path)
    secret = tracker(stack)
    called = stack.done("courier", "add", "anna", "--device", "bike-1", *AT)
    assert called.out.strip() == "anna carries bike-1, by bicycle"
    added = stack.done("courier", "add", "anna", "--device", "bike-1", *AT, "--json").json
    assert added["courier"]["mode"] == "bicycle"
    with roma.kitchen() as kitchen, phone(stack, secret) as bike:
        placed = ordered(roma)
        number = placed["number"]
        (waiting,) = stack.done("delivery", "list", *AT, "--json").json
        assert (waiting["number"], waiting["status"]) == (number, "waiting")
        assert waiting["promised_at"] > waiting["placed_at"]
        stack.done("delivery", "assign", number, "anna", *AT)
        until(lambda: bike.run is not None and bike.run.stops, "the phone shows the stop")
        assert bike.run is not None
        (stop,) = bike.run.stops
        assert (stop.number, stop.address, stop.guest) == (number, "Yrjönkatu 1", "Ada")
        order_id = UUID(placed["order_id"])
        bike.accept_delivery(order_id).result(PATIENCE_S)
        with pytest.raises(Rejected) as early:
            bike.step_delivery(order_id, ByHand.PICK_UP).result(PATIENCE_S)
        assert early.value.code is RefusalCode.WRONG_STATE
        kitchen.ready(number)
        until(lambda: roma.shown(number)["status"] == "ready", "it is ready")
        bike.step_delivery(order_id, ByHand.PICK_UP).result(PATIENCE_S)
        assert roma.shown(number)["status"] == "out-for-delivery"
        stack.done("delivery", "step", number, "arrive", *AT)
        done = bike.complete_delivery(order_id).result(PATIENCE_S)
        assert done.delivery.status == "delivered"
        until(lambda: bike.run is not None and not bike.run.stops, "nothing is left to bring")
    assert roma.shown(number)["status"] == "delivered"
    shown = stack.done("delivery", "show", number, *AT)
    for text in ("delivered", "anna", "picked up", "arrived", "food ready"):
        assert text in shown.out, text
    told = stack.done("delivery", "report", *AT, "--json").json
    assert told["sums"]["delivered"] == 1
    (line,) = told["orders"]
    assert line["number"] == number
    assert line["door_at"] is not None
    assert line["late_s"] < 0, "cooked and brought in seconds"
    table = stack.done("delivery", "report", *AT, "--csv").out
    assert next(csv.DictReader(table.splitlines()))["number"] == number
    assert "1 delivered, 1 in time" in stack.done("delivery", "report", *AT).out
    assert stack.done("delivery", "list", *AT, "--json").json == []


def test_the_guests_link_shows_only_what_it_may(embedded: Heard, tmp_path: Path) -> None:
    roma = delivering(embedded, tmp_path, "proof=code")
    tracker(embedded)
    embedded.done("courier", "add", "anna", "--device", "bike-1", *AT)
    number, other = ordered(roma)["number"], ordered(roma)["number"]
    told = embedded.done("delivery", "link", number, *AT, "--json")
    link = told.json
    assert "it is of this machine only: set HEARD_GUESTS_GATEWAY=" in told.err
    embedded.env["HEARD_GUESTS_GATEWAY"] = "https://orders.example/roma/"
    outside = embedded.done("delivery", "link", number, *AT, "--json")
    assert outside.json["link"] == f"https://orders.example/roma{link['path']}"
    assert not outside.err
    del embedded.env["HEARD_GUESTS_GATEWAY"]
    gateway = json.loads((embedded.home / "run.json").read_text())["gateway"]
    assert link["link"].startswith(gateway)
    page = httpx.get(link["link"])
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert number not in page.text, "the page itself holds nothing"
    seen = httpx.get(f"{link['link']}/view")
    view = seen.json()
    assert (view["number"], view["status"]) == (number, "preparing")
    assert view["p50_at"] <= view["p90_at"]
    assert view["courier"] is None
    assert len(view["code"]) == 4
    for secret in ("Ada", "Yrjönkatu", "anna", "bike-1", other):
        assert secret not in seen.text
    broken = link["link"][:-3] + ("abc" if not link["link"].endswith("abc") else "xyz")
    for wrong in (broken, f"{broken}/view", f"{gateway}/track/roma", f"{gateway}/track/..%2f"):
        assert httpx.get(wrong).status_code == 404, wrong
    browser = httpx.get(broken, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert browser.status_code == 404
    assert browser.headers["content-type"].startswith("text/html")
    assert "This link shows nothing any more." in browser.text
    assert "<script" not in browser.text


def test_a_wrong_door_is_put_right_and_the_promise_stands(embedded: Heard, tmp_path: Path) -> None:
    roma = delivering(embedded, tmp_path)
    secret = tracker(embedded)
    embedded.done("courier", "add", "anna", "--device", "bike-1", *AT)
    number = ordered(roma)["number"]
    embedded.done("delivery", "assign", number, "anna", *AT)
    early = embedded("delivery", "deliver", number, *AT)
    assert early.complaint.endswith(f": heard delivery accept {number} --tenant roma")
    promised = embedded.done("delivery", "show", number, *AT, "--json").json["promised_at"]
    said = embedded.done("delivery", "place", number, ELSEWHERE, "--address", "Fabianinkatu 2", *AT)
    assert "the promise stands: by " in said.out
    shown = embedded.done("delivery", "show", number, *AT, "--json").json
    assert (shown["place"], shown["promised_at"]) == ({"lat": 60.18, "lon": 24.96}, promised)
    with phone(embedded, secret) as bike:
        until(lambda: bike.run is not None and bike.run.stops, "the phone shows the stop")
        assert bike.run is not None
        assert [stop.address for stop in bike.run.stops] == ["Fabianinkatu 2"]
    ahead = embedded.done("delivery", "accept", number, "--at", "2100-01-01", *AT).out
    assert "the nearest to 2100-01-01 00:00:00 that can be" in ahead
    just_now = embedded.done("delivery", "step", number, "reach-restaurant", *AT).out
    assert "nearest" not in just_now
    again = embedded.done("delivery", "place", number, DOOR, *AT, "--json").json
    assert again["delivery"]["promised_at"] == promised


def test_an_order_that_nobody_can_bring_says_why_wherever_one_looks(
    embedded: Heard, tmp_path: Path
) -> None:
    open_restaurant(embedded, tmp_path)
    order = ("order", "place", "burger+rare", "--kind", "delivery", *AT)
    placed = embedded.done(*order, "--place", DOOR)
    set_place = "heard delivery rules set --tenant roma place=LAT,LON"
    assert set_place in placed.err
    assert "of 1 order for delivery nothing is brought here, for nobody has said" in (
        embedded.done("delivery", "list", *AT).err
    )
    embedded.done("delivery", "rules", "set", f"place={HOUSE}", *AT)
    number = placed.out.split()[0]
    show = embedded("delivery", "show", number, *AT)
    assert show.code == 1
    assert show.complaint.endswith(f"heard delivery place {number} {DOOR} --tenant roma")
    listed = embedded.done("delivery", "list", *AT)
    assert f"heard delivery place {number} {DOOR} --tenant roma" in listed.err
    lat, lon = DOOR.split(",")
    swapped = embedded("delivery", "place", number, f"{lon},{lat}", *AT)
    assert "too-far: its door is 47" in swapped.complaint, swapped.complaint
    assert f"perhaps {DOOR} is meant" in swapped.complaint
    far = embedded.done(*order, "--place", f"{lon},{lat}")
    assert "is not brought, its door is" in far.err
    embedded.done("delivery", "place", number, DOOR, *AT)
    shown = embedded.done("delivery", "show", number, *AT).out
    assert "expected " in shown
    assert DOOR in shown
    near = embedded.done(*order, "--place", DOOR)
    assert "promised by " in near.out
    head, *lines = embedded.done("delivery", "list", *AT).out.splitlines()
    assert head.split("\t")[2] == "expected"
    assert all(line.split("\t")[2] for line in lines)
    assert len(lines) == 2


def test_what_is_wrong_is_said_in_one_line(embedded: Heard, tmp_path: Path) -> None:
    roma = delivering(embedded, tmp_path)
    at_home = roma.place("burger")["number"]
    wrong: list[tuple[tuple[str, ...], str]] = [
        (("delivery", "show", at_home), f"{at_home} is dine-in: nothing of it is brought"),
        (("delivery", "link", at_home), f"{at_home} is dine-in: nothing of it is brought"),
        (("delivery", "report", "--since", "2100-01-01"), "is not before"),
        (("delivery", "assign", at_home, "anna"), "not-found: "),
        (("delivery", "place", at_home, DOOR), "wrong-state: "),
        (("courier", "add", "eve", "--device", "nowhere"), "not-found: nowhere is no tracker"),
        (("courier", "remove", "eve"), "not-found: no courier is called eve"),
        (("delivery", "rules", "set", "place=91,0"), "'91,0' is no place: latitude goes from -90"),
        (("delivery", "rules", "set", "engine=osrm"), "say engine-url=http://HOST:PORT"),
        (("delivery", "rules", "set", "keep-fixes-days=0"), "keep-fixes-days: input should be"),
        (("delivery", "rules", "set", "silent-after-s=0"), "silent-after-s: input should be"),
        (("delivery", "rules", "set", "place=0,0"), "0/0 lies in the ocean"),
        (("delivery", "rules", "set", "colour=red"), "there is no such rule"),
    ]
    for arguments, text in wrong:
        ended = embedded(*arguments, *AT)
        assert ended.code in {1, 2}, arguments
        assert text in ended.complaint, (arguments, ended.err)
        assert "60.1" not in ended.complaint or text == "wrong-state: "


def test_the_rules_of_delivering_are_kept_and_shown(embedded: Heard, tmp_path: Path) -> None:
    delivering(embedded, tmp_path)
    pairs = ("proof=photo", "code-tries=3", "vehicles.van-1=bridge/356307042441013")
    kept = embedded.done("delivery", "rules", "set", *pairs, *AT, "--json").json
    assert kept["place"] == {"lat": 60.1699, "lon": 24.9384}
    assert (kept["proof"], kept["code_tries"]) == ("photo", 3)
    assert kept["vehicles"]["van-1"]["below"] == "356307042441013"
    shown = embedded.done("delivery", "rules", "show", *AT).out
    for text in ("60.1699,24.9384", "vehicles.van-1", "bridge/356307042441013", "link-hours"):
        assert text in shown
    told = embedded.done("delivery", "rules", "set", "code-tries=4", *AT)
    assert told.err.strip() == "code-tries: 3 -> 4"
    gone = embedded.done("delivery", "rules", "set", "vehicles.van-1=", "proof=", *AT, "--json")
    assert gone.json["vehicles"] == {}
    assert gone.json["proof"] == "none"
