from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from devices.kitchen_display import KitchenDisplay, OnChange
from devices.pending import Rejected
from devices.pos import PointOfSale
from devices.simulator import SimulatedCook, SimulatedGuests
from devices.station_view import Altered, Changes, Freshness
from schemas.identifiers import new_id
from schemas.kitchen import (
    LineMark,
    StationHead,
    Ticket,
    TicketEnded,
    TicketLine,
    TicketState,
    TicketStatus,
)
from schemas.kitchen_requests import (
    MAX_HEARD_AT_ONCE,
    BumpTicket,
    HearTickets,
    ReadStation,
    StartTicket,
)
from schemas.menu import MenuItem
from schemas.message import Request
from schemas.orders import PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply, StationPage, TicketReceipt
from tests.devices.stage import HASTY, TENANT, Broker, Responder, accept, now, until
from tests.devices.station_model import change, hear
from tests.patience import PATIENCE_S

EVERY_S = 0.5


class Kitchen:
    """The grill as the services hold it, on top of a responder."""

    def __init__(self, responder: Responder, *, every_s: float = EVERY_S) -> None:
        self.open: dict[UUID, Ticket] = {}
        self.sequence = 0
        self.responder = responder
        self.every_s = every_s
        self.page = 3
        self._lock = threading.RLock()
        responder.answers = self.answer

    def cut(self, *, published: bool = True) -> Ticket:
        with self._lock:
            self.sequence += 1
            ticket_id = new_id()
            ticket = Ticket(
                ticket_id=ticket_id,
                station="grill",
                order_id=ticket_id,
                order_number=f"ORD-{self.sequence:05}",
                status=TicketStatus.SENT,
                version=1,
                sequence=self.sequence,
                lines=(TicketLine(line=1, item="burger", name="Burger", quantity=2),),
                placed_at=now() + timedelta(milliseconds=self.sequence),
            )
            self.open[ticket_id] = ticket
            if published:
                self.publish(ticket)
            return ticket

    def move(self, ticket_id: UUID, status: TicketStatus, *, published: bool = True) -> Ticket:
        with self._lock:
            self.sequence += 1
            before = self.open[ticket_id]
            ticket = before.model_copy(
                update={"status": status, "version": before.version + 1, "sequence": self.sequence}
            )
            self.open[ticket_id] = ticket
            if status is TicketStatus.BUMPED:
                del self.open[ticket_id]
            if published:
                self.publish(ticket)
            return ticket

    def change(self, ticket_id: UUID, *, published: bool = True) -> Ticket:
        with self._lock:
            self.sequence += 1
            ticket = change(self.open[ticket_id], sequence=self.sequence)
            self.open[ticket_id] = ticket
            if published:
                self.publish(ticket)
            return ticket

    def hear(self, ticket_id: UUID, seen: int | None) -> None:
        ticket = self.open[ticket_id]
        changed = ticket.changed_sequence
        if ticket.status is TicketStatus.SENT:
            ticket = self.move(ticket_id, TicketStatus.HEARD, published=False)
        elif seen is not None and changed is not None and changed <= seen:
            self.sequence += 1
            ticket = self.open[ticket_id] = hear(ticket, sequence=self.sequence)
        self.publish(ticket)

    def publish(self, ticket: Ticket) -> None:
        state = TicketState(station="grill", ticket_id=ticket.ticket_id, ticket=ticket)
        if ticket.status is TicketStatus.BUMPED:
            topic = state.topic(tenant=TENANT)
            self.responder.say_raw(topic, b"", retain=True)
            self.responder.say(TicketEnded(station="grill", ticket=ticket))
        else:
            self.responder.say(state)

    def beat(self) -> None:
        with self._lock:
            head = StationHead(
                station="grill", sequence=self.sequence, open=len(self.open), every_s=self.every_s
            )
            self.responder.say(head)

    def answer(self, id_: UUID, request: Request) -> Reply | None:
        with self._lock:
            if isinstance(request, ReadStation):
                after = [t for t in self.open.values() if t.sequence > request.after]
                after.sort(key=lambda ticket: ticket.sequence)
                page = StationPage(
                    station="grill",
                    sequence=self.sequence,
                    open=len(self.open),
                    tickets=tuple(after[: self.page]),
                    more=len(after) > self.page,
                )
                return Reply(request=id_, outcome=Outcome.ACCEPTED, result=page)
            if isinstance(request, HearTickets):
                for ticket_id in request.ticket_ids:
                    if ticket_id in self.open:
                        self.hear(ticket_id, request.sequence)
            elif isinstance(request, StartTicket | BumpTicket):
                step = isinstance(request, StartTicket)
                changed = self.open[request.ticket_id].changed_sequence
                if changed is not None and (request.sequence or 0) < changed:
                    stale = RefusalCode.STALE_VERSION
                    return Reply(request=id_, outcome=Outcome.REJECTED, code=stale, message="no")
                status = TicketStatus.STARTED if step else TicketStatus.BUMPED
                moved = self.move(request.ticket_id, status)
                receipt = TicketReceipt(
                    ticket_id=moved.ticket_id, status=moved.status, version=moved.version
                )
                return Reply(request=id_, outcome=Outcome.ACCEPTED, result=receipt)
            return accept(id_, request)


