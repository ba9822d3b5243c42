"""From the till to paper and back: a printer that decodes what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from devices.escpos_printer import printer_at
from devices.ticket_printer import TicketPrinter
from schemas.devices import Role
from schemas.kitchen import Ticket, TicketStatus
from schemas.kitchen_requests import Attendance, AttendStation, ReprintTicket
from schemas.kitchen_rules import EscalationStep, EscalationTarget, KitchenRules
from schemas.orders import LineRequest
from services.kitchen.store import STATIONS, TICKETS, to_ticket
from services.runtime import house_rules
from services.runtime.alerts import ALERTS
from tests.escpos_sink import Sink
from tests.patience import PATIENCE_S
from tests.system import RunningTenant, until

BURGER = [LineRequest(item="burger", quantity=2)]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as printing:
        yield printing


def escalate(tenant: RunningTenant, *steps: EscalationTarget) -> None:
    """Ask these, a second after each other."""
    book = KitchenRules(escalation=tuple(EscalationStep(to=each, after_s=1) for each in steps))
    tenant.system.writing(lambda c: house_rules.write(c, tenant.name, kitchen=book))


@contextmanager
def printing(
    tenant: RunningTenant,
    sink: Sink,
    memory: Path,
    device: str | None = None,
    *,
    last_resort: bool = False,
) -> Iterator[TicketPrinter]:
    """A printer of the grill that is online and attends."""
    address = tenant.system.broker.address
    with TicketPrinter(
        address.host,
        address.port,
        station="grill",
        printer=printer_at(sink.to),
        memory=memory / "printed.db",
        last_resort=last_resort,
        retry_s=0.1,
        **tenant.options(Role.KITCHEN_DISPLAY, device),
    ) as made:
        column = "printers" if last_resort else "displays"
        until(lambda: made.device in attending(tenant, column), "the printer at its station")
        yield made


def attending(tenant: RunningTenant, column: str) -> set[str]:
    rows = tenant.rows(STATIONS)
    return {each for row in rows if row["station"] == "grill" for each in row[column] or {}}


def tickets(tenant: RunningTenant) -> list[Ticket]:
    return [to_ticket(row) for row in tenant.rows(TICKETS)]


def alerts(tenant: RunningTenant) -> set[str]:
    return {row["alert"] for row in tenant.rows(ALERTS) if row["cleared_at"] is None}


def heard(tenant: RunningTenant, ticket_id: UUID | None = None) -> bool:
    return any(
        each.status is TicketStatus.HEARD and ticket_id in {None, each.ticket_id}
        for each in tickets(tenant)
    )


def test_each_ticket_comes_out_once_and_is_heard_by_that(
    tenant: RunningTenant, sink: Sink, tmp_path: Path
) -> None:
    with tenant.till() as pos:
        with printing(tenant, sink, tmp_path, "paper") as paper:
            receipt = pos.place_order(BURGER, table="7").result(PATIENCE_S)
            until(lambda: heard(tenant), "the ticket to be heard")
            (ticket,) = tickets(tenant)
            assert ticket.heard_by == paper.device
            (slip,) = sink.papers
            assert receipt.number[-4:] in slip
            assert "table 7" in slip
            assert "2 x Burger" in slip
        # The same printer, started again with its memory: it knows what came out.
        with printing(tenant, sink, tmp_path, "paper"):
            pos.change_line(receipt.order_id, 1, quantity=3).result(PATIENCE_S)
            until(lambda: len(sink.papers) == 2, "the change on paper")
            assert sink.papers[1].startswith("CHANGED")
            assert "3 x Burger" in sink.papers[1]
            until(lambda: tickets(tenant)[0].change_heard_at, "the change to be heard")
            with tenant.speaker(Role.MANAGER) as manager:
                asked = manager.accepted(ReprintTicket(ticket_id=ticket.ticket_id))
            assert asked.printers == (paper.device,)
            until(lambda: len(sink.papers) == 3, "one more, for it was asked for")
            assert sink.papers[2].startswith("DUPLICATE")
            pos.cancel_order(receipt.order_id, "gone").result(PATIENCE_S)
            until(lambda: len(sink.papers) == 4, "that it is off")
            assert sink.papers[3].startswith("CANCELLED")
        assert paper.slips == 1


def test_a_ticket_whose_printer_is_away_is_unheard_until_it_comes_out(
    tenant: RunningTenant, sink: Sink, tmp_path: Path
) -> None:
    escalate(tenant, EscalationTarget.POS)
    sink.paper = False
    with tenant.till() as pos, printing(tenant, sink, tmp_path):
        pos.place_order(BURGER).result(PATIENCE_S)
        until(lambda: alerts(tenant), "the till to be told")
        assert alerts(tenant) == {f"unheard-grill-pos-{pos.device}"}
        assert not heard(tenant)
        assert sink.papers == []
        sink.paper = True
        until(lambda: heard(tenant), "it to come out after all")
        (slip,) = sink.papers
        assert "DUPLICATE" not in slip, "nothing of it came out before"
        until(lambda: not alerts(tenant), "the alert to end")


def test_a_slip_that_broke_off_comes_out_once_more_and_says_duplicate(
    tenant: RunningTenant, sink: Sink, tmp_path: Path
) -> None:
    sink.break_after = 200
    with tenant.till() as pos, printing(tenant, sink, tmp_path):
        pos.place_order(BURGER).result(PATIENCE_S)
        until(lambda: heard(tenant), "the ticket to be heard")
        (slip,) = sink.papers
        assert slip.startswith("DUPLICATE")


def test_a_last_resort_prints_once_what_no_screen_has_heard(
    tenant: RunningTenant, sink: Sink, tmp_path: Path
) -> None:
    escalate(tenant, EscalationTarget.PRINTER, EscalationTarget.MANAGER)
    with (
        tenant.till() as pos,
        tenant.speaker(Role.KITCHEN_DISPLAY) as dumb,
        printing(tenant, sink, tmp_path, last_resort=True) as paper,
    ):
        dumb.accepted(AttendStation(station="grill", attendance=Attendance.OUTPUT))
        pos.place_order(BURGER).result(PATIENCE_S)
        until(lambda: heard(tenant), "paper")
        (ticket,) = tickets(tenant)
        assert ticket.heard_by == paper.device
        assert [each.step for each in ticket.asked] == [EscalationTarget.PRINTER]
        assert ticket.heard_at is not None
        assert ticket.sent_at is not None
        assert 1.0 <= (ticket.asked[0].at - ticket.sent_at).total_seconds() < 3.0
        (slip,) = sink.papers
        assert "DUPLICATE" not in slip
        # The screen that stayed silent is told of; the manager is not asked any more.
        (silent,) = [each for each in ticket.displays if each.device == dumb.device]
        assert silent.heard_at is None
        until(lambda: alerts(tenant) == {f"silent-grill-{dumb.device}"}, "the silent screen")
        assert paper.slips == 1
