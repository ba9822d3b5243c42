"""Tickets as a cook names them: by the order's number, and the station where that is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click

from cli.admission import Admitted, as_device
from cli.application import Application
from cli.failures import Failure
from cli.grammar import device_options, json_option
from cli.names import NAME
from cli.ordering import asking_options, find_order, patience_option, the_order
from cli.printing import say, show_json
from cli.standing import told
from devices.pending import Pending
from devices.ticket_requests import TicketRequests
from schemas.devices import Role
from schemas.kitchen import Ticket
from schemas.orders import Order
from schemas.replies import Result
from services.kitchen.reading import ticket_of_id, tickets_of_order
from services.runtime.database import Database

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")

Question = Callable[[TicketRequests], Pending[Any]]
"""What is asked of the kitchen."""


def ticket_options(function: F) -> F:
    """Add what every step of a ticket takes: which one, as whom, and how long to wait."""
    for more in (json_option, asking_options, device_options, _course_option, _station_option):
        function = more(function)
    return click.argument("name", metavar="ORDER")(function)


def kitchen_options(function: F) -> F:
    """Add what a question takes that is not about one ticket."""
    for more in (json_option, asking_options, device_options):
        function = more(function)
    return function


def manager_options(function: F) -> F:
    """Add what a question takes that only a manager's device may ask."""
    for more in (json_option, patience_option, device_options):
        function = more(function)
    return function


_station_option = click.option(
    "--station", type=NAME, metavar="NAME", help="Whose ticket, where several have one."
)
_course_option = click.option(
    "--course", type=click.IntRange(min=1), metavar="N", help="Of which course."
)


class Asker:
    """A device that asks the kitchen and waits.

    Attributes:
        tenant: whose kitchen.
    """

    def __init__(
        self,
        app: Application,
        admitted: Admitted,
        device: TicketRequests,
        patience: float,
        problems: list[str],
    ) -> None:
        self.tenant = admitted.tenant
        self._app = app
        self._device = device
        self._patience = patience
        self._problems = problems

    def ask(self, question: Callable[[TicketRequests], Pending[R]]) -> R:
        """The answer.

        Raises:
            Failure: none came in time.
            Rejected: the services refused it.
        """
        try:
            return question(self._device).result(self._patience)
        except TimeoutError:
            known = self._problems
            why = known[-1] if known else "do the services run? `heard doctor` says more"
            raise Failure(f"no answer within {self._patience:g} s: {why}") from None

    def order(self, name: str) -> Order:
        """The one order of this name.

        Raises:
            Failure: there is none, or more than one.
        """
        return the_order(self._app, self.tenant, name)

    def ticket(
        self,
        name: str,
        station: str | None,
        course: int | None,
        fits: Callable[[Ticket], bool],
    ) -> Ticket:
        """The one ticket of this name, among those that fit where any does.

        Args:
            name: of its order; or its own id.
            station: whose ticket; None where it is clear.
            course: of which course; None where it is clear.
            fits: whether what is asked can be meant of it. Where none fits, the last one is
                asked all the same: the services say by name what is wrong with that.

        Raises:
            Failure: there is none, or more than one.
        """

        async def read(database: Database) -> list[Ticket]:
            async with database.read() as connection:
                own = await ticket_of_id(connection, self.tenant, _uuid(name))
                if own is not None:
                    return [own]
                order = await find_order(connection, self.tenant, name)
                return await tickets_of_order(connection, self.tenant, order.order_id)

        return the_ticket(self._app.run(read), name, station, course, fits)


@contextmanager
def in_the_kitchen(
    app: Application,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    *,
    as_manager: bool,
) -> Iterator[Asker]:
    """Somebody who asks the kitchen: the device of a file, or one of this command's own.

    Raises:
        Failure: nobody said whose kitchen it is.
    """
    role = Role.MANAGER if as_manager else Role.KITCHEN_DISPLAY
    with as_device(app, tenant, credentials, role) as admitted:
        problems: list[str] = []
        device = TicketRequests(
            admitted.address.host,
            admitted.address.port,
            on_problem=problems.append,
            **admitted.options(),
        )
        with device:
            yield Asker(app, admitted, device, patience, problems)


def the_ticket(
    tickets: Sequence[Ticket],
    name: str,
    station: str | None,
    course: int | None,
    fits: Callable[[Ticket], bool],
) -> Ticket:
    """The one ticket that is meant; see `Asker.ticket`.

    Raises:
        Failure: there is none, or more than one.
    """
    if not tickets:
        raise Failure(f"{name} has no ticket: nothing of it is with the kitchen yet")
    number = tickets[0].order_number
    here = [
        each
        for each in tickets
        if station in (None, each.station) and course in (None, each.course)
    ]
    if not here:
        where = f" at {station}" if station else ""
        which = f" in course {course}" if course else ""
        raise Failure(f"{number} has no ticket{where}{which}, only {_listed(tickets)}")
    fitting = [each for each in here if fits(each)]
    if len(fitting) > 1:
        raise Failure(
            f"{number} has {_listed(fitting)}: say which with --station or --course, "
            "or name its own id (heard kitchen queue --json)"
        )
    if fitting:
        return fitting[0]
    # An expo's own ticket has plates: who named no station means the food.
    return max(
        here, key=lambda each: (not each.plates, each.ended_at or each.placed_at, each.version)
    )


def show_result(result: Result, name: str, *, as_json: bool, zone: tzinfo | None = None) -> None:
    """Print what was done; times by the clock of `zone`, or of this machine."""
    if as_json:
        show_json(result.model_dump(mode="json"))
    else:
        say(f"{name}  {told(result, zone)}")


def _listed(tickets: Sequence[Ticket]) -> str:
    return ", ".join(
        f"{each.station} (course {each.course}, {each.status.value})"
        for each in sorted(tickets, key=lambda each: (each.station, each.course))
    )


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
