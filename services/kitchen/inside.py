"""What the kitchen asks of itself: see `services.runtime.intake`."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime

from schemas.identifiers import Slug
from schemas.message import Request


class WakeTicket(Request, type="heard.inside.wake-ticket.v1", topic="inside/wake-ticket"):
    """The time has come at which a ticket is to be looked at again."""

    ticket_id: UUID
    wake_at: AwareDatetime


class ReviewCourses(Request, type="heard.inside.review-courses.v1", topic="inside/review-courses"):
    """The house's rules are others than they were: what waits for its course follows them."""

    order_id: UUID


class LoseDisplay(Request, type="heard.inside.lose-display.v1", topic="inside/lose-display"):
    """A device that attends a station is offline, silent, or was removed."""

    station: Slug
    device: Slug
    since: str
    """Which of its attendances is over, by its beginning."""
    removed: bool = False
    """There is no such device any more, or it shows another station: it will not come back."""


class AdjustIntakes(Request, type="heard.inside.adjust-intakes.v1", topic="inside/adjust-intakes"):
    """The kitchen is fuller or emptier than is told: say anew how orders are taken."""

    stations: tuple[Slug, ...]
    """Those that were looked at."""
