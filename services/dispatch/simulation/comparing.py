"""One policy lives through one evening, and what is told of it. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from services.dispatch.simulation.day import live_through
from services.dispatch.simulation.metrics import Metrics, measure
from services.dispatch.simulation.policies import POLICIES
from services.dispatch.simulation.world import Setting, draw_world

_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Lived:
    """What is told of an evening.

    Attributes:
        policy: by which it was lived through.
        metrics: how good it was.
        click_to_door: minutes of each order that came to its door, the shortest first.
        why: why orders did not, and of how many that is so.
    """

    policy: str
    metrics: Metrics
    click_to_door: tuple[float, ...]
    why: Mapping[str, int]


def live(setting: Setting, policy: str) -> Lived:
    """Live through the evening of a setting.

    Args:
        setting: which evening.
        policy: one of `POLICIES`.
    """
    evening = live_through(draw_world(setting), POLICIES[policy]())
    took = (each.door_s - each.order.placed_s for each in evening.ended)
    return Lived(
        policy,
        measure(evening),
        tuple(sorted(each / _MINUTE_S for each in took if not math.isnan(each))),
        dict(sorted(Counter(each.why for each in evening.ended if each.why).items())),
    )
