"""`heard menu`: what can be ordered."""

from __future__ import annotations

from pathlib import Path

import click

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import counted, note, say, show_json, show_table
from schemas.menu import MenuItem
from schemas.money import to_text
from services.menu import serving
from services.menu.comparing import Changed, choices, difference
from services.menu.handlers import put_menu
from services.menu.importing import Unreadable, read_menu
from services.menu.store import menu_of
from services.people import store
from services.people.store import Unknown
from services.runtime.database import Database
from services.runtime.house_rules import no_such_house
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
    currency, available, tax (one of the house's taxes), allergens (gluten|milk), and for
    the kitchen components (2 patty|bun; in YAML also {patty: 2, bun: 1}), prep_s (how many
    seconds one takes) and course; hours says when it can be had, by the house's own clock
    (mon-fri 07:00-11:00|sat 08:00-12:00, in YAML also {days: [mon, tue], since: "07:00", until:
    "11:00"}; no days are every day, and a span may run over midnight). A price is a decimal in
    the tenant's currency. In YAML an item may have groups of modifiers to choose from: group,
    name, least, most, modifiers;
    each modifier has modifier, name, price, allergens, removes (what is not in it any
    more), components (what comes on top) and may have groups again.

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
                raise Unknown(no_such_house(tenant))
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
    say(f"{counted(len(changed), 'item')} {'would change' if dry_run else 'changed'}")


@menu.command()
@click.argument("item", required=False, type=NAME)
@tenant_option
@json_option
@pass_application
def show(app: Application, *, item: str | None, tenant: str, as_json: bool) -> None:
    """Show a menu, or one ITEM with all that may be chosen with it.

    Examples:
      heard menu show --tenant roma
      heard menu show burger --tenant roma
      heard menu show --tenant roma --json
    """

    async def read(database: Database) -> list[MenuItem]:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            return list(await menu_of(connection, tenant))

    items = app.run(read)
    if item is not None:
        items = [each for each in items if each.item == item]
        if not items:
            raise Failure(f"there is no {item} on the menu: heard menu show --tenant {tenant}")
    if as_json:
        show_json([each.model_dump(mode="json") for each in items])
        return
    if item is not None:
        _show_item(items[0])
        return
    show_table(
        ("item", "name", "category", "station", "price", "", "tax", "allergens", "choices"),
        (
            (
                each.item,
                each.name,
                each.category,
                each.station,
                to_text(each.price_minor, each.currency),
                "" if each.available else "not available",
                each.tax,
                ", ".join(each.allergens),
                ", ".join(group.group for group in each.groups),
            )
            for each in items
        ),
        empty=f"{tenant} has no menu yet: heard menu import FILE --tenant {tenant}",
    )


def _show_item(item: MenuItem) -> None:
    sold_out = "" if item.available else ", not available"
    say(f"{item.name}: {to_text(item.price_minor, item.currency)}, {item.station}{sold_out}")
    if item.tax is not None:
        say(f"  tax: {item.tax}")
    if item.allergens:
        say(f"  contains: {', '.join(item.allergens)}")
    if item.components:
        made_of = ", ".join(f"{each.quantity} {each.component}" for each in item.components)
        say(f"  made of: {made_of}")
    if item.prep_s is not None:
        say(f"  takes: {item.prep_s} s")
    if item.course > 1:
        say(f"  course: {item.course}")
    if item.hours:
        say(f"  served: {serving.shown(item.hours)}")
    for line in choices(item.groups, item.currency, "  "):
        say(line)
