"""What the stock asks of itself: see `services.runtime.intake`."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime

from schemas.alerts import AlertKind
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
    recipes: tuple[str, ...] = ()
    """Some of them, by name: orders are decided in between. None named forgets what was told of
    those that are on the book no more."""


class ReviewLots(Request, type="heard.inside.review-lots.v1", topic="inside/review-lots"):
    """What of these items expires soon, or has expired, may be another than what was told."""

    items: tuple[Slug, ...]


class SensorFound(Request, type="heard.inside.sensor-found.v1", topic="inside/sensor-found"):
    """A thermometer is out of its limits for too long, or silent; or is so no more."""

    sensor: Slug
    kind: AlertKind
    stands: bool
    celsius: float | None = None
    """What it reads."""
    since: AwareDatetime
    """Since when it is out of its limits, or when it was heard last."""


class StockOutSeen(Request, type="heard.inside.stock-out-seen.v1", topic="inside/stock-out-seen"):
    """An item runs out before it can be there again, as it is used; or does not any more."""

    item: Slug
    left: int
    """What is on hand and whole, in thousandths of its base unit."""
    runs_out_at: AwareDatetime | None
    until: AwareDatetime
    """When it can be there again."""
    ordered: bool


class MarkAnew(Request, type="heard.inside.mark-anew.v1", topic="inside/mark-anew"):
    """The thresholds of these items are others, or they are on the book no more."""

    items: tuple[Slug, ...]
