"""However often something is said, it happens once; and who asks again hears the first answer."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.kitchen_requests import BumpTicket, HearTickets, StartTicket
from schemas.orders import AddLines, CancelOrder, CloseOrder, OrderStatus, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from services.kitchen.store import TICKETS
from services.orders.store import ORDERS
from services.runtime.router import Router
from services.runtime.tables import INBOX, OUTBOX, QUARANTINE
from tests.running import StartSystem
from tests.spoken import order
from tests.system import RunningSystem, RunningTenant, until


def tickets_of(tenant: RunningTenant, order_id: UUID) -> list[UUID]:
    return [row["ticket_id"] for row in tenant.rows(TICKETS) if row["order_id"] == order_id]


def test_every_step_of_an_order_happens_once_however_often_it_is_asked(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as pos, tenant.speaker(Role.KITCHEN_DISPLAY) as kds:
        placing = new_id()
        placed = [pos.ask(order("burger", "fries"), placing) for _ in range(3)]
        assert placed[0] == placed[1] == placed[2]
        assert placed[0].outcome is Outcome.ACCEPTED
        assert tenant.count(ORDERS) == 1

        adding, more = new_id(), AddLines(order_id=placing, lines=order(("ale", 3)).lines)
        added = [pos.ask(more, adding) for _ in range(3)]
        assert added[0] == added[1] == added[2]
        (row,) = tenant.rows(ORDERS)
        assert row["total_minor"] == 995 + 350 + 3 * 480
        assert [line["line"] for line in row["lines"]] == [1, 2, 3]

        ids = tuple(tickets_of(tenant, placing))
        assert len(ids) == 3
        hearing = new_id()
        heard = [kds.ask(HearTickets(ticket_ids=ids), hearing) for _ in range(2)]
        assert heard[0] == heard[1]
        for ticket_id in ids:
            for step in (StartTicket, BumpTicket):
                id_ = new_id()
                replies = [kds.ask(step(ticket_id=ticket_id), id_) for _ in range(2)]
                assert replies[0] == replies[1]
                assert replies[0].outcome is Outcome.ACCEPTED
        assert {row["version"] for row in tenant.rows(TICKETS)} == {4}

        closing = new_id()
        closed = [pos.ask(CloseOrder(order_id=placing), closing) for _ in range(2)]
        assert closed[0] == closed[1]
        assert pos.accepted(CloseOrder(order_id=placing), closing).status is OrderStatus.CLOSED
        (row,) = tenant.rows(ORDERS)
        # placed, lines added, preparing, ready, closed
        assert (row["status"], row["version"]) == ("closed", 5)


def test_a_refusal_too_is_given_once_and_stays(tenant: RunningTenant) -> None:
    with tenant.speaker() as pos:
        id_ = new_id()
        first = pos.ask(order("soup"), id_)
        assert first.code is RefusalCode.UNKNOWN_ITEM
        tenant.put_menu({"soup": ("grill", 100)})
        assert pos.ask(order("soup"), id_) == first
        assert pos.accepted(order("soup")).total_minor == 100
        assert tenant.count(INBOX) == 2


def test_the_same_request_twice_in_one_batch_is_done_once(tenant: RunningTenant) -> None:
    with tenant.speaker() as pos:
        topic, ids = pos.topic(PlaceOrder), [new_id() for _ in range(30)]
        at = datetime.now(UTC)
        # Pipelined, so that many stand in one batch: each twice, some in another form.
        said = [(topic, pos.wire(order("burger"), id_, at)) for id_ in ids for _ in range(2)]
        said += [(topic, pos.wire(order("ale"), id_, at)) for id_ in ids[:5]]
        pos.mqtt.publish_all(said)
        replies: dict[UUID | None, list[Reply]] = {}
        for _ in said:
            reply = pos.next_reply()
            replies.setdefault(reply.request, []).append(reply)
        for number, id_ in enumerate(ids):
            first, second, *other = replies[id_]
            assert first == second
            assert first.outcome is Outcome.ACCEPTED
            assert [reply.code for reply in other] == [RefusalCode.REQUEST_ID_REUSED] * (number < 5)
        assert {row["total_minor"] for row in tenant.rows(ORDERS)} == {995}
        assert tenant.count(ORDERS) == tenant.count(INBOX) == 30


def test_the_request_id_of_another_device_is_refused(tenant: RunningTenant) -> None:
    with tenant.speaker() as one, tenant.speaker() as other:
        id_ = new_id()
        first = one.ask(order("burger"), id_)
        again = other.ask(order("burger"), id_)
        assert again.code is RefusalCode.REQUEST_ID_REUSED
        assert again.result is None, "the first answer is not for others to read"
        assert one.ask(order("burger"), id_) == first
        assert tenant.count(ORDERS) == 1


def test_two_tenants_may_use_the_same_request_id(system: RunningSystem) -> None:
    one, other = system.add_tenant(), system.add_tenant()
    with one.speaker(name="pos-1") as mine, other.speaker(name="pos-1") as theirs:
        id_ = new_id()
        assert mine.accepted(order("burger"), id_).total_minor == 995
        assert theirs.accepted(order(("ale", 2)), id_).total_minor == 960
        assert (one.count(ORDERS), other.count(ORDERS)) == (1, 1)


def test_services_that_were_restarted_remember_every_answer(own_system: RunningSystem) -> None:
    tenant = own_system.add_tenant()
    with tenant.speaker() as pos:
        asked = {new_id(): order(("burger", n)) for n in range(1, 6)}
        first = {id_: pos.ask(request, id_) for id_, request in asked.items()}
        own_system.restart()
        assert {id_: pos.ask(request, id_) for id_, request in asked.items()} == first
        own_system.stop()
        for id_, request in asked.items():  # while nobody serves
            pos.say(request, id_)
        fresh = new_id()
        pos.say(order("ale"), fresh)
        own_system.start()
        assert pos.reply_to(fresh).outcome is Outcome.ACCEPTED
        assert tenant.count(ORDERS) == 6
        assert min(row["total_minor"] for row in tenant.rows(ORDERS)) == 480
        own_system.restart()
        until(lambda: tenant.count(OUTBOX) == 0, "the outbox to be published")
        number = [row["number"] for row in tenant.rows(ORDERS)]
        assert len(set(number)) == 6


def test_one_bad_message_in_a_batch_does_not_take_its_neighbours_along(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as pos:
        topic = pos.topic(PlaceOrder)
        requests = [order("burger") if n % 3 else order("soup") for n in range(60)]
        said = [(topic, pos.wire(request)) for request in requests]
        said.insert(20, (topic, b"nonsense"))
        pos.mqtt.publish_all(said)
        replies = [pos.next_reply() for _ in said]
        accepted = [reply for reply in replies if reply.outcome is Outcome.ACCEPTED]
        assert len(accepted) == tenant.count(ORDERS) == 40
        codes = {reply.code for reply in replies if reply.outcome is Outcome.REJECTED}
        assert codes == {RefusalCode.UNKNOWN_ITEM, RefusalCode.UNREADABLE}


def break_closing(router: Router) -> None:
    @router.on(CloseOrder)
    async def close(request: CloseOrder, _context: object) -> None:
        raise ZeroDivisionError(f"this handler breaks on {request.order_id}")


def test_a_handler_that_raises_is_our_fault_and_only_its_message_suffers(
    start_system: StartSystem,
) -> None:
    system = start_system(alter=lambda served: break_closing(served.router))
    tenant = system.add_tenant()
    with tenant.speaker() as pos:
        topics = {kind: pos.topic(kind) for kind in (PlaceOrder, CloseOrder, CancelOrder)}
        breaking = new_id()
        wire = pos.wire(CloseOrder(order_id=new_id()), breaking)
        said = [(topics[PlaceOrder], pos.wire(order("burger"))) for _ in range(20)]
        said.insert(10, (topics[CloseOrder], wire))
        pos.mqtt.publish_all(said)
        replies = {reply.request: reply for reply in (pos.next_reply() for _ in said)}
        fault = replies.pop(breaking)
        assert fault.code is RefusalCode.INTERNAL
        assert "kept for a person" in str(fault.message)
        assert "breaks on" not in str(fault.message), "our innards are not for devices"
        assert {reply.outcome for reply in replies.values()} == {Outcome.ACCEPTED}
        assert tenant.count(ORDERS) == 20
        (row,) = tenant.rows(QUARANTINE)
        assert (row["topic"], row["payload"]) == (topics[CloseOrder], wire)
        assert system.counts["faults"] >= 1
        again = pos.ask_raw(topics[CloseOrder], wire)
        assert again == fault, "it is not tried again for the same request"
        assert tenant.count(QUARANTINE) == 1
        assert pos.accepted(order("ale")).total_minor == 480, "the service goes on"


def test_nothing_of_a_refused_request_is_left_behind(tenant: RunningTenant) -> None:
    with tenant.speaker() as pos, tenant.speaker(Role.KITCHEN_DISPLAY) as kds:
        order_id = pos.accepted(order("burger", "burger")).order_id
        (ticket_id,) = tickets_of(tenant, order_id)
        # The first of the two is moved before the second turns out not to exist.
        reply = kds.ask(HearTickets(ticket_ids=(ticket_id, new_id())))
        assert reply.code is RefusalCode.NOT_FOUND
        (ticket,) = tenant.rows(TICKETS)
        assert (ticket["status"], ticket["sequence"], ticket["heard_at"]) == ("sent", 1, None)


def test_lines_are_added_up_to_two_hundred_and_not_one_more(tenant: RunningTenant) -> None:
    with tenant.speaker() as pos:
        order_id = pos.accepted(order(*["ale"] * 150)).order_id
        reply = pos.ask(AddLines(order_id=order_id, lines=order(*["ale"] * 51).lines))
        assert reply.code is RefusalCode.TOO_MANY_LINES
        receipt = pos.accepted(AddLines(order_id=order_id, lines=order(*["ale"] * 50).lines))
        assert receipt.total_minor == 200 * 480
