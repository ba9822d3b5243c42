"""An order's whole life from the command line, over MQTT."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Heard, until, up_beside
from tests.cli.restaurant import AT, Restaurant, open_restaurant


@pytest.fixture
def roma(embedded: Heard, tmp_path: Path) -> Restaurant:
    return open_restaurant(embedded, tmp_path)


def test_an_order_is_changed_cooked_served_paid_and_closed(stack: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(stack, tmp_path)
    with roma.kitchen() as kitchen:
        placed = roma.place(
            "burger+rare+bacon*2+fries(aioli)=2:no salt", "cola", "--table", "7", "--covers", "2"
        )
        number = placed["number"]
        assert placed["total_minor"] == 2 * (950 + 2 * 180 + 250 + 50) + 300
        added = roma.done("add", number, "fries=2")
        assert added["total_minor"] == placed["total_minor"] + 2 * 395
        changed = roma.done(
            "change", number, "3", "--quantity", "1", "--note", "hot", "--reason", "hungry",
            "--seen", str(added["version"]),
        )  # fmt: skip
        assert changed["total_minor"] == placed["total_minor"] + 395
        voided = roma.done("void", number, "--line", "2", "--reason", "driving")
        assert voided["total_minor"] == changed["total_minor"] - 300
        stale = roma.refused(
            "change", number, "2", "--quantity", "2", "--seen", str(placed["version"])
        )
        assert stale.startswith(("stale-version: ", "wrong-state: "))
        until(lambda: kitchen.sees("fry", number), "the fries are on the screen")
        kitchen.cook(number)
        until(lambda: roma.shown(number)["status"] == "ready", "it is ready")
        line = roma.shown(number)["lines"][2]
        assert (line["quantity"], line["note"], line["version"]) == (1, "hot", changed["version"])
        assert roma.done("serve", number)["status"] == "served"
        served = roma.refused("void", number, "--line", "1", "--reason", "no")
        assert served.startswith("already-served: ")
        assert "(now served, version " in served
        paid = roma.done("pay", number, "--tip", "2", "--tendered", "60")
        assert paid["due_minor"] == 0
        assert paid["payment"] == "paid"
        assert paid["change_minor"] == 6000 - 200 - voided["total_minor"]
        assert roma.refused("pay", number).startswith("already-paid: ")
        assert roma.done("close", number)["status"] == "closed"
        back = roma.done("refund", number, "--line", "3", "--reason", "cold")
        assert back["payment"] == "partly-refunded"
        too_much = roma.refused("refund", number, "--amount", "500", "--reason", "all")
        assert too_much.startswith("more-than-paid: ")
    shown = stack.done("order", "show", number, *AT)
    for text in ("+ Rare", "+ 2 x Bacon", "  + Aioli", "voided", "a tip of 2.00 GBP", "cold"):
        assert text in shown.out, text
    changes = [each["change"] for each in roma.history(number)]
    assert [each for each in changes if each not in {"preparing", "ready"}] == [
        "placed", "lines-added", "lines-changed", "lines-voided", "served", "paid", "closed",
        "refunded",
    ]  # fmt: skip
    for entry in roma.history(number):
        assert sum(value for name, value in entry.items() if name.endswith("_minor")) == 0


def test_what_is_cooked_is_voided_by_a_manager_alone(roma: Restaurant) -> None:
    with roma.kitchen() as kitchen:
        number = roma.place("burger", "cola")["number"]
        until(lambda: kitchen.sees("grill", number), "it is on the screen")
        kitchen.cook(number, "grill")
        why = ("--reason", "burnt")
        assert roma.refused("void", number, "--line", "1", *why).startswith("already-cooked: ")
        assert roma.refused("cancel", number, *why).startswith("already-cooked: ")
        assert roma.refused("void", number, "--all", *why).startswith("not-allowed: ")
        assert roma.done("void", number, "--line", "1", *why, "--as-manager")["total_minor"] == 300
        assert roma.done("void", number, "--all", *why, "--as-manager")["status"] == "voided"
    assert [each["change"] for each in roma.history(number)][-2:] == ["lines-voided", "voided"]
    over = roma.refused("add", number, "cola")
    assert over.startswith("wrong-state: ")
    assert "(now voided, version " in over


def test_a_delivery_goes_out_comes_back_and_is_delivered(roma: Restaurant) -> None:
    guest = ("--name", "Ada", "--phone", "+44 20 7946 0000", "--address", "1 Main Street")
    with roma.kitchen() as kitchen:
        number = roma.place("burger", "--kind", "delivery", *guest)["number"]
        early = roma.refused("dispatch", number)
        assert early.startswith("wrong-state: ")
        kitchen.ready(number)
        assert roma.refused("serve", number).startswith("wrong-state: ")
        assert roma.done("dispatch", number)["status"] == "out-for-delivery"
        assert roma.done("return", number, "--reason", "nobody opened")["status"] == "ready"
        assert roma.done("dispatch", number)["status"] == "out-for-delivery"
        assert roma.done("deliver", number)["status"] == "delivered"
        assert roma.done("close", number)["status"] == "closed"
    assert [each["why"] for each in roma.history(number) if each["change"] == "returned"] == [
        "nobody opened"
    ]


def test_a_house_that_accepts_by_hand_is_asked(roma: Restaurant) -> None:
    assert roma.rules("acceptance=by-hand")["acceptance"] == "by-hand"
    placed = roma.place("burger")
    assert placed["status"] == "placed"
    assert placed["waits_for"] == ["approval"]
    assert roma.done("accept", placed["number"])["status"] == "accepted"
    assert roma.refused("accept", placed["number"]).startswith("wrong-state: ")
    other = roma.place("cola")["number"]
    assert roma.done("reject", other, "--reason", "the bar is shut")["status"] == "rejected"
    waits = roma.order("place", "cola", "--wait-heard", "--patience", "4s")
    assert waits.code == 1
    assert "waits for approval" in waits.complaint


def test_the_kitchen_waits_for_the_money_where_the_house_says_so(roma: Restaurant) -> None:
    roma.rules("payment=before-kitchen", "payment-patience=10m")
    placed = roma.place("burger")
    assert placed["waits_for"] == ["payment"]
    assert roma.shown(placed["number"])["tickets"] == []
    paid = roma.done("pay", placed["number"])
    assert paid["status"] == "accepted"
    assert len(roma.shown(placed["number"])["tickets"]) == 1
    assert roma.refused("add", placed["number"], "cola").startswith("payment-required: ")


def test_an_order_for_later_is_by_the_clock_of_the_house(roma: Restaurant) -> None:
    roma.rules("time-zone=Asia/Tokyo", "lead=30m")
    later = datetime.now(UTC) + timedelta(days=2)
    placed = roma.place("burger", "--for", f"{later:%Y-%m-%d} 19:30")
    assert placed["waits_for"] == ["time"]
    assert roma.shown(placed["number"])["due_at"] == f"{later:%Y-%m-%d}T10:30:00Z"
    past = roma.refused("place", "burger", "--for", "2020-01-01 12:00")
    assert past.startswith("time-passed: ")
    wrong = roma.order("place", "burger", "--for", "soon")
    assert wrong.code == 2
    assert "19:30" in wrong.complaint


def test_guests_split_what_they_share(roma: Restaurant) -> None:
    number = roma.place(
        "burger@1", "cola@2", "fries", "--participant", "Ada", "--participant", "Bob"
    )["number"]
    shares = roma.done("split", number)["shares"]
    assert {each["guest"]: each["amount_minor"] for each in shares} == {1: 950 + 198, 2: 300 + 197}
    thirds = roma.done("split", number, "--ways", "3")["shares"]
    assert [each["amount_minor"] for each in thirds] == [549, 548, 548]
    table = roma.order("split", number).out
    assert "Ada" in table
    assert "11.48 GBP" in table
    paid = roma.done("pay", number, "--guest", "1")
    assert paid["due_minor"] == 497
    assert roma.refused("pay", number, "--guest", "1").startswith("already-paid: ")
    assert roma.refused("pay", number, "--guest", "9").startswith("not-found: ")
    assert "Bob pays 4.97 GBP" in roma.order("show", number).out


def test_a_providers_payment_is_pending_until_it_speaks(roma: Restaurant) -> None:
    number = roma.place("burger")["number"]
    asked = roma.done("pay", number, "--method", "card", "--amount", "5")
    assert asked["payment"] == "pending"
    assert asked["due_minor"] == 950
    more = roma.refused("pay", number, "--amount", "5")
    assert more.startswith("more-than-due: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("pay", "--tip", "-1"), "wrong-amount"),
        (("pay", "--amount", "0"), "wrong-amount"),
        (("pay", "--amount", "-3.50"), "wrong-amount"),
        (("pay", "--tendered", "1"), "wrong-amount"),
        (("refund", "--all", "--reason", "nothing was paid"), "more-than-paid"),
        (("refund", "--amount", "-1", "--reason", "below nothing"), "wrong-amount"),
        (("change", "9", "--quantity", "2"), "not-found"),
        (("change", "1", "--modifiers", "golden"), "unknown-modifier"),
        (("change", "1", "--modifiers", "rare+well-done"), "wrong-choice"),
        (("change", "1", "--quantity", "2", "--seen", "99"), "invalid"),
        (("add", "caviar"), "unknown-item"),
        (("serve",), "wrong-state"),
    ],
)
def test_what_cannot_be_is_refused_by_name_with_how_the_order_stands(
    standing_order: tuple[Restaurant, str], arguments: tuple[str, ...], code: str
) -> None:
    roma, number = standing_order
    command, *more = arguments
    complaint = roma.refused(command, number, *more)
    assert complaint.startswith(f"{code}: "), complaint
    assert "(now accepted, version 1, 9.50 GBP, 9.50 GBP due)" in complaint
    assert roma.shown(number)["version"] == 1


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("place", "burger=0"), "burger=2"),
        (("place", "burger+rare("), "rare"),
        (("place", "burger+"), "modifier"),
        (("place", "burger@x"), "participant"),
        (("place", "burger:"), "note"),
        (("place", "Big Burger"), "ITEM=QUANTITY"),
        (("void", "X", "--reason", "y"), "--line"),
        (("void", "X", "--all", "--line", "1", "--reason", "y"), "--line"),
        (("void", "X", "--all"), "--reason"),
        (("refund", "X", "--reason", "y"), "--amount"),
        (("change", "X", "1"), "--quantity"),
        (("history",), "--export"),
        (("history", "X", "--out", "f"), "--export"),
        (("list", "--since", "tomorrow-ish"), "2h"),
        (("list", "--open", "--status", "closed"), "--open"),
    ],
)
def test_a_wrong_call_says_how_it_is_written(
    heard: Heard, arguments: tuple[str, ...], what: str
) -> None:
    ended = heard("order", *arguments, *AT)
    assert ended.code == 2
    assert what in ended.complaint


def test_an_amount_finer_than_the_currency_is_no_amount(
    standing_order: tuple[Restaurant, str],
) -> None:
    roma, number = standing_order
    for text, what in (("1.005", "finer"), ("much", "no amount"), ("-1.005", "finer")):
        ended = roma.order("pay", number, "--amount", text)
        assert ended.code == 2
        assert what in ended.complaint


def test_lists_are_of_what_is_open_unpaid_recent_or_of_a_kind(roma: Restaurant) -> None:
    here = roma.place("burger")["number"]
    gone = roma.place("cola", "--kind", "takeaway")["number"]
    paid = roma.place("fries")["number"]
    roma.done("pay", paid)
    roma.done("cancel", gone, "--reason", "changed her mind")

    def listed(*arguments: str) -> set[str]:
        return {each["number"] for each in roma.done("list", *arguments)}

    assert listed() == {here, gone, paid}
    assert listed("--open") == {here, paid}
    assert listed("--open", "--unpaid") == {here}
    assert listed("--kind", "takeaway") == {gone}
    assert listed("--since", "1h") == {here, gone, paid}
    assert listed("--since", "2099-01-01") == set()
    assert listed("--status", "cancelled") == {gone}


@pytest.fixture(scope="module")
def standing_order(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Restaurant, str]]:
    """One order that no test here changes, beside services that run."""
    folder = tmp_path_factory.mktemp("standing")
    heard = Heard(folder / "home")
    with up_beside(heard):
        roma = open_restaurant(heard, folder)
        yield roma, roma.place("burger")["number"]
