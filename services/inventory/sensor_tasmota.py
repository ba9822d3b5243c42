"""What Tasmota says, as temperatures. Pure.

``{"Time": "2026-03-14T18:00:00", "DS18B20-1": {"Temperature": 4.1}, "TempUnit": "C"}``:
an object for each chip, numbered where there are several of a kind. A chip that does not answer
has ``null``. Its clock is the house's own without a zone, and is not looked at.
"""

from __future__ import annotations

from typing import Final

from schemas.sensors import TasmotaReading
from services.inventory.sensor_watching import Told, number_of

_FAHRENHEIT: Final = "F"
_ITSELF: Final = "ESP32"
"""The processor's own temperature, which some tell in the same form."""


def told(message: TasmotaReading, probe: str | None) -> Told | None:
    """What it says of one probe; None where it says nothing of it.

    Args:
        message: as it came.
        probe: the chip's name; None is the first that tells a temperature.
    """
    said = message.model_extra or {}
    for name, chip in said.items():
        if name != probe if probe is not None else name == _ITSELF:
            continue
        if not isinstance(chip, dict) or (read := number_of(chip.get("Temperature"))) is None:
            continue
        celsius = (read - 32) * 5 / 9 if said.get("TempUnit") == _FAHRENHEIT else read
        return Told(celsius, number_of(chip.get("Humidity")))
    return None
