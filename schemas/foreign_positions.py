"""Positions in the words of others: trackers that were not made for us, as they are."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import ConfigDict, Field

from schemas.message import Part, Telemetry

Told = Annotated[float, Field(allow_inf_nan=False)]
"""A number as it was told; what it cannot mean is found when it is judged."""

OWNTRACKS_TOPICS: Final = (
    "event",
    "step",
    "beacon",
    "dump",
    "status",
    "waypoint",
    "waypoints",
    "cmd",
    "info",
)
"""What OwnTracks puts below its own topic."""


class _OwnTracks(Telemetry):
    """What OwnTracks writes: https://owntracks.org/booklet/tech/json/ ."""

    model_config = ConfigDict(extra="allow")

    tst: Told | str | None = None
    """When it was there: seconds since 1970, sometimes as text."""
    lat: Told | None = None
    lon: Told | None = None
    acc: Told | None = None
    """In metres; thousands come too, and stay: what is inaccurate is weighed so."""
    vel: Told | None = None
    """In km/h; below zero is unknown."""
    cog: Told | None = None
    """Degrees from north; below zero is unknown."""
    batt: Told | None = None
    """In per cent."""


class OwnTracksSaid(_OwnTracks, type="heard.tracker.owntracks.v1", topic="owntracks", qos=1):
    """What a phone with OwnTracks says of itself; ``_type`` tells what it is.

    A ``location`` is a position. ``lwt`` and all else is named, and left.
    """


class OwnTracksBeside(
    _OwnTracks, type="heard.tracker.owntracks-beside.v1", topic="owntracks/{sub}", qos=1
):
    """What OwnTracks says below its own topic (``event``, ``waypoints``, ``status``).

    It is read as the other is: a ``location`` counts wherever it stands.
    """


class TraccarDevice(Part):
    """Of which of its devices Traccar speaks."""

    model_config = ConfigDict(extra="allow")

    uniqueId: Annotated[str, Field(min_length=1, max_length=64)]  # noqa: N815 - Traccar's word
    """The house's rules say which vehicle that is."""


class TraccarPosition(Part):
    """Where Traccar holds it to be."""

    model_config = ConfigDict(extra="allow")

    fixTime: str | Told | None = None  # noqa: N815 - Traccar's word
    """When it was there, by the device's clock."""
    latitude: Told | None = None
    longitude: Told | None = None
    accuracy: Told | None = None
    """In metres; 0 is unknown."""
    speed: Told | None = None
    """In knots."""
    course: Told | None = None
    valid: bool | None = None


class TraccarForwarded(Telemetry, type="heard.tracker.traccar.v1", topic="traccar", qos=1):
    """One position of one of the devices that a Traccar server speaks for."""

    model_config = ConfigDict(extra="allow")

    position: TraccarPosition
    device: TraccarDevice


class NmeaSentences(Telemetry, type="heard.tracker.nmea.v1", topic="nmea", qos=1):
    """Sentences of a GPS receiver (NMEA 0183), one a line, each with its checksum.

    Plain text, no JSON. RMC tells a whole position; GGA, GNS, GLL, VTG and ZDA add to it.
    """

    content_type: ClassVar[str] = "text/plain"
