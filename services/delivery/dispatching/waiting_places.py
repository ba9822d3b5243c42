"""Where couriers with nothing to do are told to wait, as a fleet stands; and who was told what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from schemas.deliveries import DeliveryStatus
from schemas.dispatch import WaitingPlace
from schemas.positions import Place
from services.delivery.dispatching.showing import LONGEST_WHY
from services.delivery.dispatching.situating import HouseNow
from services.dispatch.board import usable_couriers
from services.dispatch.prepositioning import Expected, Sent, preposition
from services.dispatch.situation import Plan, Situation, Travel
from services.runtime.context import Outgoing, clearing, outgoing

Towards = Mapping[str, str]
"""To which house each courier was sent."""
NOWHERE: Final[Towards] = MappingProxyType({})


def waits_of(
    houses: Sequence[HouseNow],
    situation: Situation,
    plan: Plan,
    travel: Travel,
    towards: Towards,
    *,
    position_old_s: float,
) -> list[Sent]:
    """Who of a fleet should go and wait where; pure.

    Args:
        houses: all that share it.
        situation: what was planned.
        plan: its plan: who is in it has something to do.
        travel: how long ways take.
        towards: who was sent where before.
        position_old_s: who was not seen for so long is told nothing.
    """
    asking = [each for each in houses if each.rules.automatic and each.rules.preposition]
    if not asking:
        return []
    busy = {route.courier for route in plan.routes} | {
        stop.courier
        for house in houses
        for stop in house.stops
        if stop.status is not DeliveryStatus.WAITING
    }
    idle = [each for each in usable_couriers(situation, position_old_s) if each.name not in busy]
    crews = {
        house.tenant: {each.courier for each in house.couriers if each.on_duty} for house in asking
    }
    expected = [Expected(house.tenant, house.place, house.hourly) for house in asking]
    return preposition(idle, expected, travel, crews=crews, towards=towards)


class WaitingPlaces:
    """Who was told to wait where. All of it may be forgotten: it is said anew, then."""

    def __init__(self) -> None:
        self._told: Final[dict[tuple[str, str], str]] = {}
        """Couriers, by the house and their tracker there."""

    def towards(self, houses: Collection[str]) -> dict[str, str]:
        """To which of these houses couriers were sent."""
        return {courier: house for (house, _), courier in self._told.items() if house in houses}

    def tell(
        self, houses: Sequence[HouseNow], sent: Iterable[Sent], now: datetime
    ) -> list[Outgoing]:
        """What has to be said now: to who is to wait elsewhere, and to who is not to any more."""
        trackers = {
            (house.tenant, each.courier): each.device
            for house in houses
            for each in house.couriers
            if each.device
        }
        messages: list[Outgoing] = []
        wanted: dict[tuple[str, str], str] = {}
        for each in sent:
            device = trackers.get((each.restaurant, each.courier))
            if device is None:  # whoever nobody can tell sees it on the house's screens
                continue
            key = each.restaurant, device
            wanted[key] = each.courier
            if self._told.get(key) != each.courier:
                messages.append(_told(each, device, now))
        ours = {house.tenant for house in houses}
        messages += self._clear({key for key in self._told if key[0] in ours} - wanted.keys())
        self._told.update(wanted)
        return messages

    def forget(self, houses: Collection[str]) -> list[Outgoing]:
        """These send nobody anywhere any more."""
        return self._clear({key for key in self._told if key[0] in houses})

    def begin(self) -> None:
        """Know nothing: the broker was put right."""
        self._told.clear()

    def _clear(self, over: Collection[tuple[str, str]]) -> list[Outgoing]:
        for key in over:
            del self._told[key]
        return [
            clearing(WaitingPlace, tenant=tenant, device=device) for tenant, device in sorted(over)
        ]


def _told(sent: Sent, device: str, now: datetime) -> Outgoing:
    state = WaitingPlace(
        device=device,
        courier=sent.courier,
        place=Place(lat=sent.place[0], lon=sent.place[1]),
        why=sent.why[:LONGEST_WHY],
    )
    return outgoing(state, tenant=sent.restaurant, now=now, device=device)
