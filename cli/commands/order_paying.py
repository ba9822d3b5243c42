"""`heard order pay`, `refund` and `split`: money for an order."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import click

from cli.application import Application, pass_application
from cli.grammar import Command, json_option, tenant_option
from cli.names import NAME
from cli.ordering import (
    amount_option,
    ask_and_show,
    asking_options,
    at_till,
    reason_option,
    the_order,
)
from cli.printing import show_json, show_table
from schemas.money import to_text
from schemas.orders import MAX_GUESTS
from schemas.payments import CASH

_guest_option = click.option(
    "--guest", type=click.IntRange(1, MAX_GUESTS), metavar="N", help="Which of the participants."
)


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@tenant_option
@click.option("--cash", "method", flag_value=CASH, default=CASH, help="With cash; so it is usual.")
@click.option(
    "--method", "method", type=NAME, metavar="NAME", help="Through this provider, which is asked."
)
@click.option("--amount", metavar="DECIMAL", help="Not all that is open, but this.")
@click.option("--tip", metavar="DECIMAL", help="On top of it, for the staff.")
@click.option("--tendered", metavar="DECIMAL", help="The cash handed over; the change is told.")
@_guest_option
@asking_options
@json_option
@pass_application
def pay(
    app: Application,
    *,
    name: str,
    tenant: str,
    method: str,
    amount: str | None,
    tip: str | None,
    tendered: str | None,
    guest: int | None,
    **options: Any,
) -> None:
    """Pay an order, or a part of it.

    Amounts are decimals in the restaurant's currency. Without --amount all is paid that is
    open; with --guest that guest's share. A provider's payment is pending until it says so.

    Examples:
      heard order pay A1B2 --tenant demo --tendered 30
      heard order pay A1B2 --tenant demo --amount 12.50 --tip 1.50 --guest 2
      heard order pay A1B2 --tenant demo --method card
    """
    order = the_order(app, tenant, name)
    amount_minor = amount_option(amount, order.currency, "--amount")
    tip_minor = amount_option(tip, order.currency, "--tip") or 0
    tendered_minor = amount_option(tendered, order.currency, "--tendered")
    ask_and_show(
        app,
        tenant,
        lambda till: till.pay(
            order.order_id,
            method=method,
            amount_minor=amount_minor,
            tip_minor=tip_minor,
            tendered_minor=tendered_minor,
            guest=guest,
        ),
        **options,
    )


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@tenant_option
@click.option("--amount", metavar="DECIMAL", help="So much.")
@click.option(
    "--line", "lines", type=click.IntRange(min=1), multiple=True, metavar="N",
    help="What this line cost, of several.",
)  # fmt: skip
@click.option("--all", "whole", is_flag=True, help="All that was paid and not yet given back.")
@click.option(
    "--payment", type=click.UUID, metavar="ID", help="Of this payment; else the newest go first."
)
@reason_option
@asking_options
@json_option
@pass_application
def refund(
    app: Application,
    *,
    name: str,
    tenant: str,
    amount: str | None,
    lines: tuple[int, ...],
    whole: bool,
    payment: UUID | None,
    reason: str,
    **options: Any,
) -> None:
    """Give money back: an amount, whole lines, or all of it.

    Cash goes back at once; of a provider's payment it is asked for.

    Examples:
      heard order refund A1B2 --tenant demo --amount 5 --reason "it was cold"
      heard order refund A1B2 --tenant demo --line 2 --reason "never came"
      heard order refund A1B2 --tenant demo --all --reason "closed by mistake"
    """
    if [amount is not None, bool(lines), whole].count(True) != 1:
        raise click.UsageError("say how much: --amount, --line N, or --all")
    order = the_order(app, tenant, name)
    amount_minor = amount_option(amount, order.currency, "--amount")
    ask_and_show(
        app,
        tenant,
        lambda till: till.refund(
            order.order_id, reason, amount_minor=amount_minor, lines=lines, payment_id=payment
        ),
        **options,
    )


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@tenant_option
@click.option(
    "--ways", type=click.IntRange(1, 100), metavar="N", help="In so many equal parts, not by guest."
)
@asking_options
@json_option
@pass_application
def split(
    app: Application,
    *,
    name: str,
    tenant: str,
    ways: int | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Tell what each guest has to pay of what is open; nothing is paid by that.

    Examples:
      heard order split A1B2 --tenant demo
      heard order split A1B2 --tenant demo --ways 3 --json
    """
    order = the_order(app, tenant, name)
    with at_till(app, tenant, patience, as_manager=as_manager) as ask:
        told = ask(lambda till: till.split(order.order_id, ways=ways))
    if as_json:
        show_json(told.model_dump(mode="json"))
        return
    names = {each.guest: each.name for each in order.participants}
    show_table(
        ("guest", "name", "pays"),
        (
            (
                number if share.guest is None else share.guest,
                names.get(share.guest or 0, ""),
                to_text(share.amount_minor, told.currency),
            )
            for number, share in enumerate(told.shares, start=1)
        ),
        empty="nobody has to pay anything",
    )


COMMANDS: Final = (pay, refund, split)
