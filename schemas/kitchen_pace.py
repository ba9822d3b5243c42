"""How quick the kitchen is, and what it therefore takes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Part, Request, State
from schemas.orders import OrderKind
from schemas.text import Remark


class Intake(StrEnum):
    """What a channel takes."""

    OPEN = "open"
    STRETCHED = "stretched"
    """It takes orders, and promises them later."""
    PAUSED = "paused"


class ChannelState(
    State, type="heard.kitchen.channel.v1", topic="kitchen-channels/{channel}", about="channel"
):
    """How a kind of order is taken now: retained."""

    channel: OrderKind
    intake: Intake
    quoted_s: Annotated[int, Field(ge=0)]
    """How long an order of this kind that is placed now is told to take."""
    load: Annotated[float, Field(ge=0)]
    """At the fullest station, in this quarter of an hour: work against hands."""
    station: Slug | None = None
    """The fullest station."""
    why: str
    """For people."""
    by_hand: bool = False
    until: AwareDatetime | None = None
    """When a pause by hand ends by itself."""
    since: AwareDatetime


class PauseChannel(Request, type="heard.kitchen.pause-channel.v1", topic="kitchen/pause-channel"):
    """Take no more orders of a kind, for a while."""

    channel: OrderKind
    for_s: Annotated[int, Field(ge=60, le=86_400)] | None = None
    """None is until it is resumed by hand."""
    why: Annotated[Remark, Field(min_length=1)]


class ResumeChannel(
    Request, type="heard.kitchen.resume-channel.v1", topic="kitchen/resume-channel"
):
    """Take orders of a kind again; what the load says of it holds from then on."""

    channel: OrderKind


class ItemPace(Part):
    """How long an item took, in one span of time."""

    item: Slug
    lines: int
    prep_p50_s: float
    prep_p90_s: float


class StationMetrics(
    State, type="heard.kitchen.metrics.v1", topic="kitchen-metrics/{station}", about="station"
):
    """What a station has done today and in the last hour: retained, for dashboards."""

    station: Slug
    day: str
    """In the house's own time, as ``2026-03-14``."""
    at: AwareDatetime
    tickets: int
    lines: int
    tickets_last_hour: int
    lines_last_hour: int
    open: int
    work_s: int
    hear_p50_s: float | None = None
    hear_p90_s: float | None = None
    prep_p50_s: float | None = None
    prep_p90_s: float | None = None
    late: int = 0
    late_share: float = 0.0
    recalls: int = 0
    voids: int = 0
    """Lines that were cancelled after they were sent."""
