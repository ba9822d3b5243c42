"""What a till asks of orders, and what it sees of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from devices.pending import Rejected
from devices.pos import NewOrder, PointOfSale
from devices.resending import Patience
from schemas.identifiers import new_id
from schemas.menu import ModifierRequest
from schemas.message import Request
from schemas.order_changes import (
    AcceptOrder,
    ChangeLine,
    DeliverOrder,
    DispatchOrder,
    ReadOrder,
    RejectOrder,
    ReturnOrder,
    ServeOrder,
    VoidLines,
    VoidOrder,
)
from schemas.orders import (
    AddLines,
    CancelOrder,
    CloseOrder,
    Guest,
    LineRequest,
    OrderKind,
    OrderState,
    OrderStatus,
    Participant,
    PlaceOrder,
)
from schemas.payments import PayOrder, RefundOrder, Share, SplitOrder
from schemas.refusals import RefusalCode
from schemas.replies import OrderPage, Outcome, Reply, Shares
from tests.devices.stage import CALM, HASTY, TENANT, Broker, Responder, receipt, until
from tests.devices.test_orders_view import order
from tests.patience import PATIENCE_S

BURGER = LineRequest(item="burger", quantity=2)
ID = new_id()
PAYMENT = new_id()
RARE = (ModifierRequest(modifier="rare"),)

ASKED: list[tuple[str, Callable[[PointOfSale], object], Request]] = [
    ("add", lambda pos: pos.add_lines(ID, [BURGER]), AddLines(order_id=ID, lines=(BURGER,))),
    (
        "change",
        lambda pos: pos.change_line(
            ID, 2, quantity=3, note="hot", modifiers=RARE, seat="A", reason="why", seen=4
        ),
        ChangeLine(
            order_id=ID,
            line=2,
            quantity=3,
            note="hot",
            modifiers=RARE,
            seat="A",
            reason="why",
            version=4,
        ),
    ),
    (
        "change nothing but the modifiers",
        lambda pos: pos.change_line(ID, 2, modifiers=[]),
        ChangeLine(order_id=ID, line=2, modifiers=()),
    ),
    (
        "void lines",
        lambda pos: pos.void_lines(ID, [1, 2], "twice", seen=4),
        VoidLines(order_id=ID, lines=(1, 2), reason="twice", version=4),
    ),
    (
        "void",
        lambda pos: pos.void_order(ID, "they left", seen=4),
        VoidOrder(order_id=ID, reason="they left", version=4),
    ),
    ("accept", lambda pos: pos.accept_order(ID), AcceptOrder(order_id=ID)),
    ("reject", lambda pos: pos.reject_order(ID, "shut"), RejectOrder(order_id=ID, reason="shut")),
    (
        "cancel",
        lambda pos: pos.cancel_order(ID, "off", seen=4),
        CancelOrder(order_id=ID, reason="off", version=4),
    ),
    ("serve", lambda pos: pos.serve_order(ID, seen=4), ServeOrder(order_id=ID, version=4)),
    ("dispatch", lambda pos: pos.dispatch_order(ID), DispatchOrder(order_id=ID)),
    ("deliver", lambda pos: pos.deliver_order(ID), DeliverOrder(order_id=ID)),
    ("return", lambda pos: pos.return_order(ID, "shut"), ReturnOrder(order_id=ID, reason="shut")),
    ("close", lambda pos: pos.close_order(ID, seen=4), CloseOrder(order_id=ID, version=4)),
    ("pay", lambda pos: pos.pay(ID), PayOrder(order_id=ID)),
    (
        "pay by card",
        lambda pos: pos.pay(ID, method="card", amount_minor=500, tip_minor=50, guest=2),
        PayOrder(order_id=ID, method="card", amount_minor=500, tip_minor=50, guest=2),
    ),
    (
        "pay with a note",
        lambda pos: pos.pay(ID, tendered_minor=2000),
        PayOrder(order_id=ID, tendered_minor=2000),
    ),
    (
        "refund",
        lambda pos: pos.refund(ID, "cold", lines=[1]),
        RefundOrder(order_id=ID, lines=(1,), reason="cold"),
    ),
    (
        "refund of one payment",
        lambda pos: pos.refund(ID, "cold", amount_minor=5, payment_id=PAYMENT),
        RefundOrder(order_id=ID, payment_id=PAYMENT, amount_minor=5, reason="cold"),
    ),
    ("split", lambda pos: pos.split(ID, ways=3), SplitOrder(order_id=ID, ways=3)),
    ("read", lambda pos: pos.read_order(ID), ReadOrder(order_id=ID)),
]


def till(
    broker: Broker,
    *,
    watch_orders: bool = False,
    outbox: Path | None = None,
    patience: Patience = HASTY,
) -> PointOfSale:
    return PointOfSale(
        "127.0.0.1", broker.port, tenant=TENANT, device="pos-1", secret="open-sesame",
        outbox=outbox, patience=patience, watch_orders=watch_orders,
    )  # fmt: skip


def test_what_a_till_asks_is_what_the_contract_says(broker: Broker, responder: Responder) -> None:
    with till(broker, patience=CALM) as pos:
        for name, ask, wanted in ASKED:
            ask(pos)
            until(partial(responder.requests, type(wanted)), name)
            assert responder.requests(type(wanted))[-1].message == wanted, name
            responder.heard.clear()
        assert pos.drain(PATIENCE_S)


def test_an_order_says_for_whom_it_is_and_for_when(broker: Broker, responder: Responder) -> None:
    due = datetime.now(UTC) + timedelta(hours=2)
    guest = Guest(name="Ada", email="ada@example.org")
    people = (Participant(guest=1, name="Ada"), Participant(guest=2, name="Bob"))
    wanted = PlaceOrder(
        lines=(BURGER,), kind=OrderKind.TAKEAWAY, covers=2, guest=guest, participants=people,
        due_at=due, table="7", reference="T-1",
    )  # fmt: skip
    with till(broker, patience=CALM) as pos:
        pos.place_order(
            [BURGER], kind=OrderKind.TAKEAWAY, covers=2, guest=guest, participants=people,
            due_at=due, table="7", reference="T-1",
        ).result(PATIENCE_S)  # fmt: skip
        pos.place_orders(
            [NewOrder((BURGER,), "7", "T-1", None, OrderKind.TAKEAWAY, 2, guest, people, due)]
        )[0].result(PATIENCE_S)
    assert [each.message for each in responder.requests(PlaceOrder)] == [wanted, wanted]


def test_a_refusal_carries_how_the_order_stands(broker: Broker, responder: Responder) -> None:
    stands = receipt(ID)
    responder.answers = lambda id_, _: Reply(
        request=id_,
        outcome=Outcome.REJECTED,
        code=RefusalCode.STALE_VERSION,
        message="it has changed",
        result=stands,
    )
    with till(broker) as pos, pytest.raises(Rejected) as refused:
        pos.serve_order(ID, seen=1).result(PATIENCE_S)
    assert refused.value.code == RefusalCode.STALE_VERSION
    assert refused.value.state == stands


def test_the_shares_come_back_as_they_are(broker: Broker, responder: Responder) -> None:
    shares = Shares(order_id=ID, currency="GBP", shares=(Share(guest=1, amount_minor=5),))
    responder.answers = lambda id_, _: Reply(request=id_, outcome=Outcome.ACCEPTED, result=shares)
    with till(broker) as pos:
        assert pos.split(ID).result(PATIENCE_S) == shares


def shown(pos: PointOfSale, order_id: UUID) -> int | None:
    found = pos.orders.get(order_id)
    return None if found is None else found.version


def say(responder: Responder, order_id: UUID, version: int) -> None:
    responder.say(OrderState(order_id=order_id, order=order(order_id, version)))


def clear(responder: Responder, order_id: UUID) -> None:
    topic = OrderState.route.topic(tenant=TENANT, order_id=str(order_id))
    responder.say_raw(topic, b"", retain=True)


def test_a_till_that_watches_sees_orders_change_and_go(
    broker: Broker, responder: Responder
) -> None:
    one, other = new_id(), new_id()
    say(responder, one, 1)
    with till(broker, watch_orders=True) as pos:
        until(lambda: shown(pos, one) == 1, "what is retained is shown")
        say(responder, other, 2)
        say(responder, one, 3)
        say(responder, one, 2)  # late
        clear(responder, other)
        until(lambda: shown(pos, other) is None and shown(pos, one) == 3, "they changed and went")
        assert pos.orders_doubted == 0


def test_a_till_that_does_not_watch_hears_nothing_of_orders(
    broker: Broker, responder: Responder
) -> None:
    say(responder, ID, 1)
    with till(broker) as pos:
        pos.place_order([BURGER]).result(PATIENCE_S)
        assert not pos.orders
        assert pos.counts.undecodable == 0


def test_a_state_that_speaks_of_another_order_is_not_believed(
    broker: Broker, responder: Responder
) -> None:
    with till(broker, watch_orders=True) as pos:
        pos.place_order([BURGER]).result(PATIENCE_S)
        responder.say(OrderState(order_id=ID, order=order(new_id())))
        until(lambda: pos.counts.undecodable == 1, "it is counted")
        assert not pos.orders


def test_an_order_that_ended_while_the_till_was_away_goes_when_the_services_say_so(
    broker: Broker,
) -> None:
    ended, gone, kept = new_id(), new_id(), new_id()

    def answers(id_: UUID, request: Request) -> Reply:
        if not isinstance(request, ReadOrder):
            return Reply(request=id_, outcome=Outcome.ACCEPTED, result=receipt(id_))
        if request.order_id == gone:
            return Reply(
                request=id_, outcome=Outcome.REJECTED, code=RefusalCode.NOT_FOUND, message="none"
            )
        status = OrderStatus.CLOSED if request.order_id == ended else OrderStatus.READY
        page = OrderPage(order=order(request.order_id, 5, status))
        return Reply(request=id_, outcome=Outcome.ACCEPTED, result=page)

    with till(broker, watch_orders=True) as pos:
        with Responder(broker) as responder:
            for each in (ended, gone, kept):
                say(responder, each, 1)
            until(lambda: len(pos.orders) == 3, "all are shown")
        broker.kill()  # and with it, what was retained
        until(lambda: not pos.online, "it is away")
        assert len(pos.orders) == 3
        broker.start()
        with Responder(broker) as responder:
            responder.answers = answers
            assert pos.wait_online(PATIENCE_S)
            until(lambda: set(pos.orders) == {kept}, "what ended is gone")
            until(lambda: shown(pos, kept) == 5 and pos.orders_doubted == 0, "the rest is sure")
