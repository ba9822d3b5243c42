"""`heard guest forget`: nothing of the guest is left, and all of the money."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from schemas.orders import Guest
from services.orders.guests import has_email, has_phone
from services.orders.ledger import ACCOUNTS
from services.runtime.database import Database
from services.runtime.tables import METADATA, OUTBOX
from tests.cli.conftest import Heard, until
from tests.cli.restaurant import AT, Restaurant, open_restaurant

RULES = """
rules:
  - {rule: guest, on: [accepted, closed], channel: mail}
  - {rule: floor, on: [accepted], channel: hook}
"""
OTTOLINE = (
    "--name", "Ottoline Lovelace", "--email", "ottoline@example.org", "--phone", "+44 20 7946 0000",
    "--address", "12 Analytical Lane",
)  # fmt: skip
# None of them can stand in an id, a secret or a time by chance.
TRACES = ("ottoline", "lovelace", "7946 0000", "79460000", "7946-0000", "analytical")


def database_of(heard: Heard) -> str:
    run = heard.home / "run.json"
    if run.exists():
        return str(json.loads(run.read_text())["database"])
    return heard.env["HEARD_DATABASE"]


def dump(heard: Heard) -> dict[str, str]:
    """Every row of every table as text."""

    async def read() -> dict[str, str]:
        database = Database(database_of(heard))
        try:
            async with database.read() as connection:
                return {
                    table.name: "\n".join(
                        str([_plain(cell) for cell in row])
                        for row in await connection.execute(select(table))
                    ).casefold()
                    for table in METADATA.sorted_tables
                }
        finally:
            await database.close()

    return asyncio.run(read())


def _plain(cell: Any) -> Any:
    return cell.decode(errors="replace") if isinstance(cell, bytes) else cell


def traces(heard: Heard) -> dict[str, list[str]]:
    """Which tables hold something of the guest."""
    return {
        name: found
        for name, text in dump(heard).items()
        if (found := [each for each in TRACES if each in text])
    }


def lived(roma: Restaurant) -> str:
    """An order of a guest from the first to the last, with something of her everywhere."""
    with roma.kitchen() as kitchen:
        number: str = roma.place(
            "burger@1:for Ottoline, well done", "cola@2", *OTTOLINE, "--kind", "takeaway",
            "--participant", "Ottoline L", "--participant", "Bob",
        )["number"]  # fmt: skip
        roma.done("pay", number, "--tip", "1")
        kitchen.ready(number)
        roma.done("close", number)
    return number


def forget(roma: Restaurant, whom: str, *more: str) -> Any:
    return roma.heard.done("guest", "forget", whom, *AT, "--json", *more).json


def test_a_guest_is_forgotten_everywhere_and_the_money_is_kept(
    stack: Heard, tmp_path: Path
) -> None:
    roma = open_restaurant(stack, tmp_path)
    stack.done("notify", "channel", "add", "mail", *AT, "--kind", "email")
    stack.done(
        "notify", "channel", "add", "hook", *AT, "--kind", "webhook",
        "--url", "http://127.0.0.1:9/nobody",
    )  # fmt: skip
    (tmp_path / "rules.yaml").write_text(RULES)
    stack.done("notify", "rules", "set", str(tmp_path / "rules.yaml"), *AT)
    number = lived(roma)
    open_ = roma.place("cola", *OTTOLINE)["number"]
    other = roma.place("cola", "--name", "Grace", "--email", "grace@example.org")["number"]
    roma.done("cancel", other, "--reason", "off")
    before = roma.shown(number)
    booked = [
        {name: each[name] for name in each if name.endswith("_minor")}
        for each in roma.history(number)
    ]
    assert {"orders", "tickets", "notices"} <= traces(stack).keys()

    would = forget_but_open(roma, "OTTOLINE@example.org", "--dry-run", number, open_)
    assert would["notices"] == 0
    assert roma.shown(number) == before
    done = forget_but_open(roma, "OTTOLINE@example.org", "--json", number, open_)
    assert done["notices"] >= 1
    assert done["left"] == []

    roma.done("cancel", open_, "--reason", "off")
    assert forget(roma, "+44 (20) 7946-0000")["forgotten"] == [open_]
    until(lambda: not rows_of(stack, OUTBOX.name), "what follows from it is published")
    assert traces(stack) == {}

    after = roma.shown(number)
    money = [name for name in before if name.endswith("_minor")]
    assert {name: after[name] for name in money} == {name: before[name] for name in money}
    assert after["payments"] == before["payments"]
    assert after["guest"] is None
    assert after["participants"] == []
    *was, last = roma.history(number)
    assert [
        {name: each[name] for name in each if name.endswith("_minor")} for each in was
    ] == booked
    assert last["change"] == "guest-forgotten"
    assert all(last[f"{name}_minor"] == 0 for name in ACCOUNTS)

    kept = roma.shown(other)["guest"]
    assert kept["name"] == "Grace"
    (noted,) = (
        each
        for each in stack.done("audit", "show", *AT, "--about", f"roma/{number}", "--json").json
        if each["action"] == "guest.forgotten"
    )
    assert noted["actor"].startswith("cli:")
    stack.done("audit", "verify")
    nobody = stack("guest", "forget", "ottoline@example.org", *AT)
    assert nobody.code == 1
    assert "no order is kept" in nobody.complaint
    again = stack.done("guest", "forget", number, *AT)
    assert "nothing was kept" in again.err
    # The services took what changed meanwhile for what it is.
    assert roma.refused("add", number, "cola").startswith("wrong-state: ")
    roma.done("refund", number, "--all", "--reason", "to her heirs")


def forget_but_open(roma: Restaurant, whom: str, option: str, number: str, open_: str) -> Any:
    """Forget a guest who has an open order too: that is named, and left alone."""
    ended = roma.heard("guest", "forget", whom, *AT, "--json", option)
    assert ended.code == 1
    assert open_ in ended.complaint
    assert number not in ended.complaint
    assert ended.json["forgotten"] == [number]
    assert ended.json["open"] == [open_]
    assert roma.shown(open_)["guest"]["name"] == "Ottoline Lovelace"
    return ended.json


def rows_of(heard: Heard, table: str) -> str:
    return dump(heard)[table]


def test_what_people_wrote_into_the_journal_is_named(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    number = roma.place("cola", *OTTOLINE)["number"]
    roma.done("cancel", number, "--reason", "Ottoline Lovelace changed her mind")
    ended = embedded("guest", "forget", number, *AT)
    assert ended.code == 1
    assert "version 2" in ended.err
    assert "1 text that people wrote still names the guest" in ended.complaint
    assert roma.shown(number)["guest"] is None


def test_who_cannot_be_found_is_said(embedded: Heard, tmp_path: Path) -> None:
    open_restaurant(embedded, tmp_path)
    for whom in ("nobody@example.org", "020 000 000", "ZZZZ"):
        ended = embedded("guest", "forget", whom, *AT)
        assert ended.code == 1
        assert whom in ended.complaint
    assert "heard tenant list" in embedded("guest", "forget", "x@y", "--tenant", "nobody").complaint


@pytest.mark.parametrize(
    ("kept", "asked", "same"),
    [
        ("+44 20 7946 0000", "+442079460000", True),
        ("+44 20 7946 0000", "0044 (20) 7946-0000", True),
        ("+44 20 7946 0000", "020 7946 0000", False),
        ("12345", "123456", False),
    ],
)
def test_a_telephone_is_the_same_however_it_is_spaced(kept: str, asked: str, same: bool) -> None:
    assert has_phone(Guest(phone=kept), asked) is same


def test_an_email_is_the_same_however_it_is_capitalised() -> None:
    assert has_email(Guest(email="Ottoline@Example.org"), "ottoline@example.ORG")
    assert not has_email(Guest(name="Ottoline"), "ottoline@example.org")
