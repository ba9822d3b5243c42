"""Positions that are kept: thinned, let go of, and exported as other programs read them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import gpxpy
import pytest
from sqlalchemy import Connection, event, func, select

from schemas.delivery_rules import DeliveryRules
from schemas.identifiers import new_id
from services.people.store import Tenant, add_tenant
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.tracking import exporting
from services.tracking.exporting import Wanted
from services.tracking.partitions import DAY_US, Partitions, name_of
from services.tracking.retention import Pruner
from services.tracking.tables import CROSSINGS, FIXES
from services.tracking.verdicts import Verdict

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class House:
    """A restaurant with positions on a database that others share."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tenant = f"t-{new_id().hex[-12:]}"

    async def open(self, **rules: int) -> None:
        async with self.database.write() as connection:
            await add_tenant(connection, Tenant(self.tenant, "Roma", "EUR", NOW))
            book = DeliveryRules.model_validate(rules)
            await house_rules.write(connection, self.tenant, delivery=book)

    async def keep(
        self, vehicle: str, begin: datetime, count: int, *, every_s: float = 1.0,
        verdict: Verdict = Verdict.OK,
    ) -> None:  # fmt: skip
        rows = [
            {
                "tenant": self.tenant,
                "vehicle": vehicle,
                "at": begin + timedelta(seconds=number * every_s),
                "received_at": begin,
                "lat": 60.17 + number / 10_000,
                "lon": 24.94,
                "verdict": int(verdict),
            }
            for number in range(count)
        ]
        async with self.database.write() as connection:
            await connection.execute(FIXES.insert(), rows)

    async def times(self, vehicle: str) -> list[datetime]:
        query = select(FIXES.c.at).where(FIXES.c.tenant == self.tenant, FIXES.c.vehicle == vehicle)
        async with self.database.read() as connection:
            return [row.at for row in await connection.execute(query.order_by(FIXES.c.at))]


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.open(keep_fixes_days=30, thin_after_days=7, thin_to_s=15)
    return house


async def test_old_positions_are_thinned_and_older_ones_go(house: House) -> None:
    ancient, old, new = NOW - 31 * DAY, NOW - 10 * DAY, NOW - 6 * DAY
    await house.keep("bike", ancient, 20)
    await house.keep("bike", old, 60)
    await house.keep("bike", new, 60)
    await house.keep("car", old, 3, every_s=20)
    told: list[int] = []
    pruner = Pruner(house.database, lambda: NOW)
    assert await pruner.vehicles(house.tenant) == 2
    pruned = await pruner.prune(house.tenant, told.append)
    assert (pruned.expired, pruned.thinned, told) == (20, 56, [1, 2])
    kept = await house.times("bike")
    assert kept[:4] == [old + timedelta(seconds=15 * number) for number in range(4)]
    assert len(kept) == 4 + 60
    assert len(await house.times("car")) == 3
    again = await Pruner(house.database, lambda: NOW).prune(house.tenant)
    assert (again.expired, again.thinned) == (0, 0)


async def test_a_dry_run_counts_what_the_next_run_takes_and_takes_nothing(house: House) -> None:
    begun = (NOW - 31 * DAY, NOW - 10 * DAY, NOW - 30 * DAY - timedelta(seconds=20))
    for begin in begun:
        await house.keep("bike", begin, 60)
    pruner = Pruner(house.database, lambda: NOW)
    counted = await pruner.prune(house.tenant, dry=True)
    assert len(await house.times("bike")) == 180
    assert counted.expired == 80
    assert await pruner.prune(house.tenant, dry=True) == counted
    assert await pruner.prune(house.tenant) == counted
    assert len(await house.times("bike")) == 180 - counted.expired - counted.thinned


async def test_of_a_span_what_was_good_is_kept_rather_than_what_was_first(house: House) -> None:
    old = NOW - 10 * DAY
    await house.keep("bike", old, 1, verdict=Verdict.JUMP)
    await house.keep("bike", old + timedelta(seconds=5), 2)
    await Pruner(house.database, lambda: NOW).prune(house.tenant)
    assert await house.times("bike") == [old + timedelta(seconds=5)]


