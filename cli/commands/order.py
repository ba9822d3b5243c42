"""`heard order`: place orders, change them, take money for them, and look at them."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from cli.application import Application, pass_application
from cli.commands import order_changing, order_history, order_paying, order_reading
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.names import NAME
from cli.order_lines import WANTED
from cli.ordering import asking_options, at_till, show_receipt
from cli.places import PLACE
from cli.printing import after, note, say, show_json, when
from cli.times import on_the_clock
from schemas.kitchen import Ticket
from schemas.orders import MAX_GUESTS, Guest, LineRequest, OrderKind, Participant
from schemas.positions import Place
from schemas.replies import OrderReceipt
from services.delivery import doors, store
from services.delivery.kept import Kept
from services.kitchen.reading import tickets_of_order
from services.orders import reading
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

POLL_S: Final = 0.2
KINDS: Final = [kind.value for kind in OrderKind]


@click.group(cls=Group)
def order() -> None:
    """Place orders, change them, take money for them, and look at them."""


for _room in (order_changing, order_paying, order_reading, order_history):
    for _command in _room.COMMANDS:
        order.add_command(_command)


@order.command()
@click.argument("lines", type=WANTED, nargs=-1, required=True, metavar="ITEM=QUANTITY...")
@tenant_option
@click.option(
    "--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True,
    help="How the guests get it.",
)  # fmt: skip
@click.option("--table", metavar="TEXT", help="Where the guests sit.")
@click.option("--covers", type=click.IntRange(1, MAX_GUESTS), help="How many sit there.")
@click.option(
    "--participant", "participants", multiple=True, metavar="NAME",
    help="One of several guests who share it, once for each.",
)  # fmt: skip
@click.option(
    "--avoid", type=NAME, multiple=True, metavar="ALLERGEN",
    help="What no guest of it must get: an order that contains it is refused.",
)  # fmt: skip
@click.option("--name", metavar="TEXT", help="Whom it is for.")
@click.option("--email", metavar="ADDRESS", help="The guest's email.")
@click.option("--phone", metavar="NUMBER", help="The guest's telephone.")
@click.option("--address", metavar="TEXT", help="Where it is delivered to.")
@click.option(
    "--place", "door", type=PLACE, metavar="LAT,LON", help="The same on the map, for couriers."
)
@click.option("--language", metavar="CODE", help="The guest's language: en, de, pt-BR.")
@click.option(
    "--for", "due", metavar="TIME", help="For when: 19:30 by the house's clock, or an ISO time."
)
@click.option("--reference", metavar="TEXT", help="Your own number for it.")
@click.option("--wait-heard", is_flag=True, help="Wait until every station has heard it.")
@asking_options
@json_option
@pass_application
def place(
    app: Application,
    *,
    lines: tuple[LineRequest, ...],
    tenant: str,
    avoid: tuple[str, ...],
    kind: str,
    table: str | None,
    covers: int | None,
    participants: tuple[str, ...],
    name: str | None,
    email: str | None,
    phone: str | None,
    address: str | None,
    door: Place | None,
    language: str | None,
    due: str | None,
    reference: str | None,
    wait_heard: bool,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Place an order over MQTT, as a till does.

    The till exists for this command alone. Modifiers stand after the item, each with a +,
    their number after a *, what is chosen with them in parentheses; which participant it is
    for after @, the quantity after =, and a note after a colon.

    Examples:
      heard order place --tenant demo burger=2 fries=1 --table 7
      heard order place --tenant demo "burger=1:no onions" --wait-heard
      heard order place --tenant demo "burger+rare+bacon*2+fries(aioli)=2" --covers 2
      heard order place --tenant demo burger --kind takeaway --name Ada --for 19:30
      heard order place --tenant demo burger --kind delivery --place 60.1719,24.9414
      heard order place --tenant demo burger@1 fries@2 --participant Ada --participant Bob
    """
    told = {"name": name, "email": email, "phone": phone, "address": address, "language": language}
    known = door is not None or any(value is not None for value in told.values())
    guest = Guest(**told, place=door) if known else None
    due_at = None if due is None else _due_at(app, tenant, due)
    with at_till(app, tenant, patience, as_manager=as_manager) as ask:
        receipt = ask(
            lambda till: till.place_order(
                [line.model_copy(update={"avoid": avoid}) for line in lines],
                kind=OrderKind(kind),
                table=table,
                covers=covers,
                guest=guest,
                participants=[
                    Participant(guest=number, name=each)
                    for number, each in enumerate(participants, start=1)
                ],
                due_at=due_at,
                reference=reference,
            )
        )
    tickets = _wait_heard(app, tenant, receipt.order_id, patience) if wait_heard else []
    _show_placed(receipt, tickets, as_json=as_json)
    if kind == OrderKind.DELIVERY.value and not as_json:
        _say_when_brought(app, tenant, receipt.order_id)
    if wait_heard and not all(ticket.heard_at for ticket in tickets):
        deaf = ", ".join(ticket.station for ticket in tickets if ticket.heard_at is None)
        raise Failure(f"not heard within {patience:g} s: {deaf}: is a display connected there?")
    if wait_heard and not tickets:
        waits = " and ".join(receipt.waits_for) or "nothing"
        raise Failure(f"the kitchen does not have it yet: it waits for {waits}")


def _say_when_brought(app: Application, tenant: str, order_id: UUID) -> None:
    """By when the guest was promised to have it, or why nobody brings it yet."""

    async def read(database: Database) -> Kept | str:
        async with database.read() as connection:
            kept = await store.find(connection, tenant, order_id)
            if kept is not None:
                return kept
            order = await reading.one(connection, tenant, order_id)
            house = (await house_rules.read(connection, tenant)).delivery
            return doors.why_none(order, house, tenant)

    found = app.run(read)
    if isinstance(found, str):
        note(found)
    else:
        say(f"promised by {when(found.delivery.promised_at)}")


def _due_at(app: Application, tenant: str, text: str) -> datetime:
    async def zone(database: Database) -> str:
        async with database.read() as connection:
            rules = (await house_rules.read(connection, tenant)).orders
            return rules.time_zone

    try:
        return on_the_clock(text, ZoneInfo(app.run(zone)), system_clock())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from None


def _wait_heard(app: Application, tenant: str, order_id: UUID, patience: float) -> list[Ticket]:
    deadline = time.monotonic() + patience

    async def read(database: Database) -> list[Ticket]:
        async with database.read() as connection:
            return await tickets_of_order(connection, tenant, order_id)

    while True:
        tickets = app.run(read)
        heard = tickets and all(ticket.heard_at for ticket in tickets)
        if heard or time.monotonic() > deadline:
            return tickets
        time.sleep(POLL_S)


def _show_placed(receipt: OrderReceipt, tickets: list[Ticket], *, as_json: bool) -> None:
    if as_json:
        shown: dict[str, Any] = receipt.model_dump(mode="json")
        if tickets:
            shown["heard"] = {ticket.station: ticket.heard_at for ticket in tickets}
        show_json(shown)
        return
    show_receipt(receipt, as_json=False)
    for ticket in tickets:
        if ticket.heard_at is not None:
            took = after(ticket.placed_at, ticket.heard_at)
            say(f"{ticket.station}: heard by {ticket.heard_by} after {took}")
