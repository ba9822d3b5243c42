"""What time brings to those who were asked: no answer, no sign of life, no food; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.deliveries import DeliveryStatus
from schemas.message import Request
from services.delivery.dispatching.inside import AskAgain, Seen, TakeBack
from services.delivery.dispatching.situating import HouseNow, Stop

_COMING = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.AT_RESTAURANT})


class _Loss(NamedTuple):
    """Why a courier loses something; see `TakeBack`."""

    courier: str
    declined: bool
    why: str


def due(houses: Sequence[HouseNow], now_s: float) -> list[tuple[str, Request]]:
    """What is to be asked of whom now: of each house, with its name.

    What one courier loses for one reason, they lose together: so it can go together with another.
    """
    seen_s: dict[str, float] = {}
    for house in houses:
        for courier in house.couriers:
            before = seen_s.get(courier.courier, -math.inf)
            seen_s[courier.courier] = max(before, courier.seen_s)
    found: list[tuple[str, Request]] = []
    for house in houses:
        if not house.rules.automatic:
            continue
        lost: dict[_Loss, list[Seen]] = {}
        for stop in house.stops:
            seen = Seen(order_id=stop.order_id, version=stop.version)
            if stop.status is DeliveryStatus.WAITING:
                long_ago = now_s - stop.declined_s >= house.rules.ask_again_s
                if long_ago and _all_declined(house, stop, seen_s, now_s):
                    found.append((house.tenant, AskAgain(seen=seen)))
            elif (loss := _loss(house, stop, seen_s, now_s)) is not None:
                lost.setdefault(loss, []).append(seen)
        found += [
            (house.tenant, TakeBack(orders=tuple(orders), **loss._asdict()))
            for loss, orders in lost.items()
        ]
    return found


def next_s(houses: Sequence[HouseNow], now_s: float) -> float:
    """When the next of it is due by time alone; infinite where nothing waits for an answer."""
    answers = [
        stop.assigned_s + house.rules.answer_within_s
        for house in houses
        for stop in house.stops
        if stop.status is DeliveryStatus.ASSIGNED
    ]
    return min((at for at in answers if at > now_s), default=math.inf)


def _loss(house: HouseNow, stop: Stop, seen_s: Mapping[str, float], now_s: float) -> _Loss | None:
    """Why a courier is not to bring an order after all; None where they are."""
    if stop.courier is None:
        return None
    if stop.status is DeliveryStatus.ASSIGNED:
        patience = house.rules.answer_within_s
        if now_s - stop.assigned_s < patience:
            return None
        return _Loss(stop.courier, declined=True, why=f"no answer within {_span(patience)}")
    if stop.status not in _COMING:
        return None
    why = _lost(house, stop, seen_s, now_s) or _in_vain(house, stop, now_s)
    return None if why is None else _Loss(stop.courier, declined=False, why=why)


def _lost(house: HouseNow, stop: Stop, seen_s: Mapping[str, float], now_s: float) -> str | None:
    """Why nobody counts on a courier any more."""
    silent = now_s - seen_s.get(stop.courier or "", -math.inf)
    if not math.isfinite(silent) and not stop.by_hand:
        # They were seen when they were asked: they carry another tracker now.
        silent = now_s - stop.assigned_s
    if not math.isfinite(silent) or silent < house.rules.lost_after_s:
        return None
    return f"{stop.courier} was not seen for {_span(silent)}"


def _in_vain(house: HouseNow, stop: Stop, now_s: float) -> str | None:
    """Why a courier does not wait for the food; whom a person wants to wait, waits."""
    if stop.by_hand or stop.pinned == stop.courier:
        return None
    patience = house.rules.let_go_after_s
    wait = stop.ready_p50_s - now_s
    if wait >= patience:
        return f"the kitchen needs {_span(wait)} more: {stop.courier} does not wait for it"
    if math.isnan(wait) and now_s - stop.assigned_s >= patience:
        return f"the kitchen does not say when it has it: {stop.courier} does not wait for it"
    return None


def _all_declined(house: HouseNow, stop: Stop, seen_s: Mapping[str, float], now_s: float) -> bool:
    """Whether all who could be asked have declined it: not who is lost, or has gone home."""
    since = now_s - house.rules.lost_after_s
    may = {
        each.courier
        for each in house.couriers
        if each.on_duty and each.until_s > now_s and seen_s[each.courier] > since
    }
    if stop.pinned is not None:
        may &= {stop.pinned}
    return bool(may) and may <= set(stop.declined_by)


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes >= 2 else f"{round(seconds)} s"
