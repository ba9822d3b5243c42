"""What a plan is good for: the objective, with the weight of each of its terms. Pure.

Everything is counted in **guest seconds**: one second that one guest waits costs 1. A plan costs
the sum, over all its orders and trips, of the terms below; the planner looks for a cheap one. What
each of them does to a day's figures is measured in docs/dispatch.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """The objective's weights, and the few limits that are no matter of price.

    Attributes:
        wait: a second between an order's placing and its door.
        late: a second beyond the promise, on top of `wait`: who was promised is served first.
        cold: a second for which food stands ready and nobody has it, on top of `wait`.
        detour: a second that a guest's food rides to other doors first, on top of `wait`: the last
            guest of a bundle shall not pay for it.
        courier: what a courier's second costs while there are no more orders than couriers: so
            little that it decides between equals alone, and the shorter ride is taken.
        courier_when_busy: what it costs more for each open order on each courier at work, beyond
            the first: where twenty wait and ten ride, a second of a courier is one of others' too.
        counter: what a courier's second costs more while they wait at a restaurant for food that
            is late: it says how surely the food should be ready when they come.
        overtime: a second of a courier's work after the shift has ended.
        fairness: for each order that a courier had more than the others had in the mean, when
            one more is given to them. It also spares those who stand where most is ordered, for
            the order that nobody knows of yet.
        stranded: an order that nobody brings, beside all that it would have waited.
        put_off_s: how long an order waits, about, that is not brought on the next trip; it says
            whom to bring first where there are more orders than couriers.
        most_in_bundle: orders in one bundle at the most, if the courier can carry as many.
        detour_most_s: no guest's food rides further about than this.
        ready_apart_s: orders become ready no further apart than this to go together.
        position_old_s: a courier not seen for this long is given nothing.
        lead_s: couriers are told so long before they have to leave.
    """

    wait: float = 1.0
    late: float = 0.5
    cold: float = 0.1
    detour: float = 0.2
    courier: float = 0.01
    courier_when_busy: float = 0.2
    counter: float = 0.3
    overtime: float = 0.1
    fairness: float = 100.0
    stranded: float = 14_400.0
    put_off_s: float = 1_200.0
    most_in_bundle: int = 4
    detour_most_s: float = 900.0
    ready_apart_s: float = 1_200.0
    position_old_s: float = 900.0
    lead_s: float = 0.0
