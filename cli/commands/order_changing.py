"""`heard order add`, `change`, `void`, and the steps from the kitchen to the guest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar
from uuid import UUID

import click

from cli.application import Application, pass_application
from cli.grammar import Command, json_option, tenant_option
from cli.order_lines import CHOSEN, WANTED
from cli.ordering import ask_and_show, asking_options, reason_option, seen_option, the_order
from devices.pending import Pending
from devices.pos import PointOfSale
from schemas.menu import ModifierRequest
from schemas.orders import MAX_QUANTITY, LineRequest
from schemas.replies import OrderReceipt

F = TypeVar("F", bound=Callable[..., Any])

Question = Callable[[PointOfSale, UUID], Pending[OrderReceipt]]
"""What is asked of an order."""

line_numbers = click.IntRange(min=1)


def _for_an_order(function: F) -> F:
    """Add what every command here takes: the order's name, and how to ask."""
    for more in (json_option, asking_options, tenant_option):
        function = more(function)
    return click.argument("name", metavar="ORDER")(function)


def _ask(app: Application, tenant: str, name: str, question: Question, **options: Any) -> None:
    order_id = the_order(app, tenant, name).order_id
    ask_and_show(app, tenant, lambda till: question(till, order_id), **options)


@click.command(cls=Command)
@_for_an_order
@click.argument("lines", type=WANTED, nargs=-1, required=True, metavar="ITEM=QUANTITY...")
@pass_application
def add(
    app: Application, *, name: str, lines: tuple[LineRequest, ...], tenant: str, **options: Any
) -> None:
    """Add lines to an open order; the kitchen gets them on tickets of their own.

    ORDER is the order's number or its end, its id, or the sender's reference. Lines are
    written as for `heard order place`.

    Examples:
      heard order add A1B2 --tenant demo fries "burger+rare:no onions"
    """
    _ask(app, tenant, name, lambda till, order_id: till.add_lines(order_id, lines), **options)


@click.command(cls=Command)
@_for_an_order
@click.argument("line", type=line_numbers)
@click.option("--quantity", type=click.IntRange(1, MAX_QUANTITY), help="So many instead.")
@click.option("--note", metavar="TEXT", help='Another note; "" takes it off.')
@click.option(
    "--modifiers", type=CHOSEN, metavar="TEXT", help='As in rare+fries(aioli); "" takes all off.'
)
@click.option("--seat", metavar="TEXT", help="Who gets it.")
@click.option("--reason", metavar="TEXT", help="Why; it stands in the order's history.")
@seen_option
@pass_application
def change(
    app: Application,
    *,
    name: str,
    line: int,
    tenant: str,
    quantity: int | None,
    note: str | None,
    modifiers: tuple[ModifierRequest, ...] | None,
    seat: str | None,
    reason: str | None,
    seen: int | None,
    **options: Any,
) -> None:
    """Change one line that is not cooked yet; its station sees what is different.

    Examples:
      heard order change A1B2 1 --tenant demo --quantity 3
      heard order change A1B2 2 --tenant demo --note "no salt" --seen 4
      heard order change A1B2 1 --tenant demo --modifiers "rare+fries(aioli)"
    """
    if all(each is None for each in (quantity, note, modifiers, seat)):
        raise click.UsageError("say what to change: --quantity, --note, --modifiers or --seat")
    _ask(
        app,
        tenant,
        name,
        lambda till, order_id: till.change_line(
            order_id,
            line,
            quantity=quantity,
            note=note,
            modifiers=modifiers,
            seat=seat,
            reason=reason,
            seen=seen,
        ),
        **options,
    )


