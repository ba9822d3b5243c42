"""What stands against vehicles, on rows: raised once and cleared once, over restarts too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from schemas.alerts import AlertKind
from schemas.delivery_requests import AcceptDelivery, AssignDelivery, ByHand, StepDelivery
from schemas.delivery_rules import DeliveryRules
from schemas.envelope import envelope_of
from schemas.fences import Circle, Fence, FenceKind
from schemas.positions import Complaint, Place, ReportingWish, TrackerAdvice
from services.delivery.open_stops import StoredStops
from services.runtime.alerts import ALERTS
from services.runtime.context import Outgoing
from services.runtime.crossings import Crossing
from services.runtime.database import Database
from services.tracking import fence_store
from services.tracking.batches import FixBatch
from services.tracking.copying import nothing
from services.tracking.crossing_rows import to_row
from services.tracking.fence_store import FenceChanges
from services.tracking.fence_watch import FenceWatch
from services.tracking.finding_book import FindingBook
from services.tracking.finding_timers import FindingTimers
from services.tracking.findings import GIVEN_UP_S
from services.tracking.ground import Ground
from services.tracking.keeping import Keeper, Kept
from services.tracking.tables import TRACKER_FINDINGS, VEHICLES
from services.tracking.tracker_telling import TrackerTelling
from services.tracking.vehicle_book import VehicleBook
from services.tracking.vehicle_rows import rows_of
from services.tracking.verdicts import Verdict
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.delivery_world import ANNA, BIKE, HERE, DeliveryWorld
from tests.services.order_world import TILL


class Watch:
    """A house whose trackers are watched, life after life."""

    def __init__(self, house: DeliveryWorld) -> None:
        self.house = house
        self.asked = AskedOfOurselves(house)
        self.said: list[Outgoing] = []

    async def live(self, *, heard: bool = True) -> None:
        """Begin a life: it knows what the rows say, and is told at once where the tracker is."""
        clock = lambda: self.house.now  # noqa: E731 - one line says it
        self.ground = Ground(self.house.database, StoredStops())
        self.fences = FenceWatch(self.house.database, self.ground, clock)
        await self.fences.start()
        self.vehicles = VehicleBook()
        async with self.house.database.read() as connection:
            await self.vehicles.remember(connection)
        number = self.vehicles.find((self.house.tenant, BIKE))
        if number is not None and heard:
            self._fix(HERE)
        book: Any = lambda: self.vehicles  # noqa: E731 - one line says it
        self.findings = FindingBook(self.house.database, book, self.ground, self.fences, clock)
        intake: Any = self.asked
        self.timers = FindingTimers(self.house.database, intake, clock)
        self.telling = TrackerTelling(book, self.ground, clock)
        self.said.clear()
        self.telling.begin(self._take)

    def _take(self, messages: Sequence[Outgoing]) -> None:
        mine = f"heard/v1/{self.house.tenant}/"
        self.said += [each for each in messages if each.topic.startswith(mine)]

    def _fix(self, place: Place) -> list[Crossing]:
        """It says where it is, so it is heard; returns what it crossed."""
        now, number = self.house.now.timestamp(), np.array([self.number], dtype=np.int32)
        said = ([now], [place.lat], [place.lon], [5.0], [np.nan], [np.nan], [now])
        columns = [np.array(each, dtype=np.float64) for each in said]
        judged = self.vehicles.fleet.take(FixBatch(number, *columns))
        assert judged.verdict.tolist() == [Verdict.OK]
        return self.fences.crossed(self.vehicles.keys, number, judged.t, judged.lat, judged.lon)

    async def rides(self, *north_m: float, every_s: float) -> None:
        """Say so often where it is, from the restaurant; kept as the line would, and looked at."""
        crossed: list[Crossing] = []
        for metres in north_m:
            self.house.wait(timedelta(seconds=every_s))
            crossed += self._fix(Place(lat=HERE.lat + metres / 111_195, lon=HERE.lon))
            await self.look(0)
        rows = rows_of(self.vehicles, np.array([self.number], dtype=np.int32))
        crossings = [to_row(each, self.house.now) for each in crossed]
        keeper = Keeper(self.house.database, lambda: self.house.now)
        await keeper.keep(Kept(nothing(), nothing(), rows, crossings))
        await keeper.close()

    async def look(self, seconds: float = 1.0) -> None:
        """Look at everything, so many seconds later."""
        self.house.wait(timedelta(seconds=seconds))
        await self.ground.look()
        await self.findings.look()
        await self.timers.look()

    @property
    def number(self) -> int:
        found = self.vehicles.find((self.house.tenant, BIKE))
        assert found is not None
        return found

    async def heard_of(self, battery: float) -> None:
        """The tracker was heard: its row is there."""
        row = {
            "tenant": self.house.tenant, "vehicle": BIKE, "device": BIKE, "at": self.house.now,
            "lat": HERE.lat, "lon": HERE.lon, "moving": False, "since": self.house.now,
            "heard_at": self.house.now, "battery": battery, "state": {}, "counts": {},
        }  # fmt: skip
        async with self.house.database.write() as connection:
            await connection.execute(VEHICLES.insert().values(row))

    async def on_duty(self) -> UUID:
        order_id = await self.house.place_order()
        await self.house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
        await self.house.do(BIKE, AcceptDelivery(order_id=order_id))
        return order_id

    async def with_food_in_the_bag(self) -> None:
        order_id = await self.on_duty()
        await self.house.cook(order_id)
        await self.house.do(BIKE, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))

    async def stands(self) -> list[str]:
        """The kinds of the rows."""
        (rows,) = await self.house.rows(TRACKER_FINDINGS)
        return sorted(row["kind"] for row in rows)

    async def alerts(self) -> list[tuple[str, bool]]:
        """All alerts about the tracker that there were: which, and whether it stands."""
        (rows,) = await self.house.rows(ALERTS)
        mine = [row for row in rows if row["about"] == BIKE]
        return sorted((row["kind"], row["cleared_at"] is None) for row in mine)


@pytest.fixture
async def watch(database: Database) -> Watch:
    house = DeliveryWorld(database, DeliveryRules(place=HERE, speeding_mps=10))
    await house.open()
    made = Watch(house)
    await made.live()
    return made


SILENT, LOW = AlertKind.TRACKER_SILENT.value, AlertKind.LOW_BATTERY.value
OFF, FAST, LEFT = (
    each.value for each in (AlertKind.OFF_ROUTE, AlertKind.SPEEDING, AlertKind.ZONE_LEFT)
)


async def test_a_tracker_that_never_spoke_is_told_of_once_over_a_restart(watch: Watch) -> None:
    await watch.on_duty()
    await watch.look()
    assert await watch.stands() == []
    await watch.look(watch.house.delivers.silent_after_s + 1)
    assert (await watch.stands(), await watch.alerts()) == ([SILENT], [(SILENT, True)])
    asked = len(watch.asked.requests)
    (before,) = await watch.house.rows(TRACKER_FINDINGS)
    await watch.look()
    await watch.live()
    await watch.look()
    await watch.look()
    assert await watch.house.rows(TRACKER_FINDINGS) == [before]
    assert len(watch.asked.requests) == asked, "it was raised once"
    await watch.heard_of(0.9)
    await watch.live()
    await watch.look()
    assert (await watch.stands(), await watch.alerts()) == ([], [(SILENT, False)])
    await watch.look()
    assert len(watch.asked.requests) == asked + 1, "it was cleared once"


async def test_a_low_battery_is_told_of_once_and_cleared_once(watch: Watch) -> None:
    await watch.on_duty()
    await watch.heard_of(0.04)
    await watch.live()
    await watch.look()
    assert await watch.alerts() == [(LOW, True)]
    await watch.live()
    await watch.look()
    assert await watch.stands() == [LOW]
    watch.vehicles.battery[watch.number] = watch.house.delivers.battery_low + 0.01
    await watch.look()
    assert await watch.alerts() == [(LOW, True)], "it is over a little higher"
    watch.vehicles.battery[watch.number] = 0.8
    await watch.look()
    await watch.look()
    assert (await watch.stands(), await watch.alerts()) == ([], [(LOW, False)])
    assert len(watch.asked.requests) == 2


async def test_an_alert_follows_from_its_row_whoever_died_in_between(watch: Watch) -> None:
    await watch.on_duty()
    await watch.heard_of(0.04)
    await watch.live()
    await watch.ground.look()
    await watch.findings.look()
    assert (await watch.stands(), await watch.alerts()) == ([LOW], [])
    await watch.live()  # it died before it could ask
    await watch.look()
    assert await watch.alerts() == [(LOW, True)]
    watch.house.die_at = "committed"
    watch.vehicles.battery[watch.number] = 0.8
    await watch.look()
    assert await watch.alerts() == [(LOW, False)]
    await watch.look()
    assert len(watch.asked.requests) == 2


async def test_who_went_home_on_the_way_is_not_missed_after_a_restart(watch: Watch) -> None:
    await watch.heard_of(0.04)
    await watch.live()
    await watch.rides(*range(0, 300, 30), every_s=6)
    assert await watch.stands() == [LOW]
    assert watch.vehicles.fleet.standing([watch.number]).moving.all()
    await watch.look(watch.house.delivers.silent_after_s * 3)
    assert await watch.stands() == [LOW, SILENT]
    await watch.look(GIVEN_UP_S)
    assert await watch.stands() == []
    asked = len(watch.asked.requests)
    watch.house.wait(timedelta(hours=10))
    await watch.live(heard=False)
    for seconds in (1, watch.house.delivers.silent_after_s * 2, 1, 1, 1, GIVEN_UP_S, 1):
        await watch.look(seconds)
        assert await watch.stands() == []
    assert len(watch.asked.requests) == asked, "nothing came and went in between either"


async def test_what_stands_stands_over_a_restart_before_the_tracker_is_heard_again(
    watch: Watch,
) -> None:
    zone = Fence(
        fence="centre",
        name="Centre",
        kind=FenceKind.ZONE,
        circle=Circle(centre=HERE, radius_m=500),
        must_stay=True,
    )
    async with watch.house.database.write() as connection:
        new, now = FenceChanges(("centre",)), watch.house.now
        await fence_store.keep(connection, watch.house.tenant, {"centre": zone}, new, now)
    await watch.with_food_in_the_bag()
    await watch.heard_of(0.9)
    await watch.live()
    await watch.look()
    await watch.rides(*range(0, -901, -75), every_s=5)  # away from the door
    await watch.rides(-960, -1_015, -1_064, -1_112, -1_160, -1_208, every_s=5)
    assert await watch.stands() == sorted([OFF, FAST, LEFT]), "it is not clearly slower"
    (before,) = await watch.house.rows(TRACKER_FINDINGS)
    for _ in range(2):
        await watch.live(heard=False)
        await watch.look()
        await watch.look()
        assert await watch.house.rows(TRACKER_FINDINGS) == [before]
    assert len(watch.asked.requests) == 3, "each was raised once"
    await watch.rides(-1_340, every_s=6)
    assert await watch.stands() == sorted([OFF, FAST, LEFT])
    await watch.rides(*range(-1_330, 300, 80), every_s=20)
    assert await watch.alerts() == [(OFF, False), (FAST, False), (LEFT, False)]
    assert len(watch.asked.requests) == 6, "each was cleared once"


async def test_one_fast_reading_is_no_speeding_however_long_nothing_follows(watch: Watch) -> None:
    await watch.heard_of(0.9)
    await watch.live()
    await watch.rides(*range(30, 200, 30), every_s=6)
    await watch.rides(300, every_s=6)
    for _ in range(20):
        await watch.look()
        assert await watch.stands() == []
    await watch.rides(620, every_s=0)
    assert await watch.stands() == [FAST]
    await watch.rides(650, every_s=6)
    await watch.rides(680, every_s=6)
    assert await watch.alerts() == [(FAST, False)]


async def test_a_tracker_is_asked_once_and_told_again_after_a_restart(watch: Watch) -> None:
    await watch.heard_of(0.9)
    await watch.live()
    await watch.ground.look()
    watch.telling.look()
    (asked,) = watch.said
    wish = envelope_of(ReportingWish).model_validate_json(asked.payload).data
    assert wish.every_s == watch.house.delivers.slowest_s
    watch.telling.look()
    assert len(watch.said) == 1
    standing = [each for each in watch.telling.standing() if each.topic == asked.topic]
    assert len(standing) == 1
    await watch.live()
    await watch.ground.look()
    again = [each for each in watch.telling.standing() if each.topic == asked.topic]
    assert len(again) == 1, "the line says it anew where the broker has it no more"


async def test_a_tracker_is_advised_while_its_fixes_are_bad(watch: Watch) -> None:
    await watch.heard_of(0.9)
    await watch.live()
    await watch.ground.look()
    watch.telling.look()
    watch.said.clear()
    watch.vehicles.counts[watch.number, Verdict.INACCURATE] += 30
    watch.telling.look()
    (advised,) = watch.said
    advice = envelope_of(TrackerAdvice).model_validate_json(advised.payload).data
    assert [each.what for each in advice.complaints] == [Complaint.INACCURATE]
    watch.telling.look()
    assert len(watch.said) == 1
    for _ in range(12):
        watch.house.wait(timedelta(seconds=60))
        watch.vehicles.counts[watch.number, Verdict.OK] += 60
        watch.telling.look()
    of_advice = [each for each in watch.said if each.topic == advised.topic]
    assert of_advice[-1].payload == b""
    assert sum(not each.payload for each in of_advice) == 1
