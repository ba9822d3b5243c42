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
_NEXT: Final = ((0, 0), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1))
"""Down and right. Beside comes last: there the label of what stands in the middle has its room."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on the map.

    Attributes:
        lat: degrees.
        lon: the same.
        sign: one character.
        style: of rich.
        label: stands beside it, where there is room.
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
    """Draw marks so that all find room, each with its label where there is room for it.

    What comes later matters more. Nothing is drawn over anything: where two would stand in one
    cell the one that matters less stands right beside, and a label that does not fit is left out.

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
    sheet = _Sheet(width, rows)
    placed: list[tuple[Mark, int, int]] = []
    for mark, x, y in reversed(list(zip(marks, east.tolist(), north.tolist(), strict=True))):
        column = min(max(int(width / 2 + x / metres), 0), width - 1)
        row = min(max(int(rows / 2 - y / (metres * TALLER)), 0), rows - 1)
        at = sheet.beside(row, column)
        if at is not None:
            sheet.put(*at, mark.sign, mark.style)
            placed.append((mark, *at))
    # Only once every sign has its place: no label is in the way of one.
    for mark, row, column in placed:
        sheet.label(row, column, mark.label)
    text = sheet.text()
    text.append(f"├{'─' * _BAR}┤ {_length(metres * (_BAR + 1))}", "dim")
    return text


class _Sheet:
    """Cells of a terminal, each written once."""

    def __init__(self, width: int, rows: int) -> None:
        self._width: Final = width
        self._cells: Final = [[(" ", "")] * width for _ in range(rows)]
        self._taken: Final = [[False] * width for _ in range(rows)]

    def put(self, row: int, column: int, text: str, style: str) -> None:
        for at, sign in enumerate(text, column):
            self._cells[row][at] = (sign, style)
            self._taken[row][at] = True

    def beside(self, row: int, column: int) -> tuple[int, int] | None:
        """The cell itself, or the free one next to it; None where all of these are taken."""
        for down, right in _NEXT:
            there = row + down, column + right
            if self._is_free(*there, 1):
                return there
        return None

    def label(self, row: int, column: int, label: str) -> None:
        """Write a label right of a sign, else left of it, apart from all else; or not at all."""
        length = len(label)
        if not label:
            return
        if self._is_free(row, column + 1, length + 1) and self._is_apart(row, column + length + 2):
            self.put(row, column + 2, label, "dim")
        elif self._is_free(row, column - length - 1, length + 1) and self._is_apart(
            row, column - length - 2
        ):
            self.put(row, column - length - 1, label, "dim")

    def text(self) -> Text:
        text = Text()
        for line in self._cells:
            for sign, style in line:
                text.append(sign, style)
            text.append("\n")
        return text

    def _is_free(self, row: int, column: int, length: int) -> bool:
        inside = 0 <= row < len(self._taken) and 0 <= column <= self._width - length
        return inside and not any(self._taken[row][column : column + length])

    def _is_apart(self, row: int, column: int) -> bool:
        """Whether nothing stands there; beyond the edge nothing does."""
        return not 0 <= column < self._width or not self._taken[row][column]


def _middle(marks: Sequence[Mark]) -> tuple[float, float]:
    first = Plane(marks[0].lat, marks[0].lon)
    east, north = first.to_metres([each.lat for each in marks], [each.lon for each in marks])
    middle = first.to_degrees((east.min() + east.max()) / 2, (north.min() + north.max()) / 2)
    return float(middle[0]), float(middle[1])


def _length(metres: float) -> str:
    return f"{metres:.0f} m" if metres < 1_000 else f"{metres / 1_000:.1f} km"
