"""What was used: movements added up by item and hour. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.inventory import MovementKind

Kind = MovementKind


class Usage(NamedTuple):
    """What became of an item in some time, in thousandths of its base unit.

    Attributes:
        consumed: what dishes took, by their recipes: what should have been used.
        wasted: thrown away, damaged before or not.
        damaged: set aside as damaged, less what turned out not to be.
        received: what came in.
        returned: sent back to who delivered it.
        counted: by how much counts found more than the books had; below nothing where less.
    """

    consumed: int = 0
    wasted: int = 0
    damaged: int = 0
    received: int = 0
    returned: int = 0
    counted: int = 0

    @property
    def gone(self) -> int:
        """What was used in fact: by the recipes, thrown away, and missing when it was counted."""
        return self.consumed + self.wasted - self.counted

    @property
    def on_hand(self) -> int:
        """By how much there is more on hand than before."""
        return self.received - self.returned - self.gone

    def __bool__(self) -> bool:
        return any(self)

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


ONE_OF: Final[Mapping[MovementKind, Usage]] = {
    Kind.RECEIVE: Usage(received=1),
    Kind.CONSUME: Usage(consumed=1),
    Kind.WASTE: Usage(wasted=1),
    Kind.DISCARD: Usage(wasted=1),
    Kind.DAMAGE: Usage(damaged=1),
    Kind.REPAIR: Usage(damaged=-1),
    Kind.COUNT: Usage(counted=1),
    Kind.RETURN: Usage(returned=1),
}
"""What one of each kind adds; what is promised, or carried about in the house, is not used."""


def usage_of(row: Mapping[str, Any]) -> Usage:
    """Read a row that has a column for each figure."""
    return Usage(*(row[name] for name in Usage._fields))


Hourly = dict[tuple[str, datetime], Usage]
"""By item, and the beginning of the hour."""


def hour_of(at: datetime) -> datetime:
    """The hour that a moment is in."""
    return at.replace(minute=0, second=0, microsecond=0)


def add_up(movements: Iterable[Mapping[str, Any]]) -> Hourly:
    """Add up entries of the ledger, each in the hour in which it was so.

    Args:
        movements: rows with ``kind``, ``at`` and ``amounts``.
    """
    found: Hourly = {}
    for row in movements:
        one = ONE_OF.get(Kind(row["kind"]))
        if one is None:
            continue
        hour = hour_of(row["at"])
        for item, amount in row["amounts"].items():
            more = Usage(*(each * amount for each in one))
            known = found.get((item, hour))
            found[item, hour] = more if known is None else known.plus(more)
    return found
