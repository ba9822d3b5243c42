"""`heard order list` and `heard order show`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import click

from cli.application import Application, pass_application
from cli.grammar import Command, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.ordering import find_order
from cli.printing import after, counted, note, say, show_json, show_table, when
from cli.times import MOMENT
from schemas.kitchen import Ticket
from schemas.menu import ChosenModifier
from schemas.money import to_text
from schemas.orders import OPEN_ORDER, Order, OrderKind, OrderLine, OrderStatus
from services.kitchen.reading import tickets_of_order
from services.orders import reading
from services.orders.sharing import shares
from services.runtime.database import Database

STATUSES: Final = [status.value for status in OrderStatus]


@click.command("list", cls=Command)
@tenant_option
@click.option(
    "--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Only these."
)
@click.option("--open", "only_open", is_flag=True, help="Only those that have not ended.")
@click.option("--unpaid", is_flag=True, help="Only where guests still owe something.")
@click.option(
    "--kind", "kinds", type=click.Choice([kind.value for kind in OrderKind]), multiple=True,
    help="Only these.",
)  # fmt: skip
@click.option("--since", type=MOMENT, metavar="WHEN", help="Placed then or later: 2h, 2024-05-01.")
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
    app: Application,
    *,
    tenant: str,
    statuses: tuple[str, ...],
    only_open: bool,
    unpaid: bool,
    kinds: tuple[str, ...],
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List orders, the newest first.

    Examples:
      heard order list --tenant demo
      heard order list --tenant demo --status accepted --status preparing --json
      heard order list --tenant demo --open --unpaid --since 4h --kind delivery
    """
    wanted = frozenset(OrderStatus(each) for each in statuses)
    if only_open:
        wanted = OPEN_ORDER & wanted if wanted else OPEN_ORDER
        if not wanted:
            raise click.UsageError("--open and --status leave nothing: none of these is open")

    async def read(database: Database) -> list[Order]:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            return await reading.newest(
                connection,
                tenant,
                statuses=wanted,
                kinds=[OrderKind(each) for each in kinds],
                unpaid=unpaid,
                since=since,
                limit=limit,
            )

    found = app.run(read)
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    show_table(
        ("number", "status", "kind", "placed", "table", "reference", "lines", "total", "due"),
        (
            (
                each.number,
                each.status.value,
                each.kind.value,
                each.placed_at,
                each.table,
                each.reference,
                sum(not line.voided for line in each.lines),
                to_text(each.total_minor, each.currency),
                to_text(each.due_minor, each.currency),
            )
            for each in found
        ),
        empty=f"no such orders of {tenant}",
    )


@click.command(cls=Command)
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

    async def read(database: Database) -> tuple[Order, list[Ticket]]:
        async with database.read() as connection:
            order = await find_order(connection, tenant, name)
            return order, await tickets_of_order(connection, tenant, order.order_id)

    order, tickets = app.run(read)
    if as_json:
        show_json(
            order.model_dump(mode="json")
            | {"tickets": [ticket.model_dump(mode="json") for ticket in tickets]}
        )
    else:
        _show_order(order, tickets)


def _show_order(order: Order, tickets: Sequence[Ticket]) -> None:
    say("  ".join(_about(order)))
    if order.reason:
        note(f"{order.status.value}: {order.reason}")
    marks = {
        (line.line, line.mark.value)
        for ticket in tickets
        for line in ticket.lines
        if line.mark is not None
    }
    for line in order.lines:
        for text in line_texts(
            order, line, [mark for number, mark in marks if number == line.line]
        ):
            say(f"  {text}")
    for text in _money(order):
        say(f"  {text}")
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


def _about(order: Order) -> Iterator[str]:
    yield from (order.number, order.status.value, order.kind.value, when(order.placed_at))
    yield f"by {order.device}"
    if order.waits_for:
        yield f"waits for {' and '.join(order.waits_for)}"
    if order.due_at:
        yield f"for {when(order.due_at)}"
    if order.table:
        yield f"table {order.table}"
    if order.covers:
        yield counted(order.covers, "guest")
    if order.guest is not None and order.guest.name:
        yield f"for {order.guest.name}"
    if order.reference:
        yield f"reference {order.reference}"
    yield f"version {order.version}"


def line_texts(order: Order, line: OrderLine, marks: Sequence[str] = ()) -> Iterator[str]:
    """One line of an order for people: what, how much, for whom; then what is chosen with it."""
    names = {each.guest: each.name for each in order.participants}
    told = [*sorted(marks)]
    if line.voided:
        told.append("voided")
    if line.served:
        told.append("served")
    if line.refunded_minor:
        told.append(f"{to_text(line.refunded_minor, order.currency)} given back")
    if line.seat:
        told.append(f"seat {line.seat}")
    if line.guest is not None:
        told.append(f"for {names.get(line.guest, f'guest {line.guest}')}")
    if line.note:
        told.append(f'"{line.note}"')
    if line.allergens:
        told.append(f"contains {', '.join(line.allergens)}")
    if line.avoid:
        told.append(f"NO {', '.join(line.avoid)}")
    remarks = f"  ({'; '.join(told)})" if told else ""
    amount = to_text(line.total_minor, order.currency)
    yield f"{line.line}. {line.quantity} x {line.name}  {amount}  {line.station}{remarks}"
    for text in _chosen(line.modifiers):
        yield f"     {text}"


def _chosen(modifiers: Sequence[ChosenModifier], depth: int = 0) -> Iterator[str]:
    for each in modifiers:
        times = "" if each.quantity == 1 else f"{each.quantity} x "
        yield f"{'  ' * depth}+ {times}{each.name}"
        yield from _chosen(each.modifiers, depth + 1)


def _money(order: Order) -> Iterator[str]:
    def text(minor: int) -> str:
        return to_text(minor, order.currency)

    tax = f", of it tax {text(order.tax_minor)}" if order.tax_minor else ""
    yield f"total {text(order.total_minor)}{tax}"
    for each in order.payments:
        tip = f" and a tip of {text(each.tip_minor)}" if each.tip_minor else ""
        guest = f" by guest {each.guest}" if each.guest is not None else ""
        why = f": {each.reason}" if each.reason else ""
        yield f"{each.status.value} {text(each.amount_minor)}{tip} in {each.method}{guest}{why}"
        for back in each.refunds:
            yield f"  given back ({back.status.value}) {text(back.amount_minor)}: {back.reason}"
    if order.payments or order.due_minor != order.total_minor:
        yield f"due {text(order.due_minor)}"
    if order.participants and order.due_minor:
        names = {each.guest: each.name for each in order.participants}
        for share in shares(order):
            yield f"  {names.get(share.guest or 0, 'all')} pays {text(share.amount_minor)}"


COMMANDS: Final = (list_, show)
