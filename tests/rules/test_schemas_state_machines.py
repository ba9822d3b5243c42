"""The transition tables are sound, and the diagrams draw just them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from schemas.deliveries import DELIVERY_STEPS, OPEN_DELIVERY, DeliveryStatus, DeliveryStep
from schemas.diagrams import ended_states, initial_states, state_diagram
from schemas.kitchen import FIRST_TICKET, OPEN_TICKET, TICKET_STEPS, TicketStatus, TicketStep
from schemas.notices import NOTICE_STEPS, NoticeStatus
from schemas.orders import OPEN_ORDER, ORDER_STEPS, OrderStatus, OrderStep
from schemas.parties import PARTY_STEPS, PartyStatus, PartyStep
from schemas.purchasing import COMING, PURCHASE_STEPS, PurchaseStatus, PurchaseStep

# Any for the key: a mapping is invariant in it, so no one type fits both tables.
Table = Mapping[Any, StrEnum]


@dataclass(frozen=True)
class Machine:
    steps: Table
    states: type[StrEnum]
    moves: type[StrEnum]
    open: frozenset[StrEnum]
    first: tuple[StrEnum, ...]
    last: tuple[StrEnum, ...] = ()
    """Ended, and yet a step leads out."""
    again: bool = False
    """A step leads back to where it begins, so that the table does not show where that is."""

    @property
    def ended(self) -> set[StrEnum]:
        return set(self.states) - self.open

    def reached_from(self, state: StrEnum) -> set[StrEnum]:
        reached, waiting = {state}, [state]
        while waiting:
            before = waiting.pop()
            further = {after for (from_, _), after in self.steps.items() if from_ == before}
            waiting += further - reached
            reached |= further
        return reached


machines = pytest.mark.parametrize(
    "machine",
    [
        Machine(ORDER_STEPS, OrderStatus, OrderStep, OPEN_ORDER, (OrderStatus.PLACED,)),
        Machine(
            TICKET_STEPS,
            TicketStatus,
            TicketStep,
            OPEN_TICKET,
            FIRST_TICKET,
            last=(TicketStatus.BUMPED,),
            again=True,
        ),
        Machine(
            PARTY_STEPS,
            PartyStatus,
            PartyStep,
            frozenset({PartyStatus.OPEN, PartyStatus.SENT}),
            (PartyStatus.OPEN,),
        ),
        Machine(
            PURCHASE_STEPS,
            PurchaseStatus,
            PurchaseStep,
            COMING | {PurchaseStatus.DRAFT},
            (PurchaseStatus.DRAFT,),
            again=True,
        ),
        Machine(
            DELIVERY_STEPS,
            DeliveryStatus,
            DeliveryStep,
            OPEN_DELIVERY,
            (DeliveryStatus.WAITING,),
            last=(DeliveryStatus.RETURNED,),
            again=True,
        ),
    ],
    ids=["order", "ticket", "party", "purchase", "delivery"],
)


@machines
def test_every_state_is_reached_from_the_first_and_every_step_is_used(machine: Machine) -> None:
    for first in machine.first:
        assert machine.reached_from(first) == set(machine.states)
    assert {step for _, step in machine.steps} == set(machine.moves)
    assert initial_states(machine.steps) == ([] if machine.again else [*machine.first])


@machines
def test_no_step_leads_out_of_an_ended_state_and_each_open_one_can_end(machine: Machine) -> None:
    assert {*ended_states(machine.steps), *machine.last} == machine.ended
    assert {state for state, _ in machine.steps} == machine.open | {*machine.last}
    for state in machine.open:
        assert machine.reached_from(state) & machine.ended, f"{state} can never end"


@machines
def test_the_diagram_draws_every_step_and_nothing_else(machine: Machine) -> None:
    head, *drawn = [line.strip() for line in _drawn(machine).splitlines()]
    assert head == "stateDiagram-v2"
    # Mermaid takes a hyphen for the beginning of an arrow: such a state has an alias.
    ids = {state: str(state).replace("-", "_") for state in machine.states}
    expected = {f'state "{state}" as {id_}' for state, id_ in ids.items() if id_ != state}
    expected |= {
        f"{ids[before]} --> {ids[after]}: {step}" for (before, step), after in machine.steps.items()
    }
    expected |= {f"[*] --> {ids[first]}" for first in machine.first}
    expected |= {f"{ids[end]} --> [*]" for end in machine.ended}
    assert set(drawn) == expected
    assert len(drawn) == len(expected)


def _drawn(machine: Machine) -> str:
    return state_diagram(machine.steps, machine.first if machine.again else (), machine.last)


def test_a_table_that_leads_back_to_its_beginning_is_told_where_that_is() -> None:
    assert "[*] --> waiting" in state_diagram(NOTICE_STEPS, [NoticeStatus.WAITING])
    assert initial_states(NOTICE_STEPS) == []
