"""Whom a change is told to, over which channel, in which language. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.house_rules import OrderRules
from schemas.identifiers import derived_id
from schemas.notices import (
    NOTICE_STEPS,
    NoticeRule,
    NoticeRules,
    NoticeStatus,
    NoticeStep,
)
from schemas.orders import Order, OrderChange, OrderStatus


class ImpossibleStep(Exception):
    """A notice cannot take this step from where it stands; the message says so."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One recipient, to be told of one change."""

    notice_id: UUID
    rule: NoticeRule
    change: OrderChange
    to: str | None
    """An email address; None where there is none, or the channel needs none."""
    template: str
    language: str


def changes_of_placing(order: Order) -> tuple[OrderChange, ...]:
    """What a new order is news of, the weightier first.

    An order that waits for nothing is placed and accepted in one instant.
    """
    if order.status is OrderStatus.PLACED:
        return (OrderChange.PLACED,)
    return (OrderChange.ACCEPTED, OrderChange.PLACED)


def tellings(
    book: NoticeRules,
    house: OrderRules,
    order: Order,
    changes: Sequence[OrderChange],
    at: datetime,
) -> list[Telling]:
    """Whom to tell of what has just happened, all of it at one instant.

    Nobody is told the same twice: of several changes in one instant a recipient hears
    the weightiest alone, and where two rules would tell one recipient over one channel
    at the same time, the first in the book counts.

    Args:
        book: the house's rules.
        house: its language.
        order: as it stands after the change.
        changes: what happened, the weightiest first.
        at: when.
    """
    chosen: dict[tuple[str, str | None, int], Telling] = {}
    told: set[tuple[str, str | None]] = set()
    for change in changes:
        of_this: set[tuple[str, str | None]] = set()
        for rule in book.rules:
            if change not in rule.on or (rule.kinds and order.kind not in rule.kinds):
                continue
            to = recipient(rule, order)
            if (rule.channel, to) in told:
                continue
            of_this.add((rule.channel, to))
            chosen.setdefault(
                (rule.channel, to, rule.after_s),
                Telling(
                    notice_id(order.order_id, order.version, rule.rule, at),
                    rule,
                    change,
                    to,
                    rule.template or change.value,
                    language(rule, order, house),
                ),
            )
        told |= of_this
    return list(chosen.values())


def recipient(rule: NoticeRule, order: Order) -> str | None:
    """The address a rule names, else the guest's own."""
    if rule.to is not None:
        return rule.to
    return None if order.guest is None else order.guest.email


def language(rule: NoticeRule, order: Order, house: OrderRules) -> str:
    """The rule's; else the guest's, where no rule names who is told; else the house's."""
    if rule.language is not None:
        return rule.language
    if rule.to is None and order.guest is not None and order.guest.language is not None:
        return order.guest.language
    return house.language


def notice_id(order_id: UUID, version: int, rule: str, at: datetime) -> UUID:
    """The id that always belongs to this rule's notice of this version of the order."""
    return derived_id(at, "notice", str(order_id), str(version), rule)


def step(status: NoticeStatus, taken: NoticeStep) -> NoticeStatus:
    """Where a notice stands after a step.

    Raises:
        ImpossibleStep: the table has no such step.
    """
    after = NOTICE_STEPS.get((status, taken))
    if after is None:
        raise ImpossibleStep(f"a notice that is {status} cannot {taken}")
    return after
