"""`heard stock count`: take a count in, and say what came of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cli.application import Application, pass_application
from cli.commands.stock_moves import stock_options
from cli.failures import Failure
from cli.grammar import Command
from cli.house_clock import on_screen, zone_of_house
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import show_json, show_table
from cli.stock_asking import at_the_shelf, show_count
from cli.stock_words import COUNTED, Said
from cli.times import MOMENT
from schemas.inventory import BaseUnit, MovementKind
from schemas.inventory_requests import CountedLine
from services.inventory.explaining import Explained, explain
from services.inventory.reading import levels
from services.inventory.units import text
from services.runtime.database import Database
from services.runtime.moment import system_clock

_WORDS: dict[MovementKind, str] = {
    MovementKind.RECEIVE: "received",
    MovementKind.CONSUME: "cooked",
    MovementKind.WASTE: "wasted",
    MovementKind.DISCARD: "discarded",
    MovementKind.COUNT: "counted elsewhere",
    MovementKind.TRANSFER: "carried",
    MovementKind.RETURN: "sent back",
}


@click.command(cls=Command)
@click.argument("name", type=NAME, metavar="COUNT")
@click.argument("lines", type=COUNTED, nargs=-1, metavar="[ITEM=QUANTITY[,place=PLACE]]...")
@click.option("--place", type=NAME, metavar="NAME", help="Where; without, each item's own place.")
@click.option(
    "--at", type=MOMENT, metavar="WHEN", help="When somebody looked: '2024-05-01 23:10', or 2h."
)
@click.option("--note", default="", metavar="TEXT", help="Whatever else there is to say.")
@click.option("--explain", "explains", is_flag=True, help="Say what a count found, and why.")
@stock_options
@pass_application
def count(
    app: Application,
    *,
    name: str,
    lines: tuple[Said, ...],
    place: str | None,
    at: datetime | None,
    note: str,
    explains: bool,
    person: str | None,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Say what was found on the shelves; what the books have is not told, so that nobody copies.

    COUNT is any name, the same for all who count together. Count what is set aside as damaged
    too: it is on hand still. A count may come hours later (--at): what has moved since stays
    moved. With --explain it says of each shelf what was found, what the books had, and what had
    moved since the count before it.

    Examples:
      heard stock count 2026-11-21-night flour=12.5kg egg=84 milk=0 --tenant roma --person ada
      heard stock count 2026-11-21-night flour=30kg,place=cellar --tenant roma --at 2h
      heard stock count 2026-11-21-night --explain --tenant roma
    """
    if explains:
        if lines:
            raise click.UsageError("--explain tells of a count; it takes no lines")
        if tenant is None:
            raise click.UsageError("--explain looks into the books: say whose with --tenant")
        _explain(app, tenant, name, as_json=as_json)
        return
    if not lines:
        raise click.UsageError("nothing was counted: write ITEM=QUANTITY, as flour=12.5kg")
    found = [
        CountedLine(
            item=each.item,
            quantity=each.quantity,
            place=each.more.get("place", place),
            at=at,
        )
        for each in lines
    ]
    with at_the_shelf(app, tenant, credentials, patience, as_manager=as_manager) as ask:
        receipt = ask(lambda it: it.count_stock(name, found, note=note, person=person))
        show_count(receipt, name, len(found), as_json=as_json)


def _explain(app: Application, tenant: str, name: str, *, as_json: bool) -> None:
    async def read(database: Database) -> tuple[list[Explained], dict[str, BaseUnit]]:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            found = await explain(connection, tenant, name)
            items = sorted({each.now.item for each in found})
            kept = await levels(connection, tenant, system_clock(), items=items)
            return found, {each.item.item: each.item.unit for each in kept}

    found, units = app.run(read)
    if not found:
        raise Failure(
            f"{tenant} has no count {name}: heard stock ledger ITEM --kind count --tenant {tenant}"
        )
    if as_json:
        show_json([_document(each) for each in found])
        return
    now, zone = system_clock(), zone_of_house(app, tenant)

    def row(each: Explained) -> Sequence[str]:
        unit = units.get(each.now.item, BaseUnit.EACH)
        before = "nothing"
        if each.before is not None:
            before = f"{text(each.before.found, unit)} at {on_screen(each.before.at, now, zone)}"
        difference = "superseded" if each.now.superseded else _signed(each.now.difference, unit)
        return (
            each.now.item,
            each.now.place,
            on_screen(each.now.at, now, zone),
            text(each.now.found, unit),
            text(each.now.expected, unit),
            difference,
            before,
            ", ".join(
                f"{_WORDS.get(kind, kind.value)} {_signed(change, unit)}"
                for kind, change in sorted(each.moved.items())
            ),
        )

    show_table(
        ("item", "where", "seen", "found", "books had", "difference", "before", "moved since"),
        (row(each) for each in found),
        empty="nothing was counted",
    )


def _signed(amount: int, unit: BaseUnit) -> str:
    return f"+{text(amount, unit)}" if amount > 0 else text(amount, unit)


def _document(each: Explained) -> dict[str, Any]:
    now, before = each.now, each.before
    return {
        "item": now.item,
        "place": now.place,
        "at": now.at,
        "kept_at": now.kept_at,
        "found": now.found,
        "expected": now.expected,
        "difference": now.difference,
        "superseded": now.superseded,
        "device": now.device,
        "person": now.person,
        "before": None if before is None else {"found": before.found, "at": before.at},
        "moved": {kind.value: change for kind, change in sorted(each.moved.items())},
    }
