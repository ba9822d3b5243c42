"""Two simulated evenings of the same orders, side by side: at once, and together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import mean
from typing import Any, Final

from cli.kitchen_recount import Plates
from cli.printing import counted

LONGER: Final = 1.1
"""An order that takes over a tenth longer pays for what others gain."""

_Evening = Mapping[tuple[str, int], Plates]


def compared(at_once: _Evening, together: _Evening) -> dict[str, Any]:
    """Hold each order against itself.

    Args:
        at_once: the plates of each course of each order where nothing is held.
        together: the same orders, finished together.

    Returns:
        `orders` that came to an end in both, `spread_at_once_s` and `spread_together_s` of those
        from several stations and their `spread_share`, `whole_at_once_s` and `whole_together_s`,
        `longer` (orders that took over a tenth longer) and `longest_share` (the worst of all);
        None where there is nothing to tell it from.
    """
    both = [(at_once[name], together[name]) for name in at_once.keys() & together.keys()]
    several = [(one, other) for one, other in both if min(one.plates, other.plates) > 1]
    shares = [other.whole_s / one.whole_s for one, other in both if one.whole_s > 0]
    before, after = (_mean([pair[at].spread_s for pair in several]) for at in (0, 1))
    return {
        "orders": len(both),
        "orders_of_several": len(several),
        "spread_at_once_s": before,
        "spread_together_s": after,
        "spread_share": round(after / before, 3) if before and after is not None else None,
        "whole_at_once_s": _mean([one.whole_s for one, _ in both]),
        "whole_together_s": _mean([other.whole_s for _, other in both]),
        "longer": sum(each > LONGER for each in shares),
        "longest_share": round(max(shares), 3) if shares else None,
    }


def told(figures: Mapping[str, Any]) -> Iterator[str]:
    """The same in words, a line each."""
    if figures["spread_share"] is None:
        yield "no order was made at several stations: there is nothing to finish together"
        return
    yield (
        f"between first and last plate {figures['spread_at_once_s']} s at once, "
        f"{figures['spread_together_s']} s together: {figures['spread_share']:.0%}"
    )
    yield (
        f"from placing to last plate {figures['whole_at_once_s']} s at once, "
        f"{figures['whole_together_s']} s together"
    )
    yield (
        f"of {counted(figures['orders'], 'order')} {figures['longer']} took over a tenth longer, "
        f"the worst {figures['longest_share']:.2f} times as long"
    )


def _mean(seconds: list[float]) -> float | None:
    return round(mean(seconds), 2) if seconds else None
