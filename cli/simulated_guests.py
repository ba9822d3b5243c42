"""Guests in a simulation who look at their link, and hold what it shows against what it may."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final
from uuid import UUID

import httpx
from pydantic import ValidationError

from devices.pending import Rejected, Unanswered
from schemas.deliveries import IN_THE_BAG, Delivery
from schemas.delivery_rules import DeliveryRules
from schemas.guest_tracking import GuestTracking

_EVERY_S: Final = 0.25
_ANSWER_S: Final = 10.0


class LinkGuests(threading.Thread):
    """Every open order's guest, looking again and again.

    Args:
        url: where the gateway answers.
        open_now: the open deliveries, as the desk sees them.
        share: gives an order's link, below the gateway's address.
        rules: what the house shows.
    """

    def __init__(
        self,
        url: str,
        open_now: Callable[[], dict[UUID, Delivery]],
        share: Callable[[UUID], str],
        rules: DeliveryRules,
    ) -> None:
        super().__init__(name="guests", daemon=True)
        self.looks = 0
        self.with_courier = 0
        """How often a courier was shown."""
        self.exact = 0
        self.wrong: Final[list[str]] = []
        self._url = url.rstrip("/")
        self._open_now = open_now
        self._share = share
        self._rules = rules
        self._links: dict[UUID, str] = {}
        self._doors: dict[UUID, Delivery] = {}
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look until stopped; in the end at all that was delivered, too."""
        with httpx.Client(timeout=_ANSWER_S) as client:
            while not self._stopped.wait(_EVERY_S):
                for order_id, delivery in self._open_now().items():
                    self._look(client, order_id, delivery)
            for order_id in self._links:
                self._look_after(client, order_id)

    def stop(self) -> None:
        """End, after a last look."""
        self._stopped.set()
        self.join()

    def _look(self, client: httpx.Client, order_id: UUID, before: Delivery) -> None:
        self._doors[order_id] = before
        if order_id not in self._links:
            try:
                self._links[order_id] = self._share(order_id)
            except (Unanswered, Rejected, TimeoutError):
                return  # it is just over, or nobody answers at the moment
        shown = self._shown(client, order_id)
        after = self._open_now().get(order_id)
        if shown is None or after is None:
            return
        self.looks += 1
        if shown.courier is None:
            return
        self.with_courier += 1
        if before.status not in IN_THE_BAG and after.status not in IN_THE_BAG:
            self._note(order_id, "shows a courier who does not have the food")
        if after.picked_up_at is not None and shown.courier.at < after.picked_up_at:
            self._note(order_id, "shows where a courier was before they had the food")
        if shown.door is not None and shown.door != before.place:
            self._note(order_id, "shows another's door")
        coarse = shown.courier.within_m >= self._rules.coarse_m
        self.exact += not coarse
        if not coarse and not shown.next_is_yours:
            self._note(order_id, "shows exactly where a courier is who goes to others first")
        others = (each for other, each in self._doors.items() if other != order_id)
        alone = all(each.courier != after.courier for each in others)
        if coarse and shown.next_is_yours and alone:
            self._note(order_id, "rounds where the courier is who comes next")

    def _look_after(self, client: httpx.Client, order_id: UUID) -> None:
        """Nothing of the courier is left when it is over."""
        shown = self._shown(client, order_id)
        if shown is None:
            self._note(order_id, "shows nothing any more, though its time is not up")
        elif order_id not in self._open_now() and (shown.courier or shown.code):
            self._note(order_id, "shows a courier after its end")

    def _shown(self, client: httpx.Client, order_id: UUID) -> GuestTracking | None:
        answer = client.get(f"{self._url}{self._links[order_id]}/view")
        if answer.status_code != httpx.codes.OK:
            return None
        for other, delivery in self._doors.items():
            told = (str(other), delivery.number, str(delivery.place.lat), str(delivery.place.lon))
            if other != order_id and any(each in answer.text for each in told):
                self._note(order_id, f"says something of {delivery.number}")
        unknown = answer.json().keys() - GuestTracking.model_fields.keys()
        if unknown:
            self._note(order_id, f"says more than it should: {sorted(unknown)}")
        try:
            return GuestTracking.model_validate_json(answer.content)
        except ValidationError as error:
            self._note(order_id, f"cannot be read: {error.error_count()} faults")
            return None

    def _note(self, order_id: UUID, what: str) -> None:
        self.wrong.append(f"the link of {self._doors[order_id].number} {what}")
