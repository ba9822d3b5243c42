"""Purchase orders as they are written on a command line: ``beef=3``."""

from __future__ import annotations

from typing import Any, Final

import click

from schemas.identifiers import is_slug
from schemas.purchasing import MAX_PACKS, WantedLine


class _Packs(click.ParamType[WantedLine]):
    """So many packs of an item."""

    name = "packs"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> WantedLine:
        """Read it."""
        if isinstance(value, WantedLine):
            return value
        item, equals, packs = str(value).partition("=")
        if not equals or not is_slug(item) or not (packs.isascii() and packs.isdigit()):
            self.fail(f"{value!r} is no line: write ITEM=PACKS, as beef=3", param, ctx)
        if not 1 <= int(packs[:9]) <= MAX_PACKS:
            self.fail(f"{packs} packs of {item}: say a number from 1 to {MAX_PACKS}", param, ctx)
        return WantedLine(item=item, packs=int(packs))


PACKS: Final = _Packs()
