"""`heard delivery list`, `show`, `link` and `report`."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click

from cli.application import Application, pass_application
from cli.delivering import at_the_desk, in_a_line, which_order
from cli.failures import Failure
from cli.gateway_client import guests_gateway
from cli.grammar import Command, json_option, tenant_option
from cli.known_houses import the_house
from cli.ordering import patience_option
from cli.printing import counted, say, show_json, show_table, when
from cli.times import MOMENT
from services.delivery import report as reports
from services.delivery import store
from services.delivery.kept import Kept
from services.delivery.report import Door
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.command("list", cls=Command)
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show what is to be brought, and who brings it.

    Examples:
      heard delivery list --tenant demo
    """

    async def read(database: Database) -> list[Kept]:
        async with database.read() as connection:
            await the_house(connection, tenant)
            return await store.open_ones(connection, tenant)

    found = [each.delivery for each in app.run(read)]
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    show_table(
        ("order", "status", "courier", "stop", "placed", "promised"),
        (
            (
                each.number,
                each.status,
                each.courier or "",
                each.stop or "",
                when(each.placed_at),
                when(each.promised_at),
            )
            for each in found
        ),
        empty="nothing is to be brought",
    )


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@tenant_option
@json_option
@pass_application
def show(app: Application, *, name: str, tenant: str, as_json: bool) -> None:
    """Show one delivery with its times.

    Examples:
      heard delivery show A1B2 --tenant demo
    """
    order_id = which_order(app, tenant, name)

    async def read(database: Database) -> Kept | None:
        async with database.read() as connection:
            return await store.find(connection, tenant, order_id)

    kept = app.run(read)
    if kept is None:
        raise Failure(
            f"{name} is not to be brought: is it for delivery, accepted, and with a place? "
            f"`heard delivery place {name} LAT,LON --tenant {tenant}` says where its door is"
        )
    delivery = kept.delivery
    if as_json:
        show_json(delivery.model_dump(mode="json") | {"ready_at": kept.ready_at})
        return
    say(in_a_line(delivery))
    times: Sequence[tuple[str, datetime | None]] = (
        ("placed", delivery.placed_at),
        ("for", delivery.due_at),
        ("food ready", kept.ready_at),
        ("assigned", delivery.assigned_at),
        ("accepted", delivery.accepted_at),
        ("at the restaurant", delivery.at_restaurant_at),
        ("picked up", delivery.picked_up_at),
        ("set out", delivery.set_out_at),
        ("arrived", delivery.arrived_at),
        ("ended", delivery.ended_at),
    )
    for what, at in times:
        if at is not None:
            say(f"  {what:<18} {when(at)}")
    if delivery.proof is not None:
        say(f"  {'proof':<18} {delivery.proof.kind} {delivery.proof.reference}".rstrip())
    if delivery.declined_by:
        say(f"  {'declined by':<18} {', '.join(delivery.declined_by)}")


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@tenant_option
@patience_option
@json_option
@pass_application
def link(app: Application, *, name: str, tenant: str, patience: float, as_json: bool) -> None:
    """Print the link by which the guest sees where their order is.

    Whoever has it sees what its guest may see, until its time is up. It begins with the setting
    guests_gateway, or without that where the gateway listens, which may be this machine alone.

    Examples:
      heard delivery link A1B2 --tenant demo
    """
    order_id = which_order(app, tenant, name)
    with at_the_desk(app, tenant, None, patience) as ask:
        found = ask(lambda desk: desk.share_delivery(order_id))
    whole = guests_gateway(app) + found.path
    if as_json:
        show_json(found.model_dump(mode="json") | {"link": whole})
        return
    say(f"{whole}  until {when(found.until)}")


@click.command(cls=Command)
@tenant_option
@click.option(
    "--since", type=MOMENT, default="1d", show_default=True, metavar="WHEN",
    help="Orders that were placed then or later.",
)  # fmt: skip
@click.option("--until", type=MOMENT, metavar="WHEN", help="And before; without, until now.")
@click.option("--csv", "as_csv", is_flag=True, help="A table for other programs.")
@json_option
@pass_application
def report(
    app: Application,
    *,
    tenant: str,
    since: datetime,
    until: datetime | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show of every order when it was promised to be at its door, and when it was.

    It was at its door when the guest had it, for of that they are told; when the courier was
    there stands beside. Minutes late are against the promise; below zero it came sooner.

    Examples:
      heard delivery report --tenant demo --since 4h
      heard delivery report --tenant demo --since 2026-05-01 --csv > may.csv
    """

    async def read(database: Database) -> list[Door]:
        async with database.read() as connection:
            await the_house(connection, tenant)
            found = await store.placed_between(connection, tenant, since, until or system_clock())
            return [reports.door(each) for each in found]

    doors = app.run(read)
    if as_json:
        show_json({"orders": [each._asdict() for each in doors], "sums": _sums(doors)})
    elif as_csv:
        say(_csv(doors).rstrip("\r\n"))
    else:
        show_table(
            (
                *("order", "status", "placed", "promised", "courier there", "at the door"),
                *("late min", "off min"),
            ),
            (
                (
                    each.number,
                    each.status,
                    when(each.placed_at),
                    when(each.promised_at),
                    when(each.arrived_at),
                    when(each.door_at),
                    _minutes(each.late_s),
                    _minutes(each.error_s),
                )
                for each in doors
            ),
            empty="nothing was to be brought",
        )
        if doors:
            say(_in_words(doors))


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:+.1f}"


def _csv(doors: Sequence[Door]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Door._fields)
    writer.writerows(
        [each.isoformat() if isinstance(each, datetime) else each for each in door]
        for door in doors
    )
    return text.getvalue()


def _sums(doors: Sequence[Door]) -> dict[str, Any]:
    errors = [each.error_s for each in doors if each.error_s is not None]
    late = [each.late_s for each in doors if each.late_s is not None]
    found: dict[str, Any] = {"orders": len(doors), "delivered": len(late)}
    found["in_time"] = sum(each <= 0 for each in late)
    found["mean_error_s"] = statistics.fmean(map(abs, errors)) if errors else None
    return found


def _in_words(doors: Sequence[Door]) -> str:
    sums = _sums(doors)
    text = f"{counted(sums['orders'], 'order')}, {sums['delivered']} delivered"
    if sums["delivered"]:
        text += f", {sums['in_time']} in time"
    if sums["mean_error_s"] is not None:
        text += f", {sums['mean_error_s'] / 60:.1f} min off in the mean"
    return text


COMMANDS: Final = (list_, show, link, report)
