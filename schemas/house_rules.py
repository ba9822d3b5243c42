"""The rules of one house: what a restaurant decides for itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from schemas.identifiers import Slug
from schemas.message import Part

MILLION: Final = 1_000_000
STANDARD_TAX: Final = "standard"

TaxRate = Annotated[int, Field(ge=0, le=MILLION)]
"""In millionths: 20 % is 200000, 8.875 % is 88750."""


class Acceptance(StrEnum):
    """Who takes an order."""

    AT_ONCE = "at-once"
    BY_HAND = "by-hand"
    """It waits until somebody accepts it."""


class PaymentRule(StrEnum):
    """When an order has to be paid."""

    NEVER = "never"
    """Heard does not ask."""
    BEFORE_CLOSING = "before-closing"
    BEFORE_KITCHEN = "before-kitchen"
    """The kitchen does not see it before it is paid, or authorised."""


class OrderRules(Part):
    """How a house takes orders."""

    acceptance: Acceptance = Acceptance.AT_ONCE
    payment: PaymentRule = PaymentRule.NEVER
    payment_patience_s: Annotated[int, Field(ge=30, le=86_400)] = 900
    """An order that waits for its payment longer than this is cancelled."""
    lead_s: Annotated[int, Field(ge=0, le=7 * 86_400)] = 1_800
    """An order for later reaches the kitchen so long before its time."""
    taxes: Annotated[dict[Slug, TaxRate], Field(max_length=32)] = Field(default_factory=dict)
    """Rates by name; an item that names none bears ``standard``, if there is one."""
    prices_include_tax: bool = True
    time_zone: Annotated[str, Field(max_length=64)] = "UTC"
    """An IANA name, as ``Europe/London``."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    keep_guests_days: Annotated[int, Field(ge=1, le=3_650)] = 365
    """Personal data of guests is erased so long after their order ended."""
