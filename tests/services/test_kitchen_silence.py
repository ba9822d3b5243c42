"""A display that shows nothing while others of its station do: told of, and when no more."""

from __future__ import annotations

from typing import Any

from schemas.kitchen import TicketStatus
from schemas.kitchen_requests import LeaveStation, StartTicket
from services.kitchen.watching import StationWatch
from services.presence.store import last_words
from services.runtime.database import Database
from services.runtime.tables import DEVICES
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.receipt_house import GRILL, GRILL_TOO, NO_FALLBACK, ReceiptHouse


async def two_at_the_grill(database: Database) -> ReceiptHouse:
    kitchen = ReceiptHouse(database, NO_FALLBACK)
    await kitchen.open()
    await kitchen.attend("grill", GRILL)
    await kitchen.attend("grill", GRILL_TOO)
    return kitchen


async def test_a_display_that_is_silent_while_others_hear_is_told_of(database: Database) -> None:
    kitchen = await two_at_the_grill(database)
    ticket = await kitchen.at("grill", await kitchen.order("soup"))
    await kitchen.hear(GRILL, ticket)
    heard = await kitchen.at("grill")
    assert heard.status is TicketStatus.HEARD
    assert {each.device: each.heard_at is not None for each in heard.displays} == {
        GRILL: True,
        GRILL_TOO: False,
    }
    await kitchen.pass_time(9)
    assert not kitchen.alerts()
    assert await kitchen.pass_time(1) == 1
    (alert,) = kitchen.alerts().values()
    assert (alert.alert, alert.about, alert.to) == ("silent-grill-grill-2", GRILL_TOO, "grill")
    assert ticket.order_number in alert.text
    assert GRILL_TOO in alert.text
    assert not (await kitchen.at("grill")).asked, "the kitchen has heard: nobody else is asked"

    await kitchen.hear(GRILL_TOO, ticket)
    assert not kitchen.alerts()
    assert all(each.heard_at is not None for each in (await kitchen.at("grill")).displays)

    # Who goes away for good owes nobody a sign.
    other = await kitchen.at("grill", await kitchen.order("soup"))
    await kitchen.do(StartTicket(ticket_id=other.ticket_id), GRILL)
    await kitchen.pass_time(10)
    assert set(kitchen.alerts()) == {"silent-grill-grill-2"}
    await kitchen.do(LeaveStation(station="grill"), GRILL_TOO)
    assert not kitchen.alerts()


async def test_a_display_that_left_before_the_time_was_up_owes_nobody_a_sign(
    database: Database,
) -> None:
    kitchen = await two_at_the_grill(database)
    await kitchen.hear(GRILL, await kitchen.at("grill", await kitchen.order("soup")))
    await kitchen.do(LeaveStation(station="grill"), GRILL_TOO)
    assert await kitchen.pass_time(10) == 1
    assert not kitchen.alerts()
    # Come back, it has to show what it is sent; and lost, it has not said that it left.
    await kitchen.attend("grill", GRILL_TOO)
    other = await kitchen.order("soup")
    await kitchen.hear(GRILL, await kitchen.at("grill", other))
    await kitchen.lose("grill", GRILL_TOO)
    await kitchen.pass_time(10)
    assert set(kitchen.alerts()) == {"silent-grill-grill-2"}


async def test_a_display_that_is_silent_at_two_stations_is_told_of_at_both(
    database: Database,
) -> None:
    kitchen = await two_at_the_grill(database)
    for device in (GRILL, GRILL_TOO):
        await kitchen.attend("fry", device)
    order = await kitchen.order("steak", "chips")
    at_grill, at_fry = await kitchen.at("grill", order), await kitchen.at("fry", order)
    await kitchen.hear(GRILL, at_grill, at_fry)
    await kitchen.pass_time(10)
    assert set(kitchen.alerts()) == {"silent-grill-grill-2", "silent-fry-grill-2"}
    await kitchen.do(LeaveStation(station="fry"), GRILL_TOO)
    assert set(kitchen.alerts()) == {"silent-grill-grill-2"}, "there it is silent still"
    await kitchen.hear(GRILL_TOO, at_grill)
    assert not kitchen.alerts()


async def test_a_silent_display_that_is_removed_owes_nobody_a_sign(database: Database) -> None:
    kitchen = await two_at_the_grill(database)
    await kitchen.hear(GRILL, await kitchen.at("grill", await kitchen.order("soup")))
    await kitchen.pass_time(10)
    assert set(kitchen.alerts()) == {"silent-grill-grill-2"}
    await kitchen.lose("grill", GRILL_TOO)
    assert set(kitchen.alerts()) == {"silent-grill-grill-2"}, "it may come back"
    await kitchen.lose("grill", GRILL_TOO, removed=True)
    assert not kitchen.alerts()


async def test_a_silent_display_that_was_lost_before_it_was_removed_owes_nobody_a_sign(
    database: Database,
) -> None:
    kitchen = await two_at_the_grill(database)
    await kitchen.hear(GRILL, await kitchen.at("grill", await kitchen.order("soup")))
    await kitchen.pass_time(10)
    await kitchen.lose("grill", GRILL_TOO)
    asks: Any = AskedOfOurselves(kitchen)
    watch = StationWatch(database, asks, lambda: kitchen.now, last_words)
    assert await watch.look() == 0, "nobody is removed"
    assert set(kitchen.alerts()) == {"silent-grill-grill-2"}
    async with database.write() as connection:
        mine = (DEVICES.c.tenant == kitchen.tenant) & (DEVICES.c.device == GRILL_TOO)
        await connection.execute(DEVICES.delete().where(mine))
    assert await watch.look() == 1
    assert not kitchen.alerts()
    assert await watch.look() == 0


async def test_a_silent_display_that_shows_another_station_by_now_owes_nobody_a_sign(
    database: Database,
) -> None:
    kitchen = await two_at_the_grill(database)
    await kitchen.hear(GRILL, await kitchen.at("grill", await kitchen.order("soup")))
    await kitchen.lose("grill", GRILL_TOO)
    await kitchen.attend("fry", GRILL_TOO)
    await kitchen.pass_time(10)
    assert set(kitchen.alerts()) == {"silent-grill-grill-2"}
    asks: Any = AskedOfOurselves(kitchen)
    watch = StationWatch(database, asks, lambda: kitchen.now, last_words)
    assert await watch.look() == 1
    assert not kitchen.alerts()
    assert await watch.look() == 0
