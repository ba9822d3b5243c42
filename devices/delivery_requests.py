"""What is asked of deliveries and couriers, by whoever may."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from devices.client import DeviceClient
from devices.pending import Pending
from devices.quote_requests import QuoteRequests
from schemas.deliveries import Courier, Proof
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    CompleteDelivery,
    DeclineDelivery,
    FailDelivery,
    PinDelivery,
    PlaceDelivery,
    PutCourier,
    ReadCouriers,
    ReadDeliveries,
    RemoveCourier,
    ReturnDelivery,
    SequenceStops,
    SetDuty,
    ShareDelivery,
    StepDelivery,
    UnassignDelivery,
)
from schemas.positions import Place
from schemas.replies import (
    CourierPage,
    CourierReceipt,
    DeliveryLink,
    DeliveryPage,
    DeliveryReceipt,
)

_QUESTION_S: Final = 10.0
"""How long an answer may take; a question is not kept, and asked again costs nothing."""


class DeliveryRequests(DeviceClient):
    """A device at which somebody says how deliveries go.

    Requests are written to the outbox and return at once, offline too; the handle says what
    became of them. `at` is when something happened: a phone in a tunnel tells of it later.
    `request_id` is a UUIDv7 of the caller's; the same one again gives the same answer.

    Asking raises pydantic's ValidationError (a ValueError) where the request itself is wrong,
    and RuntimeError once the device is closed.
    """

    # -- what a courier says ------------------------------------------------------------

    def accept_delivery(
        self, order_id: UUID, *, at: datetime | None = None, request_id: UUID | None = None
    ) -> Pending[DeliveryReceipt]:
        """The courier will bring it."""
        return self._request(AcceptDelivery(order_id=order_id, at=at), request_id)

    def decline_delivery(
        self, order_id: UUID, reason: str | None = None, *, request_id: UUID | None = None
    ) -> Pending[DeliveryReceipt]:
        """The courier will not."""
        return self._request(DeclineDelivery(order_id=order_id, reason=reason), request_id)

    def step_delivery(
        self,
        order_id: UUID,
        step: ByHand,
        *,
        at: datetime | None = None,
        request_id: UUID | None = None,
    ) -> Pending[DeliveryReceipt]:
        """The courier is so far: at the restaurant, picked up, on the way, near, at the door."""
        return self._request(StepDelivery(order_id=order_id, step=step, at=at), request_id)

    def complete_delivery(
        self,
        order_id: UUID,
        *,
        code: str | None = None,
        proof: Proof | None = None,
        at: datetime | None = None,
        request_id: UUID | None = None,
    ) -> Pending[DeliveryReceipt]:
        """The guest has it."""
        request = CompleteDelivery(order_id=order_id, code=code, proof=proof, at=at)
        return self._request(request, request_id)

    def fail_delivery(
        self,
        order_id: UUID,
        reason: str,
        *,
        at: datetime | None = None,
        request_id: UUID | None = None,
    ) -> Pending[DeliveryReceipt]:
        """Nobody took it."""
        return self._request(FailDelivery(order_id=order_id, reason=reason, at=at), request_id)

    def return_delivery(
        self, order_id: UUID, *, at: datetime | None = None, request_id: UUID | None = None
    ) -> Pending[DeliveryReceipt]:
        """What failed is back in the house."""
        return self._request(ReturnDelivery(order_id=order_id, at=at), request_id)

    def sequence_stops(
        self, courier: str, stops: Iterable[UUID], *, request_id: UUID | None = None
    ) -> Pending[CourierReceipt]:
        """Bring all that the courier has in this sequence."""
        return self._request(SequenceStops(courier=courier, stops=tuple(stops)), request_id)

    def set_duty(
        self,
        courier: str,
        *,
        on_duty: bool,
        until: datetime | None = None,
        request_id: UUID | None = None,
    ) -> Pending[CourierReceipt]:
        """The dispatcher may ask them from now on, until their shift ends, or not any more."""
        request = SetDuty(courier=courier, on_duty=on_duty, until=until)
        return self._request(request, request_id)

    # -- what the house says ------------------------------------------------------------

    def put_courier(
        self, courier: Courier, *, request_id: UUID | None = None
    ) -> Pending[CourierReceipt]:
        """A courier is there, or is another than before."""
        return self._request(PutCourier(courier=courier), request_id)

    def remove_courier(
        self, courier: str, *, request_id: UUID | None = None
    ) -> Pending[CourierReceipt]:
        """A courier is gone."""
        return self._request(RemoveCourier(courier=courier), request_id)

    def place_delivery(
        self,
        order_id: UUID,
        place: Place,
        *,
        address: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[DeliveryReceipt]:
        """Where the door is of an order that named none, or another; its promise stands."""
        request = PlaceDelivery(order_id=order_id, place=place, address=address)
        return self._request(request, request_id)

    def assign_delivery(
        self,
        order_id: UUID,
        courier: str,
        *,
        stop: int | None = None,
        request_id: UUID | None = None,
    ) -> Pending[DeliveryReceipt]:
        """A courier is to bring it, or what came back once more; without a stop, last."""
        request = AssignDelivery(order_id=order_id, courier=courier, stop=stop)
        return self._request(request, request_id)

    def unassign_delivery(
        self, order_id: UUID, *, request_id: UUID | None = None
    ) -> Pending[DeliveryReceipt]:
        """It waits for another courier."""
        return self._request(UnassignDelivery(order_id=order_id), request_id)

    def pin_delivery(
        self, order_id: UUID, courier: str | None, *, request_id: UUID | None = None
    ) -> Pending[DeliveryReceipt]:
        """The dispatcher may ask this courier alone; with None, whoever is best."""
        return self._request(PinDelivery(order_id=order_id, courier=courier), request_id)

    # -- questions ----------------------------------------------------------------------

    def read_deliveries(
        self,
        *,
        order_id: UUID | None = None,
        courier: str | None = None,
        after: UUID | None = None,
    ) -> Pending[DeliveryPage]:
        """Open deliveries, page by page; a tracker reads its courier's."""
        query = ReadDeliveries(order_id=order_id, courier=courier, after=after)
        return self._ask(query, expires_s=_QUESTION_S)

    def read_couriers(self) -> Pending[CourierPage]:
        """All couriers."""
        return self._ask(ReadCouriers(), expires_s=_QUESTION_S)

    def share_delivery(self, order_id: UUID) -> Pending[DeliveryLink]:
        """The guest's link."""
        return self._ask(ShareDelivery(order_id=order_id), expires_s=_QUESTION_S)


class Dispatcher(DeliveryRequests, QuoteRequests):
    """A till or a manager's screen at which somebody says who brings what."""
