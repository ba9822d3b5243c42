"""The kitchen's rules of one house: stations, routes, courses, patience and limits."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from schemas.identifiers import Slug
from schemas.message import Part
from schemas.text import Line64

MAX_COURSES: Final = 9
MAX_COMPONENTS: Final = 1_000
MAX_PREP_S: Final = 4 * 3600
QUARTER_S: Final = 900

Course = Annotated[int, Field(ge=1, le=MAX_COURSES)]
PrepSeconds = Annotated[int, Field(ge=1, le=MAX_PREP_S)]
Patience = Annotated[int, Field(ge=1, le=3_600)]


class StationKind(StrEnum):
    """What a station does."""

    PREP = "prep"
    EXPO = "expo"
    """It makes nothing, and sees whole orders: done when all their plates are."""


class StationRules(Part):
    """How one station works. A station that no rule names works as these say."""

    name: Line64 = ""
    kind: StationKind = StationKind.PREP
    group: Slug | None = None
    """Stations of one group share their work: each order goes to the one with the least."""
    fallback: Slug | None = None
    """Who makes its orders while it is closed or its displays are gone, and who is asked
    first when it does not hear."""
    hands: Annotated[int, Field(ge=1, le=50)] = 1
    """How many lines are worked on at once."""
    prep_s: PrepSeconds = 300
    """How long a line takes whose item says nothing, before there is a history."""
    warn_s: Annotated[int, Field(ge=1, le=86_400)] = 480
    late_s: Annotated[int, Field(ge=1, le=86_400)] = 600
    merge: bool = False
    """Whether screens show identical lines of a ticket as one."""

    @model_validator(mode="after")
    def _warns_before_it_is_late(self) -> Self:
        if self.warn_s > self.late_s:
            raise ValueError(f"warn_s ({self.warn_s}) must not be above late_s ({self.late_s})")
        return self


class Weekday(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class RouteRule(Part):
    """Where lines go instead of where the menu says. The first rule that fits decides.

    What a rule does not name, it does not ask.
    """

    route: Slug
    to: Slug
    """A station or a group."""
    items: Annotated[tuple[Slug, ...], Field(max_length=500)] = ()
    stations: Annotated[tuple[Slug, ...], Field(max_length=50)] = ()
    """Where the menu sends them."""
    kinds: Annotated[tuple[Slug, ...], Field(max_length=3)] = ()
    """Kinds of order: ``dine-in``, ``takeaway``, ``delivery``."""
    days: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    since: time | None = None
    """In the house's own time; a span may run over midnight."""
    until: time | None = None


class Firing(StrEnum):
    """When a later course is fired by itself."""

    BY_HAND = "by-hand"
    AFTER_PREVIOUS = "after-previous"
    """When the course before is bumped at all its stations."""
    BY_TIME = "by-time"
    """So long after the course before was fired."""


class CourseRules(Part):
    """How courses follow each other."""

    firing: Firing = Firing.AFTER_PREVIOUS
    gap_s: Annotated[int, Field(ge=0, le=7_200)] = 0
    """After that, or after the course before: so much later."""


class EscalationTarget(StrEnum):
    """Who is asked when a station does not hear."""

    FALLBACK = "fallback"
    """The station's fallback gets the ticket."""
    PRINTER = "printer"
    """It comes out on paper."""
    EXPO = "expo"
    POS = "pos"
    """The device that placed the order."""
    MANAGER = "manager"


class EscalationStep(Part):
    """One step, and how long its forerunner had."""

    to: EscalationTarget
    after_s: Patience


