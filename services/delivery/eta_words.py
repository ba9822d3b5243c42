"""An ETA as it is published: with its range, its reasons, and how well it is known; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.etas import Confidence, EtaPart, EtaReason, EtaState
from services.delivery.reckoning import Reckoned
from services.delivery.sheet import Sheet
from services.delivery.spans import Span

LEVELS: Final = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


def levels(sheet: Sheet, found: Reckoned) -> NDArray[np.int64]:
    """How well each is known: places in `LEVELS`.

    Best where the food is on its way and its position new; worst where a position is old, or
    where nobody has it to bring yet and the house has learned little.
    """
    seen = ~np.isnan(found.fix_at) & ~found.stale
    there = ~np.isnan(sheet.times["arrived_at"])
    well = sheet.in_bag & (seen | there)
    somewhat = ~found.stale & ((seen & found.food_known) | sheet.sure)
    return np.asarray(np.where(well, 2, np.where(somewhat, 1, 0)), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Beside:
    """What is said beside the times, and was reckoned once for all orders.

    Attributes:
        routed: whether a routing engine said how long the ride takes.
        level: how well it is known: places in `LEVELS`.
    """

    routed: NDArray[np.bool_]
    level: NDArray[np.int64]


def beside(sheet: Sheet, found: Reckoned, routed: NDArray[np.bool_]) -> Beside:
    """Reckon it."""
    return Beside(routed, levels(sheet, found))


def shown(sheet: Sheet, found: Reckoned, beside: Beside) -> NDArray[np.int64]:
    """All that is shown beside the times, as one number each: told at once when it changes."""
    flags = found.late + 2 * found.stale + 4 * beside.routed + 8 * beside.level
    places = sheet.stops_before.astype(np.int64) * 16 + sheet.status
    return np.asarray(places * 32 + flags, dtype=np.int64)


def state(sheet: Sheet, found: Reckoned, beside: Beside, now: datetime, i: int) -> EtaState:
    """One of them as a message.

    Args:
        sheet: the orders.
        found: what was reckoned of them.
        beside: what is said beside that.
        now: when it was reckoned.
        i: which.
    """
    return EtaState.model_construct(
        order_id=sheet.keys[i][1],
        p50_at=_time(found.p50_at[i]),
        p90_at=_time(found.p90_at[i]),
        as_of=now,
        fix_at=None if np.isnan(found.fix_at[i]) else _time(found.fix_at[i], digits=3),
        stale=bool(found.stale[i]),
        confidence=LEVELS[int(beside.level[i])],
        promised_at=_time_or_none(sheet.times["promised_at"][i]),
        late=bool(found.late[i]),
        stops_before=int(sheet.stops_before[i] + sheet.doors_first[i]),
        reasons=tuple(_reasons(sheet, found, i, routed=bool(beside.routed[i]))),
    )


def _reasons(sheet: Sheet, found: Reckoned, i: int, *, routed: bool) -> Iterator[EtaReason]:
    parts = found.parts
    if parts.ready.p90_s[i] > 0:
        said = "the kitchen says" if found.food_known[i] else "as long as it mostly takes"
        yield _reason(EtaPart.COOKING, parts.ready, i, said)
    if parts.courier.p90_s[i] > max(0.0, float(parts.ready.p90_s[i])):
        yield _reason(EtaPart.COURIER, parts.courier, i, _courier(sheet, found, i))
    if parts.hand_over.p90_s[i] > 0:
        yield _reason(EtaPart.HAND_OVER, parts.hand_over, i, "")
    if parts.stops_before.p90_s[i] > 0:
        doors = int(sheet.stops_before[i])
        yield _reason(EtaPart.STOPS_BEFORE, parts.stops_before, i, _doors(doors))
    if parts.ride.p90_s[i] > 0:
        how = "as far as the router's way" if routed else "in a straight line"
        yield _reason(EtaPart.RIDE, parts.ride, i, f"{found.way_m[i] / 1000:.1f} km {how}")
    yield _reason(EtaPart.DOOR, parts.door, i, "")


def _courier(sheet: Sheet, found: Reckoned, i: int) -> str:
    if sheet.vehicles[i] is None:
        return "nobody is to bring it yet"
    doors = int(sheet.doors_first[i])
    before = f"{_doors(doors)} first, " if doors else ""
    if np.isnan(found.to_first_m[i]):
        return before + "nobody knows where the courier is"
    away = found.to_first_m[i] + sheet.after_m[i]
    return f"{before}{away / 1000:.1f} km away"


def _doors(count: int) -> str:
    return "one other door" if count == 1 else f"{count} other doors"


def _reason(part: EtaPart, span: Span, i: int, text: str) -> EtaReason:
    p50, p90 = (max(0.0, round(float(each[i]), 1)) for each in (span.p50_s, span.p90_s))
    return EtaReason.model_construct(part=part, p50_s=p50, p90_s=p90, text=text)


def _time(at: float, digits: int = 0) -> datetime:
    return datetime.fromtimestamp(round(float(at), digits), UTC)


def _time_or_none(at: float) -> datetime | None:
    return None if np.isnan(at) else _time(at)
