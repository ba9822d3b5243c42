"""What the services ask of themselves.

No device can say these, for they stand on no topic of the contract. They are requests all
the same, so that each is done once, whatever dies meanwhile.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime

from schemas.identifiers import Slug
from schemas.message import Request
from schemas.money import Currency, Minor


class Said(StrEnum):
    """What a provider says of a payment."""

    AUTHORISED = "authorised"
    PAID = "paid"
    FAILED = "failed"
    REFUND_DONE = "refund-done"
    REFUND_FAILED = "refund-failed"


class SettlePayment(Request, type="heard.inside.settle-payment.v1", topic="inside/settle-payment"):
    """A provider, whose signature was checked, says how a payment stands."""

    provider: Slug
    order_id: UUID
    payment_id: UUID
    refund_id: UUID | None = None
    said: Said
    amount_minor: Minor
    """Of the payment with its tip; of the refund, where it is about one."""
    currency: Currency
    reason: str | None = None


class WakeOrder(Request, type="heard.inside.wake-order.v1", topic="inside/wake-order"):
    """The time has come at which a waiting order is to be looked at again."""

    order_id: UUID
    wake_at: AwareDatetime


class ForgetGuest(Request, type="heard.inside.forget-guest.v1", topic="inside/forget-guest"):
    """Erase the personal data of an order that has ended; its money stays."""

    order_id: UUID


class EndParty(Request, type="heard.inside.end-party.v1", topic="inside/end-party"):
    """A party's time is up."""

    party_id: UUID
    ends_at: AwareDatetime
