"""A map of vehicles, doors and the restaurant, made of characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rich.text import Text

from services.geography.sphere import Plane

TALLER: Final = 2.0
"""So much taller than wide a character of a terminal is, more or less."""
LEAST_M: Final = 400.0
"""Whatever is shown, so much around it is too: who stands alone is not at the edge."""
_ARROWS: Final = "↑↗→↘↓↙←↖"
_BAR: Final = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on the map.

    Attributes:
        lat: degrees.
        lon: the same.
        sign: one character.
        style: of rich.
        label: stands right of it, where there is room.
    """

    lat: float
    lon: float
    sign: str
    style: str = ""
    label: str = ""


def arrow(heading_deg: float | None) -> str:
    """The direction of a heading; a dot for who stands."""
    return "•" if heading_deg is None else _ARROWS[round(heading_deg / 45.0) % 8]


def draw(marks: Sequence[Mark], width: int, height: int) -> Text:
    """Draw marks so that all find room; what comes later lies on top.

    Args:
        marks: at least none.
        width: in characters.
        height: in lines, the last of which is the scale.
    """
    rows = height - 1
    if not marks or width < 4 or rows < 2:
        return Text("nothing to show yet", style="dim")
    lat, lon = _middle(marks)
    plane = Plane(lat, lon)
    east, north = plane.to_metres([each.lat for each in marks], [each.lon for each in marks])
    wide = max(float(np.abs(east).max()) * 2.2, LEAST_M)
    high = max(float(np.abs(north).max()) * 2.2, LEAST_M)
    metres = max(wide / width, high / (rows * TALLER))
    cells: list[list[tuple[str, str]]] = [[(" ", "")] * width for _ in range(rows)]
    for mark, x, y in zip(marks, east.tolist(), north.tolist(), strict=True):
        column = min(max(int(width / 2 + x / metres), 0), width - 1)
        row = min(max(int(rows / 2 - y / (metres * TALLER)), 0), rows - 1)
        cells[row][column] = (mark.sign, mark.style)
        # At the right edge the label stands on the left.
        fits = column + len(mark.label) < width
        begin = column + 1 if fits else max(0, column - len(mark.label))
        label = mark.label if fits else f"{mark.label.strip()} "
        for at, sign in enumerate(label, begin):
            if at < width and cells[row][at][0] == " ":
                cells[row][at] = (sign, "dim")
    text = Text()
    for line in cells:
        for sign, style in line:
            text.append(sign, style)
        text.append("\n")
    text.append(f"├{'─' * _BAR}┤ {_length(metres * (_BAR + 1))}", "dim")
    return text


def _middle(marks: Sequence[Mark]) -> tuple[float, float]:
    first = Plane(marks[0].lat, marks[0].lon)
    east, north = first.to_metres([each.lat for each in marks], [each.lon for each in marks])
    middle = first.to_degrees((east.min() + east.max()) / 2, (north.min() + north.max()) / 2)
    return float(middle[0]), float(middle[1])


def _length(metres: float) -> str:
    return f"{metres:.0f} m" if metres < 1_000 else f"{metres / 1_000:.1f} km"
