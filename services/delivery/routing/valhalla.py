"""Valhalla: how it is asked, and what it answers (its ``/route`` service). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas.positions import TravelMode
from services.delivery.routing.asking import Asked, NoAnswer, Point, number_at

_COSTINGS: Final = {
    TravelMode.FOOT: "pedestrian",
    TravelMode.BICYCLE: "bicycle",
    TravelMode.SCOOTER: "motor_scooter",
    TravelMode.CAR: "auto",
}

_NO_WAY: Final = (154, 170, 171, 442)
"""Too far; not connected; no street near; no path."""


def ask(base: str, mode: TravelMode, one: Point, other: Point) -> Asked:
    """How long it is from the one to the other; points are latitude and longitude."""
    locations = [{"lat": lat, "lon": lon} for lat, lon in (one, other)]
    body = {"locations": locations, "costing": _COSTINGS[mode], "directions_type": "none"}
    return Asked("POST", base.rstrip("/") + "/route", body)


def read(document: Mapping[str, Any]) -> float:
    """How many seconds it takes.

    Raises:
        NoAnswer: there is no way, or this is no answer of Valhalla's.
    """
    if "error_code" in document:
        final = document["error_code"] in _NO_WAY
        raise NoAnswer(f"Valhalla says {str(document.get('error'))[:60]!r}", final=final)
    return number_at(document, "trip", "summary", "time")
