"""How an item of the menu can be had: what is written of it, and how it stands now. Pure.

Three things take an item off: somebody did (86), it is not its time, or it cannot be made any
more. What somebody said comes first when a reason is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas.menu import MenuItem, ModifierGroup
from services.runtime import served_hours as hours
from services.runtime.facts import WITH

NOT_NOW: Final = "not at this hour"
UTC: Final = ZoneInfo("UTC")
_WHY: Final = 120


class Standing(NamedTuple):
    """How an item or a modifier stands.

    Attributes:
        left: how many can still be made; None is enough for now.
        runs_out: of what there is not enough for one more.
        reason: why somebody took it off; None where nobody did.
        back_at: until when; None is until somebody restores it.
    """

    left: int | None = None
    runs_out: str = ""
    reason: str | None = None
    back_at: datetime | None = None

    def is_off(self, at: datetime) -> bool:
        """Whether somebody has taken it off, for a moment at which it is wanted."""
        return self.reason is not None and (self.back_at is None or self.back_at > at)

    def is_gone(self, at: datetime, *, planned: bool = False) -> bool:
        """Whether it cannot be had.

        Args:
            at: when it is wanted.
            planned: it is for a later day; what is on the shelf today does not matter.
        """
        return self.is_off(at) or (self.left == 0 and not planned)


AS_WRITTEN: Final = Standing()


def offered(
    item: MenuItem,
    standing: Standing,
    gone: Collection[str] = (),
    *,
    at: datetime,
    zone: ZoneInfo = UTC,
    planned: bool = False,
) -> MenuItem:
    """The item as it can be had.

    Args:
        item: as it is written.
        standing: its own.
        gone: the names of modifiers that cannot be had.
        at: when it is wanted, aware.
        zone: the house's clock; matters where the item has hours.
        planned: it is for a later day; what is on the shelf today does not matter.
    """
    served = hours.is_served(item.hours, at, zone)
    lacking = next(_lacking(item.groups, gone), None) if gone else None
    if standing == AS_WRITTEN and served and not gone:
        return item
    left = None if planned else standing.left
    why, back_at = "", None
    if standing.is_off(at):
        why = " ".join((standing.reason or "").split()) or "taken off"
        back_at = standing.back_at
    elif not served:
        why, back_at = NOT_NOW, at
    elif left == 0:
        why = f"no {standing.runs_out} left" if standing.runs_out else "none left"
    elif lacking is not None:
        why = f"no {lacking.name or lacking.group} left"
    if back_at is not None:
        back_at = None if left == 0 else hours.served_from(item.hours, back_at, zone)
    if not item.available:  # whoever wrote the menu knows why, and for how long
        back_at = None
    changes = {
        "available": item.available and not why,
        "left": left,
        "sold_out": tuple(sorted(gone)),
        "why": why[:_WHY],
        "back_at": back_at,
    }
    return item.model_copy(update=changes)


def modifiers_of(groups: Sequence[ModifierGroup]) -> Iterator[str]:
    """The names of all modifiers in groups, and in what stands in them; some may come twice."""
    for group in groups:
        for each in group.modifiers:
            yield each.modifier
            if each.groups:
                yield from modifiers_of(each.groups)


def gone_of(item: MenuItem, standings: Mapping[str, Standing], at: datetime) -> tuple[str, ...]:
    """Which of an item's modifiers cannot be had.

    Args:
        item: with its groups.
        standings: by name, with `WITH` before it; those that are absent are as written.
        at: when it is wanted.
    """
    names = dict.fromkeys(modifiers_of(item.groups))
    return tuple(sorted(n for n in names if standings.get(WITH + n, AS_WRITTEN).is_gone(at)))


def _lacking(groups: Sequence[ModifierGroup], gone: Collection[str]) -> Iterator[ModifierGroup]:
    """The groups of which something must be chosen, and nothing can be had."""
    for group in groups:
        if group.least and all(each.modifier in gone for each in group.modifiers):
            yield group
