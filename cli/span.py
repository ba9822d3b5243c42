"""Spans of time and speeds as people write them."""

from __future__ import annotations

import re
from typing import Any, Final

import click

_UNITS: Final = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|)")
_SPEED: Final = re.compile(r"(\d+(?:\.\d+)?)x?")


class Span(click.ParamType[float]):
    """A span of time: ``20s``, ``5m``, ``2h``, or seconds."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it, in seconds."""
        found = _SPAN.fullmatch(str(value).strip().lower())
        if found is None or float(found[1]) <= 0:
            self.fail(f"{value!r} is no span of time: write 20s, 5m or 2h", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


class Speed(click.ParamType[float]):
    """A speed: ``1x``, ``60x``, or ``max``."""

    name = "speed"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it; ``max`` is infinity."""
        text = str(value).strip().lower()
        if text in {"max", "inf"}:
            return float("inf")
        found = _SPEED.fullmatch(text)
        if found is None or float(found[1]) <= 0:
            self.fail(f"{value!r} is no speed: write 1x, 60x or max", param, ctx)
        return float(found[1])


SPAN: Final = Span()
SPEED: Final = Speed()
