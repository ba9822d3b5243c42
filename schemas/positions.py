"""Positions: what trackers say of themselves, and what is made of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from schemas.identifiers import Slug
from schemas.message import Part, State, Telemetry
from schemas.text import Line120

MAX_FIXES: Final = 500
"""In one message; a longer backlog comes in several."""

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
"""Degrees (WGS 84), to the north."""
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
"""Degrees (WGS 84), to the east."""
Metres = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Speed = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Metres a second."""
Heading = Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)]
"""Degrees from north, clockwise."""
Battery = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""What is left of it: 1 is full."""


class Place(Part):
    """A point on the map."""

    model_config = ConfigDict(
        json_schema_extra={"not": {"properties": {"lat": {"const": 0}, "lon": {"const": 0}}}}
    )

    lat: Latitude
    lon: Longitude

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.lat == 0 and self.lon == 0:
            raise ValueError("0/0 lies in the ocean: it is what a device says that knows no place")
        return self


class OneFix(Part):
    """One GPS position (WGS 84), as the tracker itself has it."""

    at: AwareDatetime
    lat: Latitude
    lon: Longitude
    accuracy_m: Metres | None = None
    """The radius within which it is two times of three."""
    speed_mps: Speed | None = None
    heading_deg: Heading | None = None
    battery: Battery | None = None


class Fix(OneFix, Telemetry, type="heard.device.fix.v1", topic="fix", qos=1):
    """One GPS position."""


class Fixes(Telemetry, type="heard.device.fixes.v1", topic="fixes", qos=1):
    """Several positions at once, oldest first: of the last second, or of a whole tunnel.

    One that cannot be is left out and counted; the others are taken.
    """

    fixes: Annotated[tuple[OneFix, ...], Field(min_length=1, max_length=MAX_FIXES)]


class TravelMode(StrEnum):
    """What a courier goes by: it decides how fast they can be."""

    FOOT = "foot"
    BICYCLE = "bicycle"
    SCOOTER = "scooter"
    CAR = "car"


class VehicleState(
    State, type="heard.vehicle.state.v1", topic="positions/{vehicle}", about="vehicle"
):
    """Where a vehicle is, after all that was found wrong was left out: retained.

    It is published when it has changed enough to matter, not at every fix.
    """

    vehicle: Slug
    at: AwareDatetime
    """The time of the last good fix, by the vehicle's clock, put right where that is off."""
    lat: Latitude
    lon: Longitude
    spread_m: Metres
    """Two times of three it is within so much of this."""
    speed_mps: Speed
    heading_deg: Heading | None = None
    """None while it stands."""
    moving: bool
    since: AwareDatetime
    """Since when it moves, or stands."""
    distance_m: Metres = 0.0
    """How far it went today, on the house's clock."""
    battery: Battery | None = None
    gap_s: Annotated[float, Field(ge=0)] | None = None
    """With the first fix after a silence: how long nobody knows where it was."""
    silent: bool = False
    """No good position came for longer than it should be silent: where it is nobody knows."""


class ReportingWish(
    State, type="heard.tracker.reporting-wish.v1", topic="delivery/{device}/reporting"
):
    """How often a tracker is asked to tell its position: desired state, retained."""

    device: Slug
    number: Annotated[int, Field(ge=1)]
    """Counts the wishes for this device; it names the one that it follows."""
    every_s: Annotated[float, Field(ge=0.1, le=3600)]
    """Seconds between two positions while it moves."""
    still_s: Annotated[float, Field(ge=1, le=86_400)]
    """Seconds between two positions while it stands."""
    least_m: Metres = 0.0
    """It need not tell one that is nearer than this to the last, but for `still_s`."""
    together: Annotated[int, Field(ge=1, le=MAX_FIXES)] = 1
    """So many go in one message."""
    why: Line120 = ""


class ReportingTaken(Telemetry, type="heard.tracker.reporting.v1", topic="reporting"):
    """What a tracker makes of the wish: the values that it follows now."""

    number: Annotated[int, Field(ge=0)]
    """Of the wish that it has seen last; 0 is none."""
    every_s: Annotated[float, Field(ge=0.1, le=3600)]
    still_s: Annotated[float, Field(ge=1, le=86_400)]
    least_m: Metres = 0.0
    together: Annotated[int, Field(ge=1, le=MAX_FIXES)] = 1


class Complaint(StrEnum):
    """What is wrong with a tracker's positions that it can mend."""

    CLOCK = "clock"
    """Its clock is off by `seconds`; positions are put right meanwhile."""
    TOO_OFTEN = "too-often"
    INVALID = "invalid"
    """No latitude, no longitude, or no time that can be."""
    INACCURATE = "inaccurate"
    STALE = "stale"
    """It sends what is too old to be of use."""
    UNREADABLE = "unreadable"


class Complained(Part):
    """One thing that a tracker can mend."""

    what: Complaint
    count: Annotated[int, Field(ge=1)]
    """Of positions, since `since`."""
    since: AwareDatetime
    seconds: float | None = None
    """With the clock: how far it is ahead; below zero, behind."""
    text: Line120 = ""


class TrackerAdvice(State, type="heard.tracker.advice.v1", topic="delivery/{device}/advice"):
    """What is wrong with what a tracker sends: retained while it is, for the device to mend."""

    device: Slug
    complaints: Annotated[tuple[Complained, ...], Field(max_length=16)]
