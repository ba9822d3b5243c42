"""`heard dispatch pin`, `unpin` and `override`: people know better."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.application import Application, pass_application
from cli.delivering import at_the_desk, in_a_line, show_receipt, which_order
from cli.grammar import Command, device_options, json_option
from cli.names import NAME
from cli.ordering import asking_options
from cli.printing import say

F = TypeVar("F", bound=Callable[..., Any])


def _of_an_order(function: F) -> F:
    for more in (json_option, asking_options, device_options):
        function = more(function)
    return function


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@click.argument("courier", type=NAME)
@_of_an_order
@pass_application
def pin(app: Application, *, name: str, courier: str, **options: Any) -> None:
    """Have an order brought by this courier and nobody else, when it is time.

    Whoever has it to bring keeps it: `heard dispatch override` takes it from them. A courier who
    declined it is asked again.

    Examples:
      heard dispatch pin A1B2 anna --tenant roma
    """
    _pin(app, name, courier, **options)


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@_of_an_order
@pass_application
def unpin(app: Application, *, name: str, **options: Any) -> None:
    """Have an order brought by whoever is best.

    Examples:
      heard dispatch unpin A1B2 --tenant roma
    """
    _pin(app, name, None, **options)


def _pin(
    app: Application,
    name: str,
    courier: str | None,
    *,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    order_id = which_order(app, tenant, name)
    with at_the_desk(app, tenant, credentials, patience, as_manager=as_manager) as ask:
        receipt = ask(lambda desk: desk.pin_delivery(order_id, courier))
    if as_json:
        show_receipt(receipt, as_json=True)
        return
    whose = "whoever is best" if courier is None else f"{courier} alone"
    say(f"{in_a_line(receipt.delivery)}  for {whose}")


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@click.argument("courier", type=NAME)
@_of_an_order
@pass_application
def override(
    app: Application,
    *,
    name: str,
    courier: str,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Ask this courier now, whatever the plan says; whoever was asked before need not any more.

    The order is pinned to them too, so that the dispatcher does not give it to somebody else
    should they not answer: `heard dispatch unpin` ends that.

    Examples:
      heard dispatch override A1B2 bo --tenant roma
    """
    order_id = which_order(app, tenant, name)
    with at_the_desk(app, tenant, credentials, patience, as_manager=as_manager) as ask:
        # Assigned first: should this be refused, no pin is left.
        ask(lambda desk: desk.assign_delivery(order_id, courier))
        receipt = ask(lambda desk: desk.pin_delivery(order_id, courier))
    show_receipt(receipt, as_json=as_json)
