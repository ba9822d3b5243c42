"""OSRM: how it is asked, and what it answers (its HTTP API, version 1, service ``route``). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas.positions import TravelMode
from services.delivery.routing.asking import Asked, NoAnswer, Point, number_at

_PROFILES: Final = {
    TravelMode.FOOT: "foot",
    TravelMode.BICYCLE: "bike",
    TravelMode.SCOOTER: "driving",
    TravelMode.CAR: "driving",
}
"""A server knows the one profile that its data was made with, and takes any name for it."""

_NO_WAY: Final = ("NoRoute", "NoSegment")


def ask(base: str, mode: TravelMode, one: Point, other: Point) -> Asked:
    """How long it is from the one to the other; points are latitude and longitude."""
    along = ";".join(f"{lon:.6f},{lat:.6f}" for lat, lon in (one, other))
    path = f"/route/v1/{_PROFILES[mode]}/{along}?overview=false&steps=false"
    return Asked("GET", base.rstrip("/") + path)


def read(document: Mapping[str, Any]) -> float:
    """How many seconds it takes.

    Raises:
        NoAnswer: there is no way, or this is no answer of OSRM's.
    """
    code = document.get("code")
    if code != "Ok":
        raise NoAnswer(f"OSRM says {str(code)[:60]!r}", final=code in _NO_WAY)
    return number_at(document, "routes", 0, "duration")
