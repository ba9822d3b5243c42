"""Parties from the command line: opened, joined as phones do, sent."""

from __future__ import annotations

from tests.cli.conftest import Heard, until

AT = ("--tenant", "roma")
MENU = """
items:
  - {item: burger, name: Burger, station: grill, price: "9.95"}
  - {item: ale, name: Ale, station: bar, price: "4.80"}
"""


def _open(stack: Heard) -> str:
    stack.done("tenant", "add", "roma", "--currency", "GBP")
    stack.home.joinpath("menu.yaml").write_text(MENU)
    stack.done("menu", "import", "menu.yaml", *AT)
    opened = stack.done("party", "open", "Ada", *AT, "--table", "7", "--json").json
    assert opened["gateway"].startswith("http")
    code: str = opened["code"]
    return code


def test_guests_join_choose_and_the_host_sends(embedded: Heard) -> None:
    code = _open(embedded)
    joined = embedded.done("party", "join", code.lower(), "Bob", *AT, "--json").json
    assert [each["name"] for each in joined["guests"]] == ["Ada", "Bob"]
    embedded.done("party", "choose", "burger=2:no onions", "ale", "--as", "Bob", *AT)
    shown = embedded.done("party", "show", "--as", "Ada", *AT).out
    assert code in shown
    assert "2 x burger, 1 x ale" in shown
    assert "24.70" in shown
    not_the_host = embedded("party", "send", "--as", "Bob", *AT)
    assert not_the_host.code == 1
    assert "only the host sends" in not_the_host.complaint
    sent = embedded.done("party", "send", "--as", "Ada", *AT, "--json").json
    assert sent["status"] == "sent"
    (order,) = embedded.done("order", "list", *AT, "--json").json
    assert order["order_id"] == sent["order_id"]
    assert [each["guest"] for each in order["lines"]] == [2, 2]


def test_with_the_party_its_guests_are_out(embedded: Heard) -> None:
    code = _open(embedded)
    embedded.done("party", "join", code, "Bob", *AT)
    listed = embedded.done("device", "list", *AT, "--json").json
    assert [each["role"] for each in listed] == ["guest", "guest"]
    embedded.done("party", "leave", "--as", "Ada", *AT)
    until(
        lambda: embedded.done("device", "list", *AT, "--json").json == [],
        "no guest's device is left",
    )
    again = embedded("party", "join", code, "Cleo", *AT)
    assert (again.code, "no party is open" in again.complaint) == (1, True)
    nobody = embedded("party", "show", "--as", "Dora", *AT)
    assert "heard party join CODE Dora" in nobody.complaint
