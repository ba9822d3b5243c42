"""What is asked of deliveries and couriers, by the house and by the couriers themselves.

A courier's own device may do all that is to be done with what its courier has to bring. The
house (a till, a manager) may do everything; what a courier does by hand it may do for them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.deliveries import MAX_STOPS, Courier, DeliveryStep, Proof
from schemas.identifiers import Slug
from schemas.message import Query, Request
from schemas.orders import MAX_LINES, LineRequest
from schemas.positions import Place
from schemas.text import Line32, Line120, Remark

MAX_DELIVERY_PAGE: Final = 50
MOST_DISHES: Final = 10_000

Why = Annotated[Line120, Field(min_length=1)]
Happened = AwareDatetime | None
"""When it happened, by the sender's clock: a phone in a tunnel tells of it later. None is now;
what cannot be (the future, before the step that it follows) is taken for the nearest that can."""


class ByHand(StrEnum):
    """Steps that say nothing more than that they are done."""

    REACH_RESTAURANT = DeliveryStep.REACH_RESTAURANT.value
    PICK_UP = DeliveryStep.PICK_UP.value
    SET_OUT = DeliveryStep.SET_OUT.value
    APPROACH = DeliveryStep.APPROACH.value
    ARRIVE = DeliveryStep.ARRIVE.value


class PutCourier(Request, type="heard.courier.put.v1", topic="delivery/put-courier"):
    """A courier is there, or is another than before: the house's to say."""

    courier: Courier


class RemoveCourier(Request, type="heard.courier.remove.v1", topic="delivery/remove-courier"):
    """A courier is gone; who has something to bring cannot be removed."""

    courier: Slug


class PlaceDelivery(Request, type="heard.delivery.place.v1", topic="delivery/place"):
    """Where the door is of an order that named none, or another; it makes the delivery.

    The promise stands as it was given: the receipt says for when.
    """

    order_id: UUID
    place: Place
    address: Remark | None = None
    """The door in words, for the courier. Without, the order's own words stay, unless they are
    those of another door than this."""


class AssignDelivery(Request, type="heard.delivery.assign.v1", topic="delivery/assign"):
    """A courier is to bring it. One who has been asked already loses it to this one.

    What came back goes out once more with it, as long as its order is still to be brought.
    """

    order_id: UUID
    courier: Slug
    stop: Annotated[int, Field(ge=1, le=MAX_STOPS)] | None = None
    """Which of the courier's stops it becomes; None is the last."""


class UnassignDelivery(Request, type="heard.delivery.unassign.v1", topic="delivery/unassign"):
    """The courier is not to bring it after all; it waits for another."""

    order_id: UUID


class AcceptDelivery(Request, type="heard.delivery.accept.v1", topic="delivery/accept"):
    """The courier will bring it."""

    order_id: UUID
    at: Happened = None


class DeclineDelivery(Request, type="heard.delivery.decline.v1", topic="delivery/decline"):
    """The courier will not; it waits for another."""

    order_id: UUID
    reason: Why | None = None


class StepDelivery(Request, type="heard.delivery.step.v1", topic="delivery/step"):
    """The courier says how far they are; what is found by itself may be said by hand, too."""

    order_id: UUID
    step: ByHand
    at: Happened = None


class CompleteDelivery(Request, type="heard.delivery.complete.v1", topic="delivery/complete"):
    """The guest has it.

    Where the house wants a proof, its couriers have to give one. The house itself may say so
    without.
    """

    order_id: UUID
    code: Annotated[Line32, Field(min_length=1)] | None = None
    """What the guest's page shows, and the guest has said."""
    proof: Proof | None = None
    """A photo or a signature, which are kept elsewhere."""
    at: Happened = None


class FailDelivery(Request, type="heard.delivery.fail.v1", topic="delivery/fail"):
    """Nobody took it; the courier has it still."""

    order_id: UUID
    reason: Why
    at: Happened = None


class ReturnDelivery(Request, type="heard.delivery.return.v1", topic="delivery/return"):
    """What failed is back in the house."""

    order_id: UUID
    at: Happened = None


class PinDelivery(Request, type="heard.delivery.pin.v1", topic="delivery/pin"):
    """This courier alone is to be asked by the dispatcher; or, unpinned, whoever is best.

    Who has it to bring keeps it: to take it from them, assign it.
    """

    order_id: UUID
    courier: Slug | None = None
    """None unpins it."""


class SetDuty(Request, type="heard.courier.duty.v1", topic="delivery/duty"):
    """A courier may be asked from now on, or not any more: theirs to say, or the house's.

    What they have to bring stays theirs.
    """

    courier: Slug
    on_duty: bool
    until: AwareDatetime | None = None
    """When the shift ends; None is until they say."""


class SequenceStops(Request, type="heard.delivery.sequence.v1", topic="delivery/sequence"):
    """In which sequence a courier brings what they have: all of it, in another order."""

    courier: Slug
    stops: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=MAX_STOPS)]


class ShareDelivery(Query, type="heard.delivery.share.v1", topic="delivery/share"):
    """The link by which the guest sees where their order is."""

    order_id: UUID


class QuoteDelivery(Query, type="heard.delivery.quote.v1", topic="delivery/quote"):
    """What a delivery order would be promised that is placed now, and whether one is taken."""

    place: Place | None = None
    """The guest's door; None is a door as far away as most are."""
    lines: Annotated[tuple[LineRequest, ...], Field(max_length=MAX_LINES)] = ()
    """What would be ordered, as far as it is known: the kitchen says when it would have that."""
    items: Annotated[int, Field(ge=1, le=MOST_DISHES)] | None = None
    """How many dishes, where nobody knows which; None is as many as most orders have."""
    due_at: AwareDatetime | None = None
    """For when it is wanted; None is as soon as possible."""


class ReadDeliveries(Query, type="heard.delivery.read.v1", topic="delivery/read"):
    """Deliveries, by the time they were placed, page by page; a tracker reads its courier's."""

    order_id: UUID | None = None
    """This one alone, open or not."""
    courier: Slug | None = None
    after: UUID | None = None
    """Those after this one of the last page."""


class ReadCouriers(Query, type="heard.courier.read.v1", topic="delivery/read-couriers"):
    """All couriers of the house, by name, with what they have to do."""
