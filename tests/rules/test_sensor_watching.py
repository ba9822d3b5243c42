"""What is made of a thermometer's readings: one bad value changes nothing, silence does."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import ValidationError

from schemas.sensors import SensorRules, SensorStatus, TasmotaReading, ZigbeeReading
from services.inventory import sensor_tasmota, sensor_zigbee
from services.inventory.sensor_watching import Seen, Told, judge, take

BEGAN = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FRIDGE = SensorRules(
    name="Walk-in fridge",
    device="fridge-1",
    least=0,
    most=5,
    may_exceed_s=600,
    clears_within=1,
    silent_after_s=1800,
)


def read(*celsius: float, every: timedelta = MINUTE, rules: SensorRules = FRIDGE) -> list[Seen]:
    """How a thermometer stands after each of its readings."""
    seen, found = Seen(BEGAN), []
    for number, each in enumerate(celsius, start=1):
        seen = take(seen, rules, Told(each), BEGAN + number * every)
        found.append(seen)
    return found


def test_a_fridge_that_stays_warm_for_too_long_is_an_alarm_once() -> None:
    found = read(*[4.0] * 3, *[9.0] * 20)
    alarmed = [each.alarmed for each in found]
    first = alarmed.index(True)
    assert alarmed == [False] * first + [True] * (len(found) - first)
    assert found[first].out_since == BEGAN + 4 * MINUTE, "since the first that was too warm"
    assert first == 3 + 11, "more than ten minutes after it"


def test_a_door_that_was_open_for_a_while_is_no_alarm() -> None:
    assert not any(each.alarmed for each in read(*[4.0] * 3, *[9.0] * 8, *[4.0] * 20))


@pytest.mark.parametrize("bad", [20.0, -40.0, 85.0, -127.0, 1e9, math.inf, math.nan])
def test_one_bad_value_neither_raises_an_alert_nor_ends_one(bad: float) -> None:
    at_once = FRIDGE.model_copy(update={"may_exceed_s": 0})
    assert not any(each.alarmed for each in read(4, 4, 4, bad, 4, 4, 4, bad, 4, rules=at_once))
    warm = read(9, 9, 9, 9, bad, 9, 9, rules=at_once)
    assert [each.alarmed for each in warm[3:]] == [True] * 4


def test_one_good_value_does_not_end_an_alarm() -> None:
    assert read(*[9.0] * 15, 3.0, 9.0)[-2].alarmed
    assert not read(*[9.0] * 15, 3.0, 3.0)[-1].alarmed


def test_an_alarm_is_over_only_well_within_the_limits() -> None:
    found = read(*[9.0] * 15, *[4.5] * 5, *[3.9] * 3)
    assert [each.alarmed for each in found[15:]] == [True] * 6 + [False] * 2


def test_what_no_thermometer_means_is_counted_and_is_no_sign_of_life() -> None:
    seen = read(4, 4, 4)[-1]
    for minute in range(4, 40):
        seen = take(seen, FRIDGE, Told(-127.0), BEGAN + minute * MINUTE)
        seen = judge(seen, FRIDGE, BEGAN + minute * MINUTE)
    assert (seen.ignored, seen.silent, seen.status()) == (36, True, SensorStatus.SILENT)
    assert not seen.alarmed


def test_silence_is_told_by_time_alone_and_ended_by_one_reading() -> None:
    seen = read(4, 4, 4)[-1]
    assert not judge(seen, FRIDGE, seen.heard_at + timedelta(seconds=1800)).silent
    silent = judge(seen, FRIDGE, seen.heard_at + timedelta(seconds=1801))
    assert silent.silent
    heard = take(silent, FRIDGE, Told(4), BEGAN + timedelta(hours=2))
    assert (heard.silent, heard.status()) == (False, SensorStatus.UNKNOWN), "three make a word"


def test_what_is_out_becomes_an_alarm_between_two_readings() -> None:
    slow = read(*[4.0] * 3, 9.0, 9.0, every=timedelta(minutes=6))[-1]
    assert (slow.alarmed, slow.status()) == (False, SensorStatus.OUT)
    assert judge(slow, FRIDGE, slow.heard_at + 5 * MINUTE).alarmed


def test_two_bad_values_apart_are_not_taken_for_one_long_time() -> None:
    found = read(4, 4, 4, 9, 4, 9, 4, 4, every=timedelta(minutes=20))
    assert not any(each.alarmed for each in found)


def test_limits_that_no_reading_could_keep_are_refused() -> None:
    for wrong in ({"least": 5, "most": 5}, {"least": 4, "most": 5, "clears_within": 1}):
        with pytest.raises(ValidationError):
            SensorRules.model_validate({"name": "x", "device": "x", **wrong})


@given(
    celsius=st.lists(st.floats(0.0, 5.0), min_size=3, max_size=40),
    bad=st.floats(allow_nan=True, allow_infinity=True),
    data=st.data(),
)
def test_whatever_one_reading_says_a_fridge_within_its_limits_is_no_alarm(
    celsius: list[float], bad: float, data: st.DataObject
) -> None:
    celsius.insert(data.draw(st.integers(0, len(celsius))), bad)
    at_once = FRIDGE.model_copy(update={"may_exceed_s": 0})
    assert not any(each.alarmed for each in read(*celsius, rules=at_once))


class Thermometer(RuleBasedStateMachine):
    """Readings, garbage and silence in any order, followed by a second reckoning."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGAN
        self.seen = Seen(BEGAN)
        self.good: list[tuple[datetime, float]] = []
        self.heard_at = BEGAN

    def _judged(self, after: Seen) -> None:
        before, self.seen = self.seen, after
        if after.alarmed and not before.alarmed:
            last = [value for _, value in self.good[-3:]]
            out = max(sum(each > 5 for each in last), sum(each < 0 for each in last))
            assert out >= 2, "raised by two at least"
            assert after.out_since is not None
            assert self.now - after.out_since > timedelta(seconds=FRIDGE.may_exceed_s)
        if before.alarmed and not after.alarmed:
            last = [value for _, value in self.good[-3:]]
            well = min(sum(each <= 4 for each in last), sum(each >= 1 for each in last))
            assert well >= 2, "ended by two at least"

    @rule(celsius=st.floats(-5, 12), seconds=st.integers(1, 900))
    def reads(self, celsius: float, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.good.append((self.now, celsius))
        self.heard_at = self.now
        self._judged(take(self.seen, FRIDGE, Told(celsius), self.now))

    @rule(celsius=st.sampled_from([math.nan, math.inf, -127.0, -327.68, 9999.0]))
    def says_garbage(self, celsius: float) -> None:
        before = self.seen
        self._judged(take(self.seen, FRIDGE, Told(celsius), self.now))
        assert self.seen.ignored == before.ignored + 1
        assert (self.seen.alarmed, self.seen.recent) == (before.alarmed, before.recent)

    @rule(seconds=st.integers(1, 4000))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self._judged(judge(self.seen, FRIDGE, self.now))

    @precondition(lambda self: self.seen.out_since is not None)
    @rule()
    def the_allowed_time_passes(self) -> None:
        self.now += timedelta(seconds=FRIDGE.may_exceed_s + 1)
        self._judged(judge(self.seen, FRIDGE, self.now))
        assert self.seen.alarmed or len(self.seen.recent) < 3

    @invariant()
    def silence_is_what_it_is(self) -> None:
        seen = judge(self.seen, FRIDGE, self.now)
        assert seen.silent == (self.now - self.heard_at > timedelta(seconds=1800))


TestThermometer = Thermometer.TestCase
TestThermometer.settings = settings(max_examples=40)


# -- what others say --------------------------------------------------------------------------


def tasmota(said: str, probe: str | None = None) -> Told | None:
    return sensor_tasmota.told(TasmotaReading.model_validate_json(said), probe)


def test_tasmota_is_understood() -> None:
    one = '{"Time":"2026-03-14T18:00:00","DS18B20":{"Id":"0","Temperature":4.1},"TempUnit":"C"}'
    assert tasmota(one) == Told(4.1)
    two = (
        '{"Time":"2026-03-14T18:00:00","DS18B20-1":{"Temperature":4.1},'
        '"DS18B20-2":{"Temperature":-18.5},"TempUnit":"C"}'
    )
    assert tasmota(two, "DS18B20-2") == Told(-18.5)
    damp = '{"AM2301":{"Temperature":40.1,"Humidity":65.2,"DewPoint":32.0},"TempUnit":"F"}'
    found = tasmota(damp)
    assert found is not None
    assert (round(found.celsius, 3), found.humidity) == (4.5, 65.2)


@pytest.mark.parametrize(
    "said",
    [
        "{}",
        '{"Time":"2026-03-14T18:00:00","Switch1":"OFF"}',
        '{"SI7021":{"Temperature":null,"Humidity":null},"TempUnit":"C"}',
        '{"DS18B20":{"Temperature":"cold"},"TempUnit":"C"}',
        '{"DS18B20":4.1,"TempUnit":"C"}',
        '{"ESP32":{"Temperature":53.3},"TempUnit":"C"}',
        '{"ENERGY":{"Power":12},"TempUnit":7}',
    ],
)
def test_tasmota_that_tells_no_temperature_says_nothing(said: str) -> None:
    assert tasmota(said) is None


def zigbee(said: str, probe: str | None = None) -> Told | None:
    return sensor_zigbee.told(ZigbeeReading.model_validate_json(said), probe)


def test_zigbee2mqtt_is_understood() -> None:
    said = '{"battery":93,"humidity":71.3,"linkquality":120,"temperature":4.12,"voltage":2985}'
    assert zigbee(said) == Told(4.12, 71.3)
    assert zigbee(said, "temperature") == Told(4.12, 71.3), "named, it is the same"
    assert zigbee('{"temperature_l1":3.9,"temperature_l2":-18}', "temperature_l2") == Told(-18.0)
    for nothing in ('{"battery":93}', '{"temperature":null}', '{"contact":true}'):
        assert zigbee(nothing) is None
    assert zigbee('{"temperature_l1":true}', "temperature_l1") is None


@pytest.mark.parametrize("digits", [4, 400, 4000])
def test_a_number_that_no_float_holds_is_garbage_and_no_fault(digits: int) -> None:
    huge = "9" * digits
    found = tasmota(json.dumps({"DS18B20": {"Temperature": int(huge)}}))
    assert found is not None
    assert take(Seen(BEGAN), FRIDGE, found, BEGAN).ignored == 1
