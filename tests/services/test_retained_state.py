"""What stands retained on the broker follows from the database, whatever the broker forgot."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from broker_config.settings import BrokerLogin
from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.kitchen import SNAPSHOT_PAGE, StationHead, Ticket, TicketEnded, TicketState
from schemas.kitchen_requests import BumpTicket, HearTickets, ReadStation
from schemas.kitchen_rules import KitchenRules
from schemas.menu import MenuItem
from schemas.orders import CancelOrder, PlaceOrder
from services.kitchen.store import STATIONS, TICKETS
from services.people.limits import UNLIMITED
from services.runtime import house_rules
from tests.mqtt_client import MqttClient
from tests.services.limited import hold
from tests.spoken import Speaker, order, read_message
from tests.system import MENU, RunningSystem, RunningTenant, until


def standing(system: RunningSystem, tenant: RunningTenant) -> dict[str, bytes]:
    """What a device of the tenant that connects now is sent as retained."""
    name = f"eye-{new_id().hex[-8:]}"
    tenant.add_device(Role.MANAGER, name)
    marker = f"heard/v1/{tenant.name}/telemetry/{name}/marker"
    with MqttClient(system.broker.address, system.broker.login(tenant.name, name)) as eye:
        eye.subscribe(f"heard/v1/{tenant.name}/state/#")
        eye.subscribe(marker)
        eye.publish(marker, b"here")
        return {one.topic: one.payload for one in eye.until(marker) if one.retain}


def menu_on(found: dict[str, bytes]) -> set[str]:
    return {topic.rpartition("/")[2] for topic in found if "/state/menu/" in topic}


def tickets_on(found: dict[str, bytes]) -> set[str]:
    return {topic.rpartition("/")[2] for topic in found if "/ticket/" in topic}


def as_services(system: RunningSystem) -> BrokerLogin:
    return system.broker.services


def test_a_broker_that_comes_back_empty_is_filled_again_and_strays_are_cleared(
    own_system: RunningSystem,
) -> None:
    tenant = own_system.add_tenant()
    with tenant.speaker() as pos, tenant.speaker(Role.KITCHEN_DISPLAY) as kds:
        kept = pos.accepted(order("burger", "fries")).order_id
        gone = pos.accepted(order("burger")).order_id
        pos.accepted(CancelOrder(order_id=gone, reason="a mistake"))
        kds.accepted(ReadStation(station="grill"))
    open_ids = {str(row["ticket_id"]) for row in tenant.rows(TICKETS) if row["order_id"] == kept}

    def is_whole() -> bool:
        found = standing(own_system, tenant)
        return menu_on(found) == set(MENU) and tickets_on(found) == open_ids

    until(is_whole, "the whole state to stand")
    own_system.stop()
    # Behind the services' back: all but one item vanishes, and what is not true appears.
    strays = [
        TicketState.route.topic(tenant=tenant.name, station="grill", ticket_id=str(new_id())),
        MenuItem.route.topic(tenant=tenant.name, item="soup"),
        f"heard/v1/{tenant.name}/state/of/no/kind",
        f"heard/v1/nobody-{tenant.name}/state/menu/soup",
    ]
    with MqttClient(own_system.broker.address, as_services(own_system)) as vandal:
        for topic in standing(own_system, tenant):
            if not topic.endswith("/ale"):
                vandal.publish(topic, b"", retain=True)
        ale = MenuItem.route.topic(tenant=tenant.name, item="ale")
        vandal.publish(ale, b"not even JSON", retain=True)
        for topic in strays:
            vandal.publish(topic, b"{}", retain=True)
    own_system.start()
    assert is_whole(), "it is put right before any request is handled"
    found = standing(own_system, tenant)
    assert not set(strays) & set(found)
    for topic, payload in found.items():
        assert payload.startswith(b"{"), topic
    heads = [topic for topic in found if "/kitchen/" in topic and "/ticket/" not in topic]
    assert {topic.rpartition("/")[2] for topic in heads} == {"grill", "fry"}


def test_a_killed_broker_is_filled_again_while_the_services_go_on(
    own_system: RunningSystem,
) -> None:
    tenant = own_system.add_tenant()
    with tenant.speaker() as pos:
        first = pos.accepted(order("burger")).order_id
    until(lambda: menu_on(standing(own_system, tenant)) == set(MENU), "the menu")
    own_system.broker.kill()
    own_system.broker.restart()
    until(own_system.served.backbone.ready.is_set, "the services to come back")

    def is_whole() -> bool:
        found = standing(own_system, tenant)
        return menu_on(found) == set(MENU) and len(tickets_on(found)) == 1

    until(is_whole, "the state to be put back")
    with tenant.speaker() as pos:
        pos.accepted(CancelOrder(order_id=first, reason="too late"))
    until(lambda: not tickets_on(standing(own_system, tenant)), "the ticket to be cleared")


def test_a_stations_sequence_is_dense_and_its_head_agrees(tenant: RunningTenant) -> None:
    with (
        tenant.speaker() as pos,
        tenant.speaker(Role.KITCHEN_DISPLAY) as kds,
        tenant.speaker(Role.KITCHEN_DISPLAY) as screen,
    ):
        where = {"tenant": tenant.name, "station": "grill"}
        head = StationHead.route.topic(**where)
        for topic in (
            TicketState.route.filter(**where),
            TicketEnded.route.topic(**where),
            head,
        ):
            screen.mqtt.subscribe(topic)
        orders = [pos.accepted(order("burger", "ale")).order_id for _ in range(8)]
        tickets = {
            row["order_id"]: row["ticket_id"]
            for row in tenant.rows(TICKETS)
            if row["station"] == "grill"
        }
        kds.accepted(HearTickets(ticket_ids=tuple(tickets[each] for each in orders)))
        for each in orders[:3]:
            kds.accepted(BumpTicket(ticket_id=tickets[each]))
        pos.accepted(CancelOrder(order_id=orders[3], reason="the guest left"))
        expected = 8 + 8 + 3 + 1

        seen: list[int] = []
        told: list[StationHead] = []
        while not told or told[-1].sequence < expected:
            message = screen.mqtt.next_message()
            if not message.payload:
                continue
            said = read_message(message)
            if isinstance(said, StationHead):
                told.append(said)
            else:
                seen.append(said.ticket.sequence)
        assert sorted(seen) == [*range(1, expected + 1)]
        assert (told[-1].sequence, told[-1].open) == (expected, 4)
        stations = {row["station"]: row["sequence"] for row in tenant.rows(STATIONS)}
        assert stations["grill"] == expected


def read_all(kds: Speaker, between: Callable[[int], None]) -> dict[UUID, Ticket]:
    """A snapshot as a display reads it; `between` runs after each page."""
    found: dict[UUID, Ticket] = {}
    after, pages = 0, 0
    while True:
        page = kds.accepted(ReadStation(station="grill", after=after))
        assert len(page.tickets) <= SNAPSHOT_PAGE
        sequences = [ticket.sequence for ticket in page.tickets]
        assert sequences == sorted(sequences)
        found |= {ticket.ticket_id: ticket for ticket in page.tickets}
        pages += 1
        if not page.more:
            return found
        after = sequences[-1]
        between(pages)


def test_a_snapshot_misses_no_ticket_that_changes_while_its_pages_are_read(
    tenant: RunningTenant,
) -> None:
    count = 2 * SNAPSHOT_PAGE + 30
    with tenant.speaker() as pos, tenant.speaker(Role.KITCHEN_DISPLAY) as kds:
        hold(tenant, pos.device, Role.POS, **UNLIMITED)  # it says more at once than any till
        # Nobody is asked next where nothing is heard: that would change tickets meanwhile.
        alone = KitchenRules(escalation=())
        tenant.system.writing(lambda c: house_rules.write(c, tenant.name, kitchen=alone))
        topic = pos.topic(PlaceOrder)
        pos.mqtt.publish_all([(topic, pos.wire(order("burger"))) for _ in range(count)])
        for _ in range(count):
            pos.next_reply()
        tickets = [row["ticket_id"] for row in tenant.rows(TICKETS)]
        assert len(tickets) == count

        def disturb(page: int) -> None:
            some = tickets[page * 7 : page * 7 + 150 : 3]
            kds.accepted(HearTickets(ticket_ids=tuple(some)))
            kds.accepted(BumpTicket(ticket_id=some[0]))
            pos.accepted(order("burger"))

        found = read_all(kds, disturb)
        rows = {row["ticket_id"]: row for row in tenant.rows(TICKETS)}
        still_open = {id_ for id_, row in rows.items() if row["ended_at"] is None}
        assert still_open <= set(found), "no open ticket is missed"
        # What changed after its page was read comes by subscription, not by the snapshot.
        last = read_all(kds, lambda _: None)
        assert set(last) == still_open
        assert {id_: t.sequence for id_, t in last.items()} == {
            id_: rows[id_]["sequence"] for id_ in still_open
        }


def test_thousands_of_requests_that_waited_do_not_delay_the_start(
    own_system: RunningSystem,
) -> None:
    # More than the broker keeps in flight: none may stay unacknowledged until it has
    # shown what stands retained, or it would show no more.
    count = 1_500
    tenant = own_system.add_tenant()
    own_system.stop()
    with tenant.speaker() as pos:
        topic = pos.topic(PlaceOrder)
        for _ in range(3):
            pos.mqtt.publish_all([(topic, pos.wire(order("burger"))) for _ in range(count // 3)])
        own_system.start()
        for _ in range(count):
            pos.next_reply()
    assert tenant.count(TICKETS) == count