async def test_days_that_nobody_keeps_go_as_a_whole_on_postgresql(house: House) -> None:
    if house.database.is_sqlite:
        pytest.skip("SQLite has no partitions")
    # Long before anybody else's: the partitions are everybody's.
    then = datetime(2001, 3, 14, tzinfo=UTC)
    await Partitions(house.database).make([int(then.timestamp() * 1e6) // DAY_US], then.date())
    await house.keep("bike", then, 5)
    pruner = Pruner(house.database, lambda: then + 4_000 * DAY)
    before = (then + DAY).date()
    assert then.date() in await pruner._drop_days(before, dry=True)
    assert len(await house.times("bike")) == 5
    assert then.date() in await pruner._drop_days(before, dry=False)
    async with house.database.read() as connection:
        there = await connection.scalar(select(func.to_regclass(name_of(then.date()))))
    assert there is None
    assert await house.times("bike") == []


async def test_the_last_crossing_stays_however_old_it_is(house: House) -> None:
    def row(
        fence: str, what: str, days: int, vehicle: str = "bike", *, followed: bool = True
    ) -> dict[str, object]:
        at = NOW - days * DAY
        return {
            "tenant": house.tenant, "crossing_id": new_id(), "fence": fence, "vehicle": vehicle,
            "what": what, "at": at, "kept_at": at, "followed": followed,
        }  # fmt: skip

    goes = [row("centre", "enter", 51), row("centre", "dwell", 50), row("centre", "exit", 49)]
    goes += [row("stop:1", "enter", 40), row("near:1", "exit", 40)]
    # Within the depot for long, and told of as that; to others it is nothing.
    stays = [row("centre", "enter", 48), row("depot", "enter", 60), row("depot", "dwell", 59)]
    stays += [row("house", "enter", 3), row("stop:2", "enter", 3)]
    stays += [row("centre", "exit", 55, "car"), row("stop:1", "exit", 40, followed=False)]
    async with house.database.write() as connection:
        await connection.execute(CROSSINGS.insert(), [*goes, *stays])
    pruner = Pruner(house.database, lambda: NOW)
    assert (await pruner.prune(house.tenant, dry=True)).crossings == len(goes)
    assert (await pruner.prune(house.tenant)).crossings == len(goes)
    query = select(CROSSINGS.c.crossing_id).where(CROSSINGS.c.tenant == house.tenant)
    async with house.database.read() as connection:
        left = {row.crossing_id for row in await connection.execute(query)}
    assert left == {row["crossing_id"] for row in stays}


async def test_crossings_of_each_vehicle_are_forgotten_in_a_transaction_of_their_own(
    house: House,
) -> None:
    at = NOW - 40 * DAY
    rows = [
        {
            "tenant": house.tenant, "crossing_id": new_id(), "fence": f"stop:{number}",
            "vehicle": f"bike-{number % 3}", "what": "enter", "at": at, "kept_at": at,
            "followed": True,
        }
        for number in range(30)
    ]  # fmt: skip
    async with house.database.write() as connection:
        await connection.execute(CROSSINGS.insert(), rows)
    taken: list[int] = []

    def note(connection: Connection, cursor: Any, statement: str, *_rest: object) -> None:
        del connection
        if statement.lower().startswith("delete from crossings"):
            taken.append(cursor.rowcount)

    event.listen(house.database.engine.sync_engine, "after_cursor_execute", note)
    await Pruner(house.database, lambda: NOW).prune(house.tenant)
    assert taken == [10, 10, 10]


@pytest.fixture(params=["postgresql_url", "sqlite_url"])
def own_url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def own_database(own_url: str) -> AsyncIterator[Database]:
    """A database of the test's own, so that it may prune all houses."""
    database = Database(own_url)
    yield database
    await database.close()


async def kept_by_day(house: House, *days: datetime) -> None:
    """Keep three positions of each day, in its partition where there are any."""
    for day in days:
        number = int(day.timestamp() * 1e6) // DAY_US
        await Partitions(house.database).make([number], day.date())
        await house.keep("bike", day, 3, every_s=60)


@pytest.mark.parametrize("has_row", [True, False])
async def test_a_house_that_said_nothing_keeps_its_days_beside_one_that_keeps_fewer(
    own_database: Database, has_row: bool
) -> None:
    quiet, brief = House(own_database), House(own_database)
    await brief.open(keep_fixes_days=7)
    async with own_database.write() as connection:
        await add_tenant(connection, Tenant(quiet.tenant, "Roma", "EUR", NOW))
        if not has_row:  # each has one from its first day on, but what is dropped is gone
            mine = HOUSE_RULES.c.tenant == quiet.tenant
            await connection.execute(HOUSE_RULES.delete().where(mine))
    old, older = NOW - 20 * DAY, NOW - 91 * DAY
    for house in (quiet, brief):
        await kept_by_day(house, old, older)
    pruned = await Pruner(own_database, lambda: NOW).prune()
    assert [each.date() for each in await quiet.times("bike")] == [old.date()] * 3
    assert await brief.times("bike") == []
    assert pruned.expired == (9 if own_database.is_sqlite else 3)
    assert (pruned.days > 0) != own_database.is_sqlite


async def test_of_a_house_whose_rules_cannot_be_read_all_is_kept_and_others_are_pruned(
    own_database: Database,
) -> None:
    unreadable, other = House(own_database), House(own_database)
    for each in (unreadable, other):
        await each.open(keep_fixes_days=30)
        await each.keep("bike", NOW - 40 * DAY, 5)
    mine = HOUSE_RULES.c.tenant == unreadable.tenant
    async with own_database.write() as connection:
        document = {"keep_fixes_days": "as long as the moon"}
        await connection.execute(HOUSE_RULES.update().where(mine).values(delivery=document))
    await Pruner(own_database, lambda: NOW).prune()
    assert len(await unreadable.times("bike")) == 5
    assert await other.times("bike") == []


async def test_what_came_while_its_house_went_is_forgotten(own_database: Database) -> None:
    gone, there = House(own_database), House(own_database)
    await there.open()
    for house in (gone, there):
        await kept_by_day(house, NOW)
    pruner = Pruner(own_database, lambda: NOW)
    assert (await pruner.prune(there.tenant)).expired == 0
    assert (await pruner.prune(dry=True)).expired == 3
    assert (await pruner.prune()).expired == 3
    assert (await gone.times("bike"), len(await there.times("bike"))) == ([], 3)


async def test_ways_are_exported_as_gpx_without_a_line_over_a_gap(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE", 7)  # pieces go on over pages
    await house.keep("bike", NOW, 20)
    await house.keep("bike", NOW + timedelta(hours=1), 10)
    await house.keep("car", NOW, 3)
    await house.keep("car", NOW + timedelta(seconds=10), 2, verdict=Verdict.JUMP)
    text: list[str] = []
    assert await exporting.gpx(house.database, Wanted(house.tenant), text.append) == 33
    bike, car = gpxpy.parse("".join(text)).tracks
    assert (bike.name, car.name) == ("bike", "car")
    assert [len(each.points) for each in bike.segments] == [20, 10]
    assert [len(each.points) for each in car.segments] == [3]
    first = bike.segments[0].points[0]
    assert (first.latitude, first.longitude, first.time) == (60.17, 24.94, NOW)


async def test_ways_are_exported_as_geojson_by_vehicle_and_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE", 7)
    await house.keep("bike", NOW, 20)
    await house.keep("bike", NOW + timedelta(hours=1), 1)
    await house.keep("car", NOW, 3, verdict=Verdict.JUMP)
    text: list[str] = []
    wanted = Wanted(house.tenant, ("bike",), since=NOW + timedelta(seconds=5))
    assert await exporting.geojson(house.database, wanted, text.append) == 16
    way, point = json.loads("".join(text))["features"]
    assert way["geometry"]["type"] == "LineString"
    assert way["geometry"]["coordinates"][0] == [24.94, 60.1705]
    assert way["properties"]["coordTimes"][0] == "2026-03-14T12:00:05.000Z"
    assert (len(way["geometry"]["coordinates"]), point["geometry"]["type"]) == (15, "Point")
    text.clear()
    everything = Wanted(house.tenant, ("car",), all=True)
    assert await exporting.geojson(house.database, everything, text.append) == 3
    text.clear()
    assert (
        await exporting.geojson(house.database, Wanted(house.tenant, ("boat",)), text.append) == 0
    )
    assert json.loads("".join(text))["features"] == []
