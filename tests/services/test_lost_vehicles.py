"""Who is heard, and says nothing that shows where it is, is missed like one that is silent."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.alerts import AlertKind
from services.runtime.alerts import ALERTS
from services.runtime.database import Database
from services.tracking.arriving import Teller
from services.tracking.batches import FixBatch
from tests.services.delivery_world import BIKE, HERE, DeliveryWorld
from tests.services.test_tracker_findings import Watch

SILENT = AlertKind.TRACKER_SILENT.value


@pytest.fixture
async def watch(database: Database) -> Watch:
    house = DeliveryWorld(database)
    await house.open()
    made = Watch(house)
    await made.live()
    return made


def say(watch: Watch, lat: float, lon: float, *, accuracy_m: float = 5.0) -> None:
    """Its tracker says so."""
    now = watch.house.now.timestamp()
    watch.vehicles.fleet.take(
        FixBatch.of([watch.number], [now], [lat], [lon], received=now, accuracy_m=[accuracy_m])
    )


async def meet(watch: Watch) -> None:
    """The tracker is heard for the first time."""
    async with watch.house.database.read() as connection:
        await watch.vehicles.meet(connection, [Teller(watch.house.tenant, BIKE)])


async def test_a_receiver_that_knows_no_place_any_more_is_missed_until_it_has_one(
    watch: Watch,
) -> None:
    await watch.on_duty()
    await meet(watch)
    say(watch, HERE.lat, HERE.lon)
    await watch.look()
    for _ in range(6 * watch.house.delivers.silent_after_s // 60 - 1):
        # Now it says 0/0, now somewhere within three kilometres: it is heard all the time.
        say(watch, 0.0, 0.0)
        say(watch, HERE.lat, HERE.lon, accuracy_m=3_000.0)
        await watch.look(60.0)
        assert await watch.stands() == []
    await watch.look(120.0)
    say(watch, 0.0, 0.0)
    assert await watch.stands() == [SILENT]
    assert await watch.alerts() == [(SILENT, True)]
    (alerts,) = await watch.house.rows(ALERTS)
    (text,) = [row["text"] for row in alerts if row["about"] == BIKE]
    assert "has said nothing that shows where it is since" in text
    silent_s, may_s = watch.vehicles.silence(watch.house.now.timestamp())
    assert silent_s[watch.number] > may_s[watch.number], "its state says so too"
    standing = watch.vehicles.fleet.standing([watch.number])
    assert standing.heard[0] == watch.house.now.timestamp()
    say(watch, HERE.lat, HERE.lon)
    await watch.look()
    assert await watch.alerts() == [(SILENT, False)]
    silent_s, may_s = watch.vehicles.silence(watch.house.now.timestamp())
    assert silent_s[watch.number] < may_s[watch.number]


async def test_one_that_never_had_a_place_is_missed_as_one_that_never_spoke(watch: Watch) -> None:
    await watch.on_duty()
    await meet(watch)
    say(watch, 0.0, 0.0)
    await watch.look()
    assert await watch.stands() == []
    for _ in range(3):
        await watch.look(watch.house.delivers.silent_after_s / 2)
        say(watch, 0.0, 0.0)
    assert await watch.stands() == [SILENT]
    assert np.isnan(watch.vehicles.silence(watch.house.now.timestamp())[0][watch.number])
