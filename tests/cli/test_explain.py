"""`heard explain order`: the whole story, from everything that is kept."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from schemas.identifiers import new_id
from services.runtime.signatures import signed_headers
from tests.cli.conftest import Heard, until
from tests.cli.restaurant import AT, TENANT, Restaurant, open_restaurant

RULES = """
rules:
  - {rule: floor, on: [accepted, ready], channel: pager}
  - {rule: guest, on: [closed], channel: mail}
"""


def told_by_the_provider(roma: Restaurant, secret: str, asked: Any, what: str) -> None:
    """A signed webhook of the provider `card`, as it comes over HTTP."""
    gateway = json.loads((roma.heard.home / "run.json").read_text())["gateway"]
    body = json.dumps(
        {
            "type": what,
            "timestamp": "2026-03-14T12:00:00Z",
            "data": {
                "order_id": asked["order_id"],
                "payment_id": asked["payment_id"],
                "amount_minor": 1150,
                "currency": "GBP",
                "reason": "no funds" if what.endswith("failed") else None,
            },
        }
    ).encode()
    signed = signed_headers((secret,), f"msg_{new_id().hex}", int(time.time()), body)
    answer = httpx.post(
        f"{gateway}/v1/tenants/{TENANT}/payments/card",
        content=body,
        headers={"content-type": "application/json", **signed},
    )
    assert answer.status_code == 200, answer.text


def explained(roma: Restaurant, number: str) -> Any:
    return roma.heard.done("explain", "order", number, *AT, "--json").json


def test_the_story_of_an_order_is_whole(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    roma.rules("payment=before-kitchen", "taxes.standard=20%")
    secret = embedded.done("provider", "add", "card", *AT, "--json").json["secret"]
    for name, kind in (("pager", "mqtt"), ("mail", "email")):
        embedded.done("notify", "channel", "add", name, *AT, "--kind", kind)
    (tmp_path / "rules.yaml").write_text(RULES)
    embedded.done("notify", "rules", "set", str(tmp_path / "rules.yaml"), *AT)
    due = datetime.now(UTC) + timedelta(minutes=20)
    with roma.kitchen() as kitchen:
        number = roma.place(
            "burger+rare", "cola", "--for", due.isoformat(), "--kind", "takeaway",
            "--name", "Ada", "--email", "ada@example.org",
        )["number"]  # fmt: skip
        roma.done("change", number, "1", "--note", "no salt", "--reason", "she said so")
        roma.done("void", number, "--line", "2", "--reason", "driving home")
        asked = roma.done("pay", number, "--method", "card", "--tip", "2")
        told_by_the_provider(roma, secret, asked, "payment.failed")
        assert roma.refused("pay", number, "--tip", "-1").startswith("wrong-amount: ")
        again = roma.done("pay", number, "--method", "card", "--tip", "2")
        told_by_the_provider(roma, secret, again, "payment.paid")
        kitchen.ready(number)
        assert roma.refused("cancel", number, "--reason", "late").startswith("wrong-state: ")
        roma.done("close", number)
        roma.done("refund", number, "--amount", "1.15", "--reason", "it was cold")
    until(
        lambda: [each["status"] for each in notices(explained(roma, number))].count("sent") >= 2,
        "the floor is told",
    )
    story = explained(roma, number)
    told = story["told"]
    assert told == sorted(told, key=lambda each: datetime.fromisoformat(each["at"]))

    # every change of the journal, with who, why and which rules decided
    changes = [each for each in told if each["kind"] == "change"]
    assert [each["version"] for each in changes] == list(range(1, len(changes) + 1))
    assert [each["change"] for each in changes] == [
        entry["change"] for entry in roma.history(number)
    ]
    by_name = {each["change"]: each for each in changes}
    assert by_name["lines-voided"]["why"] == "driving home"
    assert by_name["payment-failed"]["why"] == "no funds"
    assert any("money before the kitchen" in each for each in by_name["placed"]["rules"])
    assert by_name["accepted"]["rules"]
    assert all(each["device"] for each in changes)

    # every request, and what was refused
    refused = [each for each in told if each["kind"] == "refused"]
    assert [each["code"] for each in refused] == ["wrong-amount", "wrong-state"]
    assert "order pay refused" in refused[0]["text"]
    accepted = {each["type"] for each in told if each["kind"] == "request"}
    assert {
        "heard.order.place.v1", "heard.order.change-line.v1", "heard.order.void-lines.v1",
        "heard.order.pay.v1", "heard.inside.settle-payment.v1", "heard.order.close.v1",
        "heard.order.refund.v1",
    } <= accepted  # fmt: skip

    # the kitchen
    steps = {each["step"]: each for each in told if each["kind"] == "ticket"}
    assert set(steps) >= {"published", "heard", "started", "bumped"}
    for step in ("heard", "started", "bumped"):
        assert steps[step]["by"].startswith("grill-"), step

    # whom the house told, and what became of it
    rules = {each["rule"]: each for each in notices(story)}
    assert rules["floor"]["channel"] == "pager"
    assert rules["floor"]["status"] == "sent"
    assert rules["guest"]["to"] == "ada@example.org"

    # times
    times = {each["what"]: each for each in story["times"]}
    assert times["ready"]["promised"] == story["order"]["due_at"]
    assert times["ready"]["late_s"] < 0
    assert times["closed"]["real"] is not None

    # money
    accounts = story["money"]["accounts"]
    assert sum(accounts.values()) == story["money"]["sum"] == 0
    assert accounts["guest"] == story["order"]["due_minor"]
    assert accounts["tips"] == -200

    page = embedded.done("explain", "order", number, *AT).out
    for text in (
        "x order pay refused: wrong-amount", 'why: "driving home"', "because: ",
        "ticket grill heard after", "promised", "early", "together", "9.50 GBP and a tip of 2.00",
        "notice ready over pager", "[grill-",
    ):  # fmt: skip
        assert text in page, text


def notices(story: Any) -> list[Any]:
    """The last word on each notice."""
    found = {each["notice_id"]: each for each in story["told"] if each["kind"] == "notice"}
    return list(found.values())


def test_an_order_that_nobody_knows_is_named(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    ended = embedded("explain", "order", "nothing", *AT)
    assert ended.code == 1
    assert "heard order list" in ended.complaint
    number = roma.place("burger")["number"]
    page = embedded.done("explain", "order", number[-4:], *AT).out
    assert "not yet" in page
    assert "owe 9.50 GBP" in page


def test_production_tells_the_same(production: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(production, tmp_path)
    with roma.kitchen() as kitchen:
        number = roma.place("burger", "cola")["number"]
        roma.done("pay", number)
        assert roma.refused("serve", number).startswith("wrong-state: ")
        kitchen.ready(number)
        roma.done("serve", number)
    story = explained(roma, number)
    kinds = {each["kind"] for each in story["told"]}
    assert kinds == {"request", "refused", "change", "ticket"}
    assert story["money"]["sum"] == 0
    assert {each["by"].split("-")[0] for each in story["told"] if each.get("step") == "heard"} == {
        "grill", "bar",
    }  # fmt: skip
