"""`heard kitchen throttle`: how each kind of order is taken, and who decides."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import click

from cli.application import Application, pass_application
from cli.grammar import Group, json_option, tenant_option
from cli.printing import age, show_json, show_table, when
from cli.span import SPAN
from cli.tickets import in_the_kitchen, manager_options, show_result
from schemas.kitchen_pace import ChannelState
from schemas.orders import OrderKind
from services.kitchen.reading import intakes
from services.people.store import Unknown, find_tenant
from services.runtime.database import Database
from services.runtime.moment import system_clock

_channel = click.argument(
    "channel", type=click.Choice([each.value for each in OrderKind]), metavar="CHANNEL"
)


@click.group(cls=Group)
def throttle() -> None:
    """See how the kitchen takes each kind of order, and stop or take them by hand."""


@throttle.command()
@tenant_option
@json_option
@pass_application
def show(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show how each kind of order is taken, what is promised, and why.

    The load is that of the fullest station when this was decided, so long ago as `for` says.

    Examples:
      heard kitchen throttle show --tenant roma
      heard kitchen throttle show --tenant roma --json
    """

    async def read(database: Database) -> list[ChannelState]:
        async with database.read() as connection:
            if await find_tenant(connection, tenant) is None:
                raise Unknown(f"there is no tenant {tenant}: heard tenant add {tenant}")
            return await intakes(connection, tenant)

    found = app.run(read)
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    now = system_clock()
    show_table(
        ("channel", "intake", "quoted", "load", "station", "for", "until", "why"),
        (_row(each, now) for each in found),
        empty="every kind of order is taken, and always was",
    )


@throttle.command()
@_channel
@manager_options
@click.option("--why", required=True, metavar="TEXT", help="Why; whoever orders is told.")
@click.option("--for", "for_s", type=SPAN, metavar="SPAN", help="So long; else until resumed.")
@pass_application
def pause(
    app: Application,
    *,
    channel: str,
    why: str,
    for_s: float | None,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_json: bool,
) -> None:
    """Take no more orders of a kind: dine-in, takeaway or delivery. It needs a manager's right.

    Examples:
      heard kitchen throttle pause delivery --tenant roma --for 20m --why "two cooks are ill"
    """
    seconds = None if for_s is None else round(for_s)
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=True) as asker:
        receipt = asker.ask(lambda hand: hand.pause_channel(OrderKind(channel), why, for_s=seconds))
        show_result(receipt, channel, as_json=as_json)


@throttle.command()
@_channel
@manager_options
@pass_application
def resume(
    app: Application,
    *,
    channel: str,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_json: bool,
) -> None:
    """Take orders of a kind again; from then on the load decides. It needs a manager's right.

    Examples:
      heard kitchen throttle resume delivery --tenant roma
    """
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=True) as asker:
        receipt = asker.ask(lambda hand: hand.resume_channel(OrderKind(channel)))
        show_result(receipt, channel, as_json=as_json)


def _row(each: ChannelState, now: datetime) -> tuple[object, ...]:
    return (
        each.channel.value,
        each.intake.value + (" by hand" if each.by_hand else ""),
        age(each.quoted_s),
        f"{each.load:.0%}",
        each.station,
        age((now - each.since).total_seconds()),
        when(each.until),
        each.why,
    )


COMMANDS: Final = (throttle,)
