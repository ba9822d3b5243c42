"""`heard station`: how a house's stations work, and whether they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.admission import actor
from cli.application import Application, pass_application
from cli.book_text import written_book
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.kitchen_book import (
    BookBroken,
    changed_station,
    differences,
    read_book,
    station_rows,
    without_station,
)
from cli.known_houses import must_be_there
from cli.known_stations import check_asked_station
from cli.names import NAME
from cli.printing import note, say, show_json, show_table
from cli.tickets import in_the_kitchen, kitchen_options, show_result
from schemas.kitchen_rules import KitchenRules
from services.kitchen.store import StationNow, heads
from services.runtime import audit, house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

dry_run_option: Final = click.option(
    "--dry-run", is_flag=True, help="Only see what would change, and whether it would do."
)


class Standing(NamedTuple):
    """The rules of a kitchen, and how its stations stand."""

    book: KitchenRules
    now: dict[str, StationNow]

    @property
    def names(self) -> list[str]:
        """Every station that is known."""
        return sorted({*self.book.stations, *self.now})


@click.group(cls=Group)
def station() -> None:
    """Say how a house's stations work, and close and open them."""


@station.command("list")
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """List the stations: how they work, what they have to do, and who shows it.

    Examples:
      heard station list --tenant roma
      heard station list --tenant roma --json
    """
    standing = app.run(lambda database: _standing(database, tenant))
    if as_json:
        show_json([_document(standing, name) for name in standing.names])
        return
    show_table(
        ("station", "kind", "group", "fallback", "hands", "late", "open", "work", "displays", ""),
        (_row(standing, name) for name in standing.names),
        empty=f"{tenant} has no station yet: a menu names them, or "
        f"heard station set NAME --tenant {tenant}",
    )


@station.command()
@click.argument("name", type=NAME)
@tenant_option
@json_option
@pass_application
def show(app: Application, *, name: str, tenant: str, as_json: bool) -> None:
    """Show how one station works, as `set` takes it, and how it stands.

    Examples:
      heard station show grill --tenant roma
    """
    standing = app.run(lambda database: _standing(database, tenant))
    if as_json:
        show_json(_document(standing, name))
        return
    now = standing.now.get(name)
    state = () if now is None else (("", f"{now.open} open, {_stands(now)}"),)
    rows = (*station_rows(standing.book.station(name)), *state)
    show_table(("rule", "value"), rows, empty="no rules")
    if name not in standing.names:
        note(f"nobody has said anything of {name}: so any station works")


