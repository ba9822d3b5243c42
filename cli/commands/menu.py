"""`heard menu`: what can be ordered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.printing import note, say, show_json, show_table
from schemas.money import to_text
from services.menu.handlers import put_menu
from services.menu.importing import Changed, Unreadable, difference, read_menu
from services.menu.store import menu_of
from services.people import store
from services.people.store import Unknown
from services.runtime.database import Database
from services.runtime.moment import system_clock

_KINDS = {".yaml": "yaml", ".yml": "yaml", ".csv": "csv"}


@click.group(cls=Group)
def menu() -> None:
    """Import and show menus."""


@menu.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
@click.option("--replace", is_flag=True, help="Take off the menu what is not in the file.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@json_option
@pass_application
def import_(
    app: Application, *, file: Path, tenant: str, replace: bool, dry_run: bool, as_json: bool
) -> None:
    """Put a file's items on the menu; every till knows within a second.

    The file is YAML (a list of items, or `items:` with a `currency:`) or CSV, with
    these names: item (without it, made of the name), name, category, station, price,
    currency, available. A price is a decimal in the tenant's currency.

    Examples:
      heard menu import menu.yaml --tenant roma
      heard menu import menu.csv --tenant roma --replace --dry-run
    """
    kind = _KINDS.get(file.suffix.lower())
    if kind is None:
        raise click.BadParameter(f"{file.name} is neither .yaml nor .csv", param_hint="FILE")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is no UTF-8 text: {error.reason} at byte {error.start}") from None

    async def put(database: Database) -> list[Changed]:
        async with database.write() as connection:
            known = await store.find_tenant(connection, tenant)
            if known is None:
                raise Unknown(f"there is no tenant {tenant}: heard tenant add {tenant}")
            items = read_menu(text, kind=kind, currency=known.currency)
            changed = difference(await menu_of(connection, tenant), items, replace=replace)
            if not dry_run:
                await put_menu(connection, tenant, items, system_clock(), replace=replace)
            return changed

    try:
        changed = app.run(put)
    except Unreadable as error:
        for complaint in error.complaints[:-1]:
            note(f"{file}: {complaint}")
        raise Failure(f"{file}: {error.complaints[-1]} (nothing was imported)") from None
    if as_json:
        show_json(
            {
                "tenant": tenant,
                "dry_run": dry_run,
                "changes": [{"item": each.item, "what": each.what} for each in changed],
            }
        )
        return
    for each in changed:
        say(f"{each.item}: {each.what}")
    say(f"{len(changed)} items {'would change' if dry_run else 'changed'}")


@menu.command()
@tenant_option
@json_option
@pass_application
def show(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show a menu.

    Examples:
      heard menu show --tenant roma
      heard menu show --tenant roma --json
    """

    async def read(database: Database) -> list[Any]:
        async with database.read() as connection:
            if await store.find_tenant(connection, tenant) is None:
                raise Unknown(f"there is no tenant {tenant}: heard tenant add {tenant}")
            return list(await menu_of(connection, tenant))

    items = app.run(read)
    if as_json:
        show_json([item.model_dump(mode="json") for item in items])
        return
    show_table(
        ("item", "name", "category", "station", "price", ""),
        (
            (
                item.item,
                item.name,
                item.category,
                item.station,
                to_text(item.price_minor, item.currency),
                "" if item.available else "not available",
            )
            for item in items
        ),
        empty=f"{tenant} has no menu yet: heard menu import FILE --tenant {tenant}",
    )
