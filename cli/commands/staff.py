"""`heard staff`: who is on duty, what they see to, and what they tell each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.known_stations import check_asked_station
from cli.names import NAME
from cli.printing import say, show_json, show_table, when
from cli.tickets import Question, in_the_kitchen, kitchen_options, show_result
from schemas.kitchen import OPEN_TICKET
from schemas.staff import OnDuty, Task
from services.runtime.database import Database
from services.staff import store

_LAST: Final = 100
_SHORT: Final = 8

station_option: Final = click.option("--station", type=NAME, metavar="NAME", help="Where.")


@click.group(cls=Group)
def staff() -> None:
    """Say who is on duty, give them work, and tell them things."""


@staff.command()
@click.argument("person", type=NAME)
@station_option
@kitchen_options
@pass_application
def on(app: Application, *, person: str, station: str | None, **asking: Any) -> None:
    """Somebody begins to work; what stands to be read there waits for them from then on.

    Examples:
      heard staff on ada --tenant roma --station grill
    """
    check_asked_station(app, asking["tenant"], asking["credentials"], station)
    _ask(app, person, lambda device: device.start_duty(person, station), **asking)


@staff.command()
@click.argument("person", type=NAME)
@click.option("--note", metavar="TEXT", help="For who comes next at their station.")
@kitchen_options
@pass_application
def off(app: Application, *, person: str, note: str | None, **asking: Any) -> None:
    """Somebody goes; a hand-over note stands until whoever comes next has read it.

    Examples:
      heard staff off ada --tenant roma --note "fryer 2 is slow; sauce is in the walk-in"
    """
    _ask(app, person, lambda device: device.end_duty(person, note), **asking)


@staff.command()
@click.argument("person", type=NAME)
@station_option
@click.option("--order", metavar="ORDER", help="Sees to the ticket of this order, or of this id.")
@kitchen_options
@pass_application
def assign(
    app: Application,
    *,
    person: str,
    station: str | None,
    order: str | None,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Send somebody on duty to a station, or give them a ticket, or both.

    Who goes to another station leaves the tickets of the old one behind. A ticket that ends
    leaves by itself.

    Examples:
      heard staff assign ada --tenant roma --station bar
      heard staff assign ada --tenant roma --station grill --order A1B2
    """
    if station is None and order is None:
        raise click.UsageError("say --station NAME, --order ORDER, or both")
    check_asked_station(app, tenant, credentials, station)
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        ticket_id = None
        if order is not None:
            ticket = asker.ticket(order, station, None, lambda each: each.status in OPEN_TICKET)
            ticket_id = ticket.ticket_id
        receipt = asker.ask(
            lambda device: device.assign(person, station=station, ticket_id=ticket_id)
        )
        show_result(receipt, person, as_json=as_json)


@staff.command("list")
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """List who is on duty, where and since when, and how many tickets they see to.

    Examples:
      heard staff list --tenant roma
      heard staff list --tenant roma --json
    """

    async def read(database: Database) -> list[OnDuty]:
        async with database.read() as connection:
            await _check_tenant(connection, tenant)
            return await store.read_on_duty(connection, tenant)

    duties = app.run(read)
    if as_json:
        show_json([each.model_dump(mode="json") for each in duties])
        return
    show_table(
        ("person", "station", "since", "tickets"),
        ((each.person, each.station, each.since, len(each.tickets) or "") for each in duties),
        empty=f"nobody is on duty: heard staff on NAME --tenant {tenant}",
    )


@staff.command()
@click.argument("text")
@click.option("--person", type=NAME, metavar="NAME", help="Only them.")
@click.option("--station", type=NAME, metavar="NAME", help="Whoever is at this station.")
@click.option("--must-read", is_flag=True, help="It stands until everybody it is for has read it.")
@kitchen_options
@pass_application
def tell(
    app: Application,
    *,
    text: str,
    person: str | None,
    station: str | None,
    must_read: bool,
    **asking: Any,
) -> None:
    """Tell everybody something, or one person, or a station.

    Examples:
      heard staff tell "table 4: no nuts" --tenant roma --must-read
      heard staff tell "more ice" --tenant roma --station bar
    """
    if person is not None and station is not None:
        raise click.UsageError("--person and --station exclude each other")
    check_asked_station(app, asking["tenant"], asking["credentials"], station)
    _ask(
        app,
        person or station or "all",
        lambda device: device.tell(text, person=person, station=station, must_read=must_read),
        **asking,
    )


@staff.command()
@click.argument("task")
@click.option("--person", type=NAME, required=True, metavar="NAME", help="Who has read it.")
@kitchen_options
@pass_application
def read(
    app: Application,
    *,
    task: str,
    person: str,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Say that somebody has read a task; with the last of them it is over.

    TASK is its id, or the end of it, as `heard staff notes` shows it.

    Examples:
      heard staff read 3f9a12bc --tenant roma --person ada
    """
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        task_id = _the_task(app, asker.tenant, task)
        receipt = asker.ask(lambda device: device.acknowledge_task(task_id, person))
        if receipt.waits_for or as_json:
            show_result(receipt, f"{task}  read by {person}", as_json=as_json)
        else:
            say(f"{task}  read by {person}; it waits for nobody else")


@staff.command()
@tenant_option
@click.option("--all", "whole", is_flag=True, help=f"The last {_LAST}, also those that are over.")
@json_option
@pass_application
def notes(app: Application, *, tenant: str, whole: bool, as_json: bool) -> None:
    """Show what is still to be read, and by whom: tasks, and notes of who went off duty.

    Examples:
      heard staff notes --tenant roma
      heard staff notes --tenant roma --all --json
    """
    tasks = app.run(lambda database: _tasks(database, tenant, _LAST if whole else None))
    if as_json:
        show_json([each.model_dump(mode="json") for each in tasks])
        return
    show_table(
        ("task", "at", "for", "text", "waits for", "read by"),
        (
            (
                each.task_id.hex[-_SHORT:],
                when(each.sent_at),
                f"{each.to}{' (hand-over)' if each.hand_over else ''}",
                each.text,
                ", ".join(each.waits_for),
                ", ".join(one.person for one in each.read_by),
            )
            for each in tasks
        ),
        empty="nothing is to be read",
    )


def _ask(
    app: Application,
    name: str,
    question: Question,
    *,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        show_result(asker.ask(question), name, as_json=as_json)


def _the_task(app: Application, tenant: str, name: str) -> UUID:
    """The one task of this id, or with this end of it.

    Raises:
        Failure: there is none, or more than one.
    """
    try:
        return UUID(name)
    except ValueError:
        end = name.lower()

    async def known(database: Database) -> list[Task]:
        recent = await _tasks(database, tenant, _LAST)
        return [*await _tasks(database, tenant, None), *recent]

    tasks = app.run(known)
    found = list({each.task_id for each in tasks if end and each.task_id.hex.endswith(end)})
    if len(found) != 1:
        many = "several tasks end" if found else "no task ends"
        raise Failure(f"{many} with {name!r}: heard staff notes --tenant {tenant}")
    return found[0]


async def _tasks(database: Database, tenant: str, limit: int | None) -> list[Task]:
    async with database.read() as connection:
        await _check_tenant(connection, tenant)
        return await store.read_tasks(connection, tenant, limit=limit)


async def _check_tenant(connection: AsyncConnection, tenant: str) -> None:
    await must_be_there(connection, tenant)