@station.command("set")
@click.argument("name", type=NAME)
@click.argument("pairs", nargs=-1, metavar="NAME=VALUE...")
@tenant_option
@dry_run_option
@json_option
@pass_application
def set_(
    app: Application,
    *,
    name: str,
    pairs: tuple[str, ...],
    tenant: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Set a station up, or change how it works; the next order is cut by it, with no restart.

    What is not named stays as it is. Names: name (for people), kind (prep, expo), group
    (stations of one share their work), fallback (who stands in for it), hands, prep, warn and
    late (spans of time), merge (yes: screens show identical lines as one). Routes, courses,
    patience and the rest: heard station export, and import.

    Examples:
      heard station set grill --tenant roma hands=2 prep=6m warn=8m late=10m fallback=grill-2
      heard station set pass --tenant roma kind=expo
      heard station set grill --tenant roma fallback= --dry-run
    """
    book = change_book(
        app, tenant, lambda book: changed_station(book, name, pairs), name, dry_run=dry_run
    )
    if as_json:
        show_json(book.station(name).model_dump(mode="json"))
    else:
        show_table(("rule", "value"), station_rows(book.station(name)), empty="no rules")


@station.command()
@click.argument("name", type=NAME)
@tenant_option
@dry_run_option
@pass_application
def remove(app: Application, *, name: str, tenant: str, dry_run: bool) -> None:
    """Forget what was said of a station: it works as usual from then on.

    Examples:
      heard station remove grill-2 --tenant roma
    """
    change_book(app, tenant, lambda book: without_station(book, name), name, dry_run=dry_run)


@station.command()
@tenant_option
@json_option
@pass_application
def export(app: Application, *, tenant: str, as_json: bool) -> None:
    """Print all rules of a kitchen, each with what it is for, as YAML that `import` reads.

    What is as usual stands there too: so the file is whole, and a place to begin.

    Examples:
      heard station export --tenant roma > kitchen.yaml
    """
    book = app.run(lambda database: _standing(database, tenant)).book
    if as_json:
        show_json(book.model_dump(mode="json"))
    else:
        say(written_book(book).rstrip("\n"))


@station.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
@dry_run_option
@json_option
@pass_application
def import_(app: Application, *, file: Path, tenant: str, dry_run: bool, as_json: bool) -> None:
    """Put the rules of a file in the place of all those before.

    The file is YAML: stations, routes, courses, finish_together, recall_last, escalation,
    throttle, checks; docs/kitchen.md has one to begin with.

    Examples:
      heard station import kitchen.yaml --tenant roma --dry-run
      heard station import kitchen.yaml --tenant roma
    """
    try:
        wanted = read_book(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is no UTF-8 text: {error.reason} at byte {error.start}") from None
    except BookBroken as error:
        raise Failure(f"{file}: {error} (nothing was changed)") from None
    book = change_book(app, tenant, lambda _: wanted, None, dry_run=dry_run)
    if as_json:
        show_json(book.model_dump(mode="json"))


@station.command()
@click.argument("name", type=NAME)
@kitchen_options
@click.option("--why", metavar="TEXT", help="Why; it stands on the screens.")
@pass_application
def close(
    app: Application,
    *,
    name: str,
    why: str | None,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Let a station take nothing new: its fallback does. What it has it may finish.

    Examples:
      heard station close grill --tenant roma --why "the fan is broken"
    """
    check_asked_station(app, tenant, credentials, name)
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        receipt = asker.ask(lambda hand: hand.close_station(name, why))
        show_result(receipt, name, as_json=as_json)


@station.command("open")
@click.argument("name", type=NAME)
@kitchen_options
@pass_application
def open_(
    app: Application,
    *,
    name: str,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Let a closed station take orders again.

    Examples:
      heard station open grill --tenant roma
    """
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        receipt = asker.ask(lambda hand: hand.open_station(name))
        show_result(receipt, name, as_json=as_json)


def change_book(
    app: Application,
    tenant: str,
    change: Callable[[KitchenRules], KitchenRules],
    station: str | None,
    *,
    dry_run: bool,
) -> KitchenRules:
    """Change a house's rules in one transaction, with an entry in the audit; says what is new.

    Raises:
        Failure: they would not do, and nothing was changed.
    """

    async def write(database: Database) -> tuple[KitchenRules, dict[str, str]]:
        async with database.write() as connection:
            before = await _book(connection, tenant)
            after = change(before)
            news = differences(before, after)
            if news and not dry_run:
                await house_rules.write(connection, tenant, kitchen=after)
                await audit.record(
                    connection,
                    tenant=tenant,
                    actor=actor(),
                    action="kitchen.set",
                    subject=tenant if station is None else f"{tenant}/{station}",
                    now=system_clock(),
                    **news,
                )
            return after, news

    try:
        after, news = app.run(write)
    except BookBroken as error:
        raise Failure(f"{error} (nothing was changed)") from None
    for name, value in news.items():
        note(f"{name}: {value or 'gone'}")
    if dry_run:
        note("it would do; nothing was changed")
    elif not news:
        note("it is so already")
    return after


async def _standing(database: Database, tenant: str) -> Standing:
    async with database.read() as connection:
        book = await _book(connection, tenant)
        return Standing(book, {now.station: now for _, now in await heads(connection, tenant)})


async def _book(connection: AsyncConnection, tenant: str) -> KitchenRules:
    await must_be_there(connection, tenant)
    return (await house_rules.read(connection, tenant)).kitchen


def _document(standing: Standing, name: str) -> dict[str, Any]:
    now = standing.now.get(name, StationNow(name))
    return {
        "station": name,
        "rules": standing.book.station(name).model_dump(mode="json"),
        "open": now.open,
        "work_s": now.work_s,
        "sequence": now.sequence,
        "closed": now.closed,
        "displays": sorted(now.displays),
    }


def _row(standing: Standing, name: str) -> Sequence[object]:
    rules = standing.book.station(name)
    now = standing.now.get(name, StationNow(name))
    return (
        name,
        rules.kind.value,
        rules.group,
        rules.fallback,
        rules.hands,
        f"{rules.late_s}s",
        now.open,
        f"{now.work_s // 60} min",
        ", ".join(sorted(now.displays)) or "none",
        _stands(now) if now.closed else "",
    )


def _stands(now: StationNow) -> str:
    return "takes orders" if now.closed is None else f"closed: {now.closed}"
