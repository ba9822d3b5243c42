"""What commands print: tables for people, JSON for machines, plain text when piped."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import click
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_GAP: Final = 2
_TEXT: Final = 20
"""A text of several words is folded to no less than this: narrower, nobody reads it."""
_DAY: Final = 6
"""A moment of another day may have its day above its hour: ``21 Nov``."""
_LONG_AGO: Final = timedelta(days=180)
"""Farther away, a moment is told with its year."""


def say(text: str) -> None:
    """Print a line of the answer."""
    click.echo(text)


def note(text: str) -> None:
    """Print a remark, on standard error: the answer stays clean."""
    click.echo(text, err=True)


def show_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def json_line(value: Any) -> None:
    """Print one JSON document on one line, at once."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_plain))
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def show_table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table; tabs between plain cells where it is piped into something.

    Args:
        heads: the columns' names, in lower case.
        rows: their cells; None is nothing, and a moment is told as short as it can be to people.
        empty: what to say on standard error when there are no rows.
    """
    found = [list(row) for row in rows]
    if not found:
        note(empty)
        return
    if not sys.stdout.isatty():
        for cells in (list(heads), *([_cell(each) for each in row] for row in found)):
            click.echo("\t".join(cells))
        return
    now, room = datetime.now(UTC), Console().width
    head_lines, lines = table_within(heads, found, now, room=room)
    # What cannot be narrower goes on in the terminal's next line, and is still one line to copy.
    for line in head_lines:
        click.secho(line, bold=True)
    for line in lines:
        click.echo(line)


def table_within(
    heads: Sequence[str], rows: Sequence[Sequence[object]], now: datetime, *, room: int
) -> tuple[list[str], list[str]]:
    """The lines of a table's heads, and of its rows, in so many cells, as far as they find room.

    Names, numbers and times of day are never broken, for they are there to be copied and
    compared. Where there is no room, heads fold, empty columns go, texts of several words fold
    between their words, the longest first, and moments between day and hour. What finds none
    then is as wide as it is.
    """
    cells = [[_cell(each, now) for each in row] for row in rows]
    columns = [
        _Column.of(
            head,
            [row[i] for row in cells],
            moments=any(isinstance(row[i], datetime) for row in rows),
        )
        for i, head in enumerate(heads)
    ]
    shown = list(range(len(columns)))
    widths, gap = [each.whole for each in columns], _GAP

    def wide() -> int:
        return sum(widths[i] for i in shown) + gap * (len(shown) - 1)

    if wide() > room:
        widths = [each.natural for each in columns]
    if wide() > room:
        shown = [i for i, each in enumerate(columns) if not each.empty]
    if wide() > room:
        saved = sum(columns[i].natural - columns[i].least for i in shown)
        gap = _GAP if wide() - saved <= room else 1
        while wide() > room >= wide() - saved:
            widest = max(shown, key=lambda i: (widths[i] > columns[i].least, widths[i]))
            widths[widest] -= 1
            saved -= 1

    def lines(row: Sequence[str]) -> list[str]:
        parts = [_folded(row[i], widths[i]) for i in shown]
        padded = [[f"{line}{' ' * (widths[i] - cell_len(line))}" for line in part]
                  for i, part in zip(shown, parts, strict=True)]  # fmt: skip
        blank = [" " * widths[i] for i in shown]
        return [
            (" " * gap)
            .join(
                part[line] if line < len(part) else none
                for part, none in zip(padded, blank, strict=True)
            )
            .rstrip()
            for line in range(max(map(len, padded)))
        ]

    return lines(heads), [line for row in cells for line in lines(row)]


def _folded(text: str, width: int) -> list[str]:
    """A text in lines of at most so many cells, folded between words."""
    if cell_len(text) <= width and "\n" not in text:
        return [text]
    return [line.plain.rstrip() for line in Text(text).wrap(Console(), max(1, width))]


class _Column(NamedTuple):
    """How wide a column may be.

    Attributes:
        whole: with its head on one line.
        natural: with its cells on one line, and its head's words below each other.
        least: with its cells folded, where they may be.
        empty: it has nothing in any row.
    """

    whole: int
    natural: int
    least: int
    empty: bool

    @classmethod
    def of(cls, head: str, cells: Sequence[str], *, moments: bool) -> _Column:
        """As its cells have it."""
        lines = [line for cell in cells for line in cell.splitlines()]
        longest = max(map(cell_len, lines), default=0)
        word = max((cell_len(word) for each in (*lines, head) for word in each.split()), default=0)
        natural = max(longest, *map(cell_len, head.split()), 0)
        least = max(word, min(natural, _DAY if moments else _TEXT))
        return cls(max(longest, cell_len(head)), natural, least, not any(cells))


def _cell(value: object, now: datetime | None = None) -> str:
    """What stands in a cell; a moment in full, or as short as it can be seen from now."""
    if value is None:
        return ""
    if not isinstance(value, datetime):
        return str(value)
    if now is None:
        return when(value)
    local = value.astimezone()
    if local.date() == now.astimezone().date():
        return f"{local:%H:%M}"
    if abs(value - now) < _LONG_AGO:
        return f"{local:%d %b %H:%M}"
    return f"{local:%Y-%m-%d %H:%M}"


def when(moment: datetime | None) -> str:
    """A moment for people, in this machine's zone."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def after(began: datetime, ended: datetime | None) -> str:
    """How long something took, for people."""
    if ended is None:
        return ""
    seconds = (ended - began).total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else age(seconds)


def counted(number: int, one: str, many: str | None = None) -> str:
    """So many of something: ``1 ticket``, ``2 tickets``, ``1 dish``, ``2 dishes``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def age(seconds: float) -> str:
    """A span of time for people: ``42s``, ``3:05``, ``2h 10``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}"


def emit(value: Any, *, as_json: bool, plain: Callable[[], None]) -> None:
    """Print a value as JSON, or as `plain` does it."""
    if as_json:
        show_json(value)
    else:
        plain()
