"""`heard kitchen throttle`: how each kind of order is taken, and who decides."""

from __future__ import annotations

from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final

import click

from cli.application import Application, pass_application
from cli.grammar import Group, json_option, tenant_option
from cli.house_clock import on_screen, zone_of_house
from cli.known_houses import must_be_there
from cli.printing import age, say, show_json, show_table
from cli.span import SPAN
from cli.tickets import in_the_kitchen, manager_options, show_result
from schemas.kitchen_pace import ChannelState
from schemas.orders import OrderKind
from services.kitchen.reading import intakes, load_now
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
    """Show how full the kitchen is now, how each kind of order is taken, and why.

    The load is reckoned at this moment, of each station in this quarter of an hour: work
    against what its hands can do. Why a kind of order is taken as it is was decided when `for`
    says; it is decided anew when another thing follows from the load.

    Examples:
      heard kitchen throttle show --tenant roma
      heard kitchen throttle show --tenant roma --json
    """
    now = system_clock()

    async def read(database: Database) -> tuple[list[ChannelState], dict[str, float]]:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            return await intakes(connection, tenant), await load_now(connection, tenant, now)

    found, loads = app.run(read)
    if as_json:
        show_json(
            {
                "at": now,
                "load": round(max(loads.values(), default=0.0), 3),
                "stations": {name: round(share, 3) for name, share in loads.items()},
                "channels": [_document(each) for each in found],
            }
        )
        return
    zone = zone_of_house(app, tenant)
    say(f"load at {now.astimezone(zone):%H:%M:%S}: {_full(loads)}")
    show_table(
        ("channel", "intake", "quoted", "for", "until", "why"),
        (_row(each, now, zone) for each in found),
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
        # A till elsewhere has no database: there its machine's clock has to do.
        zone = zone_of_house(app, asker.tenant) if credentials is None else None
        show_result(receipt, channel, as_json=as_json, zone=zone)


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


def _full(loads: dict[str, float]) -> str:
    """The stations, the fullest first."""
    by_load = sorted(loads.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{name} {share:.0%}" for name, share in by_load) or "no station has any work"


def _document(each: ChannelState) -> dict[str, object]:
    told = each.model_dump(mode="json")
    told["decided_by"] = {"load": told.pop("load"), "station": told.pop("station")}
    return told


def _row(each: ChannelState, now: datetime, zone: tzinfo) -> tuple[object, ...]:
    return (
        each.channel.value,
        each.intake.value + (" by hand" if each.by_hand else ""),
        age(each.quoted_s),
        age((now - each.since).total_seconds()),
        "" if each.until is None else on_screen(each.until, now, zone),
        each.why,
    )


COMMANDS: Final = (throttle,)
