"""A simulated cook does as cooks do: leaves alone what is held, and runs for what is in a rush."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from devices.kitchen_display import KitchenDisplay
from devices.pending import Pending
from devices.simulator import SimulatedCook
from schemas.kitchen import Priority, Ticket, TicketStatus
from schemas.replies import TicketReceipt
from tests.devices.station_model import ticket


class Screen:
    """A station's screen, as far as a cook looks at it."""

    station = "grill"

    def __init__(self, *tickets: Ticket) -> None:
        self.tickets = list(tickets)
        self.asked: list[tuple[str, int]] = []

    def start_ticket(self, ticket_id: UUID) -> Pending[TicketReceipt]:
        self.asked.append(("start", ticket_id.int))
        return Pending(ticket_id)

    def bump(self, ticket_id: UUID) -> Pending[TicketReceipt]:
        self.asked.append(("bump", ticket_id.int))
        return Pending(ticket_id)


def test_what_is_held_is_left_alone_until_it_is_fired() -> None:
    held = ticket(1, sequence=1, status=TicketStatus.HELD)
    screen = Screen(held)
    cook = SimulatedCook(cast("KitchenDisplay", screen), start_after_s=(5, 5), cook_s=(60, 60))
    cook._work(0)
    cook._work(100)
    assert screen.asked == []
    screen.tickets = [held.model_copy(update={"status": TicketStatus.HEARD})]
    cook._work(101)
    cook._work(105)
    assert screen.asked == []
    cook._work(106)
    cook._work(107)
    assert screen.asked == [("start", 1)]
    screen.tickets = [held.model_copy(update={"status": TicketStatus.STARTED})]
    cook._work(110)
    cook._work(170)
    assert screen.asked == [("start", 1), ("bump", 1)]


def test_what_is_in_a_rush_is_begun_at_once_also_when_that_is_said_later() -> None:
    first, second = (ticket(n, sequence=n, status=TicketStatus.HEARD) for n in (1, 2))
    rush = first.model_copy(update={"priority": Priority.RUSH})
    screen = Screen(rush, second)
    cook = SimulatedCook(cast("KitchenDisplay", screen), start_after_s=(50, 50))
    cook._work(0)
    assert screen.asked == [("start", 1)]
    screen.tickets = [second.model_copy(update={"priority": Priority.RUSH})]
    cook._work(1)
    assert screen.asked == [("start", 1), ("start", 2)]
