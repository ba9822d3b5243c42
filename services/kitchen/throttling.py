"""When the kitchen takes less: how full it is, and what each kind of order gets of it. Pure.

Work is counted by station and quarter of an hour. A quarter begins with what is left of the
one before, and fills with what is sent to be made; so many hands can do so much in it. What
has been done in a quarter stays counted until it ends: its minutes are gone.

A channel stretches, pauses and opens again by itself. Between pausing and opening there is
room, so that one order more or less does not turn it over and over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Final, NamedTuple

from schemas.kitchen_pace import Intake
from schemas.kitchen_rules import QUARTER_S, KitchenRules, ThrottleRules
from schemas.orders import OrderKind

_APART: Final = 0.1
"""Each further channel pauses so much above the one before."""
_CALM: Final = 0.1
"""So much below where it began, stretching ends."""
_MINUTE: Final = 60


class Load(NamedTuple):
    """How full the fullest station is: 1 is all that its hands can do in a quarter."""

    share: float
    station: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a channel stands.

    Attributes:
        intake: what it takes.
        quoted_s: how long an order is told to take.
        load: of the fullest station, when this was decided.
        why: for people.
        since: when it came to take this.
        by_hand: somebody has paused it, and the load does not open it.
        until: when a pause by hand ends by itself; None is when somebody resumes it.
        held: why another area has it taken no more, in its words; None where it does not.
    """

    intake: Intake
    quoted_s: int
    load: Load
    why: str
    since: datetime
    by_hand: bool = False
    until: datetime | None = None
    held: str | None = None


def quarter_of(at: datetime) -> datetime:
    """When the quarter of an hour began in which this moment lies."""
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)


def slot_of(station: str, starts_at: datetime) -> str:
    """Name a quarter of a station by its time of day: ``grill 19:15``."""
    return f"{station} {starts_at.astimezone(UTC):%H:%M}"


def share_of(book: KitchenRules, station: str, work_s: int) -> float:
    """How full a station is with so much work in a quarter."""
    return work_s / (QUARTER_S * book.station(station).hands)


def fullest(book: KitchenRules, work_s: Mapping[str, int]) -> Load:
    """The fullest of the stations, by the work that each has in this quarter."""
    loads = [Load(share_of(book, name, work), name) for name, work in sorted(work_s.items())]
    return max(loads, key=lambda each: each.share, default=Load(0.0, None))


def decide(
    channel: OrderKind,
    rules: ThrottleRules | None,
    load: Load,
    before: Standing | None,
    at: datetime,
) -> Standing:
    """Say how a kind of order is taken.

    Args:
        channel: the kind.
        rules: of this house; None throttles nothing but by hand.
        load: of the fullest station.
        before: how it stood; None where it never did.
        at: now.
    """
    if before is not None and before.by_hand and not _is_over(before, at):
        return before
    if before is not None and before.held is not None:
        quoted_s = 0 if rules is None else quote(rules, load.share)
        why = before.held
        return _since(before, Standing(Intake.PAUSED, quoted_s, load, why, at, held=why))
    if rules is None:
        return _since(before, Standing(Intake.OPEN, 0, load, "the house does not throttle", at))
    was = Intake.OPEN if before is None else before.intake
    intake, why = _by_load(channel, rules, load, was)
    return _since(before, Standing(intake, quote(rules, load.share), load, why, at))


def pause(
    why: str,
    until: datetime | None,
    before: Standing | None,
    rules: ThrottleRules | None,
    at: datetime,
) -> Standing:
    """Somebody takes no more of a kind of order."""
    load = Load(0.0, None) if before is None else before.load
    quoted_s = 0 if rules is None else quote(rules, load.share)
    since = at if before is None or before.intake is not Intake.PAUSED else before.since
    held = None if before is None else before.held
    return Standing(Intake.PAUSED, quoted_s, load, why, since, by_hand=True, until=until, held=held)


def hold(
    channel: OrderKind,
    why: str | None,
    before: Standing | None,
    rules: ThrottleRules | None,
    at: datetime,
) -> Standing:
    """Another area has a kind of order taken no more, or lets go of it.

    A pause by hand stays as it is. What is let go is taken as the load says, as if it had been
    open: how long the other area held it says nothing of the load.

    Args:
        channel: the kind.
        why: in its words; None lets go.
        before: how it stood; None where it never did.
        rules: of this house.
        at: now.
    """
    stood = before or Standing(Intake.OPEN, 0, Load(0.0, None), "", at)
    if why is None and stood.held is not None and not stood.by_hand:
        stood = replace(stood, intake=Intake.OPEN, since=at)
    return decide(channel, rules, stood.load, replace(stood, held=why), at)


def resume(
    channel: OrderKind, before: Standing, rules: ThrottleRules | None, at: datetime
) -> Standing:
    """Somebody takes a kind of order again; what another area holds is held still."""
    if before.held is None:
        return decide(channel, rules, before.load, None, at)
    return decide(channel, rules, before.load, replace(before, by_hand=False, until=None), at)


def quote(rules: ThrottleRules, share: float) -> int:
    """How long an order is told to take, in whole minutes of seconds.

    What stands above `stretch_at` is work that waits: each tenth of a quarter is a minute and
    a half of waiting.

    >>> quote(ThrottleRules(quote_s=1200, stretch_at=0.8), 0.5)
    1200
    >>> quote(ThrottleRules(quote_s=1200, stretch_at=0.8), 1.2)
    1560
    """
    waits_s = max(0.0, share - rules.stretch_at) * QUARTER_S
    return _MINUTE * ceil(round(rules.quote_s + waits_s, 3) / _MINUTE)


def percent(share: float) -> str:
    """A share for people."""
    return f"{round(100 * share)} %"


def differs(before: Standing | None, after: Standing) -> bool:
    """Tell whether a change is worth telling: the load alone is not."""
    return before is None or _told(before) != _told(after)


def _told(now: Standing) -> tuple[object, ...]:
    return now.intake, now.quoted_s, now.by_hand, now.until, now.held


def _pauses_at(channel: OrderKind, rules: ThrottleRules) -> float | None:
    """From where on a channel is paused; None where it never is."""
    if channel.value not in rules.channels:
        return None
    return rules.pause_at + _APART * rules.channels.index(channel.value)


def _is_over(pause: Standing, at: datetime) -> bool:
    return pause.until is not None and pause.until <= at


def _by_load(
    channel: OrderKind, rules: ThrottleRules, load: Load, was: Intake
) -> tuple[Intake, str]:
    """What a channel takes, and why."""
    pauses = _pauses_at(channel, rules)
    full = f"{load.station} is at {percent(load.share)}"
    if pauses is not None and load.share >= pauses:
        return Intake.PAUSED, f"{full} of what it can make in a quarter of an hour"
    if pauses is not None and was is Intake.PAUSED and load.share >= rules.resume_at:
        return Intake.PAUSED, f"{full}, and it opens below {percent(rules.resume_at)}"
    if load.share >= rules.stretch_at - (_CALM if was is Intake.STRETCHED else 0):
        return Intake.STRETCHED, f"{full}: orders take longer"
    return Intake.OPEN, "there is room"


def _since(before: Standing | None, after: Standing) -> Standing:
    """The same, since when it is so."""
    if before is None or before.intake is not after.intake:
        return after
    return replace(after, since=before.since)