@pytest.fixture
def kitchen(responder: Responder) -> Kitchen:
    return Kitchen(responder, every_s=60)


def screen(
    broker: Broker,
    outbox: Path,
    *,
    on_change: OnChange | None = None,
    hear_every_s: float = 0.03,
    grace_s: float = 0.1,
) -> KitchenDisplay:
    return KitchenDisplay(
        "127.0.0.1",
        broker.port,
        station="grill",
        tenant=TENANT,
        device="kds-grill",
        secret="x",
        outbox=outbox,
        patience=HASTY,
        on_change=on_change,
        hear_every_s=hear_every_s,
        grace_s=grace_s,
    )


def agree(display: KitchenDisplay, kitchen: Kitchen) -> bool:
    shown = {ticket.ticket_id: ticket.version for ticket in display.tickets}
    true = {ticket.ticket_id: ticket.version for ticket in list(kitchen.open.values())}
    return shown == true and display.freshness is Freshness.CURRENT


def test_a_ticket_is_shown_heard_started_and_bumped(
    broker: Broker, kitchen: Kitchen, tmp_path: Path
) -> None:
    seen: list[tuple[Changes, Freshness]] = []
    with screen(broker, tmp_path / "o", on_change=lambda *it: seen.append(it)) as display:
        until(lambda: display.freshness is Freshness.CURRENT, "the snapshot")
        ticket = kitchen.cut()
        until(lambda: [t.status for t in display.tickets] == [TicketStatus.HEARD], "the hearing")
        assert display.tickets[0].lines == ticket.lines
        started = display.start_ticket(ticket.ticket_id).result(PATIENCE_S)
        assert started.status is TicketStatus.STARTED
        display.bump(ticket.ticket_id).result(PATIENCE_S)
        until(lambda: display.tickets == [], "the end")
        until(lambda: display.sequence == kitchen.sequence == 4, "the sequence")
        assert agree(display, kitchen)
    shown = [t.status for changes, _ in seen for t in changes.shown]
    assert shown == [TicketStatus.SENT, TicketStatus.HEARD, TicketStatus.STARTED]
    assert [id_ for changes, _ in seen for id_ in changes.ended] == [ticket.ticket_id]
    assert seen[0][1] is Freshness.BEHIND
    assert display.freshness is Freshness.SILENT


def test_a_change_is_told_marked_and_heard_up_to_what_was_drawn(
    broker: Broker, kitchen: Kitchen, tmp_path: Path
) -> None:
    told: list[Altered] = []

    def on_change(changes: Changes, _freshness: Freshness) -> None:
        told.extend(changes.altered)

    with screen(broker, tmp_path / "o", on_change=on_change) as display:
        ticket = kitchen.cut()
        until(lambda: [t.status for t in display.tickets] == [TicketStatus.HEARD], "the hearing")
        kitchen.change(ticket.ticket_id)
        until(lambda: agree(display, kitchen) and display.tickets[0].change_heard_at, "the change")
        (line,) = display.tickets[0].lines
        assert (line.mark, line.quantity) == (LineMark.CHANGED, 3)
        assert line.was is not None
        assert line.was.quantity == 2
    assert [(each.ticket.ticket_id, each.lines) for each in told] == [(ticket.ticket_id, (1,))]
    claims = [
        (each.message.sequence, each.message.ticket_ids)
        for each in kitchen.responder.requests(HearTickets)
        if isinstance(each.message, HearTickets)
    ]
    assert {ids for _, ids in claims} == {(ticket.ticket_id,)}
    assert max(sequence or 0 for sequence, _ in claims) >= 3


