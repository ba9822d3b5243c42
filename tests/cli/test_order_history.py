"""`heard order history --export`: equal to the journal, whole, and in stable columns."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cli.history_export import BETWEEN_RULES, COLUMNS
from schemas.orders import OrderChange
from services.orders import history
from services.orders.history import Written
from services.orders.journal import JOURNAL
from services.orders.ledger import ACCOUNTS
from services.runtime.database import Database
from tests.cli.conftest import Heard
from tests.cli.restaurant import AT, Restaurant, open_restaurant


def lived(roma: Restaurant) -> list[str]:
    """Some orders, with something of everything that a row may hold."""
    roma.rules("acceptance=by-hand", "taxes.standard=20%")
    one = roma.place("burger", "cola")["number"]
    roma.done("accept", one)
    roma.done("void", one, "--line", "2", "--reason", 'said "no, thanks"; twice')
    roma.done("pay", one, "--tip", "1")
    roma.done("refund", one, "--amount", "2", "--reason", "cold,\nand late")
    two = roma.place("fries", "--reference", "R-1")["number"]
    roma.done("reject", two, "--reason", "shut")
    return [one, two]


async def journal(database_url: str) -> list[dict[str, Any]]:
    """The rows themselves, in the order in which they were written."""
    database = Database(database_url)
    try:
        async with database.read() as connection:
            rows = await connection.execute(select(JOURNAL).order_by(JOURNAL.c.entry_id))
            return [dict(row) for row in rows.mappings()]
    finally:
        await database.close()


def test_the_export_is_the_journal(stack: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(stack, tmp_path)
    numbers = lived(roma)
    run = stack.home / "run.json"
    url = json.loads(run.read_text())["database"] if run.exists() else stack.env["HEARD_DATABASE"]
    rows = asyncio.run(journal(url))
    out = stack.done("order", "history", *AT, "--export", "jsonl")
    told = [json.loads(line) for line in out.out.splitlines()]
    assert len(told) == len(rows) == 8
    for each, row in zip(told, rows, strict=True):
        assert list(each) == list(COLUMNS)
        for name in ("device", "person", "why", "version", "change", "status"):
            assert each[name] == row[name], name
        for name in ("order_id", "request_id"):
            assert each[name] == str(row[name])
        assert each["at"] == row["at"].isoformat().replace("+00:00", "Z")
        assert each["rules"] == (row["rules"] or [])
        assert each["lines"] == (row["lines"] or [])
        assert each["number"] in numbers
        assert each["currency"] == "GBP"
        for name in ACCOUNTS:
            assert each[f"{name}_minor"] == row[f"{name}_minor"]
        assert sum(each[f"{name}_minor"] for name in ACCOUNTS) == 0

    file = tmp_path / "all.csv"
    said = stack.done("order", "history", *AT, "--export", "csv", "--out", str(file))
    assert said.out == ""
    assert f"{len(rows)} changes written" in said.err
    assert file.stat().st_mode & 0o077 == 0
    assert not file.with_name("all.csv.part").exists()
    read = list(csv.DictReader(io.StringIO(file.read_text(), newline="")))
    for cells, each in zip(read, told, strict=True):
        plain = {
            **each,
            "rules": BETWEEN_RULES.join(each["rules"]),
            "lines": " ".join(str(number) for number in each["lines"]),
        }
        assert cells == {name: "" if value is None else str(value) for name, value in plain.items()}

    one = stack.done("order", "history", numbers[1], *AT, "--export", "jsonl")
    assert [json.loads(line)["change"] for line in one.out.splitlines()] == ["placed", "rejected"]
    middle = told[4]["at"]
    early = stack.done("order", "history", *AT, "--export", "jsonl", "--until", middle)
    late = stack.done("order", "history", *AT, "--export", "jsonl", "--since", middle)
    assert [json.loads(each) for each in (early.out + late.out).splitlines()] == told
    assert json.loads(late.out.splitlines()[0])["at"] == middle


def test_the_help_names_every_column(heard: Heard) -> None:
    told = heard.done("order", "history", "--help").out.split()
    words = {word.strip(",.") for word in told}
    assert set(COLUMNS) <= words


def test_an_export_that_cannot_be_written_leaves_what_stood_there(
    embedded: Heard, tmp_path: Path
) -> None:
    roma = open_restaurant(embedded, tmp_path)
    roma.place("cola")
    file = tmp_path / "missing" / "all.csv"
    ended = roma.order("history", "--export", "csv", "--out", str(file))
    assert ended.code == 1
    assert "missing" in ended.complaint
    nobody = embedded("order", "history", "--tenant", "nobody", "--export", "csv")
    assert nobody.code == 1
    assert nobody.out == ""
    assert "there is no tenant nobody: heard tenant list" in nobody.complaint


def test_pages_are_read_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, embedded: Heard, tmp_path: Path
) -> None:
    roma = open_restaurant(embedded, tmp_path)
    numbers = [roma.place("cola")["number"] for _ in range(5)]
    monkeypatch.setattr(history, "PAGE", 2)
    url = json.loads((embedded.home / "run.json").read_text())["database"]

    async def read() -> list[list[Written]]:
        database = Database(url)
        try:
            async with database.read() as connection:
                return [page async for page in history.of_tenant(connection, "roma")]
        finally:
            await database.close()

    pages = asyncio.run(read())
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [each.number for page in pages for each in page] == numbers
    assert {each.entry.change for page in pages for each in page} == {OrderChange.PLACED}
