"""Which format is spoken on which stream of a tracker's telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.tracking.formats import nmea, ours, owntracks, traccar
from services.tracking.formats.raw import Reader

READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "fix": ours.read,
        "fixes": ours.read,
        "owntracks": owntracks.read,
        "traccar": traccar.read,
        "nmea": nmea.read,
    }
)
"""By the first level after the device's name: ``telemetry/{device}/owntracks/event`` is
OwnTracks too."""
