"""Fences out of GeoJSON (RFC 7946). Pure: text in, fences or all that is wrong out.

A feature is a fence. A polygon is what it encloses; a point with ``radius_m`` is a circle.
Its properties are those of `schemas.fences.Fence`; what else stands there is for maps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.fences import Fence, FenceKind
from schemas.identifiers import is_slug, slug
from services.geography.shapes import Area, Circle, NoShape, Shape
from services.runtime.crossings import HOUSE

LARGEST_M: Final = 200_000.0
"""What reaches farther from its middle is no house's area; the plane that it is measured on is
not good to a hundredth any more."""

_WGS_84: Final = ("CRS84", "4326")
_INNER: Final = ("circle", "polygon", "centre")
"""Ours alone: no file has these."""
_PROPERTIES: Final = ("hysteresis_m", "dwell_s", "must_stay", "hours")


@dataclass(frozen=True, slots=True)
class FenceFile:
    """What a file says.

    Attributes:
        fences: by name; none where anything is wrong.
        wrong: all that is, for people.
    """

    fences: Mapping[str, Fence]
    wrong: Sequence[str]


@dataclass(slots=True)
class _Reading:
    fences: dict[str, Fence] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class _Wrong(Exception):
    """What is wrong with a feature."""


def read(text: str) -> FenceFile:
    """Read a file of GeoJSON: a collection of features, or one of them."""
    reading = _Reading()
    try:
        document = json.loads(text)
    except ValueError as error:
        return FenceFile({}, [f"it is no JSON: {error}"])
    try:
        features = list(_features(document))
    except _Wrong as error:
        return FenceFile({}, [str(error)])
    first: dict[str, int] = {}
    for number, feature in enumerate(features, 1):
        try:
            fence = _fence(feature)
        except _Wrong as error:
            reading.wrong.append(f"{_called(feature, number)}: {error}")
            continue
        if (before := first.setdefault(fence.fence, number)) != number:
            reading.wrong.append(
                f"{_called(feature, number)}: feature {before} is called {fence.fence} too"
            )
        reading.fences[fence.fence] = fence
    if not features:
        reading.wrong.append("it holds no feature")
    return FenceFile({} if reading.wrong else reading.fences, reading.wrong)


def written(fences: Sequence[Fence]) -> dict[str, Any]:
    """The same again, as GeoJSON that `read` reads."""
    return {"type": "FeatureCollection", "features": [_feature(each) for each in fences]}


def shape_of(fence: Fence) -> Shape:
    """What a fence encloses.

    Raises:
        NoShape: its line crosses itself, or encloses nothing.
    """
    if fence.circle is not None:
        centre = fence.circle.centre
        return Circle(centre.lat, centre.lon, fence.circle.radius_m, fence.hysteresis_m)
    if fence.polygon is None:
        raise NoShape("a fence is a circle or a polygon")
    return Area(fence.polygon.rings, fence.hysteresis_m)


def _features(document: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(document, dict):
        raise _Wrong("it is no GeoJSON: its outermost is no object")
    crs = document.get("crs")
    if crs is not None and not any(each in json.dumps(crs) for each in _WGS_84):
        raise _Wrong("its coordinates are not WGS 84 (crs): convert it to longitude and latitude")
    match document.get("type"):
        case "FeatureCollection":
            features = document.get("features")
            if not isinstance(features, list):
                raise _Wrong("its `features` is no list")
            yield from features
        case "Feature":
            yield document
        case other:
            raise _Wrong(f"{_is_a(other)}: a FeatureCollection or a Feature is needed")


def _is_a(kind: object) -> str:
    """What a document or a geometry says that it is."""
    return f"it is a {kind}" if isinstance(kind, str) and kind else "it has no `type`"


def _called(feature: Any, number: int) -> str:
    """A feature as whoever drew it finds it: by its place in the file, and its name there."""
    name = _name(feature) if isinstance(feature, dict) else ""
    return f'feature {number}, "{name}"' if name else f"feature {number}"


def _name(feature: Mapping[str, Any]) -> str:
    properties = feature.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    return str(properties.get("name") or properties.get("fence") or feature.get("id") or "").strip()


def _fence(feature: Any) -> Fence:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise _Wrong("it is no Feature")
    properties = feature.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    name = _name(feature)
    if not name:
        raise _Wrong("it has no name: give it a property `name`")
    fence = str(properties.get("fence") or slug(name))
    if not is_slug(fence):
        raise _Wrong(f"{fence!r} is no name in topics: {slug(fence)!r} would be")
    if fence == HOUSE:
        raise _Wrong("that is the restaurant itself: give it another name")
    try:
        told = Fence.model_validate(
            {
                "fence": fence,
                "name": name,
                "kind": properties.get("kind", FenceKind.ZONE.value),
                **{key: properties[key] for key in _PROPERTIES if key in properties},
                **_shape(feature.get("geometry"), properties),
            }
        )
        shape = shape_of(told)
    except ValidationError as error:
        raise _Wrong(_in_words(error.errors()[0])) from None
    except NoShape as error:
        raise _Wrong(str(error)) from None
    if max(shape.box) > LARGEST_M:
        raise _Wrong(
            f"it reaches {max(shape.box) / 1000:.0f} km from its middle: "
            f"at most {LARGEST_M / 1000:.0f} km"
        )
    return told


def _in_words(error: ErrorDetails) -> str:
    """What is wrong with a property, by the name that it has in the file."""
    path = [each for each in error["loc"] if each not in _INNER]
    where = "".join(f" {each + 1}" if isinstance(each, int) else f" {each}" for each in path)
    given, bounds = error["input"], error.get("ctx", {})
    match error["type"]:
        case "greater_than_equal":
            what = f"{given} is too little: at least {bounds['ge']:g}"
        case "less_than_equal":
            what = f"{given} is too much: at most {bounds['le']:g}"
        case "enum":
            what = f"{given!r} is not known: {bounds['expected']}"
        case _:
            what = error["msg"].removeprefix("Value error, ")
            what = what[:1].lower() + what[1:]
    return f"{where.strip()}: {what}" if path else what


def _shape(geometry: Any, properties: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(geometry, dict):
        raise _Wrong("it has no geometry")
    at, kind = geometry.get("coordinates"), geometry.get("type")
    if kind == "MultiPolygon" and isinstance(at, list) and len(at) == 1:
        kind, at = "Polygon", at[0]
    match kind:
        case "Point":
            radius = properties.get("radius_m")
            if radius is None:
                raise _Wrong("a point needs a property `radius_m`")
            lon, lat = _corner(at)
            return {"circle": {"centre": {"lat": lat, "lon": lon}, "radius_m": radius}}
        case "Polygon":
            if not isinstance(at, list) or not all(isinstance(ring, list) for ring in at):
                raise _Wrong("its coordinates are no rings")
            return {"polygon": {"rings": [_ring(ring) for ring in at]}}
        case "MultiPolygon":
            raise _Wrong("it is several polygons: make a feature of each")
        case _:
            raise _Wrong(f"{_is_a(kind)}: a Polygon, or a Point with `radius_m`, is needed")


def _ring(ring: Sequence[Any]) -> list[tuple[float, float]]:
    corners = [_corner(each) for each in ring]
    if len(corners) < 4:
        raise _Wrong(f"a ring has {len(corners)} corners: 4 are needed, the last as the first")
    if corners[0] != corners[-1]:
        raise _Wrong("a ring does not end where it begins")
    return corners


def _corner(at: Any) -> tuple[float, float]:
    if not isinstance(at, list) or len(at) < 2:
        raise _Wrong(f"{at!r} is no coordinate")
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in at[:2]):
        raise _Wrong(f"{at!r} is no coordinate")
    lon, lat = float(at[0]), float(at[1])
    if not -90 <= lat <= 90:
        swapped = " (GeoJSON has longitude first)" if -90 <= lon <= 90 else ""
        raise _Wrong(f"there is no latitude {lat:g}{swapped}")
    if not -180 <= lon <= 180:
        raise _Wrong(f"there is no longitude {lon:g}")
    return lon, lat


def _feature(fence: Fence) -> dict[str, Any]:
    told = fence.model_dump(mode="json", exclude_none=True)
    circle, polygon = told.pop("circle", None), told.pop("polygon", None)
    if circle is not None:
        centre = circle["centre"]
        geometry = {"type": "Point", "coordinates": [centre["lon"], centre["lat"]]}
        told["radius_m"] = circle["radius_m"]
    else:
        geometry = {"type": "Polygon", "coordinates": polygon["rings"]}
    return {"type": "Feature", "properties": told, "geometry": geometry}
