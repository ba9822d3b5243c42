"""Two restaurants on one system: neither sees or changes anything of the other's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.kitchen_requests import BumpTicket, HearTickets, ReadStation, StartTicket
from schemas.message import Request
from schemas.orders import (
    AddLines,
    CancelOrder,
    CloseOrder,
    LineRequest,
    OrderPlaced,
    PlaceOrder,
)
from schemas.refusals import RefusalCode
from schemas.replies import Reply
from services.kitchen.store import STATIONS, TICKETS
from services.orders.store import ORDERS
from services.runtime.tables import INBOX, METADATA, QUARANTINE
from tests.mqtt_client import REFUSED_FILTER, MqttClient, NotInTime
from tests.patience import PATIENCE_S
from tests.spoken import Speaker, order
from tests.system import RunningSystem, RunningTenant, until


@dataclass
class Two:
    """Roma has an order in its kitchen; Napoli would like to know."""

    roma: RunningTenant
    napoli: RunningTenant
    pos: Speaker
    order_id: UUID
    ticket_id: UUID


@pytest.fixture
def two(system: RunningSystem) -> Iterator[Two]:
    roma, napoli = system.add_tenant(), system.add_tenant()
    with roma.speaker(name="pos-1") as pos:
        order_id = pos.accepted(order("burger", reference="a secret")).order_id
        (ticket,) = roma.rows(TICKETS)
        with roma.speaker(Role.MANAGER) as chef:  # else it is alerted of, on a slow machine
            chef.accepted(HearTickets(ticket_ids=(ticket["ticket_id"],)))
        yield Two(roma, napoli, pos, order_id, ticket["ticket_id"])


def everything(tenant: RunningTenant) -> dict[str, list[dict[str, Any]]]:
    """All that is kept of a tenant, but what is on its way or reckoned as time goes by."""
    return {
        table.name: tenant.rows(table)
        for table in METADATA.sorted_tables
        if table.name not in {"outbox", "presence", "station_metrics"}
    }


def test_the_ids_of_another_tenant_are_not_found(two: Two) -> None:
    before = everything(two.roma)
    lines = (LineRequest(item="ale", quantity=1),)
    requests: list[Request] = [
        CancelOrder(order_id=two.order_id, reason="not mine"),
        CloseOrder(order_id=two.order_id),
        AddLines(order_id=two.order_id, lines=lines),
        HearTickets(ticket_ids=(two.ticket_id,)),
        StartTicket(ticket_id=two.ticket_id),
        BumpTicket(ticket_id=two.ticket_id),
    ]
    with two.napoli.speaker(Role.MANAGER) as stranger:
        for request in requests:
            reply = stranger.ask(request)
            assert reply.code is RefusalCode.NOT_FOUND, request
            assert "ORD-" not in str(reply.message)
        # Nor does it matter that the id of Roma's request is known.
        assert stranger.accepted(order("ale"), two.order_id).order_id == two.order_id
        page = stranger.accepted(ReadStation(station="grill"))
        assert (page.tickets, page.sequence, page.open) == ((), 0, 0)
    assert everything(two.roma) == before


def test_what_a_device_says_under_another_tenants_name_is_not_heard(two: Two) -> None:
    before = everything(two.roma)
    device = two.napoli.add_device(Role.MANAGER, "boss-1")
    broker = two.roma.system.broker
    login = broker.login(two.napoli.name, device)
    for name in {"pos-1", device}:
        spoken_by = Speaker(broker.address, login, two.roma.name, name)
        payload = spoken_by.wire(order("ale"))
        # A broker may drop it, or put the speaker out; either way it says no more.
        with suppress(NotInTime), MqttClient(broker.address, login) as stranger:
            stranger.publish_unanswered(spoken_by.topic(PlaceOrder), payload)
            stranger.publish_unanswered(f"heard/v1/{two.roma.name}/state/menu/burger", b"")
            stranger.publish_unanswered(f"heard/v1/{two.roma.name}/presence/pos-1", b"x")
            stranger.publish(f"heard/v1/{two.napoli.name}/telemetry/{device}/done", b"x")
    # In its own tree, but with the other's name inside.
    with two.napoli.speaker(Role.POS) as stranger:
        document = stranger.document(order("ale"))
        document["source"] = f"/{two.roma.name}/devices/pos-1"
        reply = stranger.ask_raw(stranger.topic(PlaceOrder), json.dumps(document).encode())
        assert reply.code is RefusalCode.TOPIC_MISMATCH
        assert stranger.accepted(order("ale")).total_minor == 480
    assert everything(two.roma) == before
    assert two.roma.count(QUARANTINE) == 0
    two.pos.accepted(order("ale"))
    assert two.roma.count(ORDERS) == 2


def test_whatever_a_device_subscribes_to_it_hears_nothing_of_another_tenant(two: Two) -> None:
    roma, napoli = two.roma.name, two.napoli.name
    with two.napoli.speaker(Role.MANAGER) as spy:
        for filter_ in (
            "#",
            "+/#",
            "heard/#",
            "heard/v1/#",
            "heard/v1/+/reply/pos-1",
            "heard/v1/+/event/#",
            f"heard/v1/{roma}/#",
            f"heard/v1/{roma}/state/kitchen/#",
            Reply.route.topic(tenant=roma, device="pos-1"),
            f"$share/x/heard/v1/{roma}/#",
        ):
            with suppress(NotInTime):
                granted = spy.mqtt.subscribe(filter_)
                # What the broker says it grants it must not carry out: see below.
                assert granted in {REFUSED_FILTER, 0, 1}
        spy.mqtt.subscribe(f"heard/v1/{napoli}/#")
        for _ in range(3):
            two.pos.accepted(order("burger", "ale"))
        with two.napoli.speaker() as own:
            own.accepted(order("ale"))
        # Later than all of that, on the same way.
        topics = {one.topic for one in spy.mqtt.until(OrderPlaced.route.topic(tenant=napoli))}
        assert any(topic.startswith(f"heard/v1/{napoli}/") for topic in topics)
        assert not [topic for topic in topics if f"/{roma}/" in topic]


def test_two_kitchens_of_the_same_names_stay_apart(system: RunningSystem) -> None:
    pair = [system.add_tenant(), system.add_tenant()]
    first, second = pair
    with (
        first.display("grill", "kds-1") as mine,
        second.display("grill", "kds-1") as theirs,
        first.till("pos-1") as pos,
        second.till("pos-1") as other,
    ):
        id_ = new_id()
        lines = [LineRequest(item="burger", quantity=1)]
        receipt = pos.place_order(lines, request_id=id_).result(PATIENCE_S)
        their_receipt = other.place_order(lines * 2, request_id=id_).result(PATIENCE_S)
        assert (receipt.total_minor, their_receipt.total_minor) == (995, 2 * 995)
        until(lambda: len(mine.tickets) == len(theirs.tickets) == 1, "a ticket in each kitchen")
        assert len(mine.tickets[0].lines) == 1
        assert len(theirs.tickets[0].lines) == 2
        ticket_id = mine.tickets[0].ticket_id
        mine.start_ticket(ticket_id).result(PATIENCE_S)
        mine.bump(ticket_id).result(PATIENCE_S)
        until(lambda: not mine.tickets, "the bumped ticket to leave")
        until(lambda: [t.heard_by for t in theirs.tickets] == ["kds-1"], "the other to be heard")
        assert [row["status"] for row in second.rows(ORDERS)] == ["accepted"]
        assert [row["status"] for row in first.rows(ORDERS)] == ["ready"]
    for tenant in pair:
        assert {row["tenant"] for row in tenant.rows(STATIONS)} == {tenant.name}
        assert tenant.count(INBOX) >= 1
