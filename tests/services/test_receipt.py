"""Every ticket is heard, or somebody else is asked: in the house's order, each in its time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.alerts import AlertKind, Audience, Severity
from schemas.identifiers import derived_id, new_id
from schemas.kitchen import Ticket, TicketStatus
from schemas.kitchen_requests import (
    Attendance,
    AttendStation,
    BumpTicket,
    CloseStation,
    FireTicket,
    HoldTicket,
    LeaveStation,
    MoveTicket,
    OpenStation,
    StartTicket,
)
from schemas.kitchen_rules import KitchenRules, StationRules
from schemas.message import Request
from schemas.orders import CancelOrder, LineRequest, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import StationReceipt
from services.kitchen import hearing
from services.kitchen.inside import LoseDisplay, WakeTicket
from services.kitchen.store import STATIONS, TICKETS
from services.runtime.alerts import ALERTS
from services.runtime.database import Database
from services.runtime.tables import INBOX
from tests.services.order_world import OURSELVES, POINTS, SCREEN, TILL, Asked
from tests.services.receipt_house import (
    BOOK,
    FRY,
    GRILL,
    GRILL_TOO,
    NO_FALLBACK,
    PAPER,
    PASS,
    ReceiptHouse,
)

SOUP = PlaceOrder(lines=(LineRequest(item="soup", quantity=1),))


async def house(database: Database, book: KitchenRules | None = None) -> ReceiptHouse:
    made = ReceiptHouse(database, book)
    await made.open()
    return made


async def test_each_step_is_taken_in_its_time_and_nothing_more_when_all_were_asked(
    database: Database,
) -> None:
    kitchen = await house(database, BOOK)
    await kitchen.attend("grill", GRILL)
    await kitchen.attend("fry", FRY)
    await kitchen.attend("fry", PAPER, Attendance.LAST_RESORT)
    await kitchen.attend("pass", PASS)
    order = await kitchen.order("soup")
    first = await kitchen.at("grill", order)
    assert [each.device for each in first.displays] == [GRILL]
    await kitchen.hear(PASS, await kitchen.at("pass", order))

    assert await kitchen.pass_time(19) == 0
    assert await kitchen.pass_time(1) == 1
    moved = (await kitchen.kept())[first.ticket_id]
    assert (moved.status, moved.moved_to) == (TicketStatus.MOVED, "fry")
    ticket = await kitchen.at("fry", order)
    assert (ticket.status, ticket.moved_from) == (TicketStatus.SENT, "grill")
    assert [each.device for each in ticket.displays] == [FRY]
    assert not kitchen.alerts()
    assert not kitchen.wire.prints

    assert await kitchen.pass_time(10) == 1
    (printed,) = kitchen.wire.prints
    assert (printed.station, printed.ticket_id, printed.prints) == ("fry", ticket.ticket_id, 1)
    assert not kitchen.alerts()

    assert await kitchen.pass_time(10) == 1
    (alert,) = kitchen.alerts().values()
    assert (alert.alert, alert.audience, alert.to) == ("unheard-fry-expo", Audience.STATION, "pass")
    assert await kitchen.pass_time(20) == 1
    till = kitchen.alerts()["unheard-fry-pos-till"]
    assert (till.audience, till.to, till.severity) == (Audience.DEVICE, TILL, Severity.LOW)
    assert await kitchen.pass_time(30) == 1
    manager = kitchen.alerts()["unheard-fry-manager"]
    assert (manager.audience, manager.to) == (Audience.MANAGERS, "managers")
    assert (manager.kind, manager.severity) == (AlertKind.UNHEARD, Severity.CRITICAL)
    assert manager.tickets == (ticket.ticket_id,)
    assert ticket.order_number in manager.text
    assert "fry" in manager.text
    assert await kitchen.asked(ticket.ticket_id) == [
        ("fallback", "fry"),
        ("printer", "fry"),
        ("expo", "pass"),
        ("pos", TILL),
        ("manager", "managers"),
    ]
    assert await kitchen.pass_time(7_200) == 0
    assert len(kitchen.wire.prints) == 1

    await kitchen.hear(FRY, ticket)
    assert not kitchen.alerts()


async def test_a_step_that_nobody_is_there_for_is_passed_over_at_once(database: Database) -> None:
    kitchen = await house(database)
    ticket = await kitchen.at("grill", await kitchen.order("soup"))
    await kitchen.pass_time(20)
    assert await kitchen.asked(ticket.ticket_id) == [("pos", TILL)]
    await kitchen.pass_time(30)
    assert await kitchen.asked(ticket.ticket_id) == [("pos", TILL), ("manager", "managers")]
    assert set(kitchen.alerts()) == {"unheard-grill-pos-till", "unheard-grill-manager"}


async def test_a_fallback_that_is_closed_or_has_no_display_gets_nothing(
    database: Database,
) -> None:
    kitchen = await house(database, BOOK)
    ticket = await kitchen.at("grill", await kitchen.order("soup"))
    await kitchen.pass_time(20)
    assert await kitchen.asked(ticket.ticket_id) == [("pos", TILL)], "nobody is at the fry station"
    await kitchen.attend("fry", FRY)
    await kitchen.do(CloseStation(station="fry", why="the oil is changed"), FRY)
    other = await kitchen.at("grill", await kitchen.order("soup"))
    await kitchen.pass_time(20)
    assert await kitchen.asked(other.ticket_id) == [("pos", TILL)]


@pytest.mark.parametrize("end", ["heard", "started", "held", "moved", "cancelled"])
async def test_whatever_becomes_of_a_ticket_ends_its_alerts(database: Database, end: str) -> None:
    kitchen = await house(database, NO_FALLBACK)
    await kitchen.attend("bar", PASS)
    order = await kitchen.order("soup")
    ticket = await kitchen.at("grill", order)
    for _ in range(2):
        await kitchen.pass_time(10)
    assert len(kitchen.alerts()) == 2
    id_ = ticket.ticket_id
    if end == "heard":
        await kitchen.hear(GRILL, ticket)
    elif end == "started":
        await kitchen.do(StartTicket(ticket_id=id_), GRILL)
    elif end == "held":
        await kitchen.do(HoldTicket(ticket_id=id_), GRILL)
    elif end == "moved":
        await kitchen.do(MoveTicket(ticket_id=id_, station="bar"), GRILL)
    else:
        await kitchen.do(CancelOrder(order_id=order, reason="gone"), TILL)
    assert not kitchen.alerts()
    if end == "held":
        await kitchen.do(FireTicket(ticket_id=id_), GRILL)
    if end in {"held", "moved"}:
        again = await kitchen.at("grill" if end == "held" else "bar", order)
        assert (again.status, again.asked) == (TicketStatus.SENT, ())
        await kitchen.pass_time(10)
        assert await kitchen.asked(again.ticket_id) == [("pos", TILL)], "asked anew"
    else:
        await kitchen.pass_time(3_600)
        assert not kitchen.alerts()


async def test_many_unheard_tickets_are_one_alert_that_names_the_oldest(
    database: Database,
) -> None:
    kitchen = await house(database, NO_FALLBACK)
    orders = [Asked(TILL, SOUP, at=kitchen.now) for _ in range(60)]
    await kitchen.say(*orders)
    tickets = sorted((await kitchen.kept()).values(), key=lambda each: each.ticket_id)
    said = _count_alerts(kitchen)
    kitchen.now = tickets[0].wake_at or kitchen.now
    await kitchen.say(*[_wake(kitchen, each) for each in tickets])
    await kitchen.check()
    alert = kitchen.alerts()["unheard-grill-pos-till"]
    assert list(alert.tickets) == [each.ticket_id for each in tickets[: hearing.SHOWN]]
    assert tickets[0].order_number in alert.text
    assert "over 50 more" in alert.text
    assert len(said) <= hearing.SHOWN + 3, "not one alert for each of the tickets"

    # The oldest are heard: others are named, and the last one's end is the alert's.
    for batch in (tickets[:25], tickets[25:59]):
        await kitchen.hear(SCREEN, *batch)
    alert = kitchen.alerts()["unheard-grill-pos-till"]
    assert alert.tickets == (tickets[59].ticket_id,)
    assert tickets[59].order_number in alert.text
    assert "more" not in alert.text
    await kitchen.hear(SCREEN, tickets[59])
    assert not kitchen.alerts()
    (stations,) = await kitchen.rows(STATIONS)
    assert [row["unheard"] for row in stations] == [None]


async def test_a_display_that_hears_in_time_changes_a_ticket_by_that_alone(
    database: Database,
) -> None:
    kitchen = await house(database)
    for device in (GRILL, GRILL_TOO):
        await kitchen.attend("grill", device)
    ticket = await kitchen.at("grill", await kitchen.order("soup"))
    for device in (GRILL, GRILL_TOO, GRILL, GRILL_TOO):
        await kitchen.hear(device, ticket)
    after = await kitchen.at("grill")
    assert (after.version, after.heard_by, after.wake_at) == (3, GRILL, None)
    await kitchen.do(BumpTicket(ticket_id=ticket.ticket_id), GRILL)
    assert await kitchen.pass_time(3_600) == 0


async def test_a_station_whose_last_display_is_gone_is_told_of_until_one_comes(
    database: Database,
) -> None:
    kitchen = await house(database)
    await kitchen.attend("grill", GRILL)
    await kitchen.attend("grill", GRILL_TOO)
    await kitchen.lose("grill", GRILL)
    assert not kitchen.alerts(), "another one shows the station"
    await kitchen.lose("grill", GRILL_TOO)
    (alert,) = kitchen.alerts().values()
    assert (alert.alert, alert.kind) == ("display-gone-grill", AlertKind.DISPLAY_GONE)
    assert (alert.audience, alert.severity) == (Audience.MANAGERS, Severity.CRITICAL)
    assert GRILL_TOO in alert.text
    await kitchen.do(CloseStation(station="grill"), FRY)
    assert not kitchen.alerts(), "nothing new comes to it"
    await kitchen.do(OpenStation(station="grill"), FRY)
    assert set(kitchen.alerts()) == {"display-gone-grill"}
    await kitchen.attend("grill", PAPER, Attendance.LAST_RESORT)
    assert set(kitchen.alerts()) == {"display-gone-grill"}, "it shows nothing by itself"
    await kitchen.attend("grill", GRILL)
    assert not kitchen.alerts()


async def test_only_displays_attend_and_old_news_changes_nothing(database: Database) -> None:
    kitchen = await house(database)
    refused = await kitchen.ask(AttendStation(station="grill"), TILL)
    assert refused.code is RefusalCode.NOT_ALLOWED
    assert "no kitchen display" in (refused.message or "")

    old, new = new_id(), new_id()
    receipt = (await kitchen.do(AttendStation(station="grill", epoch=new), GRILL)).result
    assert receipt == StationReceipt(station="grill", displays=(GRILL,))
    before = await kitchen.rows(STATIONS)
    await kitchen.do(AttendStation(station="grill", epoch=old), GRILL)
    assert await kitchen.rows(STATIONS) == before, "an older session said so late"
    # It was lost, came back, and then the first loss is told once more.
    ((row,),) = before
    gone = LoseDisplay(station="grill", device=GRILL, since=row["displays"][GRILL]["since"])
    kitchen.wait(timedelta(seconds=5))
    for _ in range(2):
        await kitchen.say(Asked(OURSELVES, gone, at=kitchen.now))
        await kitchen.attend("grill", GRILL)
    assert not kitchen.alerts()
    left = (await kitchen.do(LeaveStation(station="grill"), GRILL_TOO)).result
    assert left == StationReceipt(station="grill", displays=(GRILL,)), "who is not there may leave"


async def test_a_station_that_lost_its_displays_gives_new_orders_to_its_fallback(
    database: Database,
) -> None:
    kitchen = await house(database, BOOK)
    await kitchen.attend("fry", FRY)
    await kitchen.attend("grill", GRILL)
    await kitchen.lose("grill", GRILL)
    order = await kitchen.order("soup")
    assert (await kitchen.at("fry", order)).status is TicketStatus.SENT


@pytest.mark.parametrize("point", POINTS)
async def test_what_is_asked_is_asked_once_through_a_death_at_every_step(
    database: Database, point: str
) -> None:
    book = KitchenRules(stations={"grill": StationRules(fallback="fry")})
    kitchen = await house(database, book)

    async def dying(asked: Asked) -> None:
        kitchen.die_at = point
        await kitchen.say(asked)
        before = await kitchen.rows(TICKETS, STATIONS, ALERTS)
        prints = len(kitchen.wire.prints)
        await kitchen.say(asked)
        assert await kitchen.rows(TICKETS, STATIONS, ALERTS) == before
        assert len(kitchen.wire.prints) == prints
        await kitchen.check()

    async def do(device: str, request: Request) -> None:
        await dying(Asked(device, request, new_id(), kitchen.now))

    await kitchen.attend("fry", FRY)
    await kitchen.attend("fry", PAPER, Attendance.LAST_RESORT)
    await do(TILL, SOUP)
    for _ in range(4):
        (due,) = [each for each in (await kitchen.kept()).values() if each.wake_at is not None]
        assert due.wake_at is not None
        kitchen.now = due.wake_at
        await dying(_wake(kitchen, due))
    ticket = await kitchen.at("fry")
    assert await kitchen.asked(ticket.ticket_id) == [
        ("fallback", "fry"),
        ("printer", "fry"),
        ("pos", TILL),
        ("manager", "managers"),
    ]
    assert {each.prints for each in kitchen.wire.prints} == {1}
    await kitchen.lose("fry", FRY)
    assert len(kitchen.alerts()) == 3
    await kitchen.attend("fry", FRY)
    kitchen.die_at = point
    await kitchen.hear(FRY, ticket)
    assert not kitchen.alerts()
    (inbox,) = await kitchen.rows(INBOX)
    assert sum("wake" in row["type"] for row in inbox) == 4
    assert kitchen.deaths >= 6


def _wake(kitchen: ReceiptHouse, ticket: Ticket) -> Asked:
    at = ticket.wake_at
    assert at is not None
    key = derived_id(at, "wake ticket", str(ticket.ticket_id), at.isoformat())
    return Asked(OURSELVES, WakeTicket(ticket_id=ticket.ticket_id, wake_at=at), key, kitchen.now)


def _count_alerts(kitchen: ReceiptHouse) -> list[str]:
    said: list[str] = []
    take = kitchen.wire.take

    def counting(topic: str, payload: bytes, *, retain: bool) -> None:
        if "/alerts/" in topic:
            said.append(topic)
        take(topic, payload, retain=retain)

    kitchen.wire.take = counting  # type: ignore[method-assign]  # only this one listens
    return said
