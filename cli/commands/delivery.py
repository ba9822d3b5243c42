"""`heard delivery`: who brings what, and how it goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.application import Application, pass_application
from cli.commands import delivery_reading, delivery_rules
from cli.delivering import at_the_desk, show_receipt, taken_for, which_order, with_a_way_on
from cli.grammar import Group, device_options, json_option
from cli.names import NAME
from cli.ordering import asking_options
from cli.places import PLACE
from cli.printing import counted, say, show_json, when
from cli.times import MOMENT
from devices.delivery_requests import Dispatcher
from devices.pending import Pending, Rejected
from schemas.deliveries import MAX_STOPS, DeliveryStep, Proof, ProofKind
from schemas.delivery_requests import ByHand
from schemas.positions import Place
from schemas.replies import CourierReceipt, DeliveryReceipt

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Group)
def delivery() -> None:
    """Say who brings which order, and see how far it is."""


for _command in delivery_reading.COMMANDS:
    delivery.add_command(_command)
delivery.add_command(delivery_rules.rules)


def _of_an_order(function: F) -> F:
    """Add what every command here takes: the order's name, and as whom it asks."""
    for more in (json_option, asking_options, device_options):
        function = more(function)
    return click.argument("name", metavar="ORDER")(function)


_at = click.option(
    "--at",
    type=MOMENT,
    metavar="WHEN",
    help="When it happened: 19:42, or 5m ago; without, just now.",
)


