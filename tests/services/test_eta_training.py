from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import RowMapping, select, update

from schemas.positions import TravelMode
from services.delivery.closed_orders import ClosedOrder, built
from services.delivery.legs import ASSUMED, LegKind, Legs, learn
from services.delivery.models import LEGS, WHOLE, legs_of, read_model, whole_of
from services.delivery.tables import ETA_MODELS
from services.delivery.trainer import FEWEST, Trainer
from services.people.store import remove_tenant
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.work import Draft, UnitOfWork
from tests.patience import PATIENCE_S
from tests.services.eta_world import BEGAN, HOUSE, EtaWorld, north

HAND_OVER_S, DOOR_S, PACE = 200.0, 60.0, 0.5


@pytest.fixture
async def world(database: Database) -> EtaWorld:
    return await EtaWorld(database).open()


async def evenings(world: EtaWorld, count: int) -> None:
    """Deliveries of the last weeks, one an hour, all alike but for their distance."""
    random = np.random.default_rng(5)
    for i in range(count):
        begun = -3_600.0 * (count - i + 1)
        far = float(random.uniform(500, 3_000))
        ready = begun + 1_200.0
        picked = ready + HAND_OVER_S
        arrived = picked + 40.0 + far * PACE
        await world.deliver(
            north(far),
            status="delivered",
            courier="bert",
            placed_at=begun,
            assigned_at=begun + 100,
            accepted_at=begun + 130,
            at_restaurant_at=begun + 700,
            ready_at=ready,
            picked_up_at=picked,
            set_out_at=picked,
            arrived_at=arrived,
            ended_at=arrived + DOOR_S,
        )


async def test_each_part_is_learned_from_closed_deliveries(world: EtaWorld) -> None:
    await evenings(world, 200)
    await world.deliver(north(99), status="cancelled", placed_at=-9_000.0, ended_at=-100.0)
    trainer = Trainer(world.database, lambda: BEGAN)
    assert await trainer.look() == ["demo"]
    assert await trainer.look() == []  # nothing was closed since
    async with world.database.read() as connection:
        kept = await read_model(connection, "demo", LEGS)
        legs = await legs_of(Draft(UnitOfWork(connection)), "demo")
    assert kept is not None
    assert kept[0] == BEGAN
    assert legs == Legs.of_document(kept[1])
    assert legs.parts[LegKind.HAND_OVER].p50_s == pytest.approx(HAND_OVER_S, rel=0.02)
    assert legs.parts[LegKind.DOOR].p50_s == pytest.approx(DOOR_S, rel=0.02)
    assert legs.parts[LegKind.COOKING].p50_s == pytest.approx(1_200.0, rel=0.02)
    assert legs.paces[TravelMode.CAR].s_per_m == pytest.approx(PACE, rel=0.02)
    assert legs.paces[TravelMode.BICYCLE] == Legs().paces[TravelMode.BICYCLE]
    assert 150 < legs.parts[LegKind.DOOR].n <= 200


async def test_the_whole_wait_is_learned_and_tells_of_an_order(world: EtaWorld) -> None:
    await evenings(world, 120)
    await Trainer(world.database, lambda: BEGAN).look()
    place = (HOUSE.lat, HOUSE.lon)
    async with world.database.read() as connection:
        told = await whole_of(
            Draft(UnitOfWork(connection)),
            "demo",
            now=BEGAN,
            house=place,
            distance_m=1_500.0,
            items=2,
        )
    assert told is not None
    takes = 1_200 + HAND_OVER_S + 40 + 1_500 * PACE + DOOR_S
    assert told.p50_s == pytest.approx(takes, rel=0.15)
    assert told.p90_s > told.p50_s


async def test_who_was_at_the_door_and_forgot_to_say_so_makes_no_later_order_later(
    world: EtaWorld,
) -> None:
    await evenings(world, 120)
    await Trainer(world.database, lambda: BEGAN).look()

    async def told() -> float:
        async with world.database.read() as connection:
            found = await whole_of(
                Draft(UnitOfWork(connection)),
                "demo",
                now=BEGAN,
                house=(HOUSE.lat, HOUSE.lon),
                distance_m=1_500.0,
                items=2,
            )
        assert found is not None
        return found.p50_s

    before = await told()
    takes = 1_200 + HAND_OVER_S + 40 + 1_000 * PACE
    orders = [
        await world.deliver(
            north(1_000),
            status="arrived",
            courier="bert",
            placed_at=-6_000.0 - number,
            picked_up_at=-4_500.0,
            arrived_at=-6_000.0 - number + takes,
        )
        for number in range(8)
    ]
    assert await told() == pytest.approx(before, abs=15)
    for order_id in orders:
        await world.change(order_id, status="picked-up", arrived_at=None)
    assert await told() > before + 60, "who may still be on the way is news"


