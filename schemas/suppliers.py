"""Suppliers: who brings what a house buys."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.identifiers import Slug
from schemas.kitchen_rules import Weekday
from schemas.message import Part
from schemas.money import Minor
from schemas.text import Line120


class Supplier(Part):
    """Who brings what a house buys, when, and from how much on."""

    supplier: Slug
    name: Annotated[Line120, Field(min_length=1)]
    email: Annotated[Line120, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    """Where purchase orders go."""
    lead_days: Annotated[int, Field(ge=0, le=60)] = 1
    """How many days after it was ordered it comes, at the earliest; 0 is the same day."""
    delivery_days: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    """On which days they come; none chosen is every day."""
    minimum_minor: Minor = 0
    """They bring nothing below this, in the tenant's currency."""
