"""Who a bridge speaks for, and no rule names: it is told once, with what to do.

What such a vehicle says is counted and left, and nobody who sets up a bridge would see why.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import structlog

from schemas.refusals import RefusalCode
from services.runtime.bus import Delivery
from services.runtime.quarantine import quarantine_row
from services.runtime.reception import Unfit
from services.tracking.arriving import Teller, stream_of

log = structlog.get_logger(__name__)


def advice(teller: Teller) -> str:
    """What is missing, and the command that mends it."""
    entry = shlex.quote(f"vehicles.NAME={teller.device}/{teller.below}")
    return (
        f"{teller.below} below {teller.device} is no vehicle of {teller.tenant}: name it with"
        f" heard delivery rules set --tenant {teller.tenant} {entry} vehicles.NAME.mode=car"
    )


def nameless(
    tellers: Iterable[Teller], deliveries: Sequence[Delivery], now: datetime
) -> list[dict[str, Any]]:
    """Write them down for the quarantine, each with a message that was about it.

    Args:
        tellers: who is told of for the first time.
        deliveries: what came with them.
        now: the time.
    """
    rows: list[dict[str, Any]] = []
    for each in tellers:
        reason = advice(each)
        log.warning("a bridge speaks for a vehicle that no rule names", what=reason)
        delivery = _about(each, deliveries)
        if delivery is not None:
            code = RefusalCode.NOT_FOUND
            unfit = Unfit(delivery, each.tenant, each.device, None, code, reason, kept=True)
            rows.append(quarantine_row(unfit, now))
    return rows


def _about(teller: Teller, deliveries: Sequence[Delivery]) -> Delivery | None:
    of_bridge = [
        each
        for each in deliveries
        if (stream := stream_of(each.topic)) is not None
        and stream.teller == teller._replace(below=None)
    ]
    name = (teller.below or "").encode()
    return next((each for each in of_bridge if name in each.payload), next(iter(of_bridge), None))
