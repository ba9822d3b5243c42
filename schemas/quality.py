"""Quality: what is checked, by whom, and whether it was right."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.kitchen_rules import CheckKind
from schemas.message import Event, Part, Request
from schemas.text import Line120, Remark


class Finding(Part):
    """One check that was made."""

    finding_id: UUID
    check: Slug
    kind: CheckKind
    station: Slug | None = None
    ticket_id: UUID | None = None
    order_number: str | None = None
    item: Slug | None = None
    celsius: float | None = None
    yes: bool | None = None
    photo: str | None = None
    """Where the picture is: a name or an address of the house's own."""
    passed: bool
    waived: bool = False
    """A manager let the ticket go without it; it has not passed, and blocks nothing."""
    limits: str = ""
    """What was asked for, in words, as it was then."""
    note: Remark = ""
    device: Slug
    person: Slug | None = None
    at: AwareDatetime


class RecordCheck(Request, type="heard.quality.record.v1", topic="quality/record"):
    """Somebody has checked. Its envelope's id becomes the finding's id."""

    check: Slug
    ticket_id: UUID | None = None
    station: Slug | None = None
    celsius: Annotated[float, Field(ge=-100, le=500, allow_inf_nan=False)] | None = None
    yes: bool | None = None
    photo: Annotated[Line120, Field(min_length=1)] | None = None
    note: Remark = ""
    person: Slug | None = None


class WaiveCheck(Request, type="heard.quality.waive.v1", topic="quality/waive"):
    """A manager lets a ticket go without a check; that is kept too."""

    check: Slug
    ticket_id: UUID
    reason: Annotated[Remark, Field(min_length=1)]
    person: Slug | None = None


class CheckRecorded(
    Event, type="heard.quality.recorded.v1", topic="quality/recorded", about="finding_id"
):
    """A check was made."""

    finding_id: UUID
    finding: Finding
