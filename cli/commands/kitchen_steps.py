"""`heard kitchen start`, `bump`, `recall`, `hold`, `fire`, `move`, `rush`, `reprint`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click

from cli.application import Application, pass_application
from cli.grammar import Command
from cli.names import NAME
from cli.tickets import (
    Question,
    in_the_kitchen,
    kitchen_options,
    show_result,
    ticket_options,
)
from schemas.kitchen import OPEN_TICKET, Priority, Ticket, TicketStatus
from schemas.kitchen_rules import MAX_COURSES


class LineNumbers(click.ParamType[tuple[int, ...]]):
    """Numbers of lines: ``1,3``."""

    name = "lines"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read them."""
        numbers = [each.strip() for each in str(value).split(",")]
        if not all(each.isascii() and each.isdigit() and int(each) for each in numbers):
            self.fail(f"{value!r} are no lines: write their numbers, as 1,3", param, ctx)
        return tuple(int(each) for each in numbers)


LINES: Final = LineNumbers()
_lines_option = click.option(
    "--lines", type=LINES, metavar="N,…", help="Only these lines, by their numbers."
)
_why_option = click.option("--why", metavar="TEXT", help="Why; it stands in the ticket's story.")


def _is_open(ticket: Ticket) -> bool:
    return ticket.status in OPEN_TICKET


def _begun(ticket: Ticket) -> bool:
    return ticket.status is TicketStatus.STARTED


@click.command(cls=Command)
@ticket_options
@pass_application
def start(app: Application, **named: Any) -> None:
    """Say that a cook begins.

    ORDER is the order's number or its end, its id, the sender's reference, or a ticket's id.
    Where several stations have a ticket of it, --station says whose is meant.

    Examples:
      heard kitchen start A1B2 --tenant demo --station grill
    """
    _ask(
        app, _is_open, lambda it: lambda hand: hand.start_ticket(it.ticket_id, seen=it.sequence),
        **named,
    )  # fmt: skip


@click.command(cls=Command)
@ticket_options
@_lines_option
@pass_application
def bump(app: Application, *, lines: tuple[int, ...] | None, **named: Any) -> None:
    """Say that the food is ready, and leaves the station: a ticket, or some of its lines.

    It is refused where the ticket has changed since this command looked at it, or where
    nobody has heard it yet.

    Examples:
      heard kitchen bump A1B2 --tenant demo
      heard kitchen bump A1B2 --tenant demo --station grill --lines 1,3
      heard kitchen bump A1B2 --credentials grill-1.json
    """

    def question(ticket: Ticket) -> Question:
        id_, seen = ticket.ticket_id, ticket.sequence
        if lines is None:
            return lambda hand: hand.bump(id_, seen=seen)
        return lambda hand: hand.bump_lines(id_, lines, seen=seen)

    _ask(app, _is_open, question, **named)


@click.command(cls=Command)
@ticket_options
@_lines_option
@click.option("--restart", is_flag=True, help="Let its time count anew.")
@_why_option
@pass_application
def recall(
    app: Application,
    *,
    lines: tuple[int, ...] | None,
    restart: bool,
    why: str | None,
    **named: Any,
) -> None:
    """Bring back what was bumped too early: one of the station's last tickets, or some lines.

    Examples:
      heard kitchen recall A1B2 --tenant demo --why "the steak is raw"
      heard kitchen recall A1B2 --tenant demo --station fry --lines 2
      heard kitchen recall A1B2 --tenant demo --restart
    """

    def bumped(ticket: Ticket) -> bool:
        if lines is not None and _begun(ticket):
            return any(line.bumped_at is not None for line in ticket.lines)
        return ticket.status is TicketStatus.BUMPED

    _ask(
        app,
        bumped,
        lambda it: lambda hand: hand.recall(it.ticket_id, lines=lines, restart=restart, why=why),
        **named,
    )


