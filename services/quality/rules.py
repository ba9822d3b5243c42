"""What a check asks for, and whether it was met. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from schemas.alerts import Alert, AlertKind, Audience, Severity
from schemas.kitchen import LineMark, Ticket, TicketStatus
from schemas.kitchen_rules import CheckKind, CheckRules, KitchenRules
from schemas.quality import Finding, RecordCheck, WaiveCheck
from schemas.refusals import RefusalCode
from services.runtime.refusal import Refusal

MANAGERS: Final = "managers"
_NAME: Final = 64
_DIGEST: Final = 8
_GONE: Final = frozenset({TicketStatus.CANCELLED, TicketStatus.MOVED})
_WANTED: Final = {
    CheckKind.TEMPERATURE: ("celsius", "a temperature"),
    CheckKind.YES_NO: ("yes", "a yes or no"),
    CheckKind.PHOTO: ("photo", "a photo"),
}
"""By kind: the field of a request that says it, and what that is called."""


def find(rules: KitchenRules, check: str) -> CheckRules:
    """A check of this house.

    Raises:
        Refusal: `not-found`, with those that there are.
    """
    found = rules.checks.get(check)
    if found is None:
        known = ", ".join(sorted(rules.checks)[:20]) or "none"
        raise Refusal(RefusalCode.NOT_FOUND, f"this house has no check {check}; it has {known}")
    return found


def limits(check: CheckRules) -> str:
    """What is asked for, in words."""
    if check.kind is CheckKind.YES_NO:
        return "yes"
    if check.kind is CheckKind.PHOTO:
        return "a photo"
    if check.most is None:
        return f"at least {check.least:g} °C"
    if check.least is None:
        return f"at most {check.most:g} °C"
    return f"{check.least:g} to {check.most:g} °C"


def called(name: str, check: CheckRules) -> str:
    """A check for people, with what it asks for: ``Core of burgers (burger-core): …``."""
    title = f"{check.name} ({name})" if check.name else name
    return f"{title}: {limits(check)}"


def items_of(check: CheckRules, ticket: Ticket) -> tuple[str, ...]:
    """What on a ticket a check is for: nothing where it goes by the clock or is made elsewhere.

    An expo sees whole orders: food is checked where it is made, unless a check names the expo.
    """
    here = ticket.station in check.stations
    if check.every_s is not None or (not here and (check.stations or ticket.plates)):
        return ()
    made = {line.item for line in ticket.lines if line.mark is not LineMark.CANCELLED}
    return tuple(sorted(made.intersection(check.items)))


def may_have_failed(check: CheckRules, ticket: Ticket) -> bool:
    """Tell whether a ticket has, or had before it was struck out, anything that a check is for."""
    lines = tuple(line.model_copy(update={"mark": None}) for line in ticket.lines)
    return bool(items_of(check, ticket.model_copy(update={"lines": lines})))


def blocking(rules: KitchenRules, ticket: Ticket) -> dict[str, CheckRules]:
    """The checks without which a ticket must not be bumped, by name."""
    return {
        name: check
        for name, check in rules.checks.items()
        if check.blocks and items_of(check, ticket)
    }


def missing(wanted: dict[str, CheckRules], findings: Iterable[Finding]) -> tuple[str, ...]:
    """Those of them that have not passed, in words; `findings` of one ticket, oldest first.

    The last word counts: what failed after it had passed has to pass again.
    """
    last = {each.check: each for each in findings}
    return tuple(
        called(name, check)
        for name, check in wanted.items()
        if (found := last.get(name)) is None or not (found.passed or found.waived)
    )


# -- recording --------------------------------------------------------------------------------


def record(
    request: RecordCheck,
    check: CheckRules,
    ticket: Ticket | None,
    *,
    finding_id: UUID,
    device: str,
    person: str | None,
    at: datetime,
) -> Finding:
    """What was found.

    Args:
        request: what somebody says.
        check: the check that it names.
        ticket: the ticket that it names.
        finding_id: under which it is kept.
        device: who says so.
        person: who has checked, where that is known.
        at: when.

    Raises:
        Refusal: `invalid` where the value is missing or of another kind, or a ticket is wanted,
            or not wanted; `wrong-station`; `wrong-state` for a ticket that is gone.
    """
    passed = _passed(request, check)
    items: tuple[str, ...] = ()
    if check.every_s is None:
        station, items = _at_ticket(request, check, ticket)
    else:
        station = _by_the_clock(request, check)
    return Finding(
        finding_id=finding_id,
        check=request.check,
        kind=check.kind,
        station=station,
        ticket_id=None if ticket is None else ticket.ticket_id,
        order_number=None if ticket is None else ticket.order_number,
        item=items[0] if len(items) == 1 else None,
        celsius=request.celsius,
        yes=request.yes,
        photo=request.photo,
        passed=passed,
        limits=limits(check),
        note=request.note,
        device=device,
        person=person,
        at=at,
    )


def _passed(request: RecordCheck, check: CheckRules) -> bool:
    field, word = _WANTED[check.kind]
    if getattr(request, field) is None:
        raise Refusal(RefusalCode.INVALID, f"{request.check} is {word}: say `{field}`")
    if check.kind is not CheckKind.TEMPERATURE:
        if request.celsius is not None:
            raise Refusal(RefusalCode.INVALID, f"{request.check} is {word}, no temperature")
        return request.yes is not False
    if request.yes is not None:
        raise Refusal(RefusalCode.INVALID, f"{request.check} is {word}, no yes or no")
    measured = request.celsius
    return (
        measured is not None
        and (check.least is None or measured >= check.least)
        and (check.most is None or measured <= check.most)
    )


def _at_ticket(
    request: RecordCheck, check: CheckRules, ticket: Ticket | None
) -> tuple[str, tuple[str, ...]]:
    if ticket is None:
        raise Refusal(
            RefusalCode.INVALID, f"{request.check} goes with its food: name the ticket_id"
        )
    if request.station not in {None, ticket.station}:
        raise Refusal(
            RefusalCode.WRONG_STATION,
            f"the ticket of {ticket.order_number} stands at {ticket.station}, not at "
            f"{request.station}",
        )
    return ticket.station, _items(request.check, check, ticket)


def _by_the_clock(request: RecordCheck, check: CheckRules) -> str:
    if request.ticket_id is not None:
        raise Refusal(RefusalCode.INVALID, f"{request.check} goes by the clock, not with a ticket")
    station = request.station or (check.stations[0] if len(check.stations) == 1 else None)
    stations = ", ".join(check.stations)
    if station is None:
        raise Refusal(RefusalCode.INVALID, f"{request.check} is made at {stations}: say where")
    if station not in check.stations:
        raise Refusal(
            RefusalCode.WRONG_STATION, f"{request.check} is made at {stations}, not at {station}"
        )
    return station


def _items(name: str, check: CheckRules, ticket: Ticket) -> tuple[str, ...]:
    """What of a ticket the check is for.

    Raises:
        Refusal: `invalid`, `wrong-station`, `wrong-state`.
    """
    where = f"the ticket of {ticket.order_number}"
    if check.every_s is not None:
        raise Refusal(RefusalCode.INVALID, f"{name} goes by the clock, not with a ticket")
    if check.stations and ticket.station not in check.stations:
        raise Refusal(
            RefusalCode.WRONG_STATION,
            f"{name} is made at {', '.join(check.stations)}, and {where} stands at "
            f"{ticket.station}",
        )
    if ticket.status in _GONE:
        raise Refusal(RefusalCode.WRONG_STATE, f"{where} is {ticket.status.value}")
    items = items_of(check, ticket)
    if not items:
        raise Refusal(RefusalCode.INVALID, f"{where} has nothing that {name} is for")
    return items


def waive(
    request: WaiveCheck,
    check: CheckRules,
    ticket: Ticket,
    last: Finding | None,
    *,
    finding_id: UUID,
    device: str,
    person: str | None,
    at: datetime,
) -> Finding:
    """A ticket may go without: kept as what it is, and never as passed.

    Raises:
        Refusal: see `record`; `wrong-state` where nothing is to be waived.
    """
    items = _items(request.check, check, ticket)
    if last is not None and (last.passed or last.waived):
        how = "has passed" if last.passed else "was waived"
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{request.check} {how} for {ticket.order_number} already"
        )
    return Finding(
        finding_id=finding_id,
        check=request.check,
        kind=check.kind,
        station=ticket.station,
        ticket_id=ticket.ticket_id,
        order_number=ticket.order_number,
        item=items[0] if len(items) == 1 else None,
        passed=False,
        waived=True,
        limits=limits(check),
        note=request.reason,
        device=device,
        person=person,
        at=at,
    )


# -- alerts -----------------------------------------------------------------------------------


def alert_name(kind: AlertKind, check: str, where: str) -> str:
    """The name of the alert of a check at a station, or of a ticket: always the same one."""
    name = f"{kind.value}-{check}-{where}"
    # With hyphens in it, another check at another station might read the same.
    if len(name) <= _NAME and "-" not in check + where:
        return name
    digest = hashlib.sha256(f"{check}/{where}".encode()).hexdigest()[:_DIGEST]
    return f"{name[: _NAME - _DIGEST - 1]}-{digest}"


def failed_name(finding: Finding) -> str:
    """The alert that a failed check raises, and a later one clears."""
    if finding.ticket_id is not None:
        return ticket_alert(finding.check, finding.ticket_id)
    return alert_name(AlertKind.CHECK_FAILED, finding.check, finding.station or "")


def ticket_alert(check: str, ticket_id: UUID) -> str:
    """The same, for the food of a ticket."""
    return alert_name(AlertKind.CHECK_FAILED, check, ticket_id.hex[-12:])


def failed(finding: Finding, check: CheckRules) -> Alert:
    """What managers are told of a check that has failed."""
    found = "no" if finding.celsius is None else f"{finding.celsius:g} °C"
    order = f", for {finding.order_number}" if finding.order_number else ""
    what = "check again, or waive it" if finding.ticket_id else "see to it, and check again"
    return Alert(
        alert=failed_name(finding),
        kind=AlertKind.CHECK_FAILED,
        severity=Severity.CRITICAL,
        audience=Audience.MANAGERS,
        to=MANAGERS,
        about=finding.check,
        text=f"{called(finding.check, check)}, and it was {found} at {finding.station}{order}: "
        f"{what}",
        tickets=() if finding.ticket_id is None else (finding.ticket_id,),
        raised_at=finding.at,
    )


def overdue_name(check: str, station: str) -> str:
    """The alert of a check that was not made in time."""
    return alert_name(AlertKind.CHECK_OVERDUE, check, station)


def due_at(check: CheckRules, last_at: datetime | None) -> datetime | None:
    """When a check by the clock is due next; None where it was never made, and so is due now."""
    if last_at is None or check.every_s is None:
        return None
    return last_at + timedelta(seconds=check.every_s)


def overdue(
    name: str,
    check: CheckRules,
    station: str,
    due: datetime | None,
    *,
    zone: ZoneInfo,
    now: datetime,
) -> Alert:
    """What a station is told of a check that was not made in time."""
    since = "was never made"
    if due is not None:
        since = f"was due at {due.astimezone(zone):%Y-%m-%d %H:%M}"
    return Alert(
        alert=overdue_name(name, station),
        kind=AlertKind.CHECK_OVERDUE,
        audience=Audience.STATION,
        to=station,
        about=name,
        text=f"{called(name, check)} {since} at {station}: make it, and record it",
        raised_at=now,
    )
