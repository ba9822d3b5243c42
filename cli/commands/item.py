"""`heard item`: what of the menu can be had now; 86, and back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.house_clock import on_screen, zone_of_house
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import say, show_json, show_table
from cli.span import SPAN
from cli.tickets import in_the_kitchen, kitchen_options, show_result
from cli.times import coming
from schemas.text import MAX_REMARK
from services.menu.reading import HadNow, had_now
from services.runtime.database import Database
from services.runtime.moment import system_clock

_modifier = click.option(
    "--modifier", is_flag=True, help="It is a modifier, with whatever it may be chosen."
)
_person = click.option("--person", type=NAME, metavar="NAME", help="Who says so.")


@click.group(cls=Group)
def item() -> None:
    """Take items off the menu for a while, and see what is left of them."""


@item.command("86")
@click.argument("name", metavar="ITEM", type=NAME)
@kitchen_options
@click.option("--why", required=True, metavar="TEXT", help="Why; whoever orders is told.")
@click.option("--until", metavar="WHEN", help="Until 19:30 by the house's clock, or a date.")
@click.option("--for", "for_s", type=SPAN, metavar="SPAN", help="So long; else until restored.")
@_modifier
@_person
@pass_application
def sell_out(
    app: Application,
    *,
    name: str,
    why: str,
    until: str | None,
    for_s: float | None,
    modifier: bool,
    person: str | None,
    tenant: str | None,
    credentials: Path | None,
    as_manager: bool,
    patience: float,
    as_json: bool,
) -> None:
    """86: ITEM cannot be ordered, on every till at once, until a time or until it is restored.

    Examples:
      heard item 86 soup --tenant roma --why "it is burnt"
      heard item 86 soup --tenant roma --why "on the stove" --for 40m
      heard item 86 pepper-sauce --modifier --tenant roma --why "none made" --until 18:00
    """
    if not why.strip() or len(why) > MAX_REMARK:
        raise click.BadParameter(f"say why, in up to {MAX_REMARK} letters", param_hint="--why")
    if until is not None and for_s is not None:
        raise click.UsageError("--until or --for: one of the two")
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        # A display elsewhere has no database: there its machine's clock has to do.
        zone = zone_of_house(app, asker.tenant) if credentials is None else None
        back_at = _back_at(until, for_s, zone)
        receipt = asker.ask(
            lambda hand: hand.sell_out(name, why, until=back_at, modifier=modifier, person=person)
        )
        show_result(receipt, name, as_json=as_json, zone=zone)


@item.command()
@click.argument("name", metavar="ITEM", type=NAME)
@kitchen_options
@_modifier
@_person
@pass_application
def restore(
    app: Application,
    *,
    name: str,
    modifier: bool,
    person: str | None,
    tenant: str | None,
    credentials: Path | None,
    as_manager: bool,
    patience: float,
    as_json: bool,
) -> None:
    """Put ITEM back that somebody took off; the stock and its hours may still keep it away.

    Examples:
      heard item restore soup --tenant roma
      heard item restore pepper-sauce --modifier --tenant roma
    """
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        zone = zone_of_house(app, asker.tenant) if credentials is None else None
        receipt = asker.ask(lambda hand: hand.restore(name, modifier=modifier, person=person))
        show_result(receipt, name, as_json=as_json, zone=zone)


@item.command()
@click.argument("name", metavar="[ITEM]", required=False, type=NAME)
@tenant_option
@click.option("--all", "everything", is_flag=True, help="What can be had as usual, too.")
@json_option
@pass_application
def show(
    app: Application, *, name: str | None, tenant: str, everything: bool, as_json: bool
) -> None:
    """Show what cannot be had now, why, and of what only a few are left; or one ITEM.

    Examples:
      heard item show --tenant roma
      heard item show soup --tenant roma
      heard item show --tenant roma --all --json
    """
    now = system_clock()

    async def read(database: Database) -> list[HadNow]:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            return await had_now(connection, tenant, now)

    found = app.run(read)
    if name is not None:
        found = [each for each in found if each.item == name]
        if not found:
            raise Failure(f"there is no {name} on the menu: heard menu show --tenant {tenant}")
    elif not everything:
        found = [each for each in found if not each.is_usual]
    if as_json:
        show_json([asdict(each) for each in found])
        return
    zone = zone_of_house(app, tenant)
    show_table(
        ("item", "", "left", "why", "back", "by", "without"),
        (
            (
                each.item + (" (modifier)" if each.modifier else ""),
                "can be had" if each.available else "sold out",
                each.left,
                each.why,
                "" if each.back_at is None else on_screen(each.back_at, now, zone),
                each.by,
                ", ".join(each.sold_out),
            )
            for each in found
        ),
        empty="everything on the menu can be had, and nothing is scarce",
    )
    if found and name is None and not everything:
        say("what is not listed can be had as usual")


def _back_at(until: str | None, for_s: float | None, zone: ZoneInfo | None) -> datetime | None:
    """When it comes back; a time of day that is over is tomorrow's."""
    now = system_clock()
    if for_s is not None:
        return now + timedelta(seconds=for_s)
    if until is None:
        return None
    if zone is None:
        text = "from elsewhere the house's clock is not known: say how long, as --for 40m"
        raise click.BadParameter(text, param_hint="--until")
    try:
        return coming(until, zone, now)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--until") from None
