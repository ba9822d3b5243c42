"""Circles and polygons on the earth: who is within, and who is clearly out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.geography.shapes import BETWEEN, BEYOND, WITHIN, Area, Circle, NoShape, Shapes
from services.geography.sphere import Plane, distance_m

LAT, LON = 60.17, 24.94


def square(
    side_m: float, lat: float = LAT, lon: float = LON, east: float = 0.0, north: float = 0.0
) -> list[tuple[float, float]]:
    """A ring around a place, as GeoJSON writes it."""
    half = side_m / 2
    corners = [(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)]
    places = (Plane(lat, lon).to_degrees(east + e, north + n) for e, n in corners)
    return [(float(at[1]), float(at[0])) for at in places]


def side_of(shapes: Shapes, number: int, lat: float, lon: float) -> int:
    asked = shapes.sides(np.array([number]), np.array([lat]), np.array([lon]))
    return int(asked[0])


def at(east: float, north: float, lat: float = LAT, lon: float = LON) -> tuple[float, float]:
    found = Plane(lat, lon).to_degrees(east, north)
    return float(found[0]), float(found[1])


@given(
    st.tuples(st.floats(-85, 85), st.floats(-180, 180)),
    st.floats(10, 5_000),
    st.floats(0, 500),
    st.floats(0, 3),
    st.floats(0, 360),
)
def test_a_circle_is_as_wide_as_it_says(
    middle: tuple[float, float], radius: float, margin: float, part: float, way: float
) -> None:
    away = radius * part
    point = at(away * np.sin(np.radians(way)), away * np.cos(np.radians(way)), *middle)
    real = float(distance_m(*middle, *point))
    if min(abs(real - radius), abs(real - radius - margin)) < 0.01 * (radius + margin):
        return  # so near to a line a sphere and a plane may disagree
    wanted = WITHIN if real <= radius else BETWEEN if real <= radius + margin else BEYOND
    assert side_of(Shapes([Circle(*middle, radius, margin)]), 0, *point) == wanted


def test_a_polygon_has_a_margin_around_it_and_within_its_holes() -> None:
    ring, hole = square(1_000), square(400)
    shapes = Shapes([Area([ring, hole], margin_m=50)])
    for east, wanted in (
        (0, BEYOND), (140, BEYOND), (160, BETWEEN), (210, WITHIN), (490, WITHIN), (510, BETWEEN),
        (549, BETWEEN), (551, BEYOND), (5_000, BEYOND),
    ):  # fmt: skip
        assert side_of(shapes, 0, *at(east, 0)) == wanted, east


def test_a_polygon_without_a_margin_has_nothing_between() -> None:
    shapes = Shapes([Area([square(1_000)])])
    assert side_of(shapes, 0, *at(499, 0)) == WITHIN
    assert side_of(shapes, 0, *at(501, 0)) == BEYOND


def test_shapes_on_the_date_line_are_whole() -> None:
    shapes = Shapes([Area([square(2_000, -17.0, 180.0)]), Circle(-17.0, -179.9999, 1_000)])
    for east in (-900.0, -1.0, 1.0, 900.0):
        place = at(east, 0, -17.0, 180.0)
        assert side_of(shapes, 0, *place) == WITHIN
        assert side_of(shapes, 1, *place) == WITHIN
    assert side_of(shapes, 0, *at(1_100, 0, -17.0, 180.0)) == BEYOND


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-3_000, 3_000), st.floats(-3_000, 3_000))))
def test_many_points_at_once_are_judged_as_each_alone(
    asked: list[tuple[int, float, float]],
) -> None:
    shapes = Shapes(
        [
            Circle(LAT, LON, 500, 100),
            Area([square(800, east=1_000)], 50),
            Circle(LAT, LON, 2_000),
            Area([square(3_000), square(500)]),
        ]
    )
    places = [at(east, north) for _, east, north in asked]
    together = shapes.sides(
        np.array([number for number, _, _ in asked], dtype=np.intp),
        np.array([lat for lat, _ in places]),
        np.array([lon for _, lon in places]),
    )
    alone = [side_of(shapes, each[0], *place) for each, place in zip(asked, places, strict=True)]
    assert together.tolist() == alone


def test_what_crosses_itself_is_no_shape_and_where_is_told() -> None:
    ring = [(24.0, 60.0), (24.1, 60.1), (24.1, 60.0), (24.0, 60.1), (24.0, 60.0)]
    with pytest.raises(NoShape, match=r"Self-intersection at longitude 24\.05\d+, latitude 60\.05"):
        Area([ring])


def test_what_encloses_nothing_is_no_shape() -> None:
    with pytest.raises(NoShape, match="square metre"):
        Area([square(0.9)])