def test_a_change_beyond_a_hole_is_not_heard_before_the_hole_is_filled(
    broker: Broker, kitchen: Kitchen, tmp_path: Path
) -> None:
    with screen(broker, tmp_path / "o", grace_s=60) as display:
        first, second = kitchen.cut(), kitchen.cut()
        until(lambda: [t.status for t in display.tickets] == [TicketStatus.HEARD] * 2, "hearing")
        until(lambda: display.freshness is Freshness.CURRENT, "the snapshot")
        lost = kitchen.change(first.ticket_id, published=False)
        kitchen.change(second.ticket_id)
        late = kitchen.cut()
        until(lambda: len(display.tickets) == 3, "the marker")
        until(lambda: kitchen.open[late.ticket_id].status is TicketStatus.HEARD, "its hearing")
        assert kitchen.open[second.ticket_id].change_heard_at is None
        assert kitchen.open[first.ticket_id].change_heard_at is None, "it stands on no screen"
        kitchen.publish(lost)
        until(lambda: all(t.change_heard_at for t in list(kitchen.open.values())[:2]), "both")
        until(lambda: agree(display, kitchen), "the view")


def test_a_bump_from_before_a_change_is_refused(
    broker: Broker, kitchen: Kitchen, tmp_path: Path
) -> None:
    with screen(broker, tmp_path / "o") as display:
        ticket = kitchen.cut()
        until(lambda: [t.status for t in display.tickets] == [TicketStatus.HEARD], "the hearing")
        kitchen.change(ticket.ticket_id, published=False)
        with pytest.raises(Rejected) as error:
            display.bump(ticket.ticket_id).result(PATIENCE_S)
        assert error.value.code is RefusalCode.STALE_VERSION
        kitchen.beat()
        until(lambda: agree(display, kitchen), "the change")
        bumped = display.bump(ticket.ticket_id).result(PATIENCE_S)
        assert bumped.status is TicketStatus.BUMPED


def test_the_retained_tickets_are_the_queue_and_a_burst_is_heard_in_few_messages(
    broker: Broker, kitchen: Kitchen, tmp_path: Path
) -> None:
    tickets = [kitchen.cut() for _ in range(500)]
    with screen(broker, tmp_path / "o", hear_every_s=1.0) as display:
        until(lambda: agree(display, kitchen), "the view")
        until(
            lambda: all(t.status is TicketStatus.HEARD for t in display.tickets), "the last hearing"
        )
        assert [t.ticket_id for t in display.tickets] == [t.ticket_id for t in tickets]
        assert display.waiting == 0
        assert display.wait_online(0)
    # What is answered slowly is asked again, under the same id.
    heard = {each.id: each.message for each in kitchen.responder.requests(HearTickets)}
    sizes = [len(each.ticket_ids) for each in heard.values() if isinstance(each, HearTickets)]
    assert sum(sizes) == 500
    assert max(sizes) <= MAX_HEARD_AT_ONCE
    assert len(sizes) < 50


def test_a_snapshot_after_a_reconnect_finds_what_was_missed(broker: Broker, tmp_path: Path) -> None:
    with screen(broker, tmp_path / "o") as display:
        with Responder(broker) as responder:
            kitchen = Kitchen(responder, every_s=60)
            tickets = [kitchen.cut() for _ in range(10)]
            until(lambda: agree(display, kitchen), "the view")
            broker.kill()
        until(lambda: display.freshness is Freshness.SILENT, "the silence")
        broker.start()
        with Responder(broker) as responder:
            # the new broker has kept nothing, and nobody has put it back yet
            kitchen.responder, responder.answers = responder, kitchen.answer
            for ticket in tickets[:4]:
                kitchen.move(ticket.ticket_id, TicketStatus.STARTED, published=False)
                kitchen.move(ticket.ticket_id, TicketStatus.BUMPED, published=False)
            kitchen.cut(published=False)
            until(lambda: agree(display, kitchen) and len(display.tickets) == 7, "the snapshot")
            assert len(responder.requests(ReadStation)) >= 3


