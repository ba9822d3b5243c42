"""What the stock asks of itself: see `services.runtime.intake`."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime

from schemas.identifiers import Slug
from schemas.message import Request


class ReservePlanned(
    Request, type="heard.inside.reserve-planned.v1", topic="inside/reserve-planned"
):
    """The day has come for which an order was planned: what it takes is reserved now."""

    order_id: UUID
    plan_until: AwareDatetime


class CountPortions(Request, type="heard.inside.count-portions.v1", topic="inside/count-portions"):
    """The book is another, or what can be made is not known: reckon it for everything."""

    version: int


class ReviewLots(Request, type="heard.inside.review-lots.v1", topic="inside/review-lots"):
    """What of these items expires soon, or has expired, may be another than what was told."""

    items: tuple[Slug, ...]
