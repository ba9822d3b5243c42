"""What comes after food that should be ready and is not: it will be late, too; pure.

A kitchen says when it expects each order to be ready, and says it anew as it works. One that
stands still works on nothing and says nothing: then its food is due, minute after minute, and
one courier after the other would be sent to stand there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from services.delivery.dispatching.situating import Stop

_MORE: Final = 0.5
"""What is late by so much is as likely as not to be late by so many times as much more."""


def behind(stops: Sequence[Stop], late_s: Mapping[UUID, float]) -> list[Stop]:
    """Have each order wait for what was ordered before it in its house, and is late.

    The first that is late is expected any moment, as before: somebody is there for it. So no
    food is forgotten whose kitchen forgets to say that it is ready.

    Args:
        stops: the open deliveries of one house.
        late_s: for so many seconds food should be ready by the kitchen's own word, and is not.
    """
    found: list[Stop] = []
    before = 0.0
    for stop in sorted(stops, key=lambda each: (each.placed_s, each.order_id)):
        if stop.order_id not in late_s:
            found.append(stop)
            continue
        more = _MORE * before
        p50, p90 = stop.ready_p50_s + more, stop.ready_p90_s + more
        found.append(replace(stop, ready_p50_s=p50, ready_p90_s=p90))
        before = max(before, late_s[stop.order_id])
    return found
