"""Deliveries: who brings an order to its guest, and where that stands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Event, Part, State
from schemas.positions import Place, TravelMode
from schemas.text import Line64, Line120, Remark

MAX_STOPS: Final = 20
"""Of one courier at a time."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    """Nobody is to bring it yet."""
    ASSIGNED = "assigned"
    """A courier was asked."""
    ACCEPTED = "accepted"
    AT_RESTAURANT = "at-restaurant"
    PICKED_UP = "picked-up"
    EN_ROUTE = "en-route"
    NEAR = "near"
    ARRIVED = "arrived"
    """At the guest's door."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Nobody took it; the courier has it still."""
    RETURNED = "returned"
    """Back in the house, and over; somebody may be asked to bring it once more."""
    CANCELLED = "cancelled"


class DeliveryStep(StrEnum):
    """What moves a delivery on."""

    ASSIGN = "assign"
    UNASSIGN = "unassign"
    ACCEPT = "accept"
    DECLINE = "decline"
    REACH_RESTAURANT = "reach-restaurant"
    PICK_UP = "pick-up"
    SET_OUT = "set-out"
    APPROACH = "approach"
    ARRIVE = "arrive"
    DELIVER = "deliver"
    FAIL = "fail"
    RETURN = "return"
    CANCEL = "cancel"


def _from(
    *statuses: DeliveryStatus, by: DeliveryStep, to: DeliveryStatus
) -> dict[tuple[DeliveryStatus, DeliveryStep], DeliveryStatus]:
    return {(status, by): to for status in statuses}


_S: Final = DeliveryStatus
_BEFORE: Final = (_S.ASSIGNED, _S.ACCEPTED, _S.AT_RESTAURANT)
_ON_THE_WAY: Final = (_S.PICKED_UP, _S.EN_ROUTE, _S.NEAR, _S.ARRIVED)

DELIVERY_STEPS: Final[dict[tuple[DeliveryStatus, DeliveryStep], DeliveryStatus]] = {
    **_from(_S.WAITING, _S.RETURNED, by=DeliveryStep.ASSIGN, to=_S.ASSIGNED),
    **_from(*_BEFORE, by=DeliveryStep.UNASSIGN, to=_S.WAITING),
    **_from(_S.ASSIGNED, by=DeliveryStep.ACCEPT, to=_S.ACCEPTED),
    **_from(_S.ASSIGNED, by=DeliveryStep.DECLINE, to=_S.WAITING),
    **_from(_S.ACCEPTED, by=DeliveryStep.REACH_RESTAURANT, to=_S.AT_RESTAURANT),
    **_from(_S.ACCEPTED, _S.AT_RESTAURANT, by=DeliveryStep.PICK_UP, to=_S.PICKED_UP),
    **_from(_S.PICKED_UP, by=DeliveryStep.SET_OUT, to=_S.EN_ROUTE),
    **_from(_S.PICKED_UP, _S.EN_ROUTE, by=DeliveryStep.APPROACH, to=_S.NEAR),
    **_from(_S.PICKED_UP, _S.EN_ROUTE, _S.NEAR, by=DeliveryStep.ARRIVE, to=_S.ARRIVED),
    **_from(*_ON_THE_WAY, by=DeliveryStep.DELIVER, to=_S.DELIVERED),
    **_from(*_ON_THE_WAY, by=DeliveryStep.FAIL, to=_S.FAILED),
    **_from(_S.FAILED, by=DeliveryStep.RETURN, to=_S.RETURNED),
    **_from(_S.FAILED, by=DeliveryStep.SET_OUT, to=_S.EN_ROUTE),
    **_from(_S.WAITING, *_BEFORE, by=DeliveryStep.CANCEL, to=_S.CANCELLED),
}
"""The delivery's state machine. What is not in this table cannot happen.

Who has failed at a door may set out for it once more, or bring the food back; what is back has
ended, and begins anew when somebody is asked to bring it again. A phone without satellites misses
steps: what a courier does by hand may go past those that find themselves.
"""

