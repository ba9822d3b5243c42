"""What the learning assumes: how fast it forgets, and how hard it is to persuade."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """The few numbers that no data decides; halved or doubled, the errors hardly move.

    Attributes:
        memory_days: what was so many days ago counts 1/e of what was today.
        start_prior: as many orders' worth of doubt that orders take longer than is assumed.
        way_prior: the same for a kilometre, and for a larger basket.
        hour_prior: the same for an hour, and for an hour of the weekend.
        venue_prior: as many orders' worth of doubt that a venue differs from the others.
        rush: whether what was delivered and what is under way today counts.
        rush_memory_min: an order placed so many minutes ago counts 1/e of one placed now.
        rush_prior: as many orders' worth of doubt that today is not as usual.
        rush_window_min: how far back is looked for the orders of today.
        rush_lost_min: who is out for longer is taken for lost or forgotten, and tells nothing.
        correction_prior: as many orders' worth of doubt in the last correction.
        learned_first: only orders told after so many were learned teach how wrong one is; old
            ones count whole here, or a house with an order a day would never learn it.
        longest_min: who took longer forgot to say when it was over, and teaches nothing.
        believed_scales: who is farther from what was expected than so many times as orders
            scatter teaches no more than if it were just that far.
    """

    memory_days: float = 40.0
    start_prior: float = 5.0
    way_prior: float = 20.0
    hour_prior: float = 6.0
    venue_prior: float = 10.0
    rush: bool = True
    rush_memory_min: float = 40.0
    rush_prior: float = 6.0
    rush_window_min: float = 240.0
    rush_lost_min: float = 120.0
    correction_prior: float = 20.0
    learned_first: int = 50
    longest_min: float = 240.0
    believed_scales: float = 6.0


USUAL = Tuning()
