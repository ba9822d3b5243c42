"""Parties: several guests put one order together, each on a device of their own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Part, Request, State
from schemas.money import Currency, Minor
from schemas.orders import LineRequest, OrderKind, OrderStatus
from schemas.text import Line32, Line64

MAX_PARTY: Final = 50
MAX_PARTY_LINES: Final = 50
"""Of each guest."""

Name = Annotated[Line64, Field(min_length=1)]
Code = Annotated[str, Field(min_length=6, max_length=16)]


class PartyStatus(StrEnum):
    """Where a party stands."""

    OPEN = "open"
    SENT = "sent"
    """Its order is placed."""
    ENDED = "ended"
    """Given up, or its order is over."""


class PartyStep(StrEnum):
    """What moves a party on."""

    SEND = "send"
    END = "end"


PARTY_STEPS: Final[dict[tuple[PartyStatus, PartyStep], PartyStatus]] = {
    (PartyStatus.OPEN, PartyStep.SEND): PartyStatus.SENT,
    (PartyStatus.OPEN, PartyStep.END): PartyStatus.ENDED,
    (PartyStatus.SENT, PartyStep.END): PartyStatus.ENDED,
}
"""The party's state machine. What is not in this table cannot happen."""


class PartyGuest(Part):
    """One guest of a party."""

    guest: Annotated[int, Field(ge=1, le=MAX_PARTY)]
    name: Name
    device: Slug
    lines: tuple[LineRequest, ...] = ()
    subtotal_minor: Minor = 0
    """What these lines cost by the menu now."""
    left: bool = False


class Party(Part):
    """A party, whole."""

    party_id: UUID
    status: PartyStatus
    version: Annotated[int, Field(ge=1)]
    code: str
    """By which further guests join."""
    host: Slug
    """The device that opened it, and alone may send it."""
    kind: OrderKind
    table: str | None = None
    currency: Currency
    guests: tuple[PartyGuest, ...]
    opened_at: AwareDatetime
    ends_at: AwareDatetime
    """An open party ends by itself."""
    order_id: UUID | None = None
    order_status: OrderStatus | None = None


class OpenParty(Request, type="heard.party.open.v1", topic="party/open"):
    """Open a party; its host is the first guest."""

    name: Name
    kind: OrderKind = OrderKind.DINE_IN
    table: Annotated[Line32, Field(min_length=1)] | None = None


class JoinParty(Request, type="heard.party.join.v1", topic="party/join"):
    """Join by the code that the host shows. Joining again changes the name alone."""

    code: Code
    name: Name


class ChooseLines(Request, type="heard.party.choose.v1", topic="party/choose"):
    """Say what one's own lines are now, all of them; nobody else's are touched."""

    party_id: UUID
    lines: Annotated[tuple[LineRequest, ...], Field(max_length=MAX_PARTY_LINES)]


class LeaveParty(Request, type="heard.party.leave.v1", topic="party/leave"):
    """Leave, and take one's lines away; where the host leaves, the party ends."""

    party_id: UUID


class SendParty(Request, type="heard.party.send.v1", topic="party/send"):
    """The host places the order. The request's id becomes the order's id."""

    party_id: UUID


class PartyState(State, type="heard.party.v1", topic="party/{device}", about="party_id"):
    """The party as each of its guests sees it: retained on the device's own topic."""

    device: Slug
    party_id: UUID
    party: Party
