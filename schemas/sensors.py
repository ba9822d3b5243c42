"""Thermometers: what they say, in our words and in those of others, and what is made of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from schemas.identifiers import Slug
from schemas.message import Part, State, Telemetry
from schemas.text import Line64, Line120

Celsius = Annotated[float, Field(allow_inf_nan=False)]
Humidity = Annotated[float, Field(allow_inf_nan=False)]
"""Relative, in per cent."""

BESIDE: Final = frozenset({"STATE", "LWT", "INFO1", "INFO2", "INFO3", "UPTIME", "RESULT"})
"""What Tasmota says beside its readings, on the same plane: of itself, and nothing to act on."""


class TemperatureReading(Telemetry, type="heard.sensor.temperature.v1", topic="temperature"):
    """What a thermometer of our own kind reads."""

    at: AwareDatetime
    celsius: Celsius
    humidity: Humidity | None = None


class TasmotaReading(Telemetry, type="heard.sensor.tasmota.v1", topic="SENSOR"):
    """What a device that runs Tasmota tells every so often (its ``TelePeriod``).

    Each chip has an object of its own, ``"DS18B20": {"Temperature": 4.1}``, in the unit that
    ``TempUnit`` says (``C`` or ``F``).
    """

    model_config = ConfigDict(extra="allow")


class ZigbeeReading(Telemetry, type="heard.sensor.zigbee.v1", topic="zigbee/{sensor}"):
    """What Zigbee2MQTT tells of one of its sensors, below the name of the bridge.

    Sensors differ in what they tell: what is not named here stands beside it.
    """

    model_config = ConfigDict(extra="allow")

    temperature: Celsius | None = None
    """In °C: the bridge must not be told to convert it."""
    humidity: Humidity | None = None


class SensorRules(Part):
    """One thermometer of a house: who speaks for it, and what it should read."""

    name: Annotated[Line120, Field(min_length=1)]
    """For people: the walk-in fridge."""
    device: Slug
    """The device that speaks: the thermometer itself, or the bridge that it speaks through."""
    below: Slug | None = None
    """Its name below the bridge, where it speaks through one."""
    probe: Annotated[Line64, Field(min_length=1)] | None = None
    """Which of several that one device tells: ``DS18B20-1``, ``temperature_l2``."""
    least: Annotated[float, Field(ge=-90, le=300)] | None = None
    """In °C: colder is out of limits."""
    most: Annotated[float, Field(ge=-90, le=300)] | None = None
    """In °C: warmer is out of limits."""
    may_exceed_s: Annotated[int, Field(ge=0, le=86_400)] = 900
    """For so long it may be out of its limits: a door stands open, a dish goes in warm."""
    clears_within: Annotated[float, Field(ge=0, le=50)] = 0.5
    """In °C: an alert is over only when it reads so far within the limits again."""
    silent_after_s: Annotated[int, Field(ge=10, le=7 * 86_400)] = 3600

    @model_validator(mode="after")
    def _limits_that_can_be_kept(self) -> Self:
        if self.least is not None and self.most is not None:
            if self.least >= self.most:
                raise ValueError("least must be below most")
            if self.least + self.clears_within > self.most - self.clears_within:
                raise ValueError("clears_within is too much: no reading could end an alert")
        return self


class SensorStatus(StrEnum):
    """How a thermometer stands."""

    UNKNOWN = "unknown"
    """It has not said enough yet."""
    OK = "ok"
    OUT = "out"
    """Out of its limits, not yet for longer than it may be."""
    ALARM = "alarm"
    SILENT = "silent"


class SensorState(
    State, type="heard.sensor.state.v1", topic="sensors/{sensor_id}", about="sensor_id"
):
    """What a thermometer read last, and how it stands: retained."""

    sensor_id: Slug
    name: Line120
    status: SensorStatus
    since: AwareDatetime
    """When the status last changed."""
    celsius: Celsius | None = None
    humidity: Humidity | None = None
    read_at: AwareDatetime | None = None
    ignored: Annotated[int, Field(ge=0)] = 0
    """Readings that no thermometer could mean: they were counted, and nothing else."""
