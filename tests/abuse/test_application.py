"""Attempts 74 to 80: requests that are well said and ill meant."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from devices.kitchen_display import KitchenDisplay
from schemas.devices import DevicePresence, DeviceState, Heartbeat, PresenceStatus, Role
from schemas.identifiers import new_id
from schemas.kitchen import Ticket, TicketState, TicketStatus
from schemas.kitchen_requests import BumpTicket, StartTicket
from schemas.orders import AddLines, CancelOrder, CloseOrder, LineRequest, PlaceOrder
from schemas.positions import Fix
from schemas.refusals import RefusalCode
from schemas.replies import Outcome
from services.orders.store import ORDERS
from services.presence.store import PRESENCE
from services.runtime.context import outgoing
from services.runtime.tables import INBOX, METADATA
from tests.abuse.attempts import CAME, attempt
from tests.abuse.scene import Scene
from tests.abuse.stage import STATION
from tests.spoken import order, read_message
from tests.system import until

EVIL = (
    "'; DROP TABLE orders; --",
    '" OR ""="',
    "<script>alert('heard')</script>",
    "<img src=x onerror=alert(1)>",
    "{{7*7}} ${7*7} %s %(x)s \\N \\x00",
    "Robert'); DELETE FROM tenants WHERE tenant='tb';--",
)


@attempt(
    74,
    both="twenty times the same answer; one order is kept",
    mosquitto_logs=CAME,
)
def test_74_a_request_replayed(scene: Scene) -> None:
    tenant = scene.stage.attacker
    before = tenant.count(ORDERS)
    with tenant.speaker() as own:
        payload = own.wire(order("burger"))
        replies = {own.ask_raw(own.topic(PlaceOrder), payload).model_dump_json() for _ in range(20)}
    scene.holds(len(replies) == 1 and "accepted" in replies.pop(), "twenty times the same answer")
    scene.holds(tenant.count(ORDERS) == before + 1, "one order is kept")


@attempt(
    75,
    both="request-id-reused; the first stands",
    mosquitto_logs=CAME,
)
def test_75_the_same_id_with_another_body(scene: Scene) -> None:
    tenant, id_ = scene.stage.attacker, new_id()
    with tenant.speaker() as own:
        first = own.ask(order("burger"), id_)
        others = [own.ask(order(("ale", n + 1)), id_) for n in range(5)]
        others.append(own.ask(CancelOrder(order_id=id_, reason="x"), id_))
        codes = {each.code for each in others}
        scene.holds(codes == {RefusalCode.REQUEST_ID_REUSED}, "request-id-reused")
        assert own.ask(order("burger"), id_) == first
    (row,) = [row for row in tenant.rows(ORDERS) if row["order_id"] == id_]
    scene.holds((row["total_minor"], row["status"]) == (995, "accepted"), "the first stands")


@attempt(
    76,
    both="it is an order of one's own; the victim's is not found, and stands as it was",
    mosquitto_logs=CAME,
)
def test_76_a_request_id_of_another_tenant(scene: Scene) -> None:
    victims = scene.after_an_order()

    def row() -> list[dict[str, object]]:
        return [each for each in scene.stage.victim.rows(ORDERS) if each["order_id"] == victims]

    before = row()
    tenant = scene.stage.attacker
    with tenant.speaker(Role.MANAGER) as own:
        taken = own.ask(order(("ale", 3)), victims)
        mine = [each for each in tenant.rows(ORDERS) if each["order_id"] == victims]
        is_own = taken.outcome is Outcome.ACCEPTED and len(mine) == 1
        scene.holds(is_own and mine[0]["total_minor"] == 3 * 480, "it is an order of one's own")
        second = scene.after_an_order()
        codes = {
            own.ask(request).code
            for request in (
                CancelOrder(order_id=second, reason="not mine"),
                CloseOrder(order_id=second),
                AddLines(order_id=second, lines=order("ale").lines),
            )
        }
    assert codes == {RefusalCode.NOT_FOUND}
    scene.holds(row() == before, "the victim's is not found, and stands as it was")


@attempt(
    77,
    both="a will of an earlier session is not believed; a screen does not go back; "
    "a bumped ticket is not started again: wrong-state",
    mosquitto_logs=CAME,
)
def test_77_an_old_version_after_a_newer(scene: Scene) -> None:
    tenant = scene.stage.attacker
    with (
        tenant.display(STATION) as screen,
        tenant.speaker() as pos,
        tenant.speaker(Role.KITCHEN_DISPLAY) as cook,
    ):
        earlier, later = new_id(), new_id()
        for status, epoch in (("online", later), ("offline", earlier)):
            pos.say(DevicePresence(status=PresenceStatus(status), epoch=epoch))
        receipt = pos.accepted(order("burger"))  # later than both, on the same way
        told = DeviceState.route.topic(tenant="ta", device=pos.device)

        def states() -> list[PresenceStatus]:
            heard = scene.witness.heard_at_attackers()
            return [read_message(one).status for one in heard if one.topic == told and one.payload]

        until(states, "the services to believe the birth")
        scene.holds(states() == ["online"], "a will of an earlier session is not believed")

        ticket = shown(screen, receipt.order_id, TicketStatus.HEARD)
        old = ticket.model_copy(
            update={
                "status": TicketStatus.SENT,
                "version": ticket.version - 1,
                "sequence": ticket.sequence - 1,
                "heard_at": None,
                "heard_by": None,
            }
        )
        system = scene.stage.system

        async def say(one: Ticket) -> None:
            state = TicketState(station=STATION, ticket_id=one.ticket_id, ticket=one)
            system.served.relay.say([outgoing(state, tenant="ta", now=datetime.now(UTC))])

        system.call(say(old))
        system.call(say(ticket))
        pos.accepted(order("burger"))
        again = shown(screen, receipt.order_id, TicketStatus.HEARD)
        scene.holds(again.version == ticket.version, "a screen does not go back")

        cook.accepted(StartTicket(ticket_id=ticket.ticket_id))
        cook.accepted(BumpTicket(ticket_id=ticket.ticket_id))
        code = cook.ask(StartTicket(ticket_id=ticket.ticket_id)).code
        scene.seen(f"a bumped ticket is not started again: {code}")


def shown(screen: KitchenDisplay, order_id: object, status: TicketStatus) -> Ticket:
    """Wait until the ticket of an order stands so on a screen."""

    def found() -> list[Ticket]:
        return [t for t in screen.tickets if (t.order_id, t.status) == (order_id, status)]

    until(found, f"a ticket that is {status}")
    return found()[0]


@attempt(
    78,
    both="each is answered with the reason, none is done; a key said twice: invalid",
    logged='"event": "unfit"',
)
def test_78_json_bombs(scene: Scene) -> None:
    tenant = scene.stage.attacker
    before = tenant.count(ORDERS)
    with tenant.speaker() as own:
        good = json.dumps(own.document(order("burger")))
        bombs = [
            b"[" * 100_000,
            b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
            (good[:-1] + ', "deep": ' + "[" * 50_000 + "]" * 50_000 + "}").encode(),
            good.replace('"quantity": 1', '"quantity": NaN').encode(),
            good.replace('"quantity": 1', '"quantity": Infinity').encode(),
            good.replace('"quantity": 1', '"quantity": 1e400').encode(),
            good.replace('"quantity": 1', f'"quantity": 1{"0" * 5000}').encode(),
            good.replace('"burger"', '"\\ud800"').encode(),
            b"\xef\xbb\xbf" + good.encode(),
        ]
        replies = [own.ask_raw(own.topic(PlaceOrder), bomb) for bomb in bombs]
        assert {reply.outcome for reply in replies} == {Outcome.REJECTED}
        assert all(reply.code and reply.message for reply in replies)
        nothing = tenant.count(ORDERS) == before
        scene.holds(nothing, "each is answered with the reason, none is done")
        twice = json.dumps(own.document(order("burger")))
        twice = twice.replace('"quantity": 1', '"quantity": 1, "quantity": 3')
        reply = own.ask_raw(own.topic(PlaceOrder), twice.encode())
        assert tenant.count(ORDERS) == before
        scene.seen(f"a key said twice: {reply.code}")


@attempt(
    79,
    both="free text is kept and shown as it was written; where a name must stand: invalid",
    logged='"event": "unfit"',
)
def test_79_sql_and_html(scene: Scene) -> None:
    tenant = scene.stage.attacker
    victims = scene.stage.victim.count(ORDERS)
    with tenant.display(STATION) as screen, tenant.speaker() as own:
        for text in EVIL:
            lines = (LineRequest(item="burger", quantity=1, note=text),)
            receipt = own.accepted(PlaceOrder(lines=lines, table=text[:32], reference=text[:64]))
            ticket = shown(screen, receipt.order_id, TicketStatus.HEARD)
            assert (ticket.lines[0].note, ticket.table) == (text, text[:32])
            (row,) = [r for r in tenant.rows(ORDERS) if r["order_id"] == receipt.order_id]
            assert row["lines"][0]["note"] == text
            assert (row["table"], row["reference"]) == (text[:32], text[:64])
        scene.seen("free text is kept and shown as it was written")
        codes = set()
        for text in EVIL:
            document = own.document(order("burger"))
            document["data"]["lines"][0]["item"] = text
            reply = own.ask_raw(own.topic(PlaceOrder), json.dumps(document).encode())
            codes.add(reply.code)
        (code,) = codes
        scene.seen(f"where a name must stand: {code}")
    assert scene.stage.victim.count(ORDERS) >= victims
    assert {table.name for table in METADATA.sorted_tables} >= {"orders", "tenants", "tickets"}


@attempt(
    80,
    both="a fix or beat of the year 2100 changes nothing; a request of then: time-out-of-range",
    logged='"event": "unfit"',
)
def test_80_a_fix_from_the_future(scene: Scene) -> None:
    tenant = scene.stage.attacker
    future = datetime(2100, 1, 1, tzinfo=UTC)
    with tenant.speaker(Role.MANAGER) as own:
        epoch = new_id()
        own.say(DevicePresence(status=PresenceStatus.ONLINE, epoch=epoch))
        for _ in range(10):
            own.say(Fix(at=future, lat=51.5, lon=-0.1))
            own.say(Heartbeat(epoch=epoch, at=future))
        assert own.ask(order("burger")).outcome is Outcome.ACCEPTED

        def known() -> list[dict[str, Any]]:
            return [row for row in tenant.rows(PRESENCE) if row["device"] == own.device]

        until(known, "the presence to be kept")
        now = datetime.now(UTC) + timedelta(seconds=5)
        (row,) = known()
        mine = [r for r in tenant.rows(INBOX) if r["received_at"] > now]
        right = row["since"] < now and not mine
        scene.holds(right, "a fix or beat of the year 2100 changes nothing")
        code = own.ask(order("burger"), at=future).code
        scene.seen(f"a request of then: {code}")
