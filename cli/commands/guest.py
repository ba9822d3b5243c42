"""`heard guest`: the people who order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import click

from cli import forgetting
from cli.admission import actor
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.ordering import find_order
from cli.printing import counted, note, say, show_json
from schemas.orders import OPEN_ORDER, Guest, Order
from services.orders import guests, reading
from services.runtime.database import Database

_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()/.-]{3,}")


@click.group(cls=Group)
def guest() -> None:
    """Look after what is kept of guests."""


@dataclass(slots=True)
class _Found:
    """The orders of a guest."""

    ended: list[Order] = field(default_factory=list)
    open: list[Order] = field(default_factory=list)
    nothing: list[Order] = field(default_factory=list)
    """Of these nobody is known any more."""

    def sort(self, order: Order) -> None:
        """Put an order where it belongs."""
        if order.status in OPEN_ORDER:
            self.open.append(order)
        elif guests.is_personal(order):
            self.ended.append(order)
        else:
            self.nothing.append(order)


@guest.command()
@click.argument("whom", metavar="EMAIL|PHONE|ORDER")
@tenant_option
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
@json_option
@pass_application
def forget(app: Application, *, whom: str, tenant: str, dry_run: bool, as_json: bool) -> None:
    """Erase who a guest was, from all orders that have ended; what was paid stays.

    Erased are name, email, telephone, address, language, the names of participants, and the
    notes of lines; from orders, tickets, notices and kept answers. An order that is still open
    is named, and left alone. The audit says that it was done, not of whom.

    The exit code is 1 where nothing was found, or where something is left.

    Examples:
      heard guest forget ada@example.org --tenant roma --dry-run
      heard guest forget "+44 20 7946 0000" --tenant roma
      heard guest forget A1B2 --tenant roma --json
    """
    found = app.run(lambda database: _find(database, tenant, whom))

    async def erase(database: Database) -> list[forgetting.Forgotten]:
        who = actor()
        return [
            await forgetting.forget(database, tenant, order.order_id, who) for order in found.ended
        ]

    done = [] if dry_run else app.run(erase)
    left = [each for forgotten in done for each in forgotten.left]
    if as_json:
        show_json(
            {
                "tenant": tenant,
                "dry_run": dry_run,
                "forgotten": [each.number for each in found.ended],
                "open": [each.number for each in found.open],
                "notices": sum(each.notices for each in done),
                "answers": sum(each.answers for each in done),
                "left": left,
            }
        )
    else:
        for order in found.ended:
            say(f"{order.number}: {'would be forgotten' if dry_run else 'forgotten'}")
    for text in left:
        note(f"still there, for it was written by hand: {text}")
    _judge(found, left, whom)


def _judge(found: _Found, left: list[str], whom: str) -> None:
    """Fail where it is not done.

    Raises:
        Failure: nothing was found, an order is open, or a trace is left.
    """
    if found.open:
        numbers = ", ".join(f"{each.number} ({each.status.value})" for each in found.open)
        raise Failure(f"still open, and so not forgotten: {numbers}: close them, and ask again")
    if left:
        names = "names" if len(left) == 1 else "name"
        texts = counted(len(left), "text")
        raise Failure(f"{texts} that people wrote still {names} the guest: see above")
    if found.nothing and not found.ended:
        note("nothing was kept of its guests")
    elif not found.ended:
        raise Failure(f"no order is kept of {whom}")


async def _find(database: Database, tenant: str, whom: str) -> _Found:
    found = _Found()
    async with database.read() as connection:
        await must_be_there(connection, tenant)
        if "@" in whom or _PHONE.fullmatch(whom.strip()):
            async for page in guests.orders_with_guests(connection, tenant):
                for order in page:
                    if order.guest is not None and _is(order.guest, whom):
                        found.sort(order)
            if "@" in whom or found.open or found.ended:
                return found
        if await reading.find(connection, tenant, whom):
            found.sort(await find_order(connection, tenant, whom))
    return found


def _is(guest_: Guest, whom: str) -> bool:
    known = guests.has_email if "@" in whom else guests.has_phone
    return known(guest_, whom)
