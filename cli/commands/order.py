"""`heard order`: place orders and look at them."""

from __future__ import annotations

import time
from typing import Any, Final
from uuid import UUID

import click

from cli.admission import visiting
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.printing import after, note, say, show_json, show_table, when
from cli.span import SPAN
from devices.pos import PointOfSale
from schemas.devices import Role
from schemas.kitchen import Ticket
from schemas.money import to_text
from schemas.orders import MAX_QUANTITY, LineRequest, Order, OrderStatus
from schemas.replies import OrderReceipt
from services.kitchen.reading import tickets_of_order
from services.orders import reading
from services.runtime.database import Database

STATUSES: Final = [status.value for status in OrderStatus]
POLL_S: Final = 0.2


class Wanted(click.ParamType[LineRequest]):
    """A line of an order: ``burger``, ``burger=2``, or ``burger=2:no onions``."""

    name = "item[=quantity[:note]]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> LineRequest:
        """Read it."""
        item, _, rest = str(value).partition("=")
        number, _, remark = rest.partition(":")
        if not number:
            number = "1"
        if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= MAX_QUANTITY:
            self.fail(f"{value!r}: the quantity is 1 to {MAX_QUANTITY}, as in burger=2", param, ctx)
        try:
            return LineRequest(item=item, quantity=int(number), note=remark)
        except ValueError:
            self.fail(f"{value!r}: write it as ITEM=QUANTITY, as in burger=2", param, ctx)


@click.group(cls=Group)
def order() -> None:
    """Place and look at orders."""


@order.command()
@click.argument("lines", type=Wanted(), nargs=-1, required=True, metavar="ITEM=QUANTITY...")
@tenant_option
@click.option("--table", metavar="TEXT", help="Where the guests sit.")
@click.option("--reference", metavar="TEXT", help="Your own number for it.")
@click.option("--wait-heard", is_flag=True, help="Wait until every station has heard it.")
@click.option(
    "--patience", type=SPAN, default="15s", show_default=True, help="How long to wait for each."
)
@json_option
@pass_application
def place(
    app: Application,
    *,
    lines: tuple[LineRequest, ...],
    tenant: str,
    table: str | None,
    reference: str | None,
    wait_heard: bool,
    patience: float,
    as_json: bool,
) -> None:
    """Place an order over MQTT, as a till does.

    The till exists for this command alone. A note stands after a colon.

    Examples:
      heard order place --tenant demo burger=2 fries=1 --table 7
      heard order place --tenant demo "burger=1:no onions" --wait-heard
    """
    with visiting(app, tenant, Role.POS) as (admitted,):
        problems: list[str] = []
        till = PointOfSale(
            admitted.address.host,
            admitted.address.port,
            on_problem=problems.append,
            **admitted.options(),
        )
        with till:
            pending = till.place_order(lines, table=table, reference=reference)
            try:
                receipt = pending.result(patience)
            except TimeoutError:
                why = problems[-1] if problems else "do the services run? `heard doctor` says more"
                raise Failure(f"no answer within {patience:g} s: {why}") from None
    tickets = _wait_heard(app, tenant, receipt.order_id, patience) if wait_heard else []
    _show_receipt(receipt, tickets, as_json=as_json)
    if wait_heard and not all(ticket.heard_at for ticket in tickets):
        deaf = ", ".join(ticket.station for ticket in tickets if ticket.heard_at is None)
        raise Failure(f"not heard within {patience:g} s: {deaf}: is a display connected there?")


def _wait_heard(app: Application, tenant: str, order_id: UUID, patience: float) -> list[Ticket]:
    deadline = time.monotonic() + patience

    async def read(database: Database) -> list[Ticket]:
        async with database.read() as connection:
            return await tickets_of_order(connection, tenant, order_id)

    while True:
        tickets = app.run(read)
        if all(ticket.heard_at for ticket in tickets) or time.monotonic() > deadline:
            return tickets
        time.sleep(POLL_S)