def test_a_lost_change_is_healed_by_a_snapshot(
    broker: Broker, kitchen: Kitchen, tmp_path: Path
) -> None:
    with screen(broker, tmp_path / "o") as display:
        until(lambda: display.freshness is Freshness.CURRENT, "the first snapshot")
        lost = kitchen.cut(published=False)
        kitchen.cut()
        until(lambda: agree(display, kitchen), "the healing")
        assert lost.ticket_id in {ticket.ticket_id for ticket in display.tickets}
        kitchen.cut(published=False)
        assert display.freshness is Freshness.CURRENT
        kitchen.beat()
        until(lambda: agree(display, kitchen) and len(display.tickets) == 3, "the beat's healing")


def test_a_snapshot_that_is_answered_by_something_else_is_asked_for_again(
    broker: Broker, tmp_path: Path
) -> None:
    with Responder(broker) as responder, screen(broker, tmp_path / "o") as display:
        # Until the kitchen takes over, every question gets the receipt of an order.
        until(lambda: len(responder.requests(ReadStation)) >= 1, "the first question")
        kitchen = Kitchen(responder, every_s=60)
        for _ in range(3):
            kitchen.cut(published=False)
        until(lambda: agree(display, kitchen), "the view")


def test_a_display_that_hears_no_beat_says_so(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    kitchen = Kitchen(responder, every_s=0.3)
    told: list[Freshness] = []
    with screen(broker, tmp_path / "o", on_change=lambda _, fresh: told.append(fresh)) as display:
        until(lambda: Freshness.CURRENT in told, "the snapshot")
        kitchen.beat()
        until(lambda: told[-1] is Freshness.SILENT, "the silence")
        assert display.online
        before = len(told)
        kitchen.beat()
        until(lambda: Freshness.CURRENT in told[before:], "the next beat")


def test_what_cannot_be_read_is_counted(
    broker: Broker, kitchen: Kitchen, responder: Responder, tmp_path: Path
) -> None:
    with screen(broker, tmp_path / "o") as display:
        until(lambda: display.freshness is Freshness.CURRENT, "the snapshot")
        topic = TicketState.route.topic(tenant=TENANT, station="grill", ticket_id=str(new_id()))
        responder.say_raw(topic, b"nonsense")
        other = kitchen.cut(published=False)
        wrong = TicketState(station="grill", ticket_id=new_id(), ticket=other)
        responder.say(wrong)
        responder.say_raw(StationHead.route.topic(tenant=TENANT, station="grill"), b"{}")
        responder.say_raw(topic.replace(topic.rsplit("/", 1)[1], "no-id"), b"{}")
        kitchen.publish(other)
        until(lambda: agree(display, kitchen), "the marker")
        assert display.counts.undecodable == 4


def test_simulated_guests_order_and_a_cook_works_it_off(
    broker: Broker, kitchen: Kitchen, responder: Responder, tmp_path: Path
) -> None:
    placed: set[UUID] = set()

    def answer(id_: UUID, request: Request) -> Reply | None:
        if isinstance(request, PlaceOrder) and id_ not in placed:
            placed.add(id_)  # a busy machine may hear it twice
            kitchen.cut()
        return kitchen.answer(id_, request)

    responder.answers = answer
    menu = {
        name: MenuItem(item=name, name=name, station="grill", price_minor=1, currency="GBP")
        for name in ("burger", "ribs", "wings")
    }
    with (
        PointOfSale(
            "127.0.0.1", broker.port, tenant=TENANT, device="pos-1", secret="x", patience=HASTY
        ) as pos,
        screen(broker, tmp_path / "o") as display,
        SimulatedCook(display, speed=600, seed=1) as cook,
        SimulatedGuests(pos, menu=menu, rate_per_minute=6000, seed=2) as guests,
    ):
        until(lambda: guests.orders >= 20, "the guests")
        guests.stop()
        until(lambda: pos.drain(0) and kitchen.sequence and not kitchen.open, "the work")
        until(lambda: agree(display, kitchen), "the empty screen")
        cook.stop()
    # A busy machine may hear one twice.
    assert len({each.id for each in responder.requests(BumpTicket)}) == guests.orders
    ordered = [h.message for h in responder.requests(PlaceOrder)]
    assert {line.item for order in ordered if isinstance(order, PlaceOrder) for line in order.lines}
