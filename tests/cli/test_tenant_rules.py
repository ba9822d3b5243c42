"""`heard tenant rules`: what a house decides for itself."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.commands.tenant_rules import BOOK
from schemas.house_rules import MILLION, OrderRules
from tests.cli.conftest import Heard

AT = ("--tenant", "roma")


def test_rules_are_set_shown_and_audited(embedded: Heard) -> None:
    embedded.done("tenant", "add", "roma")
    shown = embedded.done("tenant", "rules", "show", *AT, "--json").json
    assert shown == OrderRules().model_dump(mode="json")
    told = embedded.done(
        "tenant", "rules", "set", *AT, "payment=before-closing", "lead=45m", "taxes.standard=20%",
        "taxes.food=8.875", "prices-include-tax=no", "time-zone=Europe/Rome", "language=it",
        "--json",
    ).json  # fmt: skip
    assert told["taxes"] == {"standard": 200_000, "food": 88_750}
    assert (told["lead_s"], told["prices_include_tax"]) == (2_700, False)
    assert embedded.done("tenant", "rules", "show", *AT, "--json").json == told
    table = embedded.done("tenant", "rules", "show", *AT).out
    for line in ("payment\tbefore-closing", "lead\t2700s", "taxes.food\t8.875%", "time-zone\tEu"):
        assert line in table
    pairs = [line.replace("\t", "=", 1) for line in table.splitlines()[1:]]
    assert embedded.done("tenant", "rules", "set", *AT, *pairs, "--json").json == told
    gone = embedded.done("tenant", "rules", "set", *AT, "taxes.food=", "--json").json
    assert gone["taxes"] == {"standard": 200_000}
    noted = [
        each
        for each in embedded.done("audit", "show", *AT, "--json").json
        if each["action"] == "rules.set"
    ]
    assert len(noted) == 2  # what was the same already is nothing to note
    assert noted[0]["details"]["payment"] == "before-closing"
    assert noted[1]["details"] == {"taxes.food": ""}
    nobody = embedded("tenant", "rules", "show", "--tenant", "nobody")
    assert "there is no tenant nobody: heard tenant list" in nobody.complaint


@pytest.mark.parametrize(
    ("pair", "code", "what"),
    [
        ("payment", 2, "NAME=VALUE"),
        ("colour=red", 2, "acceptance"),
        ("taxes=5", 2, "taxes.NAME"),
        ("taxes.Standard=20%", 2, "lower-case"),
        ("taxes.standard=a lot", 2, "percentage"),
        ("taxes.standard=0.00001%", 2, "finer"),
        ("taxes.standard=101%", 1, "taxes"),
        ("time-zone=Rome", 2, "Europe/London"),
        ("time-zone=../../etc/passwd", 2, "Europe/London"),
        ("prices-include-tax=perhaps", 2, "yes or no"),
        ("lead=soon", 2, "20s"),
        ("payment=sometime", 1, "payment"),
        ("payment-patience=1s", 1, "payment-patience: "),
        ("keep-guests-days=many", 2, "whole number"),
        ("language=Italian", 1, "language"),
    ],
)
def test_a_wrong_rule_is_named_and_nothing_is_changed(
    known_house: Heard, pair: str, code: int, what: str
) -> None:
    ended = known_house("tenant", "rules", "set", *AT, "lead=1m", pair)
    assert ended.code == code, ended.err
    assert what in ended.complaint
    assert known_house.done("tenant", "rules", "show", *AT, "--json").json["lead_s"] == 1_800


@pytest.fixture(scope="module")
def known_house(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """One house in a database; nothing needs to run for its rules."""
    heard = Heard(tmp_path_factory.mktemp("house") / "home")
    heard.done("db", "upgrade")
    heard.done("tenant", "add", "roma")
    return heard


@given(st.integers(0, MILLION))
def test_a_rate_is_read_as_it_is_written(millionths: int) -> None:
    text = f"taxes.standard={Decimal(millionths).scaleb(-4):f}%"
    assert BOOK.changed(OrderRules(), [text]).taxes == {"standard": millionths}