@click.command(cls=Command)
@ticket_options
@_why_option
@pass_application
def hold(app: Application, *, why: str | None, **named: Any) -> None:
    """Say that a ticket is not to be begun yet.

    Examples:
      heard kitchen hold A1B2 --tenant demo --station grill --why "the guests are at the bar"
    """

    def can_wait(ticket: Ticket) -> bool:
        return ticket.status in {TicketStatus.SENT, TicketStatus.HEARD}

    _ask(app, can_wait, lambda it: lambda hand: hand.hold(it.ticket_id, why), **named)


@click.command(cls=Command)
@ticket_options
@pass_application
def fire(app: Application, *, station: str | None, course: int | None, **named: Any) -> None:
    """Say that a held ticket is to be begun now; with --course, a course at all its stations.

    Examples:
      heard kitchen fire A1B2 --tenant demo --course 2
      heard kitchen fire A1B2 --tenant demo --station grill
    """
    if course is not None and station is None:
        if course > MAX_COURSES:
            raise click.BadParameter(f"there are {MAX_COURSES} at most", param_hint="--course")
        _ask_of_order(
            app, lambda id_: lambda hand: hand.fire_course(id_, course), then="", **named
        )  # fmt: skip
        return

    def held(ticket: Ticket) -> bool:
        return ticket.status is TicketStatus.HELD

    _ask(
        app, held, lambda it: lambda hand: hand.fire(it.ticket_id),
        station=station, course=course, **named,
    )  # fmt: skip


@click.command(cls=Command)
@ticket_options
@click.option("--to", required=True, type=NAME, metavar="NAME", help="The station that makes it.")
@_why_option
@pass_application
def move(app: Application, *, to: str, why: str | None, **named: Any) -> None:
    """Let another station make a ticket; it stands there as one of its own.

    Examples:
      heard kitchen move A1B2 --tenant demo --station grill --to grill-2 --why "broken fan"
    """
    _ask(
        app,
        _is_open,
        lambda it: lambda hand: hand.move_ticket(it.ticket_id, to, why),
        then_at=to,
        **named,
    )


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@kitchen_options
@click.option(
    "--priority",
    type=click.Choice([each.value for each in Priority]),
    default=Priority.RUSH.value,
    show_default=True,
    help="How much it is in a hurry.",
)
@pass_application
def rush(app: Application, *, name: str, priority: str, **options: Any) -> None:
    """Put all open tickets of an order before others, or back in the row.

    Examples:
      heard kitchen rush A1B2 --tenant demo
      heard kitchen rush A1B2 --tenant demo --priority normal
    """
    wanted = Priority(priority)
    _ask_of_order(
        app, lambda id_: lambda hand: hand.prioritise(id_, wanted),
        name=name, then=f"priority {wanted.value}", **options,
    )  # fmt: skip


@click.command(cls=Command)
@ticket_options
@pass_application
def reprint(app: Application, **named: Any) -> None:
    """Print a ticket once more; the paper says DUPLICATE.

    Examples:
      heard kitchen reprint A1B2 --tenant demo --station grill
    """
    _ask(app, _is_open, lambda it: lambda hand: hand.reprint(it.ticket_id), **named)


def _ask(
    app: Application,
    fits: Callable[[Ticket], bool],
    question: Callable[[Ticket], Question],
    *,
    name: str,
    station: str | None,
    course: int | None,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
    then_at: str | None = None,
) -> None:
    """Find the ticket that is meant, ask, and print how it stands then, and where."""
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        ticket = asker.ticket(name, station, course, fits)
        result = asker.ask(question(ticket))
        show_result(result, f"{ticket.order_number}  {then_at or ticket.station}", as_json=as_json)


def _ask_of_order(
    app: Application,
    question: Callable[[UUID], Question],
    *,
    name: str,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
    then: str,
) -> None:
    with in_the_kitchen(app, tenant, credentials, patience, as_manager=as_manager) as asker:
        order = asker.order(name)
        name = f"{order.number}  {then}".rstrip()
        show_result(asker.ask(question(order.order_id)), name, as_json=as_json)


COMMANDS: Final = (start, bump, recall, hold, fire, move, rush, reprint)
