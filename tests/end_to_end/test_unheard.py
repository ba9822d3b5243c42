"""Displays that are cut off, frozen or gone: whoever is to be told is told in time, until heard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from devices.kitchen_display import KitchenDisplay
from devices.pos import PointOfSale
from schemas.devices import Role
from schemas.kitchen import Ticket, TicketStatus
from schemas.kitchen_rules import EscalationStep, EscalationTarget, KitchenRules, StationRules
from schemas.orders import LineRequest
from services.kitchen.store import STATIONS, TICKETS, to_ticket
from services.runtime import house_rules
from services.runtime.alerts import ALERTS
from tests.children import Child
from tests.faults.cut import Link
from tests.faults.screen import READY, Screen
from tests.patience import PATIENCE_S
from tests.system import RunningSystem, RunningTenant, until

HEARTBEAT_S = 0.5
BURGER = [LineRequest(item="burger", quantity=1)]
BOOK = KitchenRules(
    escalation=(
        EscalationStep(to=EscalationTarget.POS, after_s=1),
        EscalationStep(to=EscalationTarget.MANAGER, after_s=2),
    )
)


def house(system: RunningSystem, book: KitchenRules = BOOK) -> RunningTenant:
    tenant = system.add_tenant()
    system.writing(lambda c: house_rules.write(c, tenant.name, kitchen=book))
    return tenant


def tickets(tenant: RunningTenant) -> dict[UUID, Ticket]:
    return {row["ticket_id"]: to_ticket(row) for row in tenant.rows(TICKETS)}


def attending(tenant: RunningTenant, station: str = "grill") -> set[str]:
    rows = tenant.rows(STATIONS)
    return {each for row in rows if row["station"] == station for each in row["displays"] or {}}


def alerts(tenant: RunningTenant) -> set[str]:
    return {row["alert"] for row in tenant.rows(ALERTS) if row["cleared_at"] is None}


def order(pos: PointOfSale, tenant: RunningTenant) -> UUID:
    """Place one; returns its ticket."""
    placed = pos.place_order(BURGER).result(PATIENCE_S)
    (ticket,) = [each for each in tickets(tenant).values() if each.order_id == placed.order_id]
    return ticket.ticket_id


def is_not_asked_early(ticket: Ticket) -> None:
    """Each step was taken when its time had come, and not before."""
    assert ticket.sent_at is not None
    before = ticket.sent_at
    for asked, step in zip(ticket.asked, BOOK.escalation, strict=False):
        assert asked.step is step.to
        waited = (asked.at - before).total_seconds()
        assert step.after_s <= waited, f"{step.to} after {waited:.1f} s"
        before = asked.at


@contextmanager
def over(link: Link, tenant: RunningTenant, device: str) -> Iterator[KitchenDisplay]:
    """A display of the grill whose connection may be cut."""
    options = tenant.options(Role.KITCHEN_DISPLAY, device)
    options["heartbeat_s"] = HEARTBEAT_S
    with KitchenDisplay("127.0.0.1", link.port, station="grill", **options) as display:
        until(lambda: device in attending(tenant), "it to attend")
        yield display


def test_a_display_that_is_cut_off_is_told_of_until_it_is_back_and_has_heard(
    own_system: RunningSystem,
) -> None:
    tenant = house(own_system)
    with (
        Link(own_system.broker.port) as link,
        tenant.till() as pos,
        over(link, tenant, "grill-1") as display,
    ):
        link.hold()  # nobody is told: neither the display nor the broker
        link.cut()
        ticket_id = order(pos, tenant)
        unheard = f"unheard-grill-pos-{pos.device}"
        until(lambda: [each.alert for each in pos.alerts] == [unheard], "the till to be told")
        assert pos.alerts[0].tickets == (ticket_id,)
        everything = {unheard, "unheard-grill-manager", "display-gone-grill"}
        until(lambda: alerts(tenant) == everything, "the manager, and that the display is gone")
        assert attending(tenant) == set()
        link.release()
        until(lambda: attending(tenant) == {"grill-1"}, "the display to come back")
        until(lambda: not alerts(tenant), "all of it to be over")
        until(lambda: not pos.alerts, "the till to be told that too")
        ticket = tickets(tenant)[ticket_id]
        assert (ticket.status, ticket.heard_by) == (TicketStatus.HEARD, display.device)
        is_not_asked_early(ticket)
        assert [each.step for each in ticket.asked] == [each.to for each in BOOK.escalation]


def test_a_frozen_display_is_told_of_and_attends_anew_when_it_thaws(
    own_system: RunningSystem, tmp_path: Path
) -> None:
    tenant = house(own_system)
    device = tenant.add_device(Role.KITCHEN_DISPLAY, "grill-1")
    screen = Screen(
        port=own_system.broker.port,
        tenant=tenant.name,
        device=device,
        secret=own_system.broker.login(tenant.name, device).secret,
        station="grill",
        heartbeat_s=HEARTBEAT_S,
    )
    child = Child("tests.faults.screen", screen, tmp_path / "screen.log")
    try:
        until(lambda: child.has_said(READY), "the display to start")
        until(lambda: attending(tenant) == {device}, "it to attend")
        with tenant.till() as pos:
            child.stall()
            ticket_id = order(pos, tenant)
            until(
                lambda: {f"unheard-grill-pos-{pos.device}", "display-gone-grill"} <= alerts(tenant),
                "the till, and that the display is gone",
            )
            is_not_asked_early(tickets(tenant)[ticket_id])
            child.resume()
            until(lambda: attending(tenant) == {device}, "it to attend anew")
            until(lambda: not alerts(tenant), "all of it to be over")
            assert tickets(tenant)[ticket_id].heard_by == device
    finally:
        child.kill()


def test_a_station_whose_only_display_is_gone_gives_its_tickets_to_its_fallback(
    own_system: RunningSystem,
) -> None:
    book = KitchenRules(
        stations={"grill": StationRules(fallback="fry")},
        escalation=(EscalationStep(to=EscalationTarget.FALLBACK, after_s=1), *BOOK.escalation),
    )
    tenant = house(own_system, book)
    with tenant.till() as pos, tenant.display("fry") as fry:
        until(lambda: attending(tenant, "fry") == {fry.device}, "the fallback")
        with tenant.display("grill", "grill-1"):
            until(lambda: attending(tenant) == {"grill-1"}, "the display")
        # It has said goodbye; what was sent before that is known goes to the fallback too.
        ticket_id = order(pos, tenant)
        until(lambda: "display-gone-grill" in alerts(tenant), "that the display is gone")
        until(
            lambda: any(
                each.station == "fry" and each.heard_by == fry.device
                for each in tickets(tenant).values()
            ),
            "the fallback to hear it",
        )
        first = tickets(tenant)[ticket_id]
        assert first.station == "fry" or first.moved_to == "fry"
        later = order(pos, tenant)
        assert tickets(tenant)[later].station == "fry", "at once, now that it is known"
        assert alerts(tenant) == {"display-gone-grill"}
        with tenant.display("grill", "grill-2"):
            until(lambda: not alerts(tenant), "another display")


def test_what_is_due_is_asked_once_though_the_services_end_in_between(
    own_system: RunningSystem,
) -> None:
    tenant = house(own_system)
    with tenant.till() as pos:
        ticket_id = order(pos, tenant)
        until(lambda: tickets(tenant)[ticket_id].asked, "the till to be asked")
        own_system.restart()
        until(lambda: len(tickets(tenant)[ticket_id].asked) == 2, "the manager, by the next life")
        own_system.restart()
        until(lambda: len(pos.alerts) == 1, "what stands retained")
        (alert,) = pos.alerts
        assert alert.tickets == (ticket_id,)
        with tenant.display("grill"):
            until(lambda: not alerts(tenant), "it to be heard")
        ticket = tickets(tenant)[ticket_id]
        assert [each.step for each in ticket.asked] == [each.to for each in BOOK.escalation]
        until(lambda: not pos.alerts, "the till to be told")
