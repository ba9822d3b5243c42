"""`heard courier`: who brings orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from cli.application import Application, pass_application
from cli.delivering import at_the_desk
from cli.grammar import Group, device_options, json_option, tenant_option
from cli.house_clock import zone_of_house
from cli.known_houses import the_house
from cli.names import NAME
from cli.ordering import asking_options
from cli.printing import say, show_json, show_table, when
from cli.times import coming
from schemas.deliveries import MAX_STOPS, Courier
from schemas.positions import TravelMode
from schemas.replies import CourierReceipt
from services.delivery import couriers
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.group(cls=Group)
def courier() -> None:
    """Say who brings orders, and what they carry."""


@courier.command()
@click.argument("name", type=NAME)
@click.option(
    "--device", type=NAME, required=True, metavar="NAME",
    help="The tracker that they carry, or a vehicle that a bridge speaks for.",
)  # fmt: skip
@click.option("--called", metavar="TEXT", help="Their name for people; without, NAME itself.")
@click.option(
    "--mode", type=click.Choice([each.value for each in TravelMode]), default="bicycle",
    show_default=True, help="What they go by.",
)  # fmt: skip
@click.option(
    "--carries", type=click.IntRange(1, MAX_STOPS), default=4, show_default=True,
    help="So many orders at once, where the dispatcher gives them out.",
)  # fmt: skip
@device_options
@asking_options
@json_option
@pass_application
def add(
    app: Application,
    *,
    name: str,
    device: str,
    called: str | None,
    mode: str,
    carries: int,
    **options: Any,
) -> None:
    """Add a courier, or say what is another than before.

    Examples:
      heard courier add anna --device bike-1 --tenant demo
      heard courier add bo --device car-1 --mode car --called "Bo Ek" --tenant demo
    """
    who = Courier(
        courier=name,
        name=called or name,
        device=device,
        mode=TravelMode(mode),
        carries=carries,
    )
    _show(_ask(app, lambda desk: desk.put_courier(who), **options), options, "carries")


@courier.command()
@click.argument("name", type=NAME)
@device_options
@asking_options
@json_option
@pass_application
def remove(app: Application, *, name: str, **options: Any) -> None:
    """Remove a courier who has nothing to bring.

    Examples:
      heard courier remove anna --tenant demo
    """
    _show(
        _ask(app, lambda desk: desk.remove_courier(name), **options),
        options,
        "is gone, and carried",
    )


@courier.command()
@click.argument("name", type=NAME)
@click.argument("duty", type=click.Choice(["on", "off"]))
@click.option(
    "--until", metavar="WHEN",
    help="When the shift ends, by the house's clock: 23:00; without, when they say so.",
)  # fmt: skip
@device_options
@asking_options
@json_option
@pass_application
def duty(app: Application, *, name: str, duty: str, until: str | None, **options: Any) -> None:
    """Say whether the dispatcher may ask a courier; what they have to bring stays theirs.

    Examples:
      heard courier duty anna on --tenant demo --until 23:00
      heard courier duty anna off --tenant demo
    """
    if duty == "off" and until is not None:
        raise click.UsageError("--until says when a shift ends: it goes with on")
    on_duty, ends = duty == "on", None
    if until is not None:
        tenant = options["tenant"]
        zone = ZoneInfo("UTC") if tenant is None else zone_of_house(app, tenant)
        try:
            ends = coming(until, zone, system_clock())
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--until") from None
    said = _ask(app, lambda desk: desk.set_duty(name, on_duty=on_duty, until=ends), **options)
    _show(said, options, "is on duty with" if on_duty else "is off duty, and carries")


@courier.command("list")
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show the couriers, and how much each has to bring.

    Examples:
      heard courier list --tenant demo
    """

    async def read(database: Database) -> list[CourierReceipt]:
        async with database.read() as connection:
            await the_house(connection, tenant)
            return [couriers.receipt(row) for row in await couriers.every(connection, tenant)]

    found = app.run(read)
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    show_table(
        ("courier", "name", "tracker", "by", "carries", "duty", "stops"),
        (
            (
                each.courier.courier,
                each.courier.name,
                each.courier.device,
                each.courier.mode,
                each.courier.carries,
                _duty(each),
                len(each.stops),
            )
            for each in found
        ),
        empty=f"no couriers yet: heard courier add NAME --device DEVICE --tenant {tenant}",
    )


def _duty(each: CourierReceipt) -> str:
    if not each.on_duty:
        return "off"
    return "on" if each.until is None else f"until {when(each.until)}"


def _ask(
    app: Application,
    question: Any,
    *,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,  # noqa: ARG001 - for whoever shows it
) -> CourierReceipt:
    with at_the_desk(app, tenant, credentials, patience, as_manager=as_manager) as ask:
        receipt: CourierReceipt = ask(question)
        return receipt


def _show(receipt: CourierReceipt, options: dict[str, Any], done: str) -> None:
    if options["as_json"]:
        show_json(receipt.model_dump(mode="json"))
        return
    who = receipt.courier
    called = "" if who.name == who.courier else f" ({who.name})"
    say(f"{who.courier}{called} {done} {who.device}, by {who.mode}")
