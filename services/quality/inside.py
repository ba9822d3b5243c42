"""What quality asks of itself: see `services.runtime.intake`."""

from __future__ import annotations

from pydantic import AwareDatetime

from schemas.identifiers import Slug
from schemas.message import Request


class CheckIsDue(Request, type="heard.inside.check-is-due.v1", topic="inside/check-is-due"):
    """The time of a check by the clock has passed at a station, and nobody has made it."""

    check: Slug
    station: Slug
    due_at: AwareDatetime | None = None
    """None where it was never made."""


class ReviewChecks(Request, type="heard.inside.review-checks.v1", topic="inside/review-checks"):
    """The rules of the house have changed: alerts that they do not ask for any more are over."""
