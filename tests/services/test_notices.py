"""Notices of real orders, from the till to whoever is told: each once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from cli.forgetting import forget
from schemas.devices import Role
from schemas.house_rules import Acceptance, OrderRules
from schemas.identifiers import new_id
from schemas.kitchen_requests import BumpTicket, StartTicket
from schemas.notices import (
    ChannelKind,
    NoticeGiven,
    NoticeRule,
    NoticeRules,
    NoticeStatus,
)
from schemas.order_changes import AcceptOrder
from schemas.orders import CancelOrder, Guest, OrderChange, OrderKind
from schemas.replies import Outcome
from schemas.topics import Plane, plane_filter
from services.kitchen.store import TICKETS
from services.notices.tables import CHANNELS, NOTICES
from services.orders.inside import ForgetGuest
from services.runtime import house_rules
from services.runtime.tables import OUTBOX
from tests.mail_sink import mail_sink
from tests.running import StartSystem
from tests.services.notice_world import channel_row, mail_at, quick
from tests.spoken import Speaker, order, read_message
from tests.system import RunningTenant, until
from tests.webhook_server import HANG_S, Answer, webhook_server

ADA = Guest(name="Ada", email="ada@example.com", language="fr")


def set_up(
    tenant: RunningTenant,
    channels: Iterable[tuple[str, ChannelKind, str | None]],
    *rules: NoticeRule,
    **orders: Any,
) -> None:
    """Channels and rules, as the command line writes them."""

    async def write(connection: AsyncConnection) -> None:
        for channel, kind, url in channels:
            row = channel_row(tenant.name, channel, kind, url)
            await connection.execute(CHANNELS.insert().values(row))
        await house_rules.write(
            connection,
            tenant.name,
            orders=OrderRules(**orders),
            notices=NoticeRules(rules=rules),
        )

    tenant.system.writing(write)


def tell(rule: str, channel: str, *on: OrderChange, **more: Any) -> NoticeRule:
    return NoticeRule(rule=rule, on=on, channel=channel, **more)


def cook(tenant: RunningTenant, cook_: Speaker, order_id: UUID) -> None:
    """Start and bump every ticket of an order."""
    for row in tenant.rows(TICKETS):
        if row["order_id"] == order_id and row["status"] == "sent":
            ticket_id = row["ticket_id"]
            cook_.accepted(StartTicket(ticket_id=ticket_id), new_id())
            cook_.accepted(BumpTicket(ticket_id=ticket_id), new_id())


def all_ended(tenant: RunningTenant, count: int) -> list[dict[str, Any]]:
    """Wait until there are so many notices, and none waits."""

    def ended() -> bool:
        rows = tenant.rows(NOTICES)
        return len(rows) >= count and all(row["status"] != "waiting" for row in rows)

    until(ended, f"{count} notices have ended")
    rows = tenant.rows(NOTICES)
    assert len(rows) == count
    return rows


def test_a_guest_a_till_and_a_manager_are_each_told_once(start_system: StartSystem) -> None:
    with webhook_server() as server, mail_sink() as sink:
        settings = quick(mail_server=mail_at(sink.port))

        def alter(served: Any) -> None:
            served.sender.settings = settings

        system = start_system(alter=alter)
        tenant = system.add_tenant()
        set_up(
            tenant,
            [
                ("pager", ChannelKind.MQTT, None),
                ("shop", ChannelKind.WEBHOOK, server.url),
                ("mail", ChannelKind.EMAIL, None),
            ],
            tell("thanks", "mail", OrderChange.PLACED),
            tell("taken", "mail", OrderChange.ACCEPTED),
            tell("food", "mail", OrderChange.READY, kinds=(OrderKind.TAKEAWAY,)),
            tell("hook", "shop", OrderChange.ACCEPTED, OrderChange.READY, OrderChange.CANCELLED),
            tell("page", "pager", OrderChange.READY),
            tell("boss", "mail", OrderChange.CANCELLED, to="boss@roma.example"),
        )
        with (
            tenant.speaker() as pos,
            tenant.speaker(Role.KITCHEN_DISPLAY) as grill,
            tenant.speaker(Role.MANAGER) as boss,
        ):
            boss.mqtt.subscribe(plane_filter(Plane.EVENT, tenant=tenant.name, tail="notices/+"))
            placing = new_id()
            takeaway = order("burger", kind=OrderKind.TAKEAWAY, guest=ADA)
            for _ in range(3):  # said again, it is still one order
                pos.ask(takeaway, placing)
            cook(tenant, grill, placing)
            second = new_id()
            pos.ask(order("fries"), second)
            pos.accepted(CancelOrder(order_id=second, reason="changed their mind"), new_id())
            rows = all_ended(tenant, 9)
            given = read_message(boss.mqtt.next_message())
        assert isinstance(given, NoticeGiven)
        assert given.channel == "pager"
        assert given.order_id == placing
        assert given.headline.endswith("est prête")

        by_rule = sorted((row["rule"], row["change"], row["status"]) for row in rows)
        assert by_rule == [
            ("boss", "cancelled", "sent"),
            ("food", "ready", "sent"),
            ("hook", "accepted", "sent"),
            ("hook", "accepted", "sent"),
            ("hook", "cancelled", "sent"),
            ("hook", "ready", "sent"),
            ("page", "ready", "sent"),
            ("taken", "accepted", "dropped"),  # the second order has no address
            ("taken", "accepted", "sent"),
        ]
        assert all(row["snapshot"] is None and row["to"] is None for row in rows)
        assert sorted(server.ids) == sorted(
            str(row["notice_id"]) for row in rows if row["rule"] == "hook"
        )
        told = {(each["to"], each["subject"]) for each in sink.letters}
        assert len(sink.letters) == 3
        assert {to for to, _ in told} == {"ada@example.com", "boss@roma.example"}
        number = json.loads(server.arrivals[0].body)["data"]["order"]["number"]
        name = tenant.name.title()
        assert ("ada@example.com", f"{name} : votre commande {number} est acceptée") in told
        until(lambda: tenant.count(OUTBOX) == 0, "the outbox is empty")


def test_an_order_that_waits_is_told_of_twice_for_it_changed_twice(
    tenant: RunningTenant,
) -> None:
    set_up(
        tenant,
        [("pager", ChannelKind.MQTT, None)],
        tell("both", "pager", OrderChange.PLACED, OrderChange.ACCEPTED),
        acceptance=Acceptance.BY_HAND,
    )
    with tenant.speaker() as pos:
        placing = new_id()
        pos.ask(order("burger"), placing)
        pos.accepted(AcceptOrder(order_id=placing), new_id())
        rows = all_ended(tenant, 2)
    assert sorted(row["change"] for row in rows) == ["accepted", "placed"]


def test_a_house_without_rules_has_no_notices(tenant: RunningTenant) -> None:
    with tenant.speaker() as pos:
        pos.ask(order("burger", guest=ADA), new_id())
    assert tenant.count(NOTICES) == 0


def test_a_refused_request_tells_nobody(tenant: RunningTenant) -> None:
    set_up(
        tenant,
        [("pager", ChannelKind.MQTT, None)],
        tell("off", "pager", OrderChange.CANCELLED),
    )
    with tenant.speaker() as pos:
        placing = new_id()
        pos.ask(order("burger"), placing)
        pos.accepted(CancelOrder(order_id=placing, reason="wrong table"), new_id())
        pos.ask(CancelOrder(order_id=placing, reason="again"), new_id())
        rows = all_ended(tenant, 1)
    assert rows[0]["status"] == NoticeStatus.SENT


def test_what_goes_over_mqtt_is_heard_once(tenant: RunningTenant) -> None:
    set_up(tenant, [("pager", ChannelKind.MQTT, None)], tell("page", "pager", OrderChange.ACCEPTED))
    with tenant.speaker() as pos, tenant.speaker(Role.MANAGER) as boss:
        boss.mqtt.subscribe(plane_filter(Plane.EVENT, tenant=tenant.name, tail="notices/+"))
        for _ in range(10):
            pos.ask(order("burger"), new_id())
        all_ended(tenant, 10)
        until(lambda: tenant.count(OUTBOX) == 0, "all is published")
        heard = [read_message(each) for each in boss.mqtt.take(10)]
        assert len({each.notice_id for each in heard}) == 10
        assert {each.rule for each in heard} == {"page"}
        pos.ask(order("burger"), new_id())
        # The next that is heard is of the next order: nothing came twice before it.
        last = read_message(boss.mqtt.next_message())
        assert last.notice_id not in {each.notice_id for each in heard}


def test_a_guest_who_is_forgotten_is_told_no_more(tenant: RunningTenant) -> None:
    set_up(
        tenant,
        [("mail", ChannelKind.EMAIL, None)],
        tell("survey", "mail", OrderChange.CANCELLED, after_s=3_600),
        tell("boss", "mail", OrderChange.CANCELLED, after_s=3_600, to="boss@roma.example"),
    )
    system = tenant.system
    with tenant.speaker() as pos:
        ids = [new_id(), new_id()]
        for each in ids:
            pos.ask(order("burger", guest=ADA), each)
            pos.accepted(CancelOrder(order_id=each, reason="changed their mind"), new_id())
        # By the command line, and by the services themselves when its time has come.
        forgotten = system.call(forget(system._outside, tenant.name, ids[0], "test"))
        assert forgotten.notices == 2
        asked = ForgetGuest(order_id=ids[1])
        intake = system.served.intake
        reply = system.call(intake.ask_of_ourselves(tenant.name, asked, new_id()))
        assert reply.outcome is Outcome.ACCEPTED, reply.message
    rows = tenant.rows(NOTICES)
    assert sorted((row["rule"], row["status"]) for row in rows) == [
        ("boss", "waiting"),
        ("boss", "waiting"),
        ("survey", "dropped"),
        ("survey", "dropped"),
    ]
    assert "ada@example.com" not in json.dumps(rows, default=str)
    assert "Ada" not in json.dumps(rows, default=str)


def test_a_stop_in_mid_send_waits_for_no_answer_and_the_notice_goes_out_later(
    start_system: StartSystem,
) -> None:
    waiting = [Answer(after_s=HANG_S), Answer()]
    with webhook_server(lambda number, _: waiting[min(number, 2) - 1]) as server:

        def alter(served: Any) -> None:
            served.sender.settings = quick(webhook_timeout_s=HANG_S)

        system = start_system(alter=alter)
        tenant = system.add_tenant()
        set_up(
            tenant,
            [("shop", ChannelKind.WEBHOOK, server.url)],
            tell("hook", "shop", OrderChange.ACCEPTED),
        )
        with tenant.speaker() as pos:
            pos.ask(order("burger"), new_id())
            until(lambda: server.arrivals, "the webhook is on its way")
        system.stop()  # its patience ends long before that of the webhook
        (row,) = tenant.rows(NOTICES)
        assert (row["status"], row["attempts"]) == (NoticeStatus.WAITING, 0)
        system.start()
        (row,) = all_ended(tenant, 1)
        assert row["status"] == NoticeStatus.SENT
        assert server.ids == [str(row["notice_id"])] * 2
