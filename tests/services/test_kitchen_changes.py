"""An order changes while it is cooked: on real brokers and databases, every screen says so."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import pytest

from devices.kitchen_display import KitchenDisplay
from devices.pending import Rejected
from devices.station_view import Freshness
from schemas.devices import Role
from schemas.kitchen import LineMark, Ticket, TicketState, TicketStatus
from schemas.kitchen_requests import BumpTicket, HearTickets, StartTicket
from schemas.menu import MenuItem, Modifier, ModifierGroup, ModifierRequest
from schemas.order_changes import ChangeLine, VoidLines
from schemas.orders import AddLines, CancelOrder, LineRequest, OrderKind, OrderStatus, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, TicketReceipt
from services.kitchen.store import STATIONS, TICKETS, to_ticket
from services.menu.handlers import put_menu
from services.runtime.moment import system_clock
from tests.mqtt_client import MqttClient
from tests.patience import PATIENCE_S
from tests.spoken import read_message
from tests.system import RunningSystem, RunningTenant, until

AIOLI = Modifier(modifier="aioli", name="Aioli", price_minor=50, allergens=("egg",))
FRIES = Modifier(
    modifier="fries",
    name="Fries",
    price_minor=250,
    groups=(ModifierGroup(group="sauces", most=2, modifiers=(AIOLI,)),),
)
CHEESE = Modifier(modifier="cheese", name="Cheese", price_minor=120, allergens=("milk",))
BURGER = MenuItem(
    item="burger",
    name="Burger",
    station="grill",
    price_minor=950,
    currency="GBP",
    allergens=("gluten",),
    groups=(ModifierGroup(group="extras", most=3, modifiers=(CHEESE, FRIES)),),
)
STEAK = MenuItem(item="steak", name="Steak", station="grill", price_minor=2100, currency="GBP")
ALE = MenuItem(item="ale", name="Ale", station="bar", price_minor=520, currency="GBP")

WITH_AIOLI = ModifierRequest(modifier="fries", modifiers=(ModifierRequest(modifier="aioli"),))
BURGER_LINE = LineRequest(
    item="burger",
    quantity=2,
    note="well done",
    modifiers=(WITH_AIOLI,),
    avoid=("nuts",),
    seat="4",
)
ALE_LINE = LineRequest(item="ale", quantity=1)
STEAK_LINE = LineRequest(item="steak", quantity=1)


@pytest.fixture
def diner(tenant: RunningTenant) -> RunningTenant:
    """A restaurant whose burgers have choices in choices."""
    return with_choices(tenant)


def with_choices(tenant: RunningTenant) -> RunningTenant:
    tenant.system.writing(
        lambda connection: put_menu(
            connection, tenant.name, [BURGER, STEAK, ALE], system_clock(), replace=True
        )
    )
    return tenant


def shown(screen: KitchenDisplay) -> list[Ticket]:
    return screen.tickets if screen.freshness is Freshness.CURRENT else []


def kept(tenant: RunningTenant) -> dict[UUID, Ticket]:
    return {row["ticket_id"]: to_ticket(row) for row in tenant.rows(TICKETS)}


def until_alike(tenant: RunningTenant, *screens: KitchenDisplay) -> None:
    """Wait until the screens are current and show what the database says."""

    def alike() -> bool:
        true = [each for each in kept(tenant).values() if each.ended_at is None]
        return all(
            screen.freshness is Freshness.CURRENT
            and {t.ticket_id: t for t in screen.tickets}
            == {t.ticket_id: t for t in true if t.station == screen.station}
            for screen in screens
        )

    until(alike, "the screens to show what is kept")


def until_heard(tenant: RunningTenant, screen: KitchenDisplay, tickets: int) -> None:
    """Wait until the screen shows what is kept, so many tickets, and nothing is unheard."""

    def heard() -> bool:
        there = {each.ticket_id: each for each in shown(screen)}
        return (
            len(there) == tickets
            and there
            == {
                each.ticket_id: each
                for each in kept(tenant).values()
                if each.station == screen.station and each.ended_at is None
            }
            and all(
                each.status is not TicketStatus.SENT
                and (each.changed_at is None or each.change_heard_at is not None)
                for each in there.values()
            )
        )

    until(heard, f"{tickets} heard tickets at {screen.station}")


def marks(ticket: Ticket) -> dict[int, LineMark | None]:
    return {line.line: line.mark for line in ticket.lines}


def test_what_the_guest_said_stands_on_the_ticket_word_for_word(diner: RunningTenant) -> None:
    with diner.till() as pos, diner.display("grill") as grill:
        wanted = pos.place_order([BURGER_LINE, ALE_LINE], kind=OrderKind.TAKEAWAY)
        order = pos.read_order(wanted.result(PATIENCE_S).order_id).result(PATIENCE_S).order
        until_heard(diner, grill, 1)
        (ticket,) = grill.tickets
        (line,), asked = ticket.lines, order.lines[0]
        assert ticket.kind is OrderKind.TAKEAWAY
        assert (line.modifiers, line.allergens) == (asked.modifiers, asked.allergens)
        assert (line.note, line.avoid, line.seat) == ("well done", ("nuts",), "4")
        assert line.allergens == ("egg", "gluten")
        (fries,) = line.modifiers
        assert [inner.name for inner in fries.modifiers] == ["Aioli"]
        assert line.mark is None


def test_two_screens_show_a_change_while_it_is_cooked_and_both_may_finish_it(
    diner: RunningTenant,
) -> None:
    with (
        diner.till() as pos,
        diner.display("grill") as left,
        diner.display("grill") as right,
    ):
        order = pos.place_order([BURGER_LINE, STEAK_LINE]).result(PATIENCE_S)
        until_heard(diner, left, 1)
        (ticket,) = left.tickets
        left.start_ticket(ticket.ticket_id).result(PATIENCE_S)
        pos.change_line(order.order_id, 1, quantity=3, modifiers=(ModifierRequest(
            modifier="cheese"),)).result(PATIENCE_S)  # fmt: skip
        for screen in (left, right):
            until_heard(diner, screen, 1)
        until_alike(diner, left, right)
        (now,) = right.tickets
        burger, steak = now.lines
        assert (burger.mark, burger.quantity) == (LineMark.CHANGED, 3)
        assert burger.allergens == ("gluten", "milk")
        assert burger.was is not None
        assert (burger.was.quantity, burger.was.allergens) == (2, ("egg", "gluten"))
        assert [each.modifier for each in burger.was.modifiers] == ["fries"]
        assert (steak.mark, steak.was) == (None, None)
        assert now.status is TicketStatus.STARTED
        assert now.change_heard_by in {left.device, right.device}
        right.bump(now.ticket_id).result(PATIENCE_S)
        until(lambda: left.tickets == [] == right.tickets, "the end")
        state = pos.read_order(order.order_id).result(PATIENCE_S).order
        assert state.status is OrderStatus.READY


def test_added_lines_stand_apart_as_new_and_voided_ones_stay_struck_out(
    diner: RunningTenant,
) -> None:
    with diner.till() as pos, diner.display("grill") as grill, diner.display("bar") as bar:
        order = pos.place_order([BURGER_LINE, STEAK_LINE]).result(PATIENCE_S)
        until_heard(diner, grill, 1)
        pos.add_lines(order.order_id, [BURGER_LINE, ALE_LINE]).result(PATIENCE_S)
        until_heard(diner, grill, 2)
        until_heard(diner, bar, 1)
        assert [marks(each) for each in grill.tickets] == [
            {1: None, 2: None},
            {3: LineMark.NEW},
        ]
        assert marks(bar.tickets[0]) == {4: LineMark.NEW}
        pos.void_lines(order.order_id, [2, 4], "changed their mind").result(PATIENCE_S)
        until(lambda: bar.tickets == [], "the cancelled ticket to go")
        until_heard(diner, grill, 2)
        assert marks(grill.tickets[0]) == {1: None, 2: LineMark.CANCELLED}
        until_alike(diner, grill, bar)
        ended = [each for each in kept(diner).values() if each.station == "bar"]
        assert [each.status for each in ended] == [TicketStatus.CANCELLED]
        for ticket in list(grill.tickets):
            grill.bump(ticket.ticket_id).result(PATIENCE_S)
        state = pos.read_order(order.order_id).result(PATIENCE_S).order
        assert state.status is OrderStatus.READY


def test_what_is_left_after_a_void_makes_the_order_ready(diner: RunningTenant) -> None:
    with diner.till() as pos, diner.display("grill") as grill, diner.display("bar") as bar:
        order = pos.place_order([BURGER_LINE, ALE_LINE]).result(PATIENCE_S)
        until_heard(diner, grill, 1)
        until_heard(diner, bar, 1)
        grill.bump(grill.tickets[0].ticket_id).result(PATIENCE_S)
        receipt = pos.void_lines(order.order_id, [2], "none left").result(PATIENCE_S)
        assert receipt.status is OrderStatus.READY
        until_alike(diner, grill, bar)
        assert bar.tickets == grill.tickets == []


def test_what_is_cooked_is_not_changed_and_goes_only_with_a_manager(diner: RunningTenant) -> None:
    with (
        diner.till() as pos,
        diner.display("grill") as grill,
        diner.speaker(Role.MANAGER) as manager,
    ):
        order = pos.place_order([BURGER_LINE, ALE_LINE]).result(PATIENCE_S)
        until_heard(diner, grill, 1)
        pos.change_line(order.order_id, 1, quantity=1).result(PATIENCE_S)
        until_heard(diner, grill, 1)
        grill.start_ticket(grill.tickets[0].ticket_id).result(PATIENCE_S)
        pos.change_line(order.order_id, 1, quantity=4).result(PATIENCE_S)
        until_heard(diner, grill, 1)
        grill.bump(grill.tickets[0].ticket_id).result(PATIENCE_S)
        for request in (
            pos.change_line(order.order_id, 1, quantity=2),
            pos.void_lines(order.order_id, [1], "late"),
            pos.cancel_order(order.order_id, "late"),
        ):
            with pytest.raises(Rejected) as error:
                request.result(PATIENCE_S)
            assert error.value.code is RefusalCode.ALREADY_COOKED
        pos.change_line(order.order_id, 2, note="cold").result(PATIENCE_S)
        before = [each for each in kept(diner).values() if each.station == "grill"]
        manager.accepted(VoidLines(order_id=order.order_id, lines=(1,), reason="on the house"))
        assert [each for each in kept(diner).values() if each.station == "grill"] == before


def test_a_bump_that_crosses_a_change_is_refused_with_how_the_ticket_stands(
    diner: RunningTenant,
) -> None:
    with diner.speaker() as pos, diner.speaker(Role.KITCHEN_DISPLAY) as kds:
        order = pos.accepted(PlaceOrder(lines=(BURGER_LINE,)))
        (first,) = kept(diner).values()
        id_ = first.ticket_id
        kds.accepted(HearTickets(ticket_ids=(id_,), sequence=first.sequence))
        (drawn,) = kept(diner).values()
        pos.accepted(ChangeLine(order_id=order.order_id, line=1, note="rare"))
        for step in (StartTicket, BumpTicket):
            for sequence in (drawn.sequence, None):
                reply = kds.ask(step(ticket_id=id_, sequence=sequence))
                assert reply.outcome is Outcome.REJECTED
                assert reply.code is RefusalCode.STALE_VERSION
                changed = kept(diner)[id_]
                assert reply.result == TicketReceipt(
                    ticket_id=id_, status=TicketStatus.HEARD, version=changed.version
                )
        # Another screen has heard it: who has not seen it still may not bump it.
        kds.accepted(HearTickets(ticket_ids=(id_,), sequence=changed.sequence))
        assert kept(diner)[id_].change_heard_at is not None
        assert kds.ask(BumpTicket(ticket_id=id_, sequence=drawn.sequence)).code is (
            RefusalCode.STALE_VERSION
        )
        done = kds.accepted(BumpTicket(ticket_id=id_, sequence=changed.sequence))
        assert done.status is TicketStatus.BUMPED
        again = kds.ask(BumpTicket(ticket_id=id_))
        assert (again.code, again.result) == (RefusalCode.WRONG_STATE, done)


def test_hearing_up_to_a_number_hears_no_change_that_came_after(diner: RunningTenant) -> None:
    with diner.speaker() as pos, diner.speaker(Role.KITCHEN_DISPLAY) as kds:
        order = pos.accepted(PlaceOrder(lines=(BURGER_LINE,)))
        (id_,) = kept(diner)
        pos.accepted(ChangeLine(order_id=order.order_id, line=1, quantity=5))
        kds.accepted(HearTickets(ticket_ids=(id_,), sequence=1))
        ticket = kept(diner)[id_]
        assert (ticket.status, ticket.change_heard_at) == (TicketStatus.HEARD, None)
        for sequence in (None, 1):
            kds.accepted(HearTickets(ticket_ids=(id_,), sequence=sequence))
            assert kept(diner)[id_] == ticket, "nothing new was heard"
        kds.accepted(HearTickets(ticket_ids=(id_,), sequence=2))
        heard = kept(diner)[id_]
        assert (heard.change_heard_by, heard.version) == (kds.device, ticket.version + 1)
        assert marks(heard) == {1: LineMark.CHANGED}
        (station,) = diner.rows(STATIONS)
        assert station["sequence"] == heard.sequence == 4, "each change has one number"


def test_a_cancelled_order_takes_its_changed_and_added_tickets_away(diner: RunningTenant) -> None:
    with diner.speaker() as pos, diner.display("grill") as grill, diner.display("bar") as bar:
        order = pos.accepted(PlaceOrder(lines=(BURGER_LINE, STEAK_LINE)))
        pos.accepted(AddLines(order_id=order.order_id, lines=(ALE_LINE, STEAK_LINE)))
        pos.accepted(ChangeLine(order_id=order.order_id, line=1, note="no salt"))
        pos.accepted(VoidLines(order_id=order.order_id, lines=(2,), reason="none left"))
        pos.accepted(CancelOrder(order_id=order.order_id, reason="they left"))
        until_alike(diner, grill, bar)
        assert grill.tickets == bar.tickets == []
        assert {each.status for each in kept(diner).values()} == {TicketStatus.CANCELLED}


def standing_tickets(tenant: RunningTenant, names: Iterable[str]) -> dict[UUID, Ticket]:
    """What a device that connects now is given as retained tickets."""
    (name,) = names
    system = tenant.system
    marker = f"heard/v1/{tenant.name}/telemetry/{name}/marker"
    with MqttClient(system.broker.address, system.broker.login(tenant.name, name)) as eye:
        eye.subscribe(TicketState.route.filter(tenant=tenant.name))
        eye.subscribe(marker)
        eye.publish(marker, b"here")
        found = [one for one in eye.until(marker) if one.retain and one.payload]
    states = [read_message(one) for one in found]
    return {state.ticket_id: state.ticket for state in states}


def test_after_a_restart_the_change_stands_retained_and_is_heard_by_who_comes(
    own_system: RunningSystem,
) -> None:
    tenant = with_choices(own_system.add_tenant())
    eye = tenant.add_device(Role.MANAGER)
    with tenant.speaker() as pos:
        order = pos.accepted(PlaceOrder(lines=(BURGER_LINE, STEAK_LINE)))
        with tenant.display("grill") as first:
            until_heard(tenant, first, 1)
            first.start_ticket(first.tickets[0].ticket_id).result(PATIENCE_S)
        pos.accepted(ChangeLine(order_id=order.order_id, line=1, quantity=7))
        pos.accepted(VoidLines(order_id=order.order_id, lines=(2,), reason="none left"))
        own_system.stop()
        before = kept(tenant)
        (ticket,) = before.values()
        # Behind the services' back the broker forgets, and says what was true before.
        old = ticket.lines[0].model_copy(update={"mark": None, "was": None, "quantity": 2})
        lie = TicketState(
            station="grill",
            ticket_id=ticket.ticket_id,
            ticket=ticket.model_copy(update={"lines": (old,), "changed_sequence": None}),
        )
        with MqttClient(own_system.broker.address, own_system.broker.services) as vandal:
            vandal.publish(lie.topic(tenant=tenant.name), pos.wire(lie), retain=True)
        own_system.start()
        until(lambda: standing_tickets(tenant, [eye]) == before, "the truth to stand")
        assert marks(ticket) == {1: LineMark.CHANGED, 2: LineMark.CANCELLED}
        assert ticket.change_heard_at is None
        with tenant.display("grill") as second:
            until_heard(tenant, second, 1)
            until_alike(tenant, second)
            (now,) = second.tickets
            assert now.change_heard_by == second.device
            assert marks(now) == marks(ticket)
            second.bump(now.ticket_id).result(PATIENCE_S)
        until(lambda: standing_tickets(tenant, [eye]) == {}, "the end")
