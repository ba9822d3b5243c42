"""A simulated line: so many hands, one thing each, and the same times for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from devices.kitchen_display import KitchenDisplay
from devices.pending import Pending
from devices.simulated_line import SimulatedLine
from schemas.kitchen import Ticket, TicketStatus
from schemas.replies import TicketReceipt
from tests.devices.station_model import ticket

NOW = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)


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


def of(number: int, quantity: int) -> Ticket:
    """A ticket of one line, heard."""
    made = ticket(number, sequence=number, status=TicketStatus.HEARD)
    lines = tuple(line.model_copy(update={"quantity": quantity}) for line in made.lines)
    return made.model_copy(update={"lines": lines, "sent_at": NOW})


def line(screen: Screen, *, hands: int, varies: float = 0, seed: int = 1) -> SimulatedLine:
    display = cast("KitchenDisplay", screen)
    return SimulatedLine(display, hands=hands, takes_s=lambda _: 60, varies=varies, seed=seed)


def test_three_things_and_two_hands_are_two_rounds() -> None:
    screen = Screen(of(1, 3), of(2, 1))
    cooks = line(screen, hands=2)
    cooks._work(0)
    cooks._work(59)
    assert screen.asked == [("start", 1)]
    cooks._work(60)  # two are done: the third is begun, and a hand is free for the next ticket
    assert screen.asked == [("start", 1), ("start", 2)]
    cooks._work(119)
    assert screen.asked == [("start", 1), ("start", 2)]
    cooks._work(120)
    assert screen.asked[2:] == [("bump", 1), ("bump", 2)]


def test_what_is_drawn_for_a_thing_does_not_hang_on_what_was_made_before() -> None:
    def ends(*tickets: Ticket, seed: int = 1) -> dict[UUID, float]:
        cooks = line(Screen(*tickets), hands=9, varies=0.3, seed=seed)
        cooks._work(0)
        return {id_: at for at, id_, _ in cooks._busy}

    alone, both = ends(of(2, 1)), ends(of(1, 1), of(2, 1))
    assert both[UUID(int=2)] == alone[UUID(int=2)]
    assert both[UUID(int=1)] != both[UUID(int=2)]
    assert ends(of(2, 1), seed=2) != alone