async def test_a_lesson_is_built_beside_the_event_loop(
    world: EtaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await evenings(world, 3)
    threads: list[threading.Thread] = []

    def watched(rows: Sequence[RowMapping]) -> list[ClosedOrder]:
        threads.append(threading.current_thread())
        return built(rows)

    monkeypatch.setattr("services.delivery.trainer.built", watched)
    assert await Trainer(world.database, lambda: BEGAN).look() == ["demo"]
    assert threads
    assert threads[0] is not threading.current_thread()


async def test_a_house_without_history_has_what_is_assumed(world: EtaWorld) -> None:
    assert await Trainer(world.database, lambda: BEGAN).look() == []
    learned = await Trainer(world.database, lambda: BEGAN).learn("demo")
    assert learned is not None
    assert learned.orders == 0
    assert learned.whole is None
    door = learned.legs.parts[LegKind.DOOR]
    assert door.p50_s == pytest.approx(ASSUMED[LegKind.DOOR].p50_s, rel=0.1)
    async with world.database.read() as connection:
        assert await read_model(connection, "demo", WHOLE) is None
        point = (HOUSE.lat, HOUSE.lon)
        draft = Draft(UnitOfWork(connection))
        assert await whole_of(
            draft, "demo", now=BEGAN, house=point, distance_m=0.0, items=1
        ) is None  # fmt: skip


async def test_a_ride_to_a_second_door_begins_at_the_first(world: EtaWorld) -> None:
    for i in range(60):
        begun = -3_600.0 * (i + 1)
        first = begun + 40 + 1_000 * PACE
        second = first + DOOR_S + 40 + 500 * PACE
        for far, arrived in ((1_000.0, first), (1_500.0, second)):
            await world.deliver(
                north(far),
                status="delivered",
                courier="bert",
                placed_at=begun - 600,
                picked_up_at=begun,
                set_out_at=begun,
                arrived_at=arrived,
                ended_at=arrived + DOOR_S,
            )
    world.now = BEGAN + timedelta(seconds=1)
    learned = await Trainer(world.database, lambda: world.now).learn("demo")
    assert learned is not None
    assert learned.legs.paces[TravelMode.CAR].s_per_m == pytest.approx(PACE, rel=0.02)
    assert learned.legs.paces[TravelMode.CAR].slower < 1.25


async def test_what_was_learned_changes_the_live_eta(world: EtaWorld) -> None:
    await evenings(world, 150)
    order = await world.deliver(
        north(2_000), status="arrived", courier="bert", picked_up_at=-900.0, arrived_at=0.0
    )
    await world.book.look()
    assumed = world.left_s(order)
    await Trainer(world.database, lambda: BEGAN).look()
    await world.book.look()
    assert world.left_s(order) < assumed - 30


# -- one house, and the others -----------------------------------------------------------------


async def test_a_house_of_which_something_is_wrong_holds_up_no_other(
    world: EtaWorld, database: Database
) -> None:
    other = await EtaWorld(database, "zeta").open()
    await evenings(world, 5)
    await evenings(other, 5)
    trainer = Trainer(database, lambda: BEGAN)
    async with database.write() as connection:
        mine = update(HOUSE_RULES).where(HOUSE_RULES.c.tenant == world.tenant)
        sound = await connection.scalar(
            select(HOUSE_RULES.c.delivery).where(HOUSE_RULES.c.tenant == world.tenant)
        )
        await connection.execute(mine.values(delivery={"place": "nowhere"}))
    assert await trainer.look() == [other.tenant]
    async with database.write() as connection:
        await connection.execute(mine.values(delivery=sound))
    assert await trainer.look() == [world.tenant], "it is tried again"


async def test_a_house_that_is_removed_during_its_lesson_is_let_go(
    world: EtaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await evenings(world, 5)
    began, removed = threading.Event(), threading.Event()

    def slowly(*shown: Any) -> Legs:
        began.set()
        assert removed.wait(PATIENCE_S)
        return learn(*shown)

    monkeypatch.setattr("services.delivery.trainer.learn", slowly)
    looking = asyncio.create_task(Trainer(world.database, lambda: BEGAN).look())
    assert await asyncio.to_thread(began.wait, PATIENCE_S)
    async with world.database.write() as connection:
        await remove_tenant(connection, world.tenant)
    removed.set()
    assert await looking == []
    async with world.database.read() as connection:
        assert (await connection.execute(select(ETA_MODELS))).all() == []


# -- before it is known how far off it is --------------------------------------------------------


async def test_the_whole_wait_promises_nothing_until_its_errors_are_known(world: EtaWorld) -> None:
    await evenings(world, 60)
    learned = await Trainer(world.database, lambda: BEGAN).learn("demo")
    assert learned is not None
    assert learned.whole is None, "some were told, too few for what is late to be known"
    await evenings(world, 100)
    learned = await Trainer(world.database, lambda: BEGAN).learn("demo")
    assert learned is not None
    assert learned.whole is not None
    assert learned.whole["measured"] >= FEWEST


async def test_a_whole_wait_that_is_known_no_more_is_kept_no_more(world: EtaWorld) -> None:
    await evenings(world, 120)
    trainer = Trainer(world.database, lambda: world.now)
    await trainer.look()
    world.pass_time(timedelta(days=179).total_seconds())
    learned = await trainer.learn("demo")
    assert learned is not None
    assert learned.whole is None
    async with world.database.read() as connection:
        assert await read_model(connection, "demo", WHOLE) is None
