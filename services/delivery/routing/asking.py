"""What is asked of a routing engine over HTTP, and how an answer is read. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

Point = tuple[float, float]
"""Latitude and longitude, in degrees."""

_LONGEST_S = 12 * 3_600.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    url: str
    body: dict[str, Any] | None = None


class NoAnswer(Exception):
    """The engine does not say how long it is.

    Attributes:
        final: it will not say otherwise if it is asked again soon: there is no way that anybody
            would ride. It is of this way alone, and no fault of the engine.
    """

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def number_at(document: object, *path: str | int) -> float:
    """The seconds that stand at a place of an answer.

    Raises:
        NoAnswer: nothing stands there, or nothing that can be.
    """
    value: Any = document
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise NoAnswer(f"the answer has no {'.'.join(map(str, path))}") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoAnswer(f"{'.'.join(map(str, path))} is no number")
    if not math.isfinite(value) or value < 0:
        raise NoAnswer(f"{value} seconds are no ride")
    if value > _LONGEST_S:
        raise NoAnswer(f"nobody rides for {value:.0f} seconds", final=True)
    return float(value)
