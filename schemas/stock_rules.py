"""How a house looks after its stock."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.identifiers import Slug
from schemas.message import Part
from schemas.sensors import SensorRules


class StockRules(Part):
    """How a house looks after its stock."""

    plan_ahead_s: Annotated[int, Field(ge=0, le=7 * 86_400)] = 12 * 3600
    """What is ordered for a time nearer than this is reserved at once; later orders plan."""
    countdown: Annotated[int, Field(ge=0, le=100)] = 10
    """From so many portions on, screens say how many are left."""
    expiry_warning_days: Annotated[int, Field(ge=0, le=60)] = 2
    """How long before a lot expires somebody is told."""
    sensors: Annotated[dict[Slug, SensorRules], Field(max_length=500)] = Field(default_factory=dict)
    """The house's thermometers, by name."""
