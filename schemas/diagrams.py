"""Diagrams of the state machines, drawn from the tables that run them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeVar

from schemas.deliveries import DELIVERY_STEPS, DeliveryStatus
from schemas.kitchen import FIRST_TICKET, TICKET_STEPS, TicketStatus
from schemas.notices import NOTICE_STEPS, NoticeStatus
from schemas.orders import ORDER_STEPS
from schemas.parties import PARTY_STEPS
from schemas.payments import PAYMENT_STEPS
from schemas.purchasing import PURCHASE_STEPS, PurchaseStatus

State = TypeVar("State", bound=StrEnum)
Step = TypeVar("Step", bound=StrEnum)


def initial_states(steps: Mapping[tuple[State, Step], State]) -> list[State]:
    """The states that no step leads to: where a thing begins."""
    reached = set(steps.values())
    return list(dict.fromkeys(state for state, _ in steps if state not in reached))


def ended_states(steps: Mapping[tuple[State, Step], State]) -> list[State]:
    """The states that no step leads out of."""
    left = {state for state, _ in steps}
    return list(dict.fromkeys(state for state in steps.values() if state not in left))


def state_diagram(
    steps: Mapping[tuple[State, Step], State],
    first: Collection[State] = (),
    last: Collection[State] = (),
) -> str:
    """Draw a transition table as a Mermaid ``stateDiagram-v2``.

    Args:
        steps: the table.
        first: where a thing begins, for tables in which a step leads back there.
        last: where it may rest for good, though a step leads out of there.
    """
    names = list(dict.fromkeys(state for (before, _), after in steps.items()
                               for state in (before, after)))  # fmt: skip
    lines = ["stateDiagram-v2"]
    # Mermaid takes a hyphen for the beginning of an arrow.
    lines += [f'    state "{name}" as {_id(name)}' for name in names if _id(name) != name]
    lines += [f"    [*] --> {_id(state)}" for state in first or initial_states(steps)]
    lines += [
        f"    {_id(before)} --> {_id(after)}: {step}" for (before, step), after in steps.items()
    ]
    lines += [f"    {_id(state)} --> [*]" for state in [*last, *ended_states(steps)]]
    return "\n".join(lines)


def _id(state: StrEnum) -> str:
    return str(state).replace("-", "_")


def order_states() -> str:
    """The diagram of an order's states."""
    return state_diagram(ORDER_STEPS)


def ticket_states() -> str:
    """The diagram of a ticket's states."""
    return state_diagram(TICKET_STEPS, FIRST_TICKET, [TicketStatus.BUMPED])


def payment_states() -> str:
    """The diagram of a payment's states."""
    return state_diagram(PAYMENT_STEPS)


def party_states() -> str:
    """The diagram of a party's states."""
    return state_diagram(PARTY_STEPS)


def purchase_states() -> str:
    """The diagram of a purchase order's states."""
    return state_diagram(PURCHASE_STEPS, [PurchaseStatus.DRAFT])


def delivery_states() -> str:
    """The diagram of a delivery's states."""
    return state_diagram(DELIVERY_STEPS, [DeliveryStatus.WAITING], [DeliveryStatus.RETURNED])


def notice_states() -> str:
    """The diagram of a notice's states."""
    return state_diagram(NOTICE_STEPS, [NoticeStatus.WAITING])
