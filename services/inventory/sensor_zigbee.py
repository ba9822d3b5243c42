"""What Zigbee2MQTT says, as temperatures. Pure.

``{"temperature": 4.12, "humidity": 71.3, "battery": 93, "linkquality": 120}``. What a sensor has
not measured since the bridge began is absent, or ``null``.
"""

from __future__ import annotations

from typing import Final

from schemas.sensors import ZigbeeReading
from services.inventory.sensor_watching import Told, number_of

_USUAL: Final = "temperature"


def told(message: ZigbeeReading, probe: str | None) -> Told | None:
    """What it says of one probe; None where it says nothing of it.

    Args:
        message: as it came.
        probe: the field of one that has several (``temperature_l2``); None is ``temperature``.
    """
    read = message.temperature
    if probe not in {None, _USUAL}:
        read = number_of((message.model_extra or {}).get(probe))
    return None if read is None else Told(read, message.humidity)
