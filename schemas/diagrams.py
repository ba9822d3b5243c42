"""Diagrams of the state machines, drawn from the tables that run them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from schemas.kitchen import TICKET_STEPS
from schemas.orders import ORDER_STEPS

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


def state_diagram(steps: Mapping[tuple[State, Step], State]) -> str:
    """Draw a transition table as a Mermaid ``stateDiagram-v2``."""
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {state}" for state in initial_states(steps)]
    lines += [f"    {before} --> {after}: {step}" for (before, step), after in steps.items()]
    lines += [f"    {state} --> [*]" for state in ended_states(steps)]
    return "\n".join(lines)


def order_states() -> str:
    """The diagram of an order's states."""
    return state_diagram(ORDER_STEPS)


def ticket_states() -> str:
    """The diagram of a ticket's states."""
    return state_diagram(TICKET_STEPS)
