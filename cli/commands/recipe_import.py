"""`heard recipe import` and `check`: files of items, recipes, modifiers and suppliers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from cli.application import Application, pass_application
from cli.book_files import files_argument, read_sources, refuse, the_tenant
from cli.grammar import Command, json_option, tenant_option
from cli.names import NAME
from cli.printing import counted, note, say, show_json
from schemas.menu import MenuItem
from services.inventory.book_files import Unreadable
from services.inventory.book_reading import read_book
from services.inventory.book_remarks import remarks
from services.inventory.importing import Judged, import_book, judge
from services.inventory.whole_book import WholeBook
from services.menu.store import menu_of
from services.runtime.database import Database

_EMPTY: Final = WholeBook({}, {}, {})


@click.command("import", cls=Command)
@files_argument
@tenant_option
@click.option("--replace", is_flag=True, help="Take off the book what is not in the files.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@json_option
@pass_application
def import_(
    app: Application,
    *,
    files: tuple[Path, ...],
    tenant: str,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put files of items, recipes, modifiers and suppliers into a house's book.

    All of the files, or none: whatever is wrong is told with file and line. The next order
    takes from the stock what the new recipes say.

    YAML has sections. items (name, unit g|ml|each, piece: what one weighs, litre: what a
    litre weighs, place, par, low, low_clear, critical, critical_clear, sells: how much is
    sold as it is, packs: supplier, holds, price, name), recipes (yields, parts with amount
    and waste), modifiers (parts, leaves_out) and suppliers (name, email, lead_days,
    delivery_days, minimum). CSV has one table a file; its columns tell which.
    docs/recipes.md shows all of it.

    Examples:
      heard recipe import kitchen.yaml --tenant roma
      heard recipe import items.csv recipes.csv suppliers.csv --tenant roma --replace --dry-run
    """
    sources = read_sources(files)

    async def put(database: Database) -> tuple[Judged, list[MenuItem]]:
        async with database.write() as connection:
            currency = (await the_tenant(connection, tenant)).currency
            menu = list(await menu_of(connection, tenant))
            written = read_book(sources, currency=currency)
            do = judge if dry_run else import_book
            dishes = {item.item for item in menu}
            return await do(connection, tenant, written, dishes=dishes, replace=replace), menu

    try:
        judged, menu = app.run(put)
    except Unreadable as error:
        raise refuse(error.complaints, "nothing was imported") from None
    if judged.wrong:
        raise refuse(judged.wrong, "nothing would be imported")
    changes, odd = judged.changes, list(remarks(judged.after, menu))
    if as_json:
        told = [asdict(each) for each in changes]
        show_json({"tenant": tenant, "dry_run": dry_run, "changes": told, "remarks": odd})
        return
    for each in changes:
        say(f"{each.kind} {each.name}: {each.what}")
    for remark in odd:
        note(f"remark: {remark}")
    how = "would change" if dry_run else "changed"
    say(f"{counted(len(changes), 'entry', 'entries')} of the book {how}")


@click.command(cls=Command)
@files_argument
@click.option("--tenant", type=NAME, metavar="TENANT", help="Check them with its book and menu.")
@click.option("--replace", is_flag=True, help="As if they were to replace the book.")
@json_option
@pass_application
def check(
    app: Application,
    *,
    files: tuple[Path, ...],
    tenant: str | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Say what is wrong with files of recipes, and what looks odd; nothing is imported.

    What is wrong keeps them from being imported: names that nobody knows, units that do not
    convert, recipes that contain themselves. What is odd is only remarked on: a dish with no
    recipe, an item that goes into nothing. Without a tenant the files stand for themselves.

    Examples:
      heard recipe check kitchen.yaml
      heard recipe check items.csv recipes.csv --tenant roma --json
    """
    sources = read_sources(files)

    async def look(database: Database) -> tuple[Judged, list[MenuItem]]:
        async with database.read() as connection:
            known = await the_tenant(connection, str(tenant))
            menu = list(await menu_of(connection, known.tenant))
            written = read_book(sources, currency=known.currency)
            dishes = {item.item for item in menu}
            judged = await judge(connection, known.tenant, written, dishes=dishes, replace=replace)
            return judged, menu

    if tenant is None:
        written = read_book(sources, currency=None)
        book = _EMPTY.with_files(written, (), replace=True)
        wrong = [*written.complaints, *book.wrong(written)]
        odd: list[str] = []
    else:
        judged, menu = app.run(look)
        wrong = list(judged.wrong)
        odd = [] if wrong else list(remarks(judged.after, menu))
    if as_json:
        show_json({"problems": wrong, "remarks": odd})
        if wrong:
            raise click.exceptions.Exit(1)
        return
    if wrong:
        raise refuse(wrong, f"{counted(len(wrong), 'problem')} in all")
    for remark in odd:
        say(f"remark: {remark}")
    say("they can be imported")
