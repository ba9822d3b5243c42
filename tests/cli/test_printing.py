"""Tables as people see them: what is copied is never broken, and today is not said again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cli.printing import show_table, table_within

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NUMBER = "ORD-261122094726-J7TH"
REPORT = (
    "order",
    "status",
    "placed",
    "promised",
    "courier there",
    "at door",
    "late min",
    "off min",
)
"""The heads of `heard delivery report`, the widest table of those with numbers of orders."""


def drawn(heads: Sequence[str], *rows: Sequence[object], room: int = 80) -> list[str]:
    """The lines of a table."""
    head_lines, lines = table_within(heads, rows, NOW, room=room)
    return [*head_lines, *lines]


@pytest.mark.parametrize("status", ["picked-up", "at-restaurant"])
def test_a_report_of_today_finds_room_in_eighty_cells(status: str) -> None:
    at = [NOW + timedelta(minutes=each) for each in range(4)]
    lines = drawn(REPORT, (NUMBER, status, *at, "+12.3", "-10.1"))
    assert max(map(len, lines)) <= 80
    row = lines[-1].split()
    assert row[:2] == [NUMBER, status]
    assert row[2:6] == [f"{each.astimezone():%H:%M}" for each in at]


def test_another_day_is_said_with_its_date() -> None:
    yesterday, last_year = NOW - timedelta(days=1), NOW - timedelta(days=365)
    assert drawn(("at",), (yesterday,))[-1] == f"{yesterday.astimezone():%d %b %H:%M}"
    assert drawn(("at",), (last_year,))[-1] == f"{last_year.astimezone():%Y-%m-%d %H:%M}"
    row = (NUMBER, "delivered", *(yesterday for _ in range(4)), "+12.3", "-10.1")
    first, second = drawn(REPORT, row)[-2:]
    assert first.split()[0] == NUMBER
    assert second.split() == [f"{yesterday.astimezone():%H:%M}"] * 4


def test_texts_fold_between_their_words_and_names_never_do() -> None:
    name, why = "n" * 30, "no vehicle of roma: name it with heard device name bike-1 --tenant roma"
    lines = drawn(("id", "why"), (name, why), (name, "short"), room=60)
    assert max(map(len, lines)) <= 60
    assert sum(name in line for line in lines) == 2
    assert " ".join(" ".join(lines[1:]).replace(name, "").split()) == f"{why} short"


def test_empty_columns_give_their_room_to_others() -> None:
    heads = ("name", "battery", "where")
    assert "battery" in drawn(heads, ("bike", "", "60.1"))[0]
    assert drawn(heads, ("b" * 20, "", "60.17000,24.95000"), room=40)[0].split() == [
        "name",
        "where",
    ]


def test_what_finds_no_room_is_one_line_of_the_terminal_all_the_same() -> None:
    lines = drawn(("id", "topic", "why"), ("i" * 36, "t" * 40, "two words"), room=40)
    assert lines[-1] == f"{'i' * 36} {'t' * 40} two words"


def test_programs_get_whole_moments_and_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("at", "", "why"), [(NOW, None, "two words")], empty="")
    told = capsys.readouterr().out.splitlines()
    assert told == ["at\t\twhy", f"{NOW.astimezone():%Y-%m-%d %H:%M:%S}\t\ttwo words"]
