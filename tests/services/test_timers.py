"""What all timers stand on: nothing is asked twice or lost, and one fault holds up no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import Column, MetaData, Row, Select, String, Table, delete, select

from schemas.identifiers import new_id
from schemas.message import Request
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from schemas.stock_rules import StockRules
from services.menu.inside import EndSellOut
from services.people.store import Tenant, add_tenant
from services.runtime import house_rules, timers
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.house_versions import Changes, HouseVersions
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Moment
from services.runtime.timers import DueTimer, NotNow, RulesTimer, ask, one_by_one, together

NOON: Final = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
ALARMS: Final = Table(
    "alarms",
    MetaData(),
    Column("tenant", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("at", Moment, nullable=False),
)


class Answering:
    """Answers whatever is asked of ourselves, as a test has it."""

    def __init__(self) -> None:
        self.fails: dict[str, Exception] = {}
        """By what is asked for a tenant or a name."""
        self.refuses: set[str] = set()
        self.asked: list[tuple[str, str, UUID]] = []

    @property
    def intake(self) -> Intake:
        itself: Any = self
        intake: Intake = itself
        return intake

    async def ask_of_ourselves(self, tenant: str, message: Request, request_id: UUID) -> Reply:
        assert isinstance(message, EndSellOut)
        for about in (tenant, message.name):
            if about in self.fails:
                raise self.fails[about]
        self.asked.append((tenant, message.name, request_id))
        if message.name in self.refuses:
            return Reply(outcome=Outcome.REJECTED, code=RefusalCode.INTERNAL, message="no")
        return Reply(outcome=Outcome.ACCEPTED)

    def names(self) -> list[str]:
        """What was asked for since the last time."""
        names = [name for _, name, _ in self.asked]
        self.asked.clear()
        return names


class Alarms(DueTimer):
    """Rings what is due."""

    usual_s = 1.0
    later = "alarms ring"

    def due(self, now: datetime) -> Select[Any]:
        return select(ALARMS.c.tenant, ALARMS.c.at, ALARMS.c.name).where(ALARMS.c.at <= now)

    def request(self, row: Row[Any]) -> EndSellOut:
        return EndSellOut(name=row.name, back_at=row.at)


class House:
    """Rows with times, a timer that looks at them, and a clock that a test moves."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.answering = Answering()
        self.now = NOON
        self.timer = Alarms(database, self.answering.intake, lambda: self.now)

    async def set(self, tenant: str, **seconds: int) -> None:
        """Alarms so many seconds after noon."""
        rows = [
            {"tenant": tenant, "name": name, "at": NOON + timedelta(seconds=after)}
            for name, after in seconds.items()
        ]
        async with self.database.write() as connection:
            await connection.execute(ALARMS.insert(), rows)

    async def look(self) -> list[str]:
        """What is asked for by one look."""
        asked = await self.timer.look()
        names = self.answering.names()
        assert asked == len(names)
        return names


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    database = Database(database_url)
    try:
        async with database.write() as connection:
            await connection.run_sync(ALARMS.metadata.create_all)
        yield House(database)
    finally:
        await database.close()


# -- rows whose time has come -----------------------------------------------------------------


async def test_what_is_due_is_asked_for_once_the_earliest_first(house: House) -> None:
    await house.set("roma", later=2, sooner=1, tomorrow=86_400)
    assert await house.look() == []
    house.now += timedelta(seconds=2)
    assert await house.look() == ["sooner", "later"]
    assert await house.look() == [], "it is asked for, though it still stands in its row"


async def test_what_still_stands_is_asked_for_again_after_a_minute_under_the_same_id(
    house: House,
) -> None:
    await house.set("roma", alarm=0)
    await house.timer.look()
    house.now += MINUTE - timedelta(seconds=1)
    await house.timer.look()
    assert len(house.answering.asked) == 1
    house.now += timedelta(seconds=1)
    await house.timer.look()
    first, again = house.answering.asked
    assert first == again


async def test_each_row_and_each_time_of_it_has_an_id_of_its_own(house: House) -> None:
    for tenant in ("roma", "milano"):
        await house.set(tenant, alarm=0, other=0)
    await house.timer.look()
    async with house.database.write() as connection:
        await connection.execute(ALARMS.update().values(at=NOON + timedelta(seconds=1)))
    house.now += timedelta(seconds=1)
    await house.timer.look()
    assert len({request_id for _, _, request_id in house.answering.asked}) == 8


async def test_all_that_is_due_is_asked_for_page_by_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "PAGE", 3)
    names = [f"n{number:02}" for number in range(8)]
    await house.set("roma", **dict.fromkeys(names, 0))
    assert await house.look() == names, "of one time too"
    async with house.database.write() as connection:
        await connection.execute(delete(ALARMS))
    await house.set("roma", **{name: -number for number, name in enumerate(names, 1)})
    assert await house.look() == names[::-1]


@pytest.mark.parametrize("failure", [NotServing("not now"), RuntimeError("a fault of ours")])
async def test_what_failed_is_asked_for_at_the_next_look_and_holds_up_no_other(
    house: House, failure: Exception
) -> None:
    await house.set("roma", first=0, second=1, third=2)
    house.now += MINUTE
    house.answering.fails["second"] = failure
    with pytest.raises(NotServing):
        await house.timer.look()
    assert house.answering.names() == ["first", "third"]
    house.answering.fails.clear()
    assert await house.look() == ["second"]


