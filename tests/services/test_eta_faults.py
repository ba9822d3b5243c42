"""What is wrong with one house is no other house's trouble."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from schemas.delivery_rules import DeliveryRules
from schemas.identifiers import new_id
from services.delivery import lateness
from services.delivery.eta_book import EtaBook
from services.delivery.legs import ASSUMED, Leg, LegKind, Legs
from services.delivery.models import LEGS
from services.delivery.tables import ETA_MODELS, LATE_ORDERS
from services.people.store import remove_tenant
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.ready_times import OrderKey, ReadyTime
from tests.services.eta_world import BEGAN, HOUSE, EtaWorld, north

SICK, WELL = "roma", "thai"


class Two:
    """Two houses with an order each, and one book that tells of both."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.houses = {name: EtaWorld(database, name) for name in (SICK, WELL)}
        self.stands: dict[str, int] = {SICK: 0, WELL: 0}
        self.no_word_of: set[str] = set()
        self.book = EtaBook(database, self.ready_times, lambda: self.houses[WELL].now)
        self.book.begin(self.hear)

    async def open(self) -> Two:
        for each in self.houses.values():
            await each.open()
            await each.deliver(north(2_000), promised_at=3_600.0)
        return self

    def hear(self, messages: Sequence[Outgoing]) -> None:
        for each in messages:
            self.stands[each.tenant] = 1 if each.payload else 0

    async def ready_times(
        self, _connection: AsyncConnection, orders: Collection[OrderKey]
    ) -> Mapping[OrderKey, ReadyTime]:
        for tenant, _ in orders:
            if tenant in self.no_word_of:
                raise ValueError("a ticket says nonsense")
        return {}

    async def write_rules(self, rules: object) -> None:
        async with self.database.write() as connection:
            mine = update(HOUSE_RULES).where(HOUSE_RULES.c.tenant == SICK)
            await connection.execute(mine.values(delivery=rules, version=HOUSE_RULES.c.version + 1))

    async def write_legs(self, document: object) -> None:
        async with self.database.write() as connection:
            await connection.execute(delete(ETA_MODELS).where(ETA_MODELS.c.tenant == SICK))
            await connection.execute(
                insert(ETA_MODELS).values(
                    tenant=SICK, kind=LEGS, version=new_id().int >> 66, trained_at=BEGAN,
                    document=document,
                )
            )  # fmt: skip


@pytest.fixture
async def two(database: Database) -> Two:
    return await Two(database).open()


async def unreadable_rules(two: Two) -> None:
    await two.write_rules({"place": "on the moon"})


async def unreadable_tickets(two: Two) -> None:
    two.no_word_of.add(SICK)


async def no_time_that_can_be(two: Two) -> None:
    endless = Leg(1e18, 2e18, 50.0)
    await two.write_legs(Legs({**ASSUMED, LegKind.DOOR: endless}).to_document())


async def healed(two: Two) -> None:
    two.no_word_of.clear()
    await two.write_rules(DeliveryRules(place=HOUSE).model_dump(mode="json"))
    await two.write_legs(Legs().to_document())


@pytest.mark.parametrize("sicken", [unreadable_rules, unreadable_tickets, no_time_that_can_be])
async def test_what_is_wrong_with_one_house_is_in_the_log_and_others_have_their_etas(
    two: Two, sicken: Callable[[Two], Any]
) -> None:
    await sicken(two)
    with capture_logs() as logged:
        for _ in range(5):
            await two.book.look()
    assert two.stands == {SICK: 0, WELL: 1}
    assert [each.get("tenant") for each in logged if each["log_level"] == "error"] == [SICK]
    assert list(two.book.faults) == [SICK]
    await healed(two)
    await two.book.look()
    assert two.stands == {SICK: 1, WELL: 1}
    assert two.book.faults == {}


async def test_a_house_that_becomes_unreadable_is_told_of_no_more(two: Two) -> None:
    await two.book.look()
    assert two.stands == {SICK: 1, WELL: 1}
    await unreadable_rules(two)
    await two.book.look()
    assert two.stands == {SICK: 0, WELL: 1}


async def test_what_another_version_has_learned_is_taken_as_not_learned(two: Two) -> None:
    await two.write_legs({"parts": {"teleporting": "soon"}, "version": 99})
    await two.book.look()
    assert two.stands == {SICK: 1, WELL: 1}
    assert two.book.faults == {}


async def late_rows(database: Database) -> set[tuple[str, UUID]]:
    of = LATE_ORDERS.c
    async with database.read() as connection:
        return {tuple(row) for row in await connection.execute(select(of.tenant, of.order_id))}


async def test_what_was_found_of_a_house_that_was_just_removed_is_not_kept(
    two: Two, database: Database
) -> None:
    open_ = {}
    for name, each in two.houses.items():
        open_[name] = (name, await each.deliver(north(500)))
    async with database.write() as connection:
        await remove_tenant(connection, SICK)
    found = lateness.Found(late=True, p50_at=BEGAN, found_at=BEGAN)
    async with database.write() as connection:
        await lateness.keep_found(connection, dict.fromkeys(open_.values(), found), set())
    assert await late_rows(database) == {open_[WELL]}


async def test_a_house_that_is_removed_while_its_lateness_is_kept_is_no_others_trouble(
    two: Two, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in two.houses.values():
        each.pass_time(timedelta(hours=2).total_seconds())
    keep = lateness.keep_found

    async def too_late(connection: AsyncConnection, found: Any, over: Any) -> None:
        if SICK in {tenant for tenant, _ in found}:
            # As PostgreSQL says it, where the house goes between the look and the insert.
            values = {"tenant": "gone", "order_id": new_id(), "late": True, "followed": False}
            row = {**values, "p50_at": BEGAN, "found_at": BEGAN}
            await connection.execute(LATE_ORDERS.insert().values(**row))
        await keep(connection, found, over)

    monkeypatch.setattr(lateness, "keep_found", too_late)
    await two.book.look()
    assert {tenant for tenant, _ in await late_rows(database)} == {WELL}
    assert list(two.book.faults) == [SICK]