def _ask(
    app: Application,
    name: str,
    question: Callable[[Dispatcher, Any], Pending[DeliveryReceipt]],
    *,
    step: DeliveryStep | None = None,
    at: datetime | None = None,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> DeliveryReceipt:
    order_id = which_order(app, tenant, name)
    with at_the_desk(app, tenant, credentials, patience, as_manager=as_manager) as ask:
        try:
            receipt = ask(lambda desk: question(desk, order_id))
        except Rejected as refused:
            me = f"--tenant {tenant}" if credentials is None else f"--credentials {credentials}"
            raise with_a_way_on(refused, step, name, me) from None
    show_receipt(receipt, as_json=as_json)
    took = None if at is None or as_json else taken_for(receipt.delivery, at)
    if took is not None:
        say(f"  at {when(took)}, the nearest to {when(at)} that can be")
    return receipt


@delivery.command()
@_of_an_order
@click.argument("courier", type=NAME)
@click.option(
    "--stop", type=click.IntRange(1, MAX_STOPS), help="Which of their stops; without, the last."
)
@pass_application
def assign(app: Application, *, name: str, courier: str, stop: int | None, **options: Any) -> None:
    """Ask a courier to bring an order; whoever was asked before need not any more.

    What came back may go out once more: its delivery begins anew with this.

    ORDER is the order's number or its end, its id, or the sender's reference.

    Examples:
      heard delivery assign A1B2 anna --tenant demo
      heard delivery assign A1B2 bo --tenant demo --stop 1
    """
    _ask(app, name, lambda desk, id_: desk.assign_delivery(id_, courier, stop=stop), **options)


@delivery.command()
@_of_an_order
@pass_application
def unassign(app: Application, *, name: str, **options: Any) -> None:
    """Let an order wait for another courier.

    Examples:
      heard delivery unassign A1B2 --tenant demo
    """
    _ask(
        app,
        name,
        lambda desk, id_: desk.unassign_delivery(id_),
        step=DeliveryStep.UNASSIGN,
        **options,
    )


@delivery.command()
@_of_an_order
@click.argument("place", type=PLACE, metavar="LAT,LON")
@click.option("--address", metavar="TEXT", help="The door in words, for the courier.")
@pass_application
def place(
    app: Application, *, name: str, place: Place, address: str | None, **options: Any
) -> None:
    """Say where the door of an order is; it is to be brought from then on.

    An order that has a door already gets this one, and loses the words of the old one. What its
    guest was promised stands.

    Examples:
      heard delivery place A1B2 60.1699,24.9384 --tenant demo
      heard delivery place A1B2 60.1719,24.9414 --address "Yrjönkatu 1, 2nd floor" --tenant demo
    """
    moved = _ask(
        app, name, lambda desk, id_: desk.place_delivery(id_, place, address=address), **options
    ).delivery
    if moved.version > 1 and moved.promised_at is not None and not options["as_json"]:
        say(f"  the promise stands: by {when(moved.promised_at)}")


@delivery.command()
@_of_an_order
@_at
@pass_application
def accept(app: Application, *, name: str, at: Any, **options: Any) -> None:
    """Say that the courier who was asked will bring it.

    Examples:
      heard delivery accept A1B2 --tenant demo
    """
    _ask(
        app,
        name,
        lambda desk, id_: desk.accept_delivery(id_, at=at),
        at=at,
        step=DeliveryStep.ACCEPT,
        **options,
    )


@delivery.command()
@_of_an_order
@click.option("--reason", metavar="TEXT", help="Why.")
@pass_application
def decline(app: Application, *, name: str, reason: str | None, **options: Any) -> None:
    """Say that the courier who was asked will not bring it.

    Examples:
      heard delivery decline A1B2 --tenant demo --reason "a flat tyre"
    """
    _ask(
        app,
        name,
        lambda desk, id_: desk.decline_delivery(id_, reason),
        step=DeliveryStep.DECLINE,
        **options,
    )


@delivery.command()
@_of_an_order
@click.argument("step", type=click.Choice([each.value for each in ByHand]))
@_at
@pass_application
def step(app: Application, *, name: str, step: str, at: Any, **options: Any) -> None:
    """Say how far the courier is; most of it is found by itself where a tracker tells.

    Examples:
      heard delivery step A1B2 pick-up --tenant demo
      heard delivery step A1B2 arrive --tenant demo --at 19:42
    """
    said = ByHand(step)
    _ask(
        app,
        name,
        lambda desk, id_: desk.step_delivery(id_, said, at=at),
        at=at,
        step=DeliveryStep(step),
        **options,
    )


@delivery.command()
@_of_an_order
@click.option("--code", metavar="CODE", help="What the guest has said; their page shows it.")
@click.option("--photo", metavar="REFERENCE", help="Where a picture is kept that shows it.")
@click.option("--signature", metavar="REFERENCE", help="Where a signature is kept.")
@_at
@pass_application
def deliver(
    app: Application,
    *,
    name: str,
    code: str | None,
    photo: str | None,
    signature: str | None,
    at: Any,
    **options: Any,
) -> None:
    """Say that the guest has it.

    Couriers have to show what the house wants to be shown; the house need not.

    Examples:
      heard delivery deliver A1B2 --tenant demo
      heard delivery deliver A1B2 --credentials bike-1.json --code 4711
      heard delivery deliver A1B2 --tenant demo --photo s3://doors/a1b2.jpg
    """
    given = [
        Proof(kind=kind, reference=reference)
        for kind, reference in ((ProofKind.PHOTO, photo), (ProofKind.SIGNATURE, signature))
        if reference is not None
    ]
    if len(given) > 1:
        raise click.UsageError("say one of --photo and --signature")
    proof = given[0] if given else None
    _ask(
        app,
        name,
        lambda desk, id_: desk.complete_delivery(id_, code=code, proof=proof, at=at),
        at=at,
        step=DeliveryStep.DELIVER,
        **options,
    )


@delivery.command()
@_of_an_order
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@_at
@pass_application
def fail(app: Application, *, name: str, reason: str, at: Any, **options: Any) -> None:
    """Say that nobody took it; the courier has it still.

    Examples:
      heard delivery fail A1B2 --tenant demo --reason "nobody opened"
    """
    _ask(
        app,
        name,
        lambda desk, id_: desk.fail_delivery(id_, reason, at=at),
        at=at,
        step=DeliveryStep.FAIL,
        **options,
    )


@delivery.command("return")
@_of_an_order
@_at
@pass_application
def return_(app: Application, *, name: str, at: Any, **options: Any) -> None:
    """Say that what failed is back in the house: its order is ready again.

    Examples:
      heard delivery return A1B2 --tenant demo
    """
    _ask(
        app,
        name,
        lambda desk, id_: desk.return_delivery(id_, at=at),
        at=at,
        step=DeliveryStep.RETURN,
        **options,
    )


@delivery.command()
@click.argument("courier", type=NAME)
@click.argument("orders", nargs=-1, required=True, metavar="ORDER...")
@device_options
@asking_options
@json_option
@pass_application
def sequence(
    app: Application,
    *,
    courier: str,
    orders: tuple[str, ...],
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Say in which sequence a courier brings all that they have.

    Examples:
      heard delivery sequence anna C3D4 A1B2 --tenant demo
    """
    stops = [which_order(app, tenant, each) for each in orders]
    with at_the_desk(app, tenant, credentials, patience, as_manager=as_manager) as ask:
        receipt: CourierReceipt = ask(lambda desk: desk.sequence_stops(courier, stops))
    if as_json:
        show_json(receipt.model_dump(mode="json"))
    else:
        say(f"{courier}  {counted(len(receipt.stops), 'stop')}")
