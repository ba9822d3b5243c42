"""The menu: items with a station, a price, what may be chosen with them, and what is in them."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field, PlainSerializer, WithJsonSchema

from schemas.identifiers import Slug
from schemas.kitchen_rules import MAX_COMPONENTS, Course, PrepSeconds, Weekday
from schemas.message import Part, Request, State
from schemas.money import Currency, Minor
from schemas.text import Line64, Line120, Remark

MAX_DEPTH: Final = 4
"""How deep modifiers may stand in each other."""
MAX_CHOICES: Final = 64
MAX_SPANS: Final = 50
"""Of hours in which an item is served."""

Allergens = Annotated[tuple[Slug, ...], Field(max_length=32)]
"""What is in it: ``gluten``, ``peanuts``, ``milk``; the house's own words, kept as they are."""


class Component(Part):
    """What one of an item is made of: a double burger has two patties."""

    component: Slug
    quantity: Annotated[int, Field(ge=1, le=MAX_COMPONENTS)] = 1


Components = Annotated[tuple[Component, ...], Field(max_length=32)]


class Modifier(Part):
    """Something that may be chosen with an item, or with another modifier."""

    modifier: Slug
    name: Annotated[Line120, Field(min_length=1)]
    price_minor: Minor = 0
    """For one, on top."""
    allergens: Allergens = ()
    removes: Allergens = ()
    """Allergens that are not in the dish any more with it: ``no cheese`` removes ``milk``."""
    components: Components = ()
    """What comes on top with it."""
    groups: Annotated[tuple[ModifierGroup, ...], Field(max_length=16)] = ()


class ModifierGroup(Part):
    """A choice: how many of these must and may be taken."""

    group: Slug
    name: Line64 = ""
    least: Annotated[int, Field(ge=0, le=MAX_CHOICES)] = 0
    most: Annotated[int, Field(ge=1, le=MAX_CHOICES)] = 1
    modifiers: Annotated[tuple[Modifier, ...], Field(min_length=1, max_length=MAX_CHOICES)]


Modifier.model_rebuild()


class ModifierRequest(Part):
    """A modifier as a device asks for it; name and price come from the menu."""

    modifier: Slug
    quantity: Annotated[int, Field(ge=1, le=MAX_CHOICES, strict=True)] = 1
    modifiers: Annotated[tuple[ModifierRequest, ...], Field(max_length=32)] = ()


class ChosenModifier(Part):
    """A modifier as it was accepted."""

    modifier: Slug
    name: str
    quantity: Annotated[int, Field(ge=1, le=MAX_CHOICES)] = 1
    unit_minor: Minor = 0
    """Of one, without what is chosen with it."""
    modifiers: tuple[ChosenModifier, ...] = ()


def _whole_minutes(at: time) -> time:
    if at.second or at.microsecond or at.tzinfo is not None:
        raise ValueError("a time of day has whole minutes and no zone, as 07:30")
    return at


TimeOfDay = Annotated[
    time,
    AfterValidator(_whole_minutes),
    PlainSerializer(lambda at: at.isoformat("minutes"), return_type=str, when_used="json"),
    # The format `time` of JSON Schema has a zone, and a clock on a wall has none.
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
"""As the clock on the house's wall shows it."""


class ServedHours(Part):
    """A time in which something can be had."""

    days: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    """None chosen is every day."""
    since: TimeOfDay | None = None
    until: TimeOfDay | None = None
    """In the house's own time; a span may run over midnight."""


class MenuItem(State, type="heard.menu.item.v1", topic="menu/{item}", about="item"):
    """One thing a guest can order: retained; cleared when it leaves the menu."""

    item: Slug
    name: Annotated[Line120, Field(min_length=1)]
    category: Line64 = ""
    station: Slug
    price_minor: Minor
    currency: Currency
    available: bool = True
    tax: Slug | None = None
    """Which of the house's taxes it bears; None bears the one called ``standard``, if any."""
    allergens: Allergens = ()
    groups: Annotated[tuple[ModifierGroup, ...], Field(max_length=16)] = ()
    components: Components = ()
    """What one is made of, as the kitchen counts it."""
    prep_s: PrepSeconds | None = None
    """How long one takes; None is as long as usual at its station."""
    course: Course = 1
    """In which course it comes, where the guest says nothing else."""
    hours: Annotated[tuple[ServedHours, ...], Field(max_length=MAX_SPANS)] = ()
    """When it can be had, in the house's own time; none is always."""
    left: Annotated[int, Field(ge=0)] | None = None
    """How many can still be made; None is enough for now, or that nobody counts."""
    sold_out: tuple[Slug, ...] = ()
    """Its modifiers that cannot be had now."""
    why: Line120 = ""
    """Why it is not available, where it is not: for people."""
    back_at: AwareDatetime | None = None
    """When it will be available again by itself, where somebody has said so."""


class SellOut(Request, type="heard.menu.sell-out.v1", topic="menu/sell-out"):
    """86: this cannot be had, until a time or until somebody restores it."""

    item: Slug
    modifier: bool = False
    """It is a modifier of this name, whatever it may be chosen with."""
    reason: Annotated[Remark, Field(min_length=1)]
    until: AwareDatetime | None = None
    person: Slug | None = None


class RestoreItem(Request, type="heard.menu.restore.v1", topic="menu/restore"):
    """What somebody took off can be had again, as far as the stock allows."""

    item: Slug
    modifier: bool = False
    person: Slug | None = None
