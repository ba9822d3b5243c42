"""The alerts of what nobody has heard: one for each station and whoever is told.

They follow the tickets, in the transaction that changes these. A station counts what stands
in each of its alerts, so that what is heard in time costs nothing here. An alert names the
oldest tickets and says roughly how many more there are: of thousands, few change it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select

from schemas.alerts import Alert, AlertKind, Audience, Severity
from schemas.kitchen import Asked, Ticket, TicketStatus
from schemas.kitchen_rules import EscalationTarget
from services.kitchen import hearing, store
from services.kitchen.store import TICKETS, StationNow
from services.runtime import alerts
from services.runtime.context import Context

_ASKED: Final = TypeAdapter(tuple[Asked, ...])
_PAGE: Final = 250
"""How many unheard tickets of a station are looked through at once for the oldest of an alert."""


async def follow(context: Context, ticket: Ticket) -> None:
    """Bring the alerts to a ticket that is about to be kept."""
    before: frozenset[str] = frozenset()
    if ticket.version > 1:
        row = await context.draft.get(TICKETS, context.tenant, ticket.ticket_id)
        before = frozenset() if row is None else _asking(row)
    after = hearing.asking(ticket.status, ticket.asked)
    for who in sorted(before - after):
        await _less(context, ticket, who)
    for who in sorted(after - before):
        await _more(context, ticket, who)


async def display_silent(context: Context, ticket: Ticket, device: str) -> None:
    """A display does not show what others of its station do: somebody has to look at it."""
    now = await store.station_now(context.draft, context.tenant, ticket.station)
    if device in now.left_at:
        return  # it shows another station by now, or none
    name = hearing.alert_name(hearing.SILENT, ticket.station, device)
    standing = await alerts.standing(context.draft, context.tenant, name)
    known = () if standing is None else standing.tickets
    tickets = known if ticket.ticket_id in known else (*known, ticket.ticket_id)
    tickets = tickets[: hearing.SHOWN]
    numbers = {ticket.order_number}
    for each in tickets:
        other = await store.ticket_of(context.draft, context.tenant, each)
        if other is not None:
            numbers.add(other.order_number)
    await alerts.raise_(
        context,
        Alert(
            alert=name,
            kind=AlertKind.UNHEARD,
            audience=Audience.STATION,
            to=ticket.station,
            about=device,
            text=hearing.silent_text(ticket.station, device, sorted(numbers)[:3]),
            tickets=tickets,
            raised_at=context.now,
        ),
    )
    _count(context, now, hearing.DISPLAY + device, 1)


async def display_heard(context: Context, station: str, device: str) -> None:
    """A display shows what it was sent, or has left: the alert about its silence is over."""
    now = await store.station_now(context.draft, context.tenant, station)
    if hearing.DISPLAY + device in now.unheard:
        _count(context, now, hearing.DISPLAY + device, 0)
        await alerts.clear(context, hearing.alert_name(hearing.SILENT, station, device))


async def _more(context: Context, ticket: Ticket, who: str) -> None:
    now = await store.station_now(context.draft, context.tenant, ticket.station)
    count = now.unheard.get(who, 0) + 1
    _count(context, now, who, count)
    standing = await _standing(context, ticket.station, who) if count > 1 else None
    known = () if standing is None else standing.tickets
    tickets = (*known, ticket.ticket_id)[: hearing.SHOWN]
    await _say(context, ticket, who, tickets=tickets, count=count, standing=standing)


async def _less(context: Context, ticket: Ticket, who: str) -> None:
    now = await store.station_now(context.draft, context.tenant, ticket.station)
    count = max(0, now.unheard.get(who, 0) - 1)
    _count(context, now, who, count)
    standing = await _standing(context, ticket.station, who)
    if count == 0 or standing is None:
        await alerts.clear(context, hearing.alert_name("unheard", ticket.station, who))
        return
    left = tuple(each for each in standing.tickets if each != ticket.ticket_id)
    tickets = left or await _oldest(context, ticket, who)
    await _say(context, ticket, who, tickets=tickets, count=count, standing=standing)


async def _say(
    context: Context,
    ticket: Ticket,
    who: str,
    *,
    tickets: tuple[UUID, ...],
    count: int,
    standing: Alert | None,
) -> None:
    if not tickets:  # nobody can be named any more, so nothing is unheard
        await alerts.clear(context, hearing.alert_name("unheard", ticket.station, who))
        return
    first = ticket.order_number
    if tickets[0] != ticket.ticket_id:
        oldest = await store.ticket_of(context.draft, context.tenant, tickets[0])
        first = first if oldest is None else oldest.order_number
    asked = next((each for each in ticket.asked if who in hearing.asking(_SENT, [each])), None)
    if standing is not None and asked is None:
        audience, to = standing.audience, standing.to
    else:
        audience, to = _for_whom(asked)
    manager = who == EscalationTarget.MANAGER.value
    await alerts.raise_(
        context,
        Alert(
            alert=hearing.alert_name("unheard", ticket.station, who),
            kind=AlertKind.UNHEARD,
            severity=Severity.CRITICAL if manager else Severity.LOW,
            audience=audience,
            to=to,
            about=ticket.station,
            text=hearing.unheard_text(ticket.station, first, count, who),
            tickets=tickets,
            raised_at=context.now,
        ),
    )


_SENT: Final = TicketStatus.SENT
_AUDIENCE: Final = {
    EscalationTarget.EXPO: Audience.STATION,
    EscalationTarget.POS: Audience.DEVICE,
}


def _for_whom(asked: Asked | None) -> tuple[Audience, str]:
    if asked is None:
        return Audience.MANAGERS, hearing.MANAGERS
    return _AUDIENCE.get(asked.step, Audience.MANAGERS), asked.to


async def _standing(context: Context, station: str, who: str) -> Alert | None:
    name = hearing.alert_name("unheard", station, who)
    return await alerts.standing(context.draft, context.tenant, name)


async def _oldest(context: Context, gone: Ticket, who: str) -> tuple[UUID, ...]:
    """The tickets of a station that wait longest, once all that an alert named are gone."""
    query = (
        select(TICKETS.c.ticket_id)
        .where(
            TICKETS.c.tenant == context.tenant,
            TICKETS.c.station == gone.station,
            TICKETS.c.status == _SENT.value,
            TICKETS.c.ticket_id != gone.ticket_id,
        )
        .order_by(TICKETS.c.sent_at, TICKETS.c.ticket_id)
        .limit(_PAGE)
    )
    found: list[UUID] = []
    for page in itertools.count():
        ids = list(await context.draft.work.connection.scalars(query.offset(page * _PAGE)))
        await context.draft.work.fetch(TICKETS, [(context.tenant, each) for each in ids])
        for each in ids:
            # As this message sees it: others of the batch may have been heard already.
            row = await context.draft.get(TICKETS, context.tenant, each)
            if row is not None and who in _asking(row):
                found.append(each)
        if found or len(ids) < _PAGE:
            break
    return tuple(found[: hearing.SHOWN])


def _count(context: Context, now: StationNow, who: str, count: int) -> None:
    counts = {**now.unheard, who: count}
    if not count:
        del counts[who]
    if counts != now.unheard:
        store.put_station(context.draft, context.tenant, replace(now, unheard=counts))


def _asking(row: Mapping[str, Any]) -> frozenset[str]:
    asked = (row["details"] or {}).get("asked")
    if not asked or row["status"] != _SENT.value:
        return frozenset()
    return hearing.asking(_SENT, _ASKED.validate_python(asked))
