"""What a device, and its tenant as a whole, may send, and how a device asks for it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.message import Part, Query

PerSecond = Annotated[float, Field(gt=0, le=1e9)]
Count = Annotated[int, Field(ge=1, le=10**12)]


class Limits(Part):
    """What one is held to; null stands for no limit.

    A rate and its burst belong together: so many a second for ever, and so many at once
    after a rest.
    """

    messages_per_s: PerSecond | None = None
    messages_burst: Count | None = None
    bytes_per_s: PerSecond | None = None
    bytes_burst: Count | None = None
    payload_bytes: Count | None = None
    """The largest payload of one message."""
    subscriptions: Count | None = None
    retained: Count | None = None
    """Topics of its own on which something may stay."""
    connections: Count | None = None
    topic_levels: Count | None = None

    @property
    def unlimited(self) -> bool:
        """Whether as much as it likes may be sent."""
        return self.messages_per_s is None and self.bytes_per_s is None


class Share(Part):
    """Limits, and what is left of them at the moment."""

    limits: Limits
    messages_left: Annotated[int, Field(ge=0)] | None = None
    """How many could be sent at once now; null where there is no limit."""
    bytes_left: Annotated[int, Field(ge=0)] | None = None


class LimitsReport(Part):
    """What the asking device may send, and all devices of its restaurant together."""

    kind: Literal["limits"] = "limits"
    device: Share
    tenant: Share


class ReadLimits(Query, type="heard.limits.read.v1", topic="people/read-limits"):
    """Ask what this device may send, and how much of that is left."""
