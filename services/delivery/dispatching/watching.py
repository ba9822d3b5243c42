"""What time brings: whom to ask now; and to those who were asked no answer, no food; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.deliveries import DeliveryStatus
from schemas.message import Request
from services.delivery.dispatching.inside import AskAgain, Seen, TakeBack
from services.delivery.dispatching.situating import HouseNow, Stop, lost_after_s
from services.dispatch.situation import Trip

_COMING = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.AT_RESTAURANT})
_AWAY = frozenset({DeliveryStatus.EN_ROUTE, DeliveryStatus.NEAR, DeliveryStatus.ARRIVED})


_ASK_AGAIN_S: Final = 180.0
"""Nobody is asked again sooner: managers have to be told first."""


_FAR_OFF: Final = 0.75
"""Nobody is asked for food that takes longer than this part of what they would be let wait."""


class _Loss(NamedTuple):
    """Why a courier loses something; see `TakeBack`."""

    courier: str
    declined: bool
    why: str


def ask_at(trip: Trip, house: HouseNow, stops: Mapping[str, Stop]) -> float:
    """From when on a courier is asked for a trip, by the rules of its house; seconds since 1970.

    A little before they have to leave; and not while its food takes nearly so long still that
    nobody would be let wait for it.
    """
    ready = max(stops[name].ready_p50_s for name in trip.orders)
    far_off = ready - _FAR_OFF * house.rules.let_go_after_s
    return max(trip.leave_s - house.rules.ask_ahead_s, far_off)


@dataclass(slots=True)
class Since:
    """Since when some things have been so, that no row says; all of it may be forgotten.

    Attributes:
        unseen: couriers of whose tracker nothing was ever heard, by their names.
        held: orders of which their kitchen does not say when it has them, by the plan's names.
    """

    unseen: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)

    def look(self, houses: Sequence[HouseNow], now_s: float) -> None:
        """Remember what is so now, and since when."""
        unseen = [name for name, at in _seen(houses).items() if not math.isfinite(at)]
        held = [s.name for house in houses for s in house.stops if math.isnan(s.ready_p50_s)]
        self.unseen = {name: self.unseen.get(name, now_s) for name in unseen}
        self.held = {name: self.held.get(name, now_s) for name in held}


def _seen(houses: Sequence[HouseNow]) -> dict[str, float]:
    """When each courier was seen last, in whatever house."""
    found: dict[str, float] = {}
    for house in houses:
        for each in house.couriers:
            found[each.courier] = max(found.get(each.courier, -math.inf), each.seen_s)
    return found


def due(houses: Sequence[HouseNow], now_s: float, since: Since) -> list[tuple[str, Request]]:
    """What is to be asked of whom now: of each house, with its name.

    What one courier loses for one reason, they lose together: so it can go together with another.
    """
    seen_s = _seen(houses)
    found: list[tuple[str, Request]] = []
    for house in houses:
        if not house.rules.automatic:
            continue
        lost: dict[_Loss, list[Seen]] = {}
        for stop in house.stops:
            seen = Seen(order_id=stop.order_id, version=stop.version)
            if stop.status is DeliveryStatus.WAITING:
                again_s = max(float(house.rules.ask_again_s), _ASK_AGAIN_S)
                long_ago = now_s - stop.declined_s >= again_s
                if long_ago and _all_declined(house, stop, seen_s, now_s):
                    found.append((house.tenant, AskAgain(seen=seen)))
            elif (loss := _loss(house, stop, seen_s, now_s, since)) is not None:
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


def unanswered(house: HouseNow, stop: Stop, now_s: float) -> bool:
    """Whether the courier who was asked has had the time to answer."""
    asked = stop.status is DeliveryStatus.ASSIGNED
    return asked and now_s - stop.assigned_s >= house.rules.answer_within_s


def _loss(
    house: HouseNow, stop: Stop, seen_s: Mapping[str, float], now_s: float, since: Since
) -> _Loss | None:
    """Why a courier is not to bring an order after all; None where they are."""
    if stop.courier is None:
        return None
    if stop.status is DeliveryStatus.ASSIGNED:
        # Whom a person asked, only a person gives up: managers are told.
        if stop.by_hand or not unanswered(house, stop, now_s):
            return None
        patience = house.rules.answer_within_s
        return _Loss(stop.courier, declined=True, why=f"no answer within {_span(patience)}")
    if stop.status not in _COMING:
        return None
    why = _lost(house, stop, seen_s, now_s, since) or _in_vain(house, stop, now_s, since)
    why = why or _left_behind(house, stop)
    return None if why is None else _Loss(stop.courier, declined=False, why=why)


def _lost(
    house: HouseNow, stop: Stop, seen_s: Mapping[str, float], now_s: float, since: Since
) -> str | None:
    """Why nobody counts on a courier any more."""
    silent = now_s - seen_s.get(stop.courier or "", -math.inf)
    if not math.isfinite(silent) and not stop.by_hand:
        # They were seen when they were asked: they carry another tracker now.
        silent = now_s - since.unseen.get(stop.courier or "", now_s)
    if not math.isfinite(silent) or silent < lost_after_s(house.rules):
        return None
    return f"{stop.courier} was not seen for {_span(silent)}"


def _in_vain(house: HouseNow, stop: Stop, now_s: float, since: Since) -> str | None:
    """Why a courier does not wait for the food; whom a person wants to wait, waits."""
    if stop.by_hand or stop.pinned == stop.courier:
        return None
    patience = house.rules.let_go_after_s
    wait = stop.ready_p50_s - now_s
    if wait >= patience:
        return f"the kitchen needs {_span(wait)} more: {stop.courier} does not wait for it"
    if now_s - since.held.get(stop.name, now_s) >= patience:
        return f"the kitchen does not say when it has it: {stop.courier} does not wait for it"
    return None


def _left_behind(house: HouseNow, stop: Stop) -> str | None:
    """Why a courier comes back for food too late: they set out with the rest of the same trip."""
    if stop.by_hand or stop.pinned == stop.courier:
        return None
    of_one_trip = (stop.courier, stop.assigned_s)
    for other in house.stops:
        if (other.courier, other.assigned_s) == of_one_trip and other.status in _AWAY:
            return f"{stop.courier} set out without it"
    return None


def _all_declined(house: HouseNow, stop: Stop, seen_s: Mapping[str, float], now_s: float) -> bool:
    """Whether all who could be asked have declined it: not who is lost, or has gone home."""
    late_s = now_s - lost_after_s(house.rules)
    may = {
        each.courier
        for each in house.couriers
        if each.on_duty and each.until_s > now_s and seen_s[each.courier] > late_s
    }
    if stop.pinned is not None:
        may &= {stop.pinned}
    return bool(may) and may <= set(stop.declined_by)


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes >= 2 else f"{round(seconds)} s"
