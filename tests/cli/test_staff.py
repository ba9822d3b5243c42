"""Staff and checks from the command line: who is there, what is to be read, what was found."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from cli.check_book import changed_check, check_rows, without_check
from cli.check_log import COLUMNS, csv_head, csv_line
from cli.kitchen_book import BookBroken
from schemas.identifiers import new_id
from schemas.kitchen_rules import CheckKind, KitchenRules
from schemas.quality import Finding
from tests.cli.conftest import Heard

AT = ("--tenant", "roma")
MENU = """
items:
  - {item: burger, name: Burger, station: grill, price: "9.95"}
  - {item: ale, name: Ale, station: bar, price: "4.80"}
"""


def quality(*arguments: str) -> tuple[str, ...]:
    return ("kitchen", "quality", *arguments, *AT)


def test_a_shift_from_the_command_line(embedded: Heard) -> None:
    heard = embedded
    heard.done("tenant", "add", "roma", "--currency", "GBP")
    heard.home.joinpath("menu.yaml").write_text(MENU)
    heard.done("menu", "import", "menu.yaml", *AT)
    number = heard.done("order", "place", *AT, "burger", "ale", "--json").json["number"]

    # who is there
    assert "on duty at grill" in heard.done("staff", "on", "ada", "--station", "grill", *AT).out
    heard.done("staff", "on", "bob", *AT)
    again = heard("staff", "on", "ada", *AT)
    assert (again.code, "on duty at grill already" in again.complaint) == (1, True)
    assert "say --station NAME" in heard("staff", "assign", "ada", *AT).complaint
    heard.done("staff", "assign", "ada", "--station", "grill", "--order", number, *AT)
    assert "ticket grill given to ada" in heard.done("explain", "order", number, *AT).out
    duties = heard.done("staff", "list", *AT, "--json").json
    assert [(each["person"], len(each["tickets"])) for each in duties] == [("ada", 1), ("bob", 0)]

    # what is to be read
    told = heard.done("staff", "tell", "no nuts", "--must-read", *AT)
    assert told.out == "all  waits for ada, bob\n"
    (task,) = heard.done("staff", "notes", *AT, "--json").json
    end = task["task_id"].replace("-", "")[-8:]
    assert end in heard.done("staff", "notes", *AT).out
    for person in ("ada", "bob"):
        heard.done("staff", "read", end, "--person", person, *AT)
    assert heard.done("staff", "notes", *AT, "--json").json == []
    assert (
        "no task ends with 'zz'" in heard("staff", "read", "zz", "--person", "ada", *AT).complaint
    )
    heard.done("staff", "off", "ada", "--note", "fryer is slow", *AT)
    assert "grill (hand-over)" in heard.done("staff", "notes", *AT).out
    assert len(heard.done("staff", "notes", "--all", *AT, "--json").json) == 2
    assert "bob" in heard.done("staff", "list", *AT).out

    # what is checked
    core = ("kind=temperature", "items=burger", "least=75", "blocks=yes")
    heard.done(*quality("set", "core"), *core)
    fridge = ("kind=temperature", "stations=cold", "every=4h", "most=5")
    heard.done(*quality("set", "fridge"), *fridge)
    listed = heard.done(*quality("checks")).out
    assert "core\tat least 75 °C\tburger\t\t\tyes\t" in listed
    assert "never made OVERDUE" in listed
    grill = ("--station", "grill")
    heard.done("kitchen", "start", number, *grill, *AT)
    held = heard("kitchen", "bump", number, *grill, *AT)
    assert (held.code, "core: at least 75 °C" in held.complaint) == (1, True)
    record = quality("record", "core")
    # the ale is not meant: nobody need say which station has the burger
    failed = heard.done(*record, "--order", number, "--celsius", "61")
    assert failed.out == "core  FAILED (at least 75 °C)\n"
    waive = (*quality("waive", "core", number), "--reason", "=HYPERLINK(1)")
    assert "a manager's right" in heard(*waive).complaint
    assert "waived" in heard.done(*waive, "--as-manager").out
    heard.done("kitchen", "bump", number, *grill, *AT)
    passed = heard.done(*quality("record", "fridge"), "--celsius", "3.5", "--person", "bob")
    assert "passed" in passed.out
    assert "OVERDUE" not in heard.done(*quality("checks")).out

    # the log
    rows = heard.done(*quality("log"), "--json").json
    assert [each["check"] for each in rows] == ["core", "core", "fridge"]
    heard.done(*quality("log"), "--csv", "--out", "log.csv", "--from", "1h")
    text = heard.home.joinpath("log.csv").read_text()
    read = list(csv.DictReader(io.StringIO(text)))
    assert [each["result"] for each in read] == ["failed", "waived", "passed"]
    assert read[1]["note"] == "'=HYPERLINK(1)"
    assert (read[2]["celsius"], read[2]["person"], read[2]["station"]) == ("3.5", "bob", "cold")
    assert heard.done(*quality("log"), "--csv", "--to", "1h").out.count("\n") == 1
    assert "--out belongs to --csv" in heard(*quality("log"), "--out", "x").complaint
    heard.done(*quality("remove", "fridge"))
    gone = heard(*quality("record", "fridge"), "--celsius", "3")
    assert "no check fridge; it has core" in gone.complaint


@pytest.mark.parametrize(
    "words",
    ["=1+1", "+49 170", "-5", "@SUM(A1)", "\tx", 'say "hi", twice', "two\nlines", "plain"],
)
def test_nobodys_words_are_a_formula_in_the_log(words: str) -> None:
    finding = Finding(
        finding_id=new_id(),
        check="looks",
        kind=CheckKind.PHOTO,
        passed=True,
        photo=words.splitlines()[0],
        note=words,
        device="kds-1",
        at=datetime(2026, 3, 14, 18, 0, tzinfo=UTC),
    )
    head, row = csv.reader(io.StringIO(csv_head() + csv_line(finding)))
    assert tuple(head) == COLUMNS
    cells = dict(zip(head, row, strict=True))
    assert cells["note"].removeprefix("'") == words
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    assert (cells["at"], cells["result"]) == ("2026-03-14T18:00:00Z", "passed")
    assert UUID(cells["finding_id"]) == finding.finding_id


def test_a_check_is_written_as_it_is_shown() -> None:
    pairs = ["kind=temperature", "stations=cold, bar", "every=2d", "least=-1.5", "most=5°C"]
    book = changed_check(KitchenRules(), "fridge", pairs)
    check = book.checks["fridge"]
    assert (check.stations, check.every_s, check.least) == (("cold", "bar"), 2 * 86_400, -1.5)
    again = [f"{name}={value}" for name, value in check_rows(check)]
    assert changed_check(KitchenRules(), "fridge", again) == book
    assert changed_check(book, "fridge", ["least="]).checks["fridge"].least is None
    assert without_check(book, "fridge") == KitchenRules()


@pytest.mark.parametrize(
    ("pairs", "what"),
    [
        (["least"], "write it as NAME=VALUE"),
        (["colour=red"], "colour: there is no such field, only name, kind"),
        (["least=warm"], "least: 'warm' is no temperature"),
        (["least=nan", "kind=temperature", "items=x"], "checks.core.least: "),
        (["kind=taste"], "kind: 'taste': write temperature, yes-no, photo"),
        (["items=burger"], "core is new: say kind=temperature|yes-no|photo"),
        (["kind=yes-no"], "needs `items`, or `every_s` and `stations`"),
        (["kind=photo", "every=never"], "every: 'never' is no span"),
        (["kind=photo", "every=1h", "blocks=yes", "stations=x"], "blocks nothing"),
        (["kind=photo", "blocks=perhaps"], "write yes or no"),
        (["kind=temperature", "items=x", "least=9", "most=5"], "must not be above"),
    ],
)
def test_a_wrong_check_is_named(pairs: list[str], what: str) -> None:
    with pytest.raises(BookBroken, match=re.escape(what)):
        changed_check(KitchenRules(), "core", pairs)


def test_a_check_that_is_not_there_cannot_be_taken_away() -> None:
    with pytest.raises(BookBroken, match="no check core, only none"):
        without_check(KitchenRules(), "core")