def _show_receipt(receipt: OrderReceipt, tickets: list[Ticket], *, as_json: bool) -> None:
    if as_json:
        shown: dict[str, Any] = receipt.model_dump(mode="json")
        if tickets:
            shown["heard"] = {ticket.station: ticket.heard_at for ticket in tickets}
        show_json(shown)
        return
    say(f"{receipt.number}  {to_text(receipt.total_minor, receipt.currency)}")
    for ticket in tickets:
        if ticket.heard_at is not None:
            took = after(ticket.placed_at, ticket.heard_at)
            say(f"{ticket.station}: heard by {ticket.heard_by} after {took}")


@order.command("list")
@tenant_option
@click.option(
    "--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Only these."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="At most so many, the newest first.",
)
@json_option
@pass_application
def list_(
    app: Application, *, tenant: str, statuses: tuple[str, ...], limit: int, as_json: bool
) -> None:
    """List orders, the newest first.

    Examples:
      heard order list --tenant demo
      heard order list --tenant demo --status placed --status preparing --json
    """

    async def read(database: Database) -> list[Order]:
        async with database.read() as connection:
            return await reading.newest(
                connection, tenant, statuses=[OrderStatus(each) for each in statuses], limit=limit
            )

    found = app.run(read)
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    show_table(
        ("number", "status", "placed", "table", "reference", "lines", "total"),
        (
            (
                each.number,
                each.status.value,
                when(each.placed_at),
                each.table,
                each.reference,
                len(each.lines),
                to_text(each.total_minor, each.currency),
            )
            for each in found
        ),
        empty=f"no such orders of {tenant}",
    )


@order.command()
@click.argument("name", metavar="NUMBER")
@tenant_option
@json_option
@pass_application
def show(app: Application, *, name: str, tenant: str, as_json: bool) -> None:
    """Show one order with its tickets: who heard them, and when.

    NUMBER is the order's number or its end, its id, or the sender's reference.

    Examples:
      heard order show ORD-240115103045-A1B2 --tenant demo
      heard order show A1B2 --tenant demo --json
    """

    async def read(database: Database) -> tuple[list[Order], list[Ticket]]:
        async with database.read() as connection:
            found = await reading.find(connection, tenant, name)
            if len(found) != 1:
                return found, []
            return found, await tickets_of_order(connection, tenant, found[0].order_id)

    found, tickets = app.run(read)
    if len(found) > 1:
        raise Failure(f"{name} may be any of {', '.join(each.number for each in found)}")
    if not found:
        raise Failure(f"{tenant} has no order {name}: heard order list --tenant {tenant}")
    if as_json:
        show_json(
            found[0].model_dump(mode="json")
            | {"tickets": [ticket.model_dump(mode="json") for ticket in tickets]}
        )
    else:
        _show_order(found[0], tickets)


def _show_order(order: Order, tickets: list[Ticket]) -> None:
    about = [order.number, order.status.value, when(order.placed_at), f"by {order.device}"]
    if order.table:
        about.append(f"table {order.table}")
    if order.reference:
        about.append(f"reference {order.reference}")
    say("  ".join(about))
    if order.reason:
        note(f"cancelled: {order.reason}")
    for line in order.lines:
        amount = to_text(line.unit_minor * line.quantity, order.currency)
        remark = f"  ({line.note})" if line.note else ""
        say(f"  {line.quantity} x {line.name}  {amount}  {line.station}{remark}")
    say(f"  total {to_text(order.total_minor, order.currency)}")
    show_table(
        ("station", "status", "heard by", "heard after", "started after", "ended after"),
        (
            (
                ticket.station,
                ticket.status.value,
                ticket.heard_by or "nobody yet",
                after(ticket.placed_at, ticket.heard_at),
                after(ticket.placed_at, ticket.started_at),
                after(ticket.placed_at, ticket.ended_at),
            )
            for ticket in tickets
        ),
        empty="no tickets",
    )
