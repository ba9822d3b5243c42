"""Policies of a simulated evening as a picture: who waited, and when guests had their food.

It is an SVG of a few kilobytes, which browsers and Markdown pages show as it is. In a terminal bars
of blocks show who waited.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

_INKS: Final = ("#d55e00", "#e69f00", "#cc79a7", "#0072b2", "#56b4e9", "#009e73")
"""Okabe and Ito's colours, which everybody can tell apart; one for each policy, in their order."""
_TEXT: Final = "#222222"
_FAINT: Final = "#6b6b6b"
_GRID: Final = "#dddddd"
_SIZE: Final = (940, 380)
_BARS: Final = (170, 78, 230, 250)
_LINES: Final = (520, 78, 390, 250)
"""The two panels: left, top, width and height."""
_POINTS: Final = 120


@dataclass(frozen=True, slots=True)
class Drawn:
    """A policy as it is drawn.

    Attributes:
        policy: its name.
        food_waited: minutes that food stood ready, in the mean.
        couriers_waited: minutes that couriers waited for each order, in the mean.
        click_to_door: minutes of each order that was brought, the shortest first.
        orders: so many were placed.
    """

    policy: str
    food_waited: float
    couriers_waited: float
    click_to_door: Sequence[float]
    orders: int


def bars(drawn: Sequence[Drawn], room: int) -> list[str]:
    """Who waited, as lines of a terminal.

    Args:
        drawn: the policies, at least one.
        room: how many cells a line may have.
    """
    waits = [value for each in drawn for value in (each.food_waited, each.couriers_waited)]
    most = max([1.0, *(value for value in waits if math.isfinite(value))])
    names = max(len(each.policy) for each in drawn)
    longest = max(10, room - names - len("  couriers   999.9"))
    found = []
    for each in drawn:
        lines = ((each.policy, "food", each.food_waited), ("", "couriers", each.couriers_waited))
        for name, word, value in lines:
            long = round(value / most * longest) if math.isfinite(value) else 0
            said = f"{value:.1f}" if math.isfinite(value) else ""
            found.append(f"{name:{names}}  {word:8}  {'█' * long} {said}".rstrip())
    return found


def plot(drawn: Sequence[Drawn], subtitle: str) -> str:
    """The picture, an SVG document.

    Args:
        drawn: the policies, at least one, in the sequence in which they are shown.
        subtitle: which evening it is.
    """
    width, height = _SIZE
    svg = ET.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=str(width),
        height=str(height),
        role="img",
    )
    svg.set("font-family", "system-ui, sans-serif")
    svg.set("font-size", "12")
    ET.SubElement(svg, "title").text = "Policies of dispatch side by side"
    _box(svg, (0, 0), _SIZE, "#ffffff")
    _text(svg, 20, 30, "Who waits, and when guests have their food", size=17)
    _text(svg, 20, 50, subtitle, fill=_FAINT)
    _bars(svg, drawn)
    _lines(svg, drawn)
    ET.indent(svg)
    return ET.tostring(svg, encoding="unicode") + "\n"


def _bars(svg: ET.Element, drawn: Sequence[Drawn]) -> None:
    """For each policy, how long food waited and how long couriers did."""
    left, top, width, height = _BARS
    waits = [value for each in drawn for value in (each.food_waited, each.couriers_waited)]
    most = max([1.0, *(value for value in waits if math.isfinite(value))])
    _text(svg, 20, top - 6, "Minutes of waiting for each order")
    row = height / len(drawn)
    bar = min(18.0, row / 2.6)
    for number, each in enumerate(drawn):
        ink, middle = _ink(number), top + 8 + (number + 0.5) * row
        _text(svg, left - 10, middle + 4, each.policy, anchor="end")
        pairs = ((each.food_waited, "food", 1.0), (each.couriers_waited, "couriers", 0.45))
        for place, (value, word, strong) in enumerate(pairs):
            at = middle - bar + place * (bar + 1)
            long = value / most * width if math.isfinite(value) else 0.0
            shape = _box(svg, (left, at), (max(1.0, long), bar), ink)
            shape.set("fill-opacity", f"{strong:g}")
            said = f"{value:.1f} {word}" if math.isfinite(value) else f"no {word}"
            _text(svg, left + long + 5, at + bar - 4, said, size=11, fill=_FAINT)


def _lines(svg: ET.Element, drawn: Sequence[Drawn]) -> None:
    """For each policy, which share of the orders was at the door within so many minutes."""
    left, top, width, height = _LINES
    slowest = max((each.click_to_door[-1] for each in drawn if each.click_to_door), default=60.0)
    last = 15.0 * max(1, math.ceil(slowest / 15.0))
    _text(svg, left - 30, top - 6, "Share of the orders at the door within … minutes")
    for quarter in range(5):
        y = top + 8 + height * (1 - quarter / 4)
        _path(svg, [(left, y), (left + width, y)], _GRID, 1.0)
        _text(svg, left - 6, y + 4, f"{25 * quarter} %", size=11, fill=_FAINT, anchor="end")
    step = 15 * max(1, math.ceil(last / 15 / 8))
    for mark in range(0, int(last) + 1, step):
        x = left + width * mark / last
        _text(svg, x, top + height + 24, str(mark), size=11, fill=_FAINT, anchor="middle")
    for number, each in enumerate(drawn):
        points = []
        for point in range(_POINTS + 1):
            minutes = last * point / _POINTS
            share = bisect.bisect_right(each.click_to_door, minutes) / max(1, each.orders)
            points.append((left + width * minutes / last, top + 8 + height * (1 - share)))
        _path(svg, points, _ink(number), 2.0)
        y = top + height - 12 - 17 * (len(drawn) - 1 - number)
        _path(svg, [(left + width - 150, y - 4), (left + width - 130, y - 4)], _ink(number), 3.0)
        _text(svg, left + width - 124, y, each.policy, size=11)


def _ink(number: int) -> str:
    return _INKS[number % len(_INKS)]


def _box(
    svg: ET.Element, at: tuple[float, float], size: tuple[float, float], fill: str
) -> ET.Element:
    (x, y), (width, height) = at, size
    return ET.SubElement(
        svg,
        "rect",
        x=f"{x:.1f}",
        y=f"{y:.1f}",
        width=f"{width:.1f}",
        height=f"{height:.1f}",
        fill=fill,
    )


def _path(
    svg: ET.Element, points: Sequence[tuple[float, float]], stroke: str, width: float
) -> None:
    line = ET.SubElement(svg, "polyline", fill="none", stroke=stroke)
    line.set("stroke-width", f"{width:g}")
    line.set("points", " ".join(f"{x:.1f},{y:.1f}" for x, y in points))


def _text(
    svg: ET.Element,
    x: float,
    y: float,
    words: str,
    *,
    size: int = 12,
    fill: str = _TEXT,
    anchor: str = "start",
) -> None:
    found = ET.SubElement(svg, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=fill)
    found.set("font-size", str(size))
    found.set("text-anchor", anchor)
    found.text = words
