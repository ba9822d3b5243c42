"""From the till to the screen and back, with nothing between them but the real thing."""

from __future__ import annotations

from devices.kitchen_display import KitchenDisplay
from devices.station_view import Freshness
from schemas.kitchen import Ticket, TicketStatus
from schemas.orders import LineRequest, OrderStatus
from tests.patience import PATIENCE_S
from tests.system import RunningTenant, until


def lines(*items: tuple[str, int]) -> list[LineRequest]:
    return [LineRequest(item=item, quantity=quantity) for item, quantity in items]


def the_heard_ticket(screen: KitchenDisplay) -> Ticket:
    until(
        lambda: [ticket.status for ticket in screen.tickets] == [TicketStatus.HEARD],
        f"one heard ticket at {screen.station}",
    )
    until(lambda: screen.freshness is Freshness.CURRENT, "a current screen")
    return screen.tickets[0]


def cook(screen: KitchenDisplay) -> None:
    ticket_id = screen.tickets[0].ticket_id
    assert screen.start_ticket(ticket_id).result(PATIENCE_S).status is TicketStatus.STARTED
    assert screen.bump(ticket_id).result(PATIENCE_S).status is TicketStatus.BUMPED
    until(lambda: not screen.tickets, "the bumped ticket to leave the screen")


def test_an_order_is_heard_at_every_station_and_the_till_is_told(tenant: RunningTenant) -> None:
    with (
        tenant.till() as pos,
        tenant.display("grill") as grill,
        tenant.display("fry") as fry,
    ):
        receipt = pos.place_order(lines(("burger", 2), ("fries", 1))).result(PATIENCE_S)
        assert receipt.status is OrderStatus.ACCEPTED
        assert (receipt.total_minor, receipt.currency) == (2 * 995 + 350, "GBP")
        for screen, item, quantity in ((grill, "burger", 2), (fry, "fries", 1)):
            ticket = the_heard_ticket(screen)
            assert (ticket.order_id, ticket.order_number) == (receipt.order_id, receipt.number)
            assert [(line.item, line.quantity) for line in ticket.lines] == [(item, quantity)]
            assert ticket.heard_by == screen.device

        for screen in (grill, fry):
            cook(screen)
        closed = pos.close_order(receipt.order_id).result(PATIENCE_S)
        assert closed.status is OrderStatus.CLOSED
        assert closed.total_minor == receipt.total_minor
