"""`heard alert`: what is wrong in a house, and who sees to it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from cli.application import Application, pass_application
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import age, show_json, show_table
from cli.tickets import in_the_kitchen, kitchen_options, show_result
from schemas.alerts import Alert, Severity
from services.runtime import alerts
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.group(cls=Group)
def alert() -> None:
    """See what is wrong in a house, and say that somebody sees to it."""


@alert.command("list")
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """List the alerts that stand, the oldest first; each ends by itself when it is over.

    Examples:
      heard alert list --tenant roma
      heard alert list --tenant roma --json
    """

    async def read(database: Database) -> list[Alert]:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            return await alerts.every(connection, tenant)

    # What is critical first: at a rush many low ones may stand for one cause.
    found = sorted(
        app.run(read),
        key=lambda each: (each.severity is not Severity.CRITICAL, each.raised_at, each.alert),
    )
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    now = system_clock()
    show_table(
        ("alert", "severity", "to", "for", "seen by", ""),
        (_row(each, now) for each in found),
        empty="nothing is wrong",
    )


@alert.command()
@click.argument("name", type=NAME, metavar="ALERT")
@kitchen_options
@pass_application
def ack(
    app: Application,
    *,
    name: str,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Say that you have seen an alert and see to it; it stands until it is over.

    Examples:
      heard alert ack unheard-grill-expo --tenant roma
    """
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        receipt = asker.ask(lambda hand: hand.acknowledge(name))
        show_result(receipt, name, as_json=as_json)


def _row(each: Alert, now: datetime) -> tuple[str, ...]:
    return (
        each.alert,
        each.severity.value,
        f"{each.audience.value} {each.to}" if each.audience.value != each.to else each.to,
        age((now - each.raised_at).total_seconds()),
        each.acknowledged_by or "",
        each.text,
    )
