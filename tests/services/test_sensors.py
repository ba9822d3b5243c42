"""Thermometers and their alerts: raised once, cleared by what ends them, whoever serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from schemas.alerts import AcknowledgeAlert, Alert, AlertKind, AlertState
from schemas.message import Message
from schemas.sensors import (
    SensorRules,
    SensorState,
    SensorStatus,
    TasmotaReading,
    TemperatureReading,
    ZigbeeReading,
)
from schemas.stock_rules import StockRules
from services.inventory.sensor_book import SensorBook
from services.inventory.tables import SENSORS
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.intake import Intake
from services.runtime.router import Notice
from tests.services.asked_of_ourselves import AskedOfOurselves, outlasts_a_fault
from tests.services.order_world import SCREEN
from tests.services.stock_floor import StockFloor

FRIDGE = SensorRules(
    name="Walk-in fridge", device="fridge-1", most=5, may_exceed_s=600, silent_after_s=1800
)
FREEZER = SensorRules(name="Freezer", device="zigbee", below="freezer", most=-15)
HOT_HOLD = SensorRules(name="Hot-hold", device="plug", probe="DS18B20-2", least=63)
HOUSE = {"walk-in": FRIDGE, "freezer": FREEZER, "hot-hold": HOT_HOLD}
MINUTE = timedelta(minutes=1)


class Kitchen:
    """A house with thermometers, and the life that listens to them.

    Args:
        floor: the restaurant.
    """

    def __init__(self, floor: StockFloor) -> None:
        self.floor = floor
        self.asks = AskedOfOurselves(floor)
        asks: Any = self.asks
        self.intake: Intake = asks

    async def rule(self, **sensors: SensorRules) -> None:
        """Change which thermometers there are."""
        async with self.floor.database.write() as connection:
            rules = StockRules(
                sensors={name.replace("_", "-"): each for name, each in sensors.items()}
            )
            await house_rules.write(connection, self.floor.tenant, stock=rules)

    async def live(self) -> None:
        """Begin a life, which knows what stands in the rows alone."""
        floor = self.floor
        self.book = SensorBook(floor.database, floor.relay, lambda: floor.now, look_every_s=0.01)
        await self.book.start()

    def says(self, device: str, said: Message, *, retained: bool = False, **address: str) -> None:
        """A device says something."""
        topic = said.topic(tenant=self.floor.tenant, device=device, **address)
        listener = self.book.router.listeners[type(said)]
        listener(Notice(said, self.floor.tenant, device, retained, self.floor.now, topic))

    async def look(self) -> int:
        """One round of each of its tasks."""
        asked = await self.book.look(self.intake)
        await self.book.keep()
        await self.floor.relay.finish()
        return asked

    async def reads(self, *celsius: float, every: timedelta = MINUTE) -> int:
        """The fridge reads these, one after the other; returns how often an alert was asked for."""
        asked = 0
        for each in celsius:
            self.floor.now += every
            self.says("fridge-1", TemperatureReading(at=self.floor.now, celsius=each))
            asked += await self.look()
        return asked

    def alerts(self) -> list[Alert]:
        """What stands retained."""
        said = self.floor.standing().values()
        return [each.alert for each in said if isinstance(each, AlertState)]

    def states(self) -> dict[str, SensorState]:
        """How each thermometer is shown."""
        said = self.floor.standing().values()
        return {each.sensor_id: each for each in said if isinstance(each, SensorState)}

    async def check(self) -> None:
        """See that what stands retained follows from the rows."""
        expected = await self.floor.expected()
        shown = self.floor.standing()
        mine = {topic for topic in expected | shown if "/sensors/" in topic or "/alerts/" in topic}
        assert {topic: shown.get(topic) for topic in mine} == {
            topic: expected.get(topic) for topic in mine
        }


@pytest.fixture
async def kitchen(database_url: str) -> AsyncIterator[Kitchen]:
    database = Database(database_url)
    try:
        floor = StockFloor(database)
        await floor.open()
        kitchen = Kitchen(floor)
        await kitchen.rule(**HOUSE)
        await kitchen.live()
        yield kitchen
        await kitchen.check()
    finally:
        await database.close()


async def test_a_warm_fridge_is_one_alert_for_as_long_as_it_is_warm(kitchen: Kitchen) -> None:
    assert await kitchen.reads(4, 4, 4, *[9.3] * 10) == 0
    assert kitchen.states()["walk-in"].status is SensorStatus.OUT
    assert await kitchen.reads(*[9.3] * 10) == 1
    (alert,) = kitchen.alerts()
    assert (alert.kind, alert.about, alert.alert) == (
        AlertKind.TEMPERATURE,
        "walk-in",
        "temperature-walk-in",
    )
    assert alert.text.startswith("Walk-in fridge: 9.3 °C, above 5 °C since 18:04.")
    await kitchen.floor.do(AcknowledgeAlert(alert=alert.alert), SCREEN)
    await kitchen.reads(*[9.5] * 5)
    (alert,) = kitchen.alerts()
    assert alert.acknowledged_by == SCREEN
    assert await kitchen.reads(*[4.0] * 5) == 1
    assert kitchen.alerts() == []
    assert kitchen.states()["walk-in"].status is SensorStatus.OK
    await kitchen.reads(*[9.0] * 20)
    (again,) = kitchen.alerts()
    assert again.acknowledged_by is None, "it is another time"


async def test_a_fridge_that_says_nothing_is_an_alert_until_it_speaks(kitchen: Kitchen) -> None:
    await kitchen.reads(4, 4, 4)
    kitchen.floor.now += timedelta(seconds=1801)
    assert await kitchen.look() == 1
    assert await kitchen.look() == 0
    (alert,) = kitchen.alerts()
    assert (alert.kind, alert.about) == (AlertKind.SENSOR_SILENT, "walk-in")
    assert "nothing since 18:03" in alert.text
    assert kitchen.states()["walk-in"].status is SensorStatus.SILENT
    assert await kitchen.reads(4) == 1
    assert kitchen.alerts() == []


async def test_garbage_is_counted_and_ends_in_silence(kitchen: Kitchen) -> None:
    await kitchen.reads(4, 4, 4)
    assert await kitchen.reads(*[-127.0] * 31) == 1
    assert [each.kind for each in kitchen.alerts()] == [AlertKind.SENSOR_SILENT]
    state = kitchen.states()["walk-in"]
    assert (state.ignored, state.celsius) == (31, 4.0)


async def test_what_the_broker_kept_is_no_reading(kitchen: Kitchen) -> None:
    said = TemperatureReading(at=kitchen.floor.now, celsius=9)
    kitchen.says("fridge-1", said, retained=True)
    await kitchen.look()
    assert kitchen.states()["walk-in"].celsius is None


async def test_nobody_speaks_for_the_thermometer_of_another_device(kitchen: Kitchen) -> None:
    said = TemperatureReading(at=kitchen.floor.now, celsius=9)
    kitchen.says("fridge-2", said)
    kitchen.says("zigbee", ZigbeeReading(temperature=9), sensor="walk-in")
    await kitchen.look()
    assert {each.celsius for each in kitchen.states().values()} == {None}


async def test_bridges_and_tasmota_are_understood(kitchen: Kitchen) -> None:
    chips = TasmotaReading.model_validate(
        {"DS18B20-1": {"Temperature": 20}, "DS18B20-2": {"Temperature": 70.5}, "TempUnit": "C"}
    )
    kitchen.says("plug", chips)
    kitchen.says("zigbee", ZigbeeReading(temperature=-18.25, humidity=40), sensor="freezer")
    kitchen.says("zigbee", ZigbeeReading(temperature=21.0), sensor="office")
    await kitchen.look()
    states = kitchen.states()
    assert states["hot-hold"].celsius == 70.5
    assert (states["freezer"].celsius, states["freezer"].humidity) == (-18.25, 40)
    assert set(states) == {"walk-in", "freezer", "hot-hold"}


async def test_a_hot_hold_that_grows_cold_is_an_alert(kitchen: Kitchen) -> None:
    for _ in range(20):
        kitchen.floor.now += MINUTE
        said = {"DS18B20-2": {"Temperature": 55}, "TempUnit": "C"}
        kitchen.says("plug", TasmotaReading.model_validate(said))
        await kitchen.look()
    (alert,) = [each for each in kitchen.alerts() if each.about == "hot-hold"]
    assert "55.0 °C, below 63 °C" in alert.text


async def test_a_new_life_goes_on_where_the_last_one_ended(kitchen: Kitchen) -> None:
    await kitchen.reads(4, 4, 4, *[9.0] * 15)
    before = kitchen.states()["walk-in"]
    await kitchen.live()
    assert await kitchen.look() == 0, "what stands is not told again"
    assert kitchen.states()["walk-in"] == before
    assert await kitchen.reads(*[4.0] * 3) == 1
    assert kitchen.alerts() == []


async def test_a_new_life_remembers_since_when_it_is_warm(kitchen: Kitchen) -> None:
    await kitchen.reads(4, 4, 4, *[9.0] * 8)
    await kitchen.live()
    await kitchen.reads(9, 9, 9, 9)
    assert [each.kind for each in kitchen.alerts()] == [AlertKind.TEMPERATURE]


async def test_a_thermometer_that_is_gone_leaves_nothing(kitchen: Kitchen) -> None:
    await kitchen.reads(4, 4, 4, *[9.0] * 15)
    assert len(kitchen.alerts()) == 1
    await kitchen.rule(freezer=FREEZER)
    await kitchen.look()
    assert await kitchen.look() == 1
    assert kitchen.alerts() == []
    assert set(kitchen.states()) == {"freezer"}
    (rows,) = await kitchen.floor.rows(SENSORS)
    assert [row["sensor"] for row in rows] == ["freezer"]


async def test_one_that_is_taken_away_while_another_is_told_of_stops_nobody(
    kitchen: Kitchen,
) -> None:
    rules = {**HOUSE, "bar-fridge": FRIDGE.model_copy(update={"device": "fridge-2"})}
    await kitchen.rule(**rules)
    await kitchen.look()
    kitchen.floor.now += timedelta(hours=2)

    class TakenAwayMeanwhile:
        """Hands on what is asked for; while it waits, a manager takes all but one away."""

        async def ask_of_ourselves(self, tenant: str, message: Any, request_id: Any) -> Any:
            await kitchen.rule(walk_in=FRIDGE)
            await kitchen.book.keep()
            return await kitchen.asks.ask_of_ourselves(tenant, message, request_id)

    meanwhile: Any = TakenAwayMeanwhile()
    assert await kitchen.book.look(meanwhile)
    while await kitchen.look():
        pass
    assert [(each.kind, each.about) for each in kitchen.alerts()] == [
        (AlertKind.SENSOR_SILENT, "walk-in")
    ]


async def test_a_fault_of_ours_ends_no_watching(kitchen: Kitchen) -> None:
    for _ in range(15):
        kitchen.floor.now += MINUTE
        kitchen.says("fridge-1", TemperatureReading(at=kitchen.floor.now, celsius=9.3))

    async def told() -> bool:
        await kitchen.floor.relay.finish()
        return bool(kitchen.alerts())

    await outlasts_a_fault(kitchen.asks, kitchen.book.watch(kitchen.intake), told)
    assert [each.kind for each in kitchen.alerts()] == [AlertKind.TEMPERATURE]
    await kitchen.look()


async def test_other_limits_hold_from_the_next_look_on(kitchen: Kitchen) -> None:
    await kitchen.reads(4, 4, 4, *[9.0] * 15)
    await kitchen.rule(walk_in=FRIDGE.model_copy(update={"most": 12}))
    await kitchen.look()
    await kitchen.look()
    assert kitchen.alerts() == []
