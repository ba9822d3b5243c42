"""What is asked without MQTT happens once, whoever asks how often, and whatever ends meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from schemas.devices import Role
from schemas.envelope import device_source, encode
from schemas.identifiers import new_id, reserved
from schemas.message import Request
from schemas.order_changes import ReadOrder
from schemas.orders import CloseOrder, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import OrderPage, OrderReceipt, Outcome, Reply
from services.orders.inside import WakeOrder
from services.orders.store import ORDERS
from services.runtime.bus import Delivery
from services.runtime.intake import Intake, NotServing
from services.runtime.reception import Received
from services.runtime.router import Router
from services.runtime.tables import INBOX, OUTBOX, QUARANTINE
from tests.running import StartSystem
from tests.spoken import order
from tests.system import RunningSystem, RunningTenant, until

DEVICE = "web-shop"


def asked(tenant: RunningTenant, message: Request, id_: UUID, device: str = DEVICE) -> Received:
    source = device_source(tenant.name, device)
    payload = encode(message, id=id_, source=source, time=datetime.now(UTC))
    topic = message.topic(tenant=tenant.name, device=device)
    delivery = Delivery(topic, payload, retain=False, qos=1, tag=0)
    return Received(delivery, tenant.name, device, message, id_, inside=True)


def intake(tenant: RunningTenant) -> Intake:
    return tenant.system.served.intake


def ask(tenant: RunningTenant, message: Request, id_: UUID | None = None, **more: Any) -> Reply:
    received = asked(tenant, message, id_ or new_id(), **more)
    return tenant.system.call(intake(tenant).ask(received))


def ask_all(tenant: RunningTenant, wanted: Sequence[Received]) -> list[Reply | BaseException]:
    async def together() -> list[Reply | BaseException]:
        asking = [intake(tenant).ask(each) for each in wanted]
        return await asyncio.gather(*asking, return_exceptions=True)

    return tenant.system.call(together())


def test_what_is_asked_is_kept_told_and_answered_from_the_inbox(tenant: RunningTenant) -> None:
    id_ = new_id()
    with tenant.speaker(Role.MANAGER) as office:
        office.mqtt.subscribe(f"heard/v1/{tenant.name}/#")
        reply = ask(tenant, order("burger"), id_)
        assert (reply.request, reply.outcome) == (id_, Outcome.ACCEPTED)
        assert isinstance(reply.result, OrderReceipt)
        (row,) = tenant.rows(INBOX)
        assert (row["request_id"], row["device"]) == (id_, DEVICE)
        assert Reply.model_validate_json(row["reply"]) == reply
        heard: list[str] = []
        while "event/orders/placed" not in (heard or [""])[-1]:
            heard.append(office.mqtt.next_message().topic)
        assert not any(f"/reply/{DEVICE}" in topic for topic in heard)
    until(lambda: tenant.count(OUTBOX) == 0, "the outbox to be published")


def test_the_same_again_has_the_first_answer_and_another_under_its_id_is_refused(
    tenant: RunningTenant,
) -> None:
    id_ = new_id()
    first = ask(tenant, order("burger"), id_)
    assert [ask(tenant, order("burger"), id_) for _ in range(3)] == [first] * 3
    for other in (
        ask(tenant, order("ale"), id_),
        ask(tenant, CloseOrder(order_id=id_), id_),
        ask(tenant, order("burger"), id_, device="another"),
    ):
        assert (other.code, other.result) == (RefusalCode.REQUEST_ID_REUSED, None)
    assert tenant.count(ORDERS) == tenant.count(INBOX) == 1


def test_a_refusal_too_is_the_first_answer_for_ever(tenant: RunningTenant) -> None:
    id_ = new_id()
    first = ask(tenant, order("soup"), id_)
    assert first.code is RefusalCode.UNKNOWN_ITEM
    tenant.put_menu({"soup": ("grill", 100)})
    assert ask(tenant, order("soup"), id_) == first
    assert tenant.count(ORDERS) == 0


def test_two_hundred_at_once_are_few_batches_and_each_is_done_once(tenant: RunningTenant) -> None:
    worker = tenant.system.served.worker
    batches: list[int] = []
    decide = worker.decide

    async def counting(requests: Sequence[Received]) -> bool:
        # The services ask of themselves too, for other tenants: their timers never rest.
        if mine := sum(each.tenant == tenant.name for each in requests):
            batches.append(mine)
        return await decide(requests)

    ids = [new_id() for _ in range(100)]
    wanted = [asked(tenant, order("burger"), id_) for id_ in ids for _ in range(2)]
    try:
        worker.decide = counting  # type: ignore[method-assign]
        replies = ask_all(tenant, wanted)
    finally:
        worker.decide = decide  # type: ignore[method-assign]
    assert sum(batches) == 200
    assert len(batches) <= 3
    for id_, one, other in zip(ids, replies[::2], replies[1::2], strict=True):
        assert isinstance(one, Reply)
        assert one == other
        assert (one.request, one.outcome) == (id_, Outcome.ACCEPTED)
    assert tenant.count(ORDERS) == 100


def test_one_that_was_known_does_not_hold_up_its_batch(tenant: RunningTenant) -> None:
    known = new_id()
    first = ask(tenant, order("burger"), known)
    wanted = [asked(tenant, order("burger"), id_) for id_ in (new_id(), known, new_id())]
    replies = ask_all(tenant, wanted)
    assert replies[1] == first
    assert all(isinstance(each, Reply) and each.code is None for each in replies)
    assert tenant.count(ORDERS) == 3


def test_it_stands_beside_what_comes_over_mqtt_and_shares_its_inbox(tenant: RunningTenant) -> None:
    with tenant.speaker(name="pos-1") as pos:
        topic, ids = pos.topic(PlaceOrder), [new_id() for _ in range(60)]
        pos.mqtt.publish_all([(topic, pos.wire(order("burger"), id_)) for id_ in ids])
        wanted = [asked(tenant, order("burger"), id_, device="pos-1") for id_ in ids]
        inside = ask_all(tenant, wanted)
        over_mqtt = {}
        for _ in ids:
            reply = pos.next_reply()
            over_mqtt[reply.request] = reply
    # Asked both ways at once under one id, each is answered on both ways, and done once.
    assert tenant.count(ORDERS) == 60
    for id_, answer in zip(ids, inside, strict=True):
        assert isinstance(answer, Reply)
        assert over_mqtt[id_] == answer


def test_a_question_after_a_request_is_told_of_it(tenant: RunningTenant) -> None:
    id_ = new_id()
    wanted = [
        asked(tenant, order("burger"), id_),
        asked(tenant, ReadOrder(order_id=id_), new_id()),
        asked(tenant, ReadOrder(order_id=new_id()), new_id()),
    ]
    placed, page, nothing = ask_all(tenant, wanted)
    assert isinstance(placed, Reply)
    assert isinstance(page, Reply)
    assert isinstance(page.result, OrderPage)
    assert page.result.order.order_id == id_
    assert isinstance(nothing, Reply)
    assert nothing.code is RefusalCode.NOT_FOUND
    assert tenant.count(INBOX) == 1, "questions are not kept"


def test_the_services_ask_of_themselves_under_no_device_s_name(tenant: RunningTenant) -> None:
    placed = ask(tenant, order("burger")).result
    assert isinstance(placed, OrderReceipt)
    wake = WakeOrder(order_id=placed.order_id, wake_at=datetime.now(UTC))
    id_ = new_id()
    asking = intake(tenant).ask_of_ourselves
    first = tenant.system.call(asking(tenant.name, wake, id_))
    assert first == tenant.system.call(asking(tenant.name, wake, id_))
    assert first.outcome is Outcome.ACCEPTED
    assert {row["device"] for row in tenant.rows(INBOX)} == {DEVICE, "heard"}


def test_no_device_can_use_up_an_id_that_the_services_will_ask_under(
    tenant: RunningTenant,
) -> None:
    placed = ask(tenant, order("burger")).result
    assert isinstance(placed, OrderReceipt)
    id_, wake = new_id(), WakeOrder(order_id=placed.order_id, wake_at=datetime.now(UTC))
    with tenant.speaker() as pos:
        assert pos.ask(order("ale"), reserved(id_)).code is RefusalCode.INVALID
        assert pos.accepted(order("ale"), id_).order_id == id_
    first = tenant.system.call(intake(tenant).ask_of_ourselves(tenant.name, wake, id_))
    assert (first.request, first.outcome) == (reserved(id_), Outcome.ACCEPTED)


def test_what_would_be_answered_elsewhere_is_not_taken(tenant: RunningTenant) -> None:
    received = asked(tenant, order("burger"), new_id())
    for wrong in (replace(received, inside=False), replace(received, request_id=None)):
        with pytest.raises(ValueError, match="cannot be asked so"):
            tenant.system.call(intake(tenant).ask(wrong))


def break_closing(router: Router) -> None:
    @router.on(CloseOrder)
    async def close(request: CloseOrder, _context: object) -> None:
        raise ZeroDivisionError(f"this handler breaks on {request.order_id}")


def test_a_handler_that_raises_is_answered_once_and_others_do_not_suffer(
    start_system: StartSystem,
) -> None:
    system = start_system(alter=lambda served: break_closing(served.router))
    tenant = system.add_tenant()
    breaking = asked(tenant, CloseOrder(order_id=new_id()), new_id())
    replies = ask_all(tenant, [asked(tenant, order("ale"), new_id()), breaking])
    assert [each.code for each in replies if isinstance(each, Reply)] == [
        None,
        RefusalCode.INTERNAL,
    ]
    assert ask_all(tenant, [breaking]) == replies[1:]
    assert tenant.count(QUARANTINE) == 1
    assert tenant.count(ORDERS) == 1


def test_who_does_not_serve_takes_nothing_and_later_it_is_done(own_system: RunningSystem) -> None:
    tenant = own_system.add_tenant()
    received = asked(tenant, order("burger"), new_id())
    first = ask_all(tenant, [received])
    before = own_system.served.intake
    own_system.stop()
    with pytest.raises(NotServing):
        own_system.call(before.ask(received))
    own_system.start()
    assert ask_all(tenant, [received]) == first
    assert tenant.count(ORDERS) == 1


def test_whatever_was_in_hand_at_the_end_is_there_once_after_the_next_start(
    own_system: RunningSystem,
) -> None:
    tenant = own_system.add_tenant()
    wanted = [asked(tenant, order("burger"), new_id()) for _ in range(300)]
    answers: list[Reply | BaseException] = []

    async def begin() -> asyncio.Task[list[Reply | BaseException]]:
        async def together() -> list[Reply | BaseException]:
            asking = [own_system.served.intake.ask(each) for each in wanted]
            return await asyncio.gather(*asking, return_exceptions=True)

        return asyncio.create_task(together())

    running = own_system.call(begin())
    own_system.stop()

    async def ended() -> list[Reply | BaseException]:
        return await running

    answers = own_system.call(ended())
    assert all(isinstance(each, Reply | NotServing) for each in answers)
    own_system.start()
    again = ask_all(tenant, wanted)
    for first, second in zip(answers, again, strict=True):
        assert isinstance(second, Reply)
        assert second.outcome is Outcome.ACCEPTED
        assert not isinstance(first, Reply) or first == second
    assert tenant.count(ORDERS) == 300


def test_while_the_database_is_away_one_is_sent_away_in_time_and_nothing_is_lost(
    own_system: RunningSystem,
) -> None:
    tenant = own_system.add_tenant()
    served = own_system.served
    intake = Intake(
        served.worker,
        served.router,
        served.worker._database,
        lambda: datetime.now(UTC),
        patience_s=0.5,
    )
    received = asked(tenant, order("burger"), new_id())
    database = served.worker._database
    decide, read = database.decide, database.read

    def away() -> Any:
        raise ConnectionRefusedError("nobody is there")

    async def try_it() -> asyncio.Task[None]:
        running = asyncio.create_task(intake.run())
        await asyncio.sleep(0)
        database.decide = away  # type: ignore[method-assign]
        try:
            with pytest.raises(NotServing, match="no answer within"):
                await intake.ask(received)
            question = asked(tenant, ReadOrder(order_id=new_id()), new_id())
            database.read = away  # type: ignore[method-assign]
            with pytest.raises(NotServing):
                await intake.ask(question)
        finally:
            database.decide, database.read = decide, read  # type: ignore[method-assign]
        return running

    async def end(running: asyncio.Task[None]) -> None:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    running = own_system.call(try_it())
    replies: list[Reply] = []

    def answered() -> bool:
        with suppress(NotServing):  # the worker looks again after two seconds at the latest
            replies.append(own_system.call(intake.ask(received)))
        return bool(replies)

    until(answered, "the database's return")
    own_system.call(end(running))
    (reply,) = replies
    assert (reply.request, reply.outcome) == (received.request_id, Outcome.ACCEPTED)
    assert tenant.count(ORDERS) == 1
    with tenant.speaker() as pos:
        assert pos.accepted(order("ale")).total_minor == 480, "the services go on"