OPEN_DELIVERY: Final = frozenset(
    {_S.WAITING, *_BEFORE, *_ON_THE_WAY, _S.FAILED},
)
WITH_COURIER: Final = frozenset({*_BEFORE, *_ON_THE_WAY, _S.FAILED})
"""A courier has it to do."""
IN_THE_BAG: Final = frozenset({*_ON_THE_WAY, _S.FAILED})
"""The food is with the courier."""
ON_ITS_WAY: Final = frozenset(_ON_THE_WAY)
"""The courier brings it to its door; who has failed there goes back with it, or says that they
set out once more."""


class ProofKind(StrEnum):
    """By what it is shown that the guest has it."""

    CODE = "code"
    """The guest said the code that their page shows."""
    PHOTO = "photo"
    """A picture is kept elsewhere, under the reference."""
    SIGNATURE = "signature"
    NOTHING = "nothing"


class Proof(Part):
    """What shows that a guest has it."""

    kind: ProofKind
    reference: Line120 = ""
    """Where the picture or the signature is kept."""


class Courier(Part):
    """Who brings orders."""

    courier: Slug
    name: Annotated[Line120, Field(min_length=1)]
    device: Slug
    """The tracker that they carry: where it is, they are."""
    mode: TravelMode = TravelMode.BICYCLE
    carries: Annotated[int, Field(ge=1, le=MAX_STOPS)] = 4
    """So many orders at once, where the dispatcher gives them out."""


class CourierState(
    State, type="heard.courier.state.v1", topic="couriers/{courier_id}", about="courier_id"
):
    """A courier, and what they have to do: retained."""

    courier_id: Slug
    courier: Courier
    stops: tuple[UUID, ...] = ()
    """The orders that they have to bring, in this sequence."""
    on_duty: bool = True
    """Whether the dispatcher may ask them."""
    until: AwareDatetime | None = None
    """When their shift ends: after this they pick up nothing; None is until they say."""


class Delivery(Part):
    """How one order comes to its guest."""

    order_id: UUID
    number: str
    """The order's, for people."""
    status: DeliveryStatus
    version: Annotated[int, Field(ge=1)]
    place: Place
    """The guest's door."""
    courier: Slug | None = None
    device: Slug | None = None
    """The courier's tracker."""
    stop: Annotated[int, Field(ge=1)] | None = None
    """Which of the courier's stops it is, counted from one."""
    declined_by: tuple[Slug, ...] = ()
    """Who will not, did not answer, or had it taken from them; the dispatcher asks them last."""
    pinned: Slug | None = None
    """The courier whom alone the dispatcher may ask; None for any."""
    why: Line120 | None = None
    """Why this courier, in the dispatcher's words; None where somebody said so."""
    placed_at: AwareDatetime
    due_at: AwareDatetime | None = None
    promised_at: AwareDatetime | None = None
    """What the guest was told when it was placed: by then, nine times of ten."""
    assigned_at: AwareDatetime | None = None
    accepted_at: AwareDatetime | None = None
    at_restaurant_at: AwareDatetime | None = None
    picked_up_at: AwareDatetime | None = None
    set_out_at: AwareDatetime | None = None
    arrived_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    proof: Proof | None = None
    reason: Line120 | None = None
    """Why it failed, or was cancelled."""


class DeliveryState(
    State, type="heard.delivery.state.v1", topic="deliveries/{order_id}", about="order_id"
):
    """An open delivery: retained, and cleared when it ends."""

    order_id: UUID
    delivery: Delivery


class DeliveryChanged(
    Event, type="heard.delivery.changed.v1", topic="delivery/changed", about="order_id"
):
    """A delivery moved on; it comes whole."""

    order_id: UUID
    step: DeliveryStep | None = None
    """None where its stop or its place changed, and not its status."""
    delivery: Delivery


class RunStop(Part):
    """One stop, as the courier's own screen shows it."""

    order_id: UUID
    number: Line64
    status: DeliveryStatus
    stop: Annotated[int, Field(ge=1)]
    place: Place
    address: Remark = ""
    guest: Line120 = ""
    phone: Line64 = ""
    needs_code: bool = False


class CourierRun(State, type="heard.courier.run.v1", topic="delivery/{device}/run"):
    """What the courier with this tracker has to do: retained for that device alone."""

    device: Slug
    courier: Slug
    stops: Annotated[tuple[RunStop, ...], Field(max_length=MAX_STOPS)]
