"""`heard stock alerts`: what is wrong with the stock, and with the fridges that it lies in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import click

from cli.application import Application, pass_application
from cli.grammar import Command, json_option, tenant_option
from cli.known_houses import the_house
from cli.printing import age, show_json, show_table
from schemas.alerts import Alert, AlertKind, Severity
from services.runtime import alerts as kept
from services.runtime.database import Database
from services.runtime.moment import system_clock

KINDS: Final = (
    AlertKind.CRITICAL_STOCK,
    AlertKind.LOW_STOCK,
    AlertKind.NEGATIVE_STOCK,
    AlertKind.STOCK_OUT,
    AlertKind.EXPIRED,
    AlertKind.EXPIRING,
    AlertKind.TEMPERATURE,
    AlertKind.SENSOR_SILENT,
)


@click.command("alerts", cls=Command)
@click.option("--kind", "kinds", type=click.Choice([each.value for each in KINDS]), multiple=True,
              metavar="KIND", help="Only of that kind; may be given several times.")  # fmt: skip
@tenant_option
@json_option
@pass_application
def alerts(app: Application, *, tenant: str, kinds: Sequence[str], as_json: bool) -> None:
    """List what is wrong with the stock: low, running out, old, too warm.

    Each is raised once, and ends by itself when it is over. `heard alert ack NAME` says that
    somebody sees to it. Kinds are low-stock, critical-stock, negative-stock, stock-out, expiring,
    expired, temperature and sensor-silent.

    Examples:
      heard stock alerts --tenant roma
      heard stock alerts --tenant roma --kind expired --kind expiring
      heard stock alerts --tenant roma --json
    """
    wanted = {AlertKind(each) for each in kinds} or set(KINDS)

    async def read(database: Database) -> list[Alert]:
        async with database.read() as connection:
            await the_house(connection, tenant)
            return await kept.every(connection, tenant)

    found = sorted(
        (each for each in app.run(read) if each.kind in wanted),
        key=lambda each: (each.severity is not Severity.CRITICAL, each.raised_at, each.alert),
    )
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    now = system_clock()
    show_table(
        ("alert", "severity", "for", "seen by", ""),
        (_row(each, now) for each in found),
        empty="nothing is wrong with the stock",
    )


def _row(each: Alert, now: datetime) -> tuple[str, ...]:
    return (
        each.alert,
        each.severity.value,
        age((now - each.raised_at).total_seconds()),
        each.acknowledged_by or "",
        each.text,
    )
