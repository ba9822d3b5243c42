"""Fences: places and areas, and who comes and goes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, Field, model_validator

from schemas.identifiers import Slug
from schemas.menu import ServedHours
from schemas.message import Event, Part
from schemas.positions import Latitude, Longitude, Place
from schemas.text import Line120

MAX_CORNERS: Final = 2_000


class FenceKind(StrEnum):
    """What a fence is around."""

    RESTAURANT = "restaurant"
    ZONE = "zone"
    """Where couriers work, or where they must not go."""


class Circle(Part):
    """All that is within a distance of a point."""

    centre: Place
    radius_m: Annotated[float, Field(ge=10, le=100_000, allow_inf_nan=False)]


Corner = tuple[Longitude, Latitude]
"""As GeoJSON writes it: longitude first."""


class Polygon(Part):
    """An area within a line, with holes: rings as in GeoJSON (RFC 7946), the outer first."""

    rings: Annotated[
        tuple[Annotated[tuple[Corner, ...], Field(min_length=4, max_length=MAX_CORNERS)], ...],
        Field(min_length=1, max_length=64),
    ]


class Fence(Part):
    """A place or an area that a house cares for."""

    fence: Slug
    name: Annotated[Line120, Field(min_length=1)]
    kind: FenceKind
    circle: Circle | None = None
    polygon: Polygon | None = None
    hysteresis_m: Annotated[float, Field(ge=0, le=5_000)] = 25.0
    """One is out only so far beyond the line: nobody comes and goes with each fix on it."""
    dwell_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """Who stays so long within is told of; None is nobody."""
    must_stay: bool = False
    """Vehicles that are within on duty should not leave it: who does raises an alert."""
    hours: Annotated[tuple[ServedHours, ...], Field(max_length=21)] = ()
    """When it counts, on the house's clock; none is always."""

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if (self.circle is None) == (self.polygon is None):
            raise ValueError("a fence is a circle or a polygon")
        return self


class CrossingKind(StrEnum):
    """What a vehicle did at a fence."""

    ENTER = "enter"
    EXIT = "exit"
    DWELL = "dwell"


class FenceCrossed(Event, type="heard.fence.crossed.v1", topic="fences/crossed", about="fence"):
    """A vehicle came, went, or stayed."""

    fence: Slug
    vehicle: Slug
    what: CrossingKind
    at: AwareDatetime
