"""What commands print: tables for people, JSON for machines, plain text when piped."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table


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
        heads: the columns' names.
        rows: their cells; None is nothing.
        empty: what to say on standard error when there are no rows.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells:
        note(empty)
        return
    if not sys.stdout.isatty():
        for row in (list(heads), *cells):
            click.echo("\t".join(row))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in cells:
        table.add_row(*row)
    Console(markup=False).print(table)


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
