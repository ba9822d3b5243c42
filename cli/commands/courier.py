"""`heard courier`: who brings orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.application import Application, pass_application
from cli.delivering import at_the_desk
from cli.grammar import Group, device_options, json_option, tenant_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.ordering import asking_options
from cli.printing import say, show_json, show_table
from schemas.deliveries import Courier
from schemas.positions import TravelMode
from schemas.replies import CourierReceipt
from services.delivery import couriers
from services.runtime.database import Database


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
    **options: Any,
) -> None:
    """Add a courier, or say what is another than before.

    Examples:
      heard courier add anna --device bike-1 --tenant demo
      heard courier add bo --device car-1 --mode car --called "Bo Ek" --tenant demo
    """
    who = Courier(courier=name, name=called or name, device=device, mode=TravelMode(mode))
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
        ("courier", "name", "tracker", "by", "stops"),
        (
            (
                each.courier.courier,
                each.courier.name,
                each.courier.device,
                each.courier.mode,
                len(each.stops),
            )
            for each in found
        ),
        empty=f"no couriers yet: heard courier add NAME --device DEVICE --tenant {tenant}",
    )


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
