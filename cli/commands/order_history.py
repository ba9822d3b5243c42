"""`heard order history`: what happened to an order, and to all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import click
from rich.console import Console
from rich.status import Status

from cli.application import Application, pass_application
from cli.grammar import Command, json_option, tenant_option
from cli.history_export import FORMATS, document
from cli.journal_text import by, moved
from cli.ordering import find_order, the_order
from cli.printing import counted, note, show_json, show_table, when
from cli.times import MOMENT
from cli.whole_file import writing
from schemas.orders import Order
from services.orders import history as journal
from services.orders.history import Written
from services.orders.journal import Entry
from services.people import store
from services.people.store import Unknown
from services.runtime.database import Database
from services.runtime.house_rules import no_such_house


@click.command(cls=Command)
@click.argument("name", metavar="[ORDER]", required=False)
@tenant_option
@click.option("--export", "form", type=click.Choice(sorted(FORMATS)), help="As a file.")
@click.option("--since", type=MOMENT, metavar="WHEN", help="Then or later: 24h, 2024-05-01.")
@click.option("--until", type=MOMENT, metavar="WHEN", help="Before then.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it; it stands there once it is whole.",
)
@json_option
@pass_application
def history(
    app: Application,
    *,
    name: str | None,
    tenant: str,
    form: str | None,
    since: datetime | None,
    until: datetime | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show every change of an order: who, when, why, and which money moved.

    With --export every change of all orders, oldest first: one row a change, with the columns
    at, order_id, number, version, change, status, device, person, request_id, why, rules,
    lines, payment_id, currency, guest_minor, cash_minor, provider_minor, sales_minor,
    tax_minor, tips_minor and refunds_minor. Amounts are minor units; the accounts of a row
    sum to zero. In CSV its rules are parted by " | " and its lines by spaces; in JSON lines
    they are lists.

    Examples:
      heard order history A1B2 --tenant demo
      heard order history --tenant demo --export csv --since 2024-05-01 --out may.csv
      heard order history --tenant demo --export jsonl --since 24h | jq .change
    """
    if form is not None:
        order_id = None if name is None else the_order(app, tenant, name).order_id
        count = _export(app, _Wanted(tenant, form, since, until, order_id), out)
        note(f"{counted(count, 'change')} written" + (f" to {out}" if out is not None else ""))
        return
    if name is None:
        raise click.UsageError("name an order, or export all of them: --export csv")
    if out is not None or since is not None or until is not None:
        raise click.UsageError("--out, --since and --until belong to --export")
    order, entries = _read(app, tenant, name)
    if as_json:
        show_json([document(Written(each, order.number, order.currency)) for each in entries])
        return
    show_table(
        ("version", "at", "what", "status", "by", "why", "money"),
        (
            (
                each.version,
                when(each.at),
                each.change.value,
                each.status,
                by(each),
                each.why,
                moved(each.posting, order.currency),
            )
            for each in entries
        ),
        empty="nothing happened to it",
    )


def _read(app: Application, tenant: str, name: str) -> tuple[Order, list[Entry]]:
    async def read(database: Database) -> tuple[Order, list[Entry]]:
        async with database.read() as connection:
            order = await find_order(connection, tenant, name)
            return order, await journal.of_order(connection, tenant, order.order_id)

    return app.run(read)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is exported."""

    tenant: str
    form: str
    since: datetime | None
    until: datetime | None
    order_id: UUID | None


def _export(app: Application, wanted: _Wanted, out: Path | None) -> int:
    head, line = FORMATS[wanted.form]

    async def write(database: Database) -> int:
        written = 0
        async with database.read() as connection:
            if await store.find_tenant(connection, wanted.tenant) is None:
                raise Unknown(no_such_house(wanted.tenant))
            with writing(out) as file, _progress() as told:
                file.write(head())
                async for page in journal.of_tenant(
                    connection,
                    wanted.tenant,
                    since=wanted.since,
                    until=wanted.until,
                    order_id=wanted.order_id,
                ):
                    file.writelines(line(each) for each in page)
                    written += len(page)
                    told(written)
        return written

    return app.run(write)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """How far it is, for whoever watches; nothing where nobody does."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda _count: None
        return
    status = Status("reading the journal", console=Console(stderr=True))
    with status:
        yield lambda count: status.update(f"{count:,} changes")


COMMANDS: Final = (history,)
