"""`heard kitchen quality`: what is checked, whether it was right, and the log of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from cli.application import Application, pass_application
from cli.check_book import changed_check, check_rows, without_check
from cli.check_log import csv_head, csv_line, result
from cli.commands.station import change_book, dry_run_option
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import counted, note, show_json, show_table, when
from cli.tickets import in_the_kitchen, kitchen_options, show_result
from cli.times import MOMENT
from cli.whole_file import writing
from schemas.kitchen import Ticket
from schemas.kitchen_rules import CheckRules, KitchenRules
from schemas.quality import Finding
from services.quality import rules, store
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock


def _has_food_of(app: Application, tenant: str, check: str) -> Callable[[Ticket], bool]:
    """Whether a check without a station is meant of a ticket: one with what is checked.

    An expo's has plates alone, and makes nothing.
    """

    async def read(database: Database) -> CheckRules | None:
        async with database.read() as connection:
            return (await house_rules.read(connection, tenant)).kitchen.checks.get(check)

    rule = app.run(read)
    items = frozenset(() if rule is None else rule.items)

    def fits(ticket: Ticket) -> bool:
        has = not items or any(line.item in items for line in ticket.lines)
        return has and not ticket.plates

    return fits


@click.group(cls=Group)
def quality() -> None:
    """Say what is checked, record it, and hand an inspector the log."""


# -- what is checked --------------------------------------------------------------------------


@quality.command()
@tenant_option
@json_option
@pass_application
def checks(app: Application, *, tenant: str, as_json: bool) -> None:
    """List what this house checks: with what food, or every so often, and when it is due.

    Examples:
      heard kitchen quality checks --tenant roma
      heard kitchen quality checks --tenant roma --json
    """

    async def read(database: Database) -> tuple[KitchenRules, dict[tuple[str, str], datetime]]:
        made = {}
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            book = (await house_rules.read(connection, tenant)).kitchen
            for name, check in book.checks.items():
                for station in check.stations if check.every_s is not None else ():
                    last = await store.last_at(connection, tenant, name, station)
                    if last is not None:
                        made[name, station] = last
        return book, made

    book, made = app.run(read)
    if as_json:
        show_json(
            [
                {
                    "check": name,
                    "rules": check.model_dump(mode="json"),
                    "limits": rules.limits(check),
                    "last": {at: last for (of, at), last in made.items() if of == name},
                }
                for name, check in book.checks.items()
            ]
        )
        return
    show_table(
        ("check", "limits", "with", "at", "every", "blocks", "due"),
        (row for name, check in book.checks.items() for row in _rows(name, check, made)),
        empty=f"nothing is checked: heard kitchen quality set NAME kind=… --tenant {tenant}",
    )


def _rows(
    name: str, check: CheckRules, made: dict[tuple[str, str], datetime]
) -> Iterator[tuple[object, ...]]:
    told = (name, rules.limits(check), ", ".join(check.items))
    if check.every_s is None:
        yield (*told, ", ".join(check.stations), None, "yes" if check.blocks else None, None)
        return
    for station in check.stations:
        due = rules.due_at(check, made.get((name, station)))
        late = due is None or due <= system_clock()
        how = "never made" if due is None else when(due)
        every = timedelta(seconds=check.every_s)
        yield (*told, station, every, None, f"{how}{' OVERDUE' if late else ''}")


@quality.command("set")
@click.argument("name", type=NAME)
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE...")
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
    """Set up a check, or change it; it holds from the next ticket on, with no restart.

    What is not named stays as it is; what is empty is taken away. Names: name (for people),
    kind (temperature, yes-no, photo), items and stations (parted by commas), every (a span of
    time: by the clock, at its stations; without it, with each of its items), least and most
    (degrees Celsius), blocks (yes: such food cannot be bumped before it has passed).

    Examples:
      heard kitchen quality set core --tenant roma kind=temperature items=burger least=75 blocks=yes
      heard kitchen quality set fridge --tenant roma kind=temperature stations=cold every=4h most=5
      heard kitchen quality set fridge --tenant roma every=2h --dry-run
    """
    book = change_book(
        app, tenant, lambda book: changed_check(book, name, pairs), name, dry_run=dry_run
    )
    if as_json:
        show_json(book.checks[name].model_dump(mode="json"))
    else:
        show_table(("rule", "value"), check_rows(book.checks[name]), empty="no rules")


@quality.command()
@click.argument("name", type=NAME)
@tenant_option
@dry_run_option
@pass_application
def remove(app: Application, *, name: str, tenant: str, dry_run: bool) -> None:
    """Check something no more; what was found stays in the log.

    Examples:
      heard kitchen quality remove fridge --tenant roma
    """
    change_book(app, tenant, lambda book: without_check(book, name), name, dry_run=dry_run)


# -- what was found ---------------------------------------------------------------------------


@quality.command()
@click.argument("check", type=NAME)
@click.option("--order", metavar="ORDER", help="The order whose ticket it is, or a ticket's id.")
@click.option("--station", type=NAME, metavar="NAME", help="Where, if that is not clear.")
@click.option("--celsius", type=float, metavar="DEGREES", help="What was measured.")
@click.option("--yes/--no", "yes", default=None, help="What was seen.")
@click.option("--photo", metavar="TEXT", help="Where the picture is.")
@click.option("--note", "remark", default="", metavar="TEXT", help="Whatever else there is to say.")
@click.option("--person", type=NAME, metavar="NAME", help="Who has checked.")
@kitchen_options
@pass_application
def record(
    app: Application,
    *,
    check: str,
    order: str | None,
    station: str | None,
    celsius: float | None,
    yes: bool | None,
    photo: str | None,
    remark: str,
    person: str | None,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Record a check. It is kept for ever; one that fails tells the managers.

    Examples:
      heard kitchen quality record core --tenant roma --order A1B2 --celsius 76.5 --person ada
      heard kitchen quality record fridge --tenant roma --station cold --celsius 3.8
      heard kitchen quality record clean --tenant roma --yes --photo nas/2024-05-01/17.jpg
    """
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        ticket_id = None
        if order is not None:
            fits = _has_food_of(app, asker.tenant, check)
            ticket_id = asker.ticket(order, station, None, fits).ticket_id
        receipt = asker.ask(
            lambda device: device.record_check(
                check,
                ticket_id=ticket_id,
                station=station,
                celsius=celsius,
                yes=yes,
                photo=photo,
                note=remark,
                person=person,
            )
        )
        show_result(receipt, check, as_json=as_json)