class ThrottleRules(Part):
    """When the kitchen takes less.

    Work is counted by station and quarter of an hour, in minutes of work against what the
    station's hands can do in it. What is full at the fullest station counts.
    """

    stretch_at: Annotated[float, Field(gt=0, le=10)] = 0.8
    """From here on quoted times grow with the load."""
    pause_at: Annotated[float, Field(gt=0, le=10)] = 1.0
    """From here on the first channel takes no more; each further one a tenth above."""
    resume_at: Annotated[float, Field(gt=0, le=10)] = 0.7
    """Only below this does a channel take orders again."""
    channels: Annotated[tuple[Slug, ...], Field(max_length=3)] = ("delivery", "takeaway")
    """Kinds of order that may be paused, the first one first."""
    quote_s: Annotated[int, Field(ge=60, le=4 * 3600)] = 1_200
    """How long an order is told to take while there is room; it grows above `stretch_at`."""

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        if not self.resume_at < self.pause_at:
            raise ValueError(
                f"resume_at ({self.resume_at}) must be below pause_at ({self.pause_at}), "
                "or a channel would open and close with every order"
            )
        return self


class CheckKind(StrEnum):
    """What is to be said of a check."""

    TEMPERATURE = "temperature"
    YES_NO = "yes-no"
    PHOTO = "photo"


class CheckRules(Part):
    """Something that is to be checked: with each such item, or every so often."""

    name: Line64 = ""
    kind: CheckKind
    items: Annotated[tuple[Slug, ...], Field(max_length=500)] = ()
    stations: Annotated[tuple[Slug, ...], Field(max_length=50)] = ()
    every_s: Annotated[int, Field(ge=60, le=7 * 86_400)] | None = None
    """By the clock, at its stations; None is with each of its items."""
    least: Annotated[float, Field(allow_inf_nan=False)] | None = None
    most: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Degrees Celsius, for a temperature."""
    blocks: bool = False
    """Whether a ticket with such an item can be bumped before the check has passed."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.kind is CheckKind.TEMPERATURE and self.least is None and self.most is None:
            raise ValueError("a temperature needs `least`, `most` or both")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least ({self.least}) must not be above most ({self.most})")
        if self.every_s is None and not self.items:
            raise ValueError("a check needs `items`, or `every_s` and `stations`")
        if self.every_s is not None and (self.blocks or not self.stations):
            raise ValueError("a check by the clock needs `stations`, and blocks nothing")
        return self


USUAL_ESCALATION: Final = (
    EscalationStep(to=EscalationTarget.FALLBACK, after_s=20),
    EscalationStep(to=EscalationTarget.PRINTER, after_s=10),
    EscalationStep(to=EscalationTarget.EXPO, after_s=10),
    EscalationStep(to=EscalationTarget.POS, after_s=20),
    EscalationStep(to=EscalationTarget.MANAGER, after_s=30),
)
"""Steps that a house has nobody for are passed over at once."""


class KitchenRules(Part):
    """How a house's kitchen works."""

    stations: Annotated[dict[Slug, StationRules], Field(max_length=200)] = Field(
        default_factory=dict
    )
    routes: Annotated[tuple[RouteRule, ...], Field(max_length=200)] = ()
    courses: CourseRules = CourseRules()
    finish_together: bool = False
    """Whether the tickets of an order begin so that they end at one time."""
    recall_last: Annotated[int, Field(ge=1, le=500)] = 50
    """How many of a station's last bumped tickets can be recalled."""
    escalation: Annotated[tuple[EscalationStep, ...], Field(max_length=10)] = USUAL_ESCALATION
    throttle: ThrottleRules | None = None
    checks: Annotated[dict[Slug, CheckRules], Field(max_length=200)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_what_there_is(self) -> Self:
        for name, station in self.stations.items():
            if station.fallback == name:
                raise ValueError(f"station {name} cannot be its own fallback")
            if station.fallback is not None:
                other = self.stations.get(station.fallback)
                if other is not None and other.kind is StationKind.EXPO:
                    raise ValueError(f"{station.fallback} is an expo: it makes nothing")
        groups = {each.group for each in self.stations.values() if each.group}
        for group in groups & self.stations.keys():
            raise ValueError(f"{group} is a station: a group needs a name of its own")
        return self

    def station(self, station: str) -> StationRules:
        """How a station works; as usual, where nothing is said of it."""
        return self.stations.get(station, _USUAL_STATION)


_USUAL_STATION: Final = StationRules()
