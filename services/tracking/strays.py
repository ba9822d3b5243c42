"""Telemetry that nobody knows: it goes into quarantine, for a person to look at.

Whoever set a device up wrongly would else never learn of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from schemas.topics import Plane, is_on
from services.runtime import reception
from services.runtime.bus import Delivery
from services.runtime.guard import Guard
from services.runtime.quarantine import quarantine_row
from services.runtime.reception import Unfit
from services.tracking.arriving import stream_of


def strays(deliveries: Sequence[Delivery], guard: Guard, now: datetime) -> list[dict[str, Any]]:
    """Find what no message of the contract stands for; gives rows of the quarantine.

    Args:
        deliveries: what came; nothing of it is listened to elsewhere.
        guard: says how much of each device is kept.
        now: the time.
    """
    rows: list[dict[str, Any]] = []
    for each in deliveries:
        if not is_on(Plane.TELEMETRY, each.topic) or stream_of(each.topic) is not None:
            continue
        read = reception.read(each, now)
        if not isinstance(read, Unfit):
            continue
        guard.counts[f"unfit:{read.code}"] += 1
        unfit = guard.weigh(read)
        if unfit is not None and unfit.kept:
            rows.append(quarantine_row(unfit, now))
    return rows
