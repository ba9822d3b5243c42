"""Who has a ticket on the screen, and who is asked next where nobody has. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from schemas.kitchen import Asked, Hearing, Ticket, TicketStatus, TicketStep
from schemas.kitchen_rules import EscalationStep, EscalationTarget

MANAGERS: Final = "managers"
SILENT: Final = "silent"
"""What is wrong with a display that does not show what the others of its station do."""
DISPLAY: Final = "display-"
"""Begins the name under which a silent display is counted at its station."""
SHOWN: Final = 20
"""How many tickets an alert names; of the others it tells how many there are, roughly."""

_HEARS: Final = frozenset({TicketStep.HEAR, TicketStep.START, TicketStep.BUMP})
"""Whoever does one of these sees the ticket."""
_BEING_MADE: Final = frozenset({TicketStatus.HEARD, TicketStatus.STARTED})
_TOLD: Final = frozenset({EscalationTarget.EXPO, EscalationTarget.POS, EscalationTarget.MANAGER})
"""Steps that end in an alert."""
_LONGEST_NAME: Final = 64
_ROUND: Final = (1_000_000, *(lead * 10**zeros for zeros in (5, 4, 3, 2) for lead in (5, 2, 1)), 50)


def address(
    ticket: Ticket, displays: Iterable[str], steps: Sequence[EscalationStep], at: datetime
) -> Ticket:
    """Send a ticket to these displays, who have the first step's patience to hear it.

    What is held is nobody's to hear; it is addressed when it is fired.
    """
    if ticket.status is not TicketStatus.SENT:
        return ticket.model_copy(update={"displays": (), "asked": ()})
    following = next_step(steps, ticket.asked)
    return ticket.model_copy(
        update={
            "displays": tuple(Hearing(device=each) for each in sorted(displays)),
            "wake_at": patience(steps, following, at),
        }
    )


def patience(steps: Sequence[EscalationStep], following: int, at: datetime) -> datetime | None:
    """When the step `following` is due; None where there is none."""
    if following >= len(steps):
        return None
    return at + timedelta(seconds=steps[following].after_s)


def next_step(steps: Sequence[EscalationStep], asked: Sequence[Asked]) -> int:
    """Which step comes after those that were taken; steps that nobody was there for are past."""
    following = 0
    for each in asked:
        taken = (i for i in range(following, len(steps)) if steps[i].to is each.step)
        following = next(taken, following - 1) + 1
    return following


def hears_now(ticket: Ticket, device: str) -> bool:
    """Tell whether the device was sent the ticket, and had not said that it shows it."""
    return ticket.status in _BEING_MADE and any(
        each.device == device and each.heard_at is None for each in ticket.displays
    )


def hear(ticket: Ticket, *, at: datetime, by: str) -> Ticket:
    """The ticket with what this display has heard: nothing is counted on."""
    displays = tuple(
        each.model_copy(update={"heard_at": at})
        if each.device == by and each.heard_at is None
        else each
        for each in ticket.displays
    )
    wake_at = ticket.wake_at if any(each.heard_at is None for each in displays) else None
    return ticket.model_copy(update={"displays": displays, "wake_at": wake_at})


def after_step(before: Ticket, after: Ticket, step: TicketStep, *, at: datetime, by: str) -> Ticket:
    """Note who has heard with this step; those who have not keep what is left of their time."""
    if step not in _HEARS or not before.displays or after.status is TicketStatus.HELD:
        return after
    heard = hear(after.model_copy(update={"wake_at": before.wake_at}), at=at, by=by)
    return heard if after.status in _BEING_MADE else heard.model_copy(update={"wake_at": None})


def silent(ticket: Ticket) -> tuple[str, ...]:
    """The displays that do not show the ticket, though others do."""
    if ticket.status not in _BEING_MADE:
        return ()
    return tuple(each.device for each in ticket.displays if each.heard_at is None)


def asking(status: TicketStatus, asked: Iterable[Asked]) -> frozenset[str]:
    """Who stands alerted for a ticket: ``expo``, ``manager``, ``pos-`` and the device."""
    if status is not TicketStatus.SENT:
        return frozenset()
    return frozenset(_who(each) for each in asked if each.step in _TOLD)


def _who(asked: Asked) -> str:
    return f"pos-{asked.to}" if asked.step is EscalationTarget.POS else asked.step.value


def alert_name(what: str, station: str, who: str = "") -> str:
    """Name an alert, so that the same trouble has the same name and no other has it."""
    name = "-".join(filter(None, (what, station, who)))
    # Where a station's own name could read as part of the rest, a digest tells them apart.
    like_the_rest = "-" if what == SILENT else "-pos"
    if len(name) <= _LONGEST_NAME and like_the_rest not in station:
        return name
    digest = hashlib.sha256(f"{what} {station} {who}".encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9].strip('-')}-{digest}"


def about(count: int) -> str:
    """Say a number of tickets so that it does not change with each of thousands."""
    if count <= SHOWN:
        return str(count)
    return f"over {next((each for each in _ROUND if each <= count), SHOWN)}"


def unheard_text(station: str, first: str, count: int, who: str) -> str:
    """Say what is not heard, and what to do.

    Args:
        station: where.
        first: the number of the order that waits longest.
        count: how many tickets there are.
        who: as `asking` has it.
    """
    more = "" if count == 1 else f" and {about(count - 1)} more"
    do = (
        "see to its display, move its tickets or close it"
        if who == EscalationTarget.MANAGER.value
        else "go there and tell them"
    )
    return f"{station} has not heard {first}{more}: {do}"


def gone_text(station: str, last: str) -> str:
    """Say that a station has no display any more, and what to do."""
    return (
        f"{station} has no display: {last} is gone. Start it again, let another one show "
        f"{station}, or close the station"
    )


def silent_text(station: str, device: str, numbers: Collection[str]) -> str:
    """Say which display does not show what the others of its station do."""
    named = ", ".join(sorted(numbers))
    return f"{device} at {station} has not shown {named}, others have: look whether it works"
