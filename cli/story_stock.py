"""The stock's part of an order's story: promised, taken, given back. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cli.story import Kind, Sources, Told
from schemas.inventory import MovementKind

_WORDS: Final = {
    MovementKind.PLAN: "planned for its day",
    MovementKind.UNPLAN: "planned no more",
    MovementKind.RESERVE: "reserved",
    MovementKind.RELEASE: "given back",
    MovementKind.CONSUME: "taken from the shelf",
}


def stock_story(sources: Sources) -> Iterator[Told]:
    """What each step of the order did to the shelves."""
    for each in sources.stock:
        if not each.amounts:
            continue
        said = ", ".join(f"{name} {amount}" for name, amount in each.amounts.items())
        words = _WORDS.get(each.kind, each.kind.value)
        details = {"movement": each.kind.value, "amounts": each.amounts}
        yield Told(each.at, Kind.STOCK, f"stock {words}: {said}", None, (), details)
