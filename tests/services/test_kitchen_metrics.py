"""What stations have done today: kept, shown retained, and the same as the report says."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from schemas.kitchen_pace import StationMetrics
from schemas.kitchen_requests import BumpTicket, HearTickets, RecallTicket, StartTicket
from services.kitchen.metrics import MetricsBook
from services.kitchen.report_reading import done_between
from services.people.store import remove_tenant
from services.runtime import house_rules
from services.runtime.database import Database
from tests.services.kitchen_floor import KitchenFloor


@pytest.fixture
async def floor(database: Database) -> KitchenFloor:
    made = KitchenFloor(database)
    await made.open()
    return made


def shown(floor: KitchenFloor) -> dict[str, StationMetrics]:
    return {
        each.station: each for each in floor.standing().values() if isinstance(each, StationMetrics)
    }


async def look(floor: KitchenFloor, book: MetricsBook) -> int:
    changed = await book.look()
    await floor.relay.finish()
    return changed


async def cook(floor: KitchenFloor, *, heard_after: float, made_in: float) -> None:
    """One order of soup, from its placing to its bump."""
    ticket = await floor.at("grill", await floor.order("soup"))
    floor.wait(timedelta(seconds=heard_after))
    await floor.do(HearTickets(ticket_ids=(ticket.ticket_id,)))
    await floor.do(StartTicket(ticket_id=ticket.ticket_id))
    floor.wait(timedelta(seconds=made_in))
    await floor.do(BumpTicket(ticket_id=ticket.ticket_id))


async def test_figures_follow_what_was_made_and_agree_with_the_report(floor: KitchenFloor) -> None:
    book = MetricsBook(floor.database, floor.relay, lambda: floor.now)
    for number in range(4):
        await cook(floor, heard_after=2 + number, made_in=100 + 10 * number)
    assert await look(floor, book) >= 1
    grill = shown(floor)["grill"]
    assert (grill.tickets, grill.lines, grill.open) == (4, 4, 0)
    assert (grill.tickets_last_hour, grill.recalls, grill.voids) == (4, 0, 0)
    assert (grill.hear_p50_s, grill.prep_p50_s) == (3.5, 115.0)

    async with floor.database.read() as connection:
        since, until = floor.now - timedelta(days=1), floor.now + timedelta(days=1)
        done = await done_between(connection, floor.tenant, since, until, UTC)
    (station,) = (each for each in done.stations if each.station == "grill")
    assert (station.hear.p50_s, station.hear.p90_s) == (grill.hear_p50_s, grill.hear_p90_s)
    assert (station.prep.p50_s, station.prep.p90_s) == (grill.prep_p50_s, grill.prep_p90_s)
    await floor.check()


async def test_nothing_is_said_again_while_nothing_changes(floor: KitchenFloor) -> None:
    book = MetricsBook(floor.database, floor.relay, lambda: floor.now)
    await cook(floor, heard_after=2, made_in=100)
    await look(floor, book)
    floor.wait(timedelta(seconds=20))
    assert await look(floor, book) == 0
    floor.wait(timedelta(hours=1))
    assert await look(floor, book) == 1, "the last hour is another one now"
    grill = shown(floor)["grill"]
    assert (grill.tickets, grill.tickets_last_hour) == (1, 0)


async def test_what_is_recalled_and_bumped_again_counts_once(floor: KitchenFloor) -> None:
    book = MetricsBook(floor.database, floor.relay, lambda: floor.now)
    await cook(floor, heard_after=2, made_in=100)
    await look(floor, book)
    (ticket,) = (each for each in (await floor.kept()).values() if each.station == "grill")
    await floor.do(RecallTicket(ticket_id=ticket.ticket_id))
    await look(floor, book)
    assert shown(floor)["grill"].tickets == 0, "it is being made again"
    floor.wait(timedelta(seconds=30))
    await floor.do(BumpTicket(ticket_id=ticket.ticket_id))
    await look(floor, book)
    grill = shown(floor)["grill"]
    assert (grill.tickets, grill.recalls) == (1, 1)


async def test_a_new_process_and_a_new_day_begin_with_the_rows(floor: KitchenFloor) -> None:
    await cook(floor, heard_after=2, made_in=100)
    await look(floor, MetricsBook(floor.database, floor.relay, lambda: floor.now))
    await cook(floor, heard_after=2, made_in=100)
    other = MetricsBook(floor.database, floor.relay, lambda: floor.now)
    await look(floor, other)
    assert shown(floor)["grill"].tickets == 2
    floor.wait(timedelta(days=1))
    await look(floor, other)
    assert shown(floor)["grill"].tickets == 0


async def test_a_house_whose_time_zone_is_unknown_here_keeps_nobody_from_his_figures(
    floor: KitchenFloor,
) -> None:
    async with floor.database.write() as connection:
        nowhere = floor.rules.model_copy(update={"time_zone": "Europe/Atlantis"})
        await house_rules.write(connection, floor.tenant, orders=nowhere)
    await cook(floor, heard_after=2, made_in=100)
    await look(floor, MetricsBook(floor.database, floor.relay, lambda: floor.now))
    assert shown(floor)["grill"].tickets == 1


async def test_a_house_that_was_removed_and_added_again_begins_with_nothing(
    floor: KitchenFloor,
) -> None:
    book = MetricsBook(floor.database, floor.relay, lambda: floor.now)
    await cook(floor, heard_after=2, made_in=100)
    await look(floor, book)
    async with floor.database.write() as connection:
        await remove_tenant(connection, floor.tenant)
    await look(floor, book)
    await floor.open()
    for _ in range(2):
        await cook(floor, heard_after=2, made_in=100)
    await look(floor, book)
    assert shown(floor)["grill"].tickets == 2


async def test_a_house_that_was_added_again_before_the_next_look_begins_with_nothing(
    floor: KitchenFloor,
) -> None:
    book = MetricsBook(floor.database, floor.relay, lambda: floor.now)
    await cook(floor, heard_after=2, made_in=100)
    await look(floor, book)
    async with floor.database.write() as connection:
        await remove_tenant(connection, floor.tenant)
    await floor.open()
    for _ in range(2):
        await cook(floor, heard_after=2, made_in=100)
    await look(floor, book)
    assert shown(floor)["grill"].tickets == 2
