"""What time brings to those who were asked: no answer, no sign of life, no food; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from schemas.deliveries import DeliveryStatus
from schemas.message import Request
from services.delivery.dispatching.inside import AskAgain, Seen, TakeBack
from services.delivery.dispatching.situating import HouseNow, Stop

_COMING = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.AT_RESTAURANT})


def due(houses: Sequence[HouseNow], now_s: float) -> list[tuple[str, Request]]:
    """What is to be asked of whom now: of each house, with its name."""
    seen_s: dict[str, float] = {}
    for house in houses:
        for courier in house.couriers:
            before = seen_s.get(courier.courier, -math.inf)
            seen_s[courier.courier] = max(before, courier.seen_s)
    return [
        (house.tenant, request)
        for house in houses
        for stop in house.stops
        for request in _due(house, stop, seen_s, now_s)
    ]


def next_s(houses: Sequence[HouseNow], now_s: float) -> float:
    """When the next of it is due by time alone; infinite where nothing waits for an answer."""
    answers = [
        stop.assigned_s + house.rules.answer_within_s
        for house in houses
        for stop in house.stops
        if stop.status is DeliveryStatus.ASSIGNED
    ]
    return min((at for at in answers if at > now_s), default=math.inf)


def _due(house: HouseNow, stop: Stop, seen_s: dict[str, float], now_s: float) -> Iterator[Request]:
    rules = house.rules
    seen = Seen(order_id=stop.order_id, version=stop.version)
    if stop.status is DeliveryStatus.WAITING:
        if (
            _all_declined(house, stop, seen_s, now_s)
            and now_s - stop.declined_s >= rules.ask_again_s
        ):
            yield AskAgain(seen=seen)
        return
    courier = stop.courier
    if courier is None:
        return
    if stop.status is DeliveryStatus.ASSIGNED:
        if now_s - stop.assigned_s >= rules.answer_within_s:
            why = f"{courier} did not answer within {_span(rules.answer_within_s)}"
            yield TakeBack(seen=seen, courier=courier, declined=True, why=why)
        return
    if stop.status not in _COMING:
        return
    silent = now_s - seen_s.get(courier, -math.inf)
    wait = stop.ready_p50_s - now_s
    if math.isfinite(silent) and silent >= rules.lost_after_s:
        why = f"{courier} was not seen for {_span(silent)}"
        yield TakeBack(seen=seen, courier=courier, declined=False, why=why)
    elif wait >= rules.let_go_after_s:
        why = f"the kitchen needs {_span(wait)} more: {courier} does not wait for it"
        yield TakeBack(seen=seen, courier=courier, declined=False, why=why)


def _all_declined(house: HouseNow, stop: Stop, seen_s: dict[str, float], now_s: float) -> bool:
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