async def test_what_is_refused_is_not_asked_for_at_each_look(house: House) -> None:
    house.answering.refuses.add("alarm")
    await house.set("roma", alarm=0)
    assert await house.look() == ["alarm"]
    assert await house.look() == []


# -- asking -----------------------------------------------------------------------------------

RING: Final = EndSellOut(name="alarm", back_at=NOON)


async def test_a_fault_of_ours_is_no_answer_and_a_refusal_is_one() -> None:
    answering = Answering()
    assert await ask(answering.intake, "roma", RING, new_id())
    answering.refuses.add("alarm")
    assert not await ask(answering.intake, "roma", RING, new_id())
    answering.fails["roma"] = RuntimeError("a fault of ours")
    with pytest.raises(NotNow):
        await ask(answering.intake, "roma", RING, new_id())
    answering.fails["roma"] = NotServing("elsewhere")
    with pytest.raises(NotServing, match="elsewhere"):
        await ask(answering.intake, "roma", RING, new_id())


async def test_without_an_id_each_asking_is_another() -> None:
    answering = Answering()
    for _ in range(2):
        await ask(answering.intake, "roma", RING)
    first, second = answering.asked
    assert first[2] != second[2]


async def test_one_after_the_other_is_done_though_one_fails_but_not_where_nobody_serves() -> None:
    done: Counter[str] = Counter()
    faults: dict[str, Exception] = {"b": NotNow("a fault of ours")}

    async def look(name: str) -> int:
        if name in faults:
            raise faults[name]
        done[name] += 1
        return 2

    with pytest.raises(NotNow):
        await one_by_one("abcd", look)
    assert done == Counter("acd")
    assert await one_by_one("ad", look) == 4
    faults["c"] = NotServing("elsewhere")
    done.clear()
    with pytest.raises(NotServing, match="elsewhere"):
        await one_by_one("abcd", look)
    assert done == Counter("a")


async def test_all_is_done_together_before_a_failure_is_told() -> None:
    done: list[int] = []

    async def do(number: int) -> None:
        if number == 1:
            raise NotServing("the second")
        done.append(number)

    with pytest.raises(NotServing, match="the second"):
        await together(do(number) for number in range(4))
    assert done == [0, 2, 3]


# -- houses whose rules are others ------------------------------------------------------------


class Following(RulesTimer):
    """Follows the rules of houses that have any for their stock."""

    usual_s = 1.0
    later = "rules are followed"
    having = HOUSE_RULES.c.stock

    async def follow(self, tenant: str, version: int) -> int:
        await self._ask(tenant, EndSellOut(name=str(version), back_at=self._clock()))
        return 1


@pytest.fixture
async def houses(database: Database) -> Database:
    """Three houses, of which two have rules for their stock."""
    async with database.write() as connection:
        for name in ("milano", "napoli", "roma"):
            await add_tenant(connection, Tenant(name, name, "EUR", NOON))
    for name in ("milano", "roma"):
        await rule(database, name, 2)
    return database


async def rule(database: Database, tenant: str, warning_days: int) -> None:
    async with database.write() as connection:
        rules = StockRules(expiry_warning_days=warning_days)
        await house_rules.write(connection, tenant, stock=rules)


async def test_each_house_is_looked_at_once_for_each_version_of_its_rules(
    houses: Database,
) -> None:
    answering = Answering()
    timer = Following(houses, answering.intake, lambda: NOON)
    assert await timer.look() == 2
    assert sorted(tenant for tenant, _, _ in answering.asked) == ["milano", "roma"]
    assert await timer.look() == 0
    answering.asked.clear()
    await rule(houses, "roma", 3)
    assert await timer.look() == 1
    assert [tenant for tenant, _, _ in answering.asked] == ["roma"]


async def test_a_house_that_fails_by_a_fault_of_ours_holds_up_no_other(houses: Database) -> None:
    answering = Answering()
    timer = Following(houses, answering.intake, lambda: NOON)
    for broken, whole in (("milano", "roma"), ("roma", "milano")):
        answering.asked.clear()
        await rule(houses, "milano", 4)
        await rule(houses, "roma", 4)
        answering.fails = {broken: RuntimeError("a fault of ours")}
        with pytest.raises(NotNow):
            await timer.look()
        assert [tenant for tenant, _, _ in answering.asked] == [whole]
        answering.fails = {}
        assert await timer.look() == 1, "and what failed is made good"


async def test_versions_are_news_until_they_were_seen_and_so_is_who_is_gone(
    houses: Database,
) -> None:
    versions = HouseVersions(HOUSE_RULES.c.stock)

    async def changes() -> Changes:
        async with houses.read() as connection:
            return await versions.changes(connection)

    first = await changes()
    assert first.versions.keys() == {"milano", "roma"}
    assert not first.gone
    assert await changes() == first
    for tenant, version in first.versions.items():
        versions.saw(tenant, version)
    assert await changes() == Changes({}, set())
    await rule(houses, "roma", 3)
    assert await changes() == Changes({"roma": first.versions["roma"] + 1}, set())
    async with houses.write() as connection:
        mine = HOUSE_RULES.update().where(HOUSE_RULES.c.tenant == "milano")
        await connection.execute(mine.values(stock=None))
    assert (await changes()).gone == {"milano"}
    assert (await changes()).gone == set(), "it is told once"
    versions.forget()
    assert (await changes()).versions.keys() == {"roma"}
