"""How a house brings food to its guests: what it decides for itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, HttpUrl, model_validator

from schemas.identifiers import Slug
from schemas.message import Part
from schemas.positions import Place, TravelMode
from schemas.text import Line64, Line120

FARTHEST_KM: Final = 1_000
"""No house brings anything farther than that."""

Seconds = Annotated[int, Field(ge=0, le=86_400)]


class ProofRule(StrEnum):
    """What shows that a guest has their food."""

    NONE = "none"
    CODE = "code"
    PHOTO = "photo"
    SIGNATURE = "signature"


class RoutingEngine(StrEnum):
    """Who says how long a ride takes."""

    STRAIGHT = "straight"
    """The straight line, with a detour and a speed that are learned."""
    OSRM = "osrm"
    VALHALLA = "valhalla"


class Vehicle(Part):
    """A vehicle that a bridge speaks for; one that speaks itself needs no entry here."""

    name: Annotated[Line120, Field(min_length=1)]
    device: Slug
    """The device that speaks: the vehicle's own, or a bridge's."""
    below: Line64 | None = None
    """Its name below the bridge: Traccar's ``uniqueId``."""
    mode: TravelMode = TravelMode.BICYCLE


class DeliveryRules(Part):
    """How a house brings food to its guests."""

    place: Place | None = None
    """Where the restaurant is; without, nothing is delivered."""
    farthest_km: Annotated[int, Field(ge=1, le=FARTHEST_KM)] = 100
    """A door that is farther away is taken for a slip, along the straight line."""
    restaurant_m: Annotated[int, Field(ge=10, le=1_000)] = 60
    """A courier who is so near is there."""
    near_m: Annotated[int, Field(ge=20, le=5_000)] = 300
    """A courier who is so near to the door is near."""
    door_m: Annotated[int, Field(ge=10, le=1_000)] = 50
    """A courier who is so near to the door has arrived."""
    proof: ProofRule = ProofRule.NONE
    code_tries: Annotated[int, Field(ge=1, le=20)] = 5
    """So many wrong codes; then only the house can say that it was delivered."""
    link_hours: Annotated[int, Field(ge=1, le=72)] = 6
    """A guest's link shows something for so long after the order was placed."""
    coarse_m: Annotated[int, Field(ge=100, le=10_000)] = 500
    """Before it is a guest's turn their page rounds the courier's place to so much."""
    engine: RoutingEngine = RoutingEngine.STRAIGHT
    engine_url: HttpUrl | None = None
    """Where the engine answers."""
    vehicles: Annotated[dict[Slug, Vehicle], Field(max_length=5_000)] = Field(default_factory=dict)
    """Vehicles that another device speaks for, by the name that they go by here."""
    silent_after_s: Annotated[int, Field(ge=30, le=86_400)] = 300
    """A moving tracker that says nothing for so long is missed; one that stands, six times it."""
    dwell_after_s: Annotated[int, Field(ge=60, le=86_400)] = 900
    """A courier with food in the bag who stands so long, at no stop, is asked after."""
    off_route_m: Annotated[int, Field(ge=50, le=20_000)] = 700
    """So much farther from the next stop than they were nearest to it is off the way."""
    battery_low: Annotated[float, Field(ge=0, le=1)] = 0.15
    speeding_mps: Annotated[float, Field(ge=1, le=80)] | None = None
    """Faster for longer than some seconds raises an alert; None is never."""
    keep_fixes_days: Annotated[int, Field(ge=1, le=3_650)] = 90
    thin_after_days: Annotated[int, Field(ge=1, le=3_650)] = 7
    thin_to_s: Annotated[int, Field(ge=1, le=3_600)] = 15
    """After `thin_after_days` one fix in so many seconds is kept."""
    automatic: bool = False
    """The dispatcher asks couriers by itself; else somebody says who brings what."""
    fleet: Slug | None = None
    """Houses that name the same fleet share the couriers who are called the same in each of them:
    who brings food of one is not free for another."""
    answer_within_s: Annotated[int, Field(ge=10, le=3_600)] = 60
    """A courier who was asked and has not answered for so long is not waited for."""
    ask_ahead_s: Annotated[int, Field(ge=0, le=3_600)] = 90
    """Couriers are asked so long before they have to leave."""
    ask_again_s: Annotated[int, Field(ge=60, le=86_400)] = 600
    """Where all couriers have declined, they are asked again after so long."""
    lost_after_s: Annotated[int, Field(ge=60, le=86_400)] = 600
    """Who has fetched nothing yet and was not seen for so long loses it to another."""
    let_go_after_s: Annotated[int, Field(ge=300, le=86_400)] = 2_400
    """A courier does not wait for food that takes longer than this still."""
    together_most: Annotated[int, Field(ge=1, le=8)] = 4
    """So many orders of the dispatcher's go with one courier at once."""
    preposition: bool = False
    """Couriers with nothing to do are told at which restaurant of the fleet to wait; with
    `automatic`."""
    fastest_s: Annotated[float, Field(ge=0.1, le=3_600)] = 2.0
    """How often a tracker near its stop is asked to tell where it is."""
    slowest_s: Annotated[float, Field(ge=1, le=3_600)] = 60.0
    """How often one that has nothing to do is."""
    pause_over_min: Annotated[int, Field(ge=10, le=1_440)] | None = None
    """Deliveries are paused while a new one would take so many minutes, nine times of ten, or no
    courier is at work; None is never."""
    resume_under_min: Annotated[int, Field(ge=5, le=1_439)] | None = None
    """They are taken again below so many; None is three quarters of `pause_over_min`."""

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        over, under = self.pause_over_min, self.resume_under_min
        if over is not None and under is not None and not under < over:
            raise ValueError(
                f"resume_under_min ({under}) must be below pause_over_min ({over}), "
                "or deliveries would be paused and taken again with every order"
            )
        return self