@click.command(cls=Command)
@_for_an_order
@click.option(
    "--line", "lines", type=line_numbers, multiple=True, metavar="N", help="This line, of several."
)
@click.option("--all", "whole", is_flag=True, help="The whole order, cooked or not.")
@reason_option
@seen_option
@pass_application
def void(
    app: Application,
    *,
    name: str,
    tenant: str,
    lines: tuple[int, ...],
    whole: bool,
    reason: str,
    seen: int | None,
    **options: Any,
) -> None:
    """Take lines off an order, or annul the whole order.

    What is cooked, and a whole order, need a manager: --as-manager.

    Examples:
      heard order void A1B2 --tenant demo --line 2 --reason "ordered twice"
      heard order void A1B2 --tenant demo --all --reason "the guests left" --as-manager
    """
    if whole == bool(lines):
        raise click.UsageError("say what to void: --line N, or --all")

    def question(till: PointOfSale, order_id: UUID) -> Pending[OrderReceipt]:
        if whole:
            return till.void_order(order_id, reason, seen=seen)
        return till.void_lines(order_id, lines, reason, seen=seen)

    _ask(app, tenant, name, question, **options)


@click.command(cls=Command)
@_for_an_order
@pass_application
def accept(app: Application, *, name: str, tenant: str, **options: Any) -> None:
    """Take an order that waited for the house to accept it.

    Examples:
      heard order accept A1B2 --tenant demo
    """
    _ask(app, tenant, name, lambda till, order_id: till.accept_order(order_id), **options)


@click.command(cls=Command)
@_for_an_order
@reason_option
@pass_application
def reject(app: Application, *, name: str, tenant: str, reason: str, **options: Any) -> None:
    """Do not take an order that is not yet with the kitchen.

    Examples:
      heard order reject A1B2 --tenant demo --reason "the oven is broken"
    """
    _ask(app, tenant, name, lambda till, order_id: till.reject_order(order_id, reason), **options)


@click.command(cls=Command)
@_for_an_order
@seen_option
@pass_application
def serve(app: Application, *, name: str, tenant: str, seen: int | None, **options: Any) -> None:
    """Say that a ready order is on the table, or handed over.

    Examples:
      heard order serve A1B2 --tenant demo
    """
    _ask(app, tenant, name, lambda till, order_id: till.serve_order(order_id, seen=seen), **options)


@click.command(cls=Command)
@_for_an_order
@pass_application
def dispatch(app: Application, *, name: str, tenant: str, **options: Any) -> None:
    """Say that a ready delivery left with a courier.

    Examples:
      heard order dispatch A1B2 --tenant demo
    """
    _ask(app, tenant, name, lambda till, order_id: till.dispatch_order(order_id), **options)


@click.command(cls=Command)
@_for_an_order
@pass_application
def deliver(app: Application, *, name: str, tenant: str, **options: Any) -> None:
    """Say that the guest has the delivery.

    Examples:
      heard order deliver A1B2 --tenant demo
    """
    _ask(app, tenant, name, lambda till, order_id: till.deliver_order(order_id), **options)


@click.command("return", cls=Command)
@_for_an_order
@reason_option
@pass_application
def return_(app: Application, *, name: str, tenant: str, reason: str, **options: Any) -> None:
    """Say that the courier brought a delivery back: it is ready again.

    Examples:
      heard order return A1B2 --tenant demo --reason "nobody opened"
    """
    _ask(app, tenant, name, lambda till, order_id: till.return_order(order_id, reason), **options)


@click.command(cls=Command)
@_for_an_order
@seen_option
@pass_application
def close(app: Application, *, name: str, tenant: str, seen: int | None, **options: Any) -> None:
    """Close an order: the guests have had it, and it leaves the floor.

    Examples:
      heard order close A1B2 --tenant demo
    """
    _ask(app, tenant, name, lambda till, order_id: till.close_order(order_id, seen=seen), **options)


@click.command(cls=Command)
@_for_an_order
@reason_option
@seen_option
@pass_application
def cancel(
    app: Application, *, name: str, tenant: str, reason: str, seen: int | None, **options: Any
) -> None:
    """Call an order off, while nothing of it is cooked; the kitchen takes its tickets away.

    Examples:
      heard order cancel A1B2 --tenant demo --reason "the guest changed her mind"
    """
    _ask(
        app,
        tenant,
        name,
        lambda till, order_id: till.cancel_order(order_id, reason, seen=seen),
        **options,
    )


COMMANDS: Final = (
    add,
    change,
    void,
    accept,
    reject,
    serve,
    dispatch,
    deliver,
    return_,
    close,
    cancel,
)