@quality.command()
@click.argument("check", type=NAME)
@click.argument("order")
@click.option("--station", type=NAME, metavar="NAME", help="Whose ticket, where several have one.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the log.")
@click.option("--person", type=NAME, metavar="NAME", help="Which manager.")
@kitchen_options
@pass_application
def waive(
    app: Application,
    *,
    check: str,
    order: str,
    station: str | None,
    reason: str,
    person: str | None,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Let a ticket go without a check, as a manager may; the log says so.

    Examples:
      heard kitchen quality waive core A1B2 --tenant roma --as-manager --reason "probe broken"
    """
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        ticket = asker.ticket(order, station, None, _has_food_of(app, asker.tenant, check))
        receipt = asker.ask(
            lambda device: device.waive_check(check, ticket.ticket_id, reason, person=person)
        )
        show_result(receipt, check, as_json=as_json)


@quality.command()
@tenant_option
@click.option("--check", type=NAME, metavar="NAME", help="Only this one.")
@click.option("--from", "since", type=MOMENT, metavar="WHEN", help="Then or later: 2024-05-01.")
@click.option("--to", "until", type=MOMENT, metavar="WHEN", help="Before then.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, for an inspector.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write the CSV; it stands there once it is whole.",
)
@json_option
@pass_application
def log(
    app: Application,
    *,
    tenant: str,
    check: str | None,
    since: datetime | None,
    until: datetime | None,
    as_csv: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show every check that was made, failed ones and waived ones too, the oldest first.

    The CSV has the columns at, check, kind, result, celsius, yes, photo, limits, station,
    order_number, item, note, person, device, ticket_id and finding_id; times are UTC, and
    limits are those of the moment.

    Examples:
      heard kitchen quality log --tenant roma --from 24h
      heard kitchen quality log --tenant roma --from 2024-05-01 --to 2024-06-01 --csv --out may.csv
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    if out is not None and not as_csv:
        raise click.UsageError("--out belongs to --csv")
    wanted = {"since": since, "until": until, "check": check}
    if as_csv:
        written = app.run(lambda database: _export(database, tenant, out, wanted))
        where = f" to {out}" if out is not None else ""
        note(f"{counted(written, 'check')} written{where}")
        return
    found = app.run(lambda database: _found(database, tenant, wanted))
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    show_table(
        ("at", "check", "result", "found", "asked for", "at", "order", "by", "note"),
        (
            (
                when(each.at),
                each.check,
                result(each),
                _said(each),
                each.limits,
                each.station,
                each.order_number,
                each.person or each.device,
                each.note,
            )
            for each in found
        ),
        empty="nothing was checked then",
    )


def _said(finding: Finding) -> str:
    told = [] if finding.celsius is None else [f"{finding.celsius:g} °C"]
    if finding.yes is not None:
        told.append("yes" if finding.yes else "no")
    return ", ".join([*told, *([finding.photo] if finding.photo else [])])


async def _found(database: Database, tenant: str, wanted: dict[str, Any]) -> list[Finding]:
    async with database.read() as connection:
        await must_be_there(connection, tenant)
        return [each async for page in store.log(connection, tenant, **wanted) for each in page]


async def _export(database: Database, tenant: str, out: Path | None, wanted: dict[str, Any]) -> int:
    written = 0
    async with database.read() as connection:
        await must_be_there(connection, tenant)
        with writing(out) as file:
            file.write(csv_head())
            async for page in store.log(connection, tenant, **wanted):
                file.writelines(csv_line(each) for each in page)
                written += len(page)
    return written
