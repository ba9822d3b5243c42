"""When a courier could be at the restaurant for one order more, as the last plan had it.

It stands in memory alone, beside the decisions: after a start nobody knows, and a plan that is not
made anew is soon forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from services.dispatch.next_free import Opening, soonest

OLD_AFTER: Final = timedelta(minutes=3)
"""A fleet is planned twice a minute; on a machine that has much to do, more seldom."""


class NextCouriers:
    """A `services.runtime.ports.CouriersPort`, told by who plans."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[datetime, Sequence[Opening]]] = {}

    def say(self, planned_at: datetime, openings: Mapping[str, Sequence[Opening]]) -> None:
        """Keep what a plan leaves open, by house."""
        for tenant, each in openings.items():
            self._known[tenant] = planned_at, each

    def forget(self, tenant: str) -> None:
        """Nobody plans this house any more."""
        self._known.pop(tenant, None)

    def soonest(self, tenant: str, *, now: datetime, ready_at: datetime) -> datetime | None:
        """See `services.runtime.ports.CouriersPort`."""
        planned_at, openings = self._known.get(tenant, (None, ()))
        if planned_at is None or abs(now - planned_at) > OLD_AFTER:
            return None
        there = soonest(openings, ready_at.timestamp())
        return max(now, datetime.fromtimestamp(there, UTC)) if math.isfinite(there) else None
