"""The kitchen's rows: stations with their sequence, tickets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen import ON_THE_LINE, OPEN_TICKET, Ticket, TicketLine, TicketStatus
from services.runtime.among import among
from services.runtime.changed import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG
from services.runtime.work import SHELVED, Draft, Record, Row, UnitOfWork, made_of

_STATUSES = ", ".join(f"'{status}'" for status in TicketStatus)
_OPEN: Final = sorted(status.value for status in OPEN_TICKET)
_ON_THE_LINE: Final = sorted(status.value for status in ON_THE_LINE)
_LINES: Final = TypeAdapter(list[TicketLine])
"""All lines in one call: a ticket may have sixty, and is written at every step."""
_OF_ORDER: Final = "tickets of an order"
_CUT: Final = "tickets cut for an order"

STATIONS: Final = Table(
    "stations",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("station", SLUG, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("open", Integer, nullable=False),
    Column("work_s", BigInteger, nullable=False),
    Column("closed", Text),
    Column("displays", DOCUMENT),
    Column("printers", DOCUMENT),
    Column("unheard", DOCUMENT),
    Column("left_at", DOCUMENT),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("sequence >= 0", name="sequence"),
    CheckConstraint("open >= 0 and work_s >= 0", name="load"),
    info={GUARD: "version", SHELVED: True},
)
"""``open`` counts its open tickets, ``work_s`` the work left on the line, ``closed`` says
why it takes nothing. ``displays`` are those who show it, and ``printers`` those that print
what nobody has heard: ``{device: {"since": …, "epoch": …}}``; the former is null until there is
one. ``unheard`` counts what stands as an alert, by whom it is for. ``left_at`` says who shows it no
more by his own word, and since when: what he was sent before, he need not show."""

TICKETS: Final = Table(
    "tickets",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("ticket_id", Uuid, primary_key=True),
    Column("station", SLUG, nullable=False),
    Column("order_id", Uuid, nullable=False),
    Column("order_number", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("lines", DOCUMENT, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("table", String(32)),
    Column("guest", String(120)),
    Column("due_at", Moment),
    Column("placed_at", Moment, nullable=False),
    Column("heard_at", Moment),
    Column("heard_by", SLUG),
    Column("changed_sequence", BigInteger),
    Column("changed_at", Moment),
    Column("change_heard_at", Moment),
    Column("change_heard_by", SLUG),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("course", Integer, nullable=False),
    Column("priority", String(8), nullable=False),
    Column("sent_at", Moment),
    Column("wake_at", Moment),
    Column("recalls", Integer, nullable=False),
    Column("held_for", String(16)),
    Column("details", DOCUMENT),
    ForeignKeyConstraint(["tenant", "order_id"], ["orders.tenant", "orders.order_id"]),
    CheckConstraint(f"status in ({_STATUSES})", name="status"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("(heard_at is null) = (heard_by is null)", name="heard"),
    CheckConstraint(
        "heard_at is not null or status in ('held', 'sent', 'cancelled', 'moved')",
        name="heard_before_made",
    ),
    CheckConstraint(
        "(changed_at is null) = (changed_sequence is null) and "
        "(change_heard_at is null) = (change_heard_by is null) and "
        "(change_heard_at is null or changed_at is not null)",
        name="changed",
    ),
    CheckConstraint(
        "(ended_at is not null) = (status in ('bumped', 'cancelled', 'moved'))", name="ended"
    ),
    CheckConstraint("(held_for is not null) = (status = 'held')", name="held"),
    CheckConstraint("wake_at is null or ended_at is null", name="asleep"),
    CheckConstraint("course >= 1 and recalls >= 0", name="counts"),
    # The order first: an index that began with the tenant might be taken, while the table is
    # small, for looking tickets up by their key, and that plan would stay.
    Index("ix_tickets_order", "order_id", "tenant"),
    info={GUARD: "version", SHELVED: True},
)
Index(
    "ix_tickets_open",
    TICKETS.c.tenant,
    TICKETS.c.station,
    TICKETS.c.sequence,
    sqlite_where=TICKETS.c.status.in_(_OPEN),
    postgresql_where=TICKETS.c.status.in_(_OPEN),
)
Index(
    "ix_tickets_waking",
    TICKETS.c.wake_at,
    sqlite_where=TICKETS.c.wake_at.is_not(None),
    postgresql_where=TICKETS.c.wake_at.is_not(None),
)
Index(
    "ix_tickets_ended",
    TICKETS.c.tenant,
    TICKETS.c.station,
    TICKETS.c.ended_at,
    sqlite_where=TICKETS.c.ended_at.is_not(None),
    postgresql_where=TICKETS.c.ended_at.is_not(None),
)

_COLUMNS: Final = [name for name in Ticket.model_fields if name in TICKETS.c]
_DETAILS: Final = {name for name in Ticket.model_fields if name not in TICKETS.c}
"""What is looked at with its ticket alone stands in one document, where there is any."""


def to_ticket(row: Row) -> Ticket:
    """Read a row."""
    return Ticket.model_validate({**{n: row[n] for n in _COLUMNS}, **(row["details"] or {})})


def to_row(tenant: str, ticket: Ticket, before: Row | None = None) -> Record:
    """Write a row; of the one `before` is taken what is still the same."""
    row = Record((name, getattr(ticket, name)) for name in _COLUMNS)
    for name in ("status", "kind", "priority", "held_for"):
        row[name] = None if row[name] is None else row[name].value
    if before is not None and made_of(before, to_ticket).lines is ticket.lines:
        row["lines"] = before["lines"]
    else:
        row["lines"] = _LINES.dump_python(list(ticket.lines), mode="json", exclude_defaults=True)
    row["details"] = ticket.model_dump(mode="json", include=_DETAILS, exclude_defaults=True) or None
    row["tenant"] = tenant
    row.made = ticket
    return row


Attending = Mapping[str, str | None]
"""``since`` when, in which session (``epoch``) where the device says so, and ``as`` what."""
_BY_NAME: Final = ("displays", "printers", "unheard", "left_at")


@dataclass(frozen=True, slots=True)
class StationNow:
    """How a station stands.

    Attributes:
        station: its name.
        sequence: how far its changes were counted; 0 where nothing was ever made there.
        open: its open tickets.
        work_s: the work of those on the line, in seconds of one pair of hands.
        closed: why it takes nothing new; None where it is open.
        displays: who shows it, as far as they said so.
        printers: who prints what nobody has heard.
        unheard: how much stands as an alert, by whom it is for.
        left_at: who left lately by his own word, and when.
        attended: whether it ever had a display.
    """

    station: str
    version: int = 0
    sequence: int = 0
    open: int = 0
    work_s: int = 0
    closed: str | None = None
    displays: Mapping[str, Attending] = field(default_factory=dict)
    printers: Mapping[str, Attending] = field(default_factory=dict)
    unheard: Mapping[str, int] = field(default_factory=dict)
    left_at: Mapping[str, str] = field(default_factory=dict)
    attended: bool = False

    @property
    def deserted(self) -> bool:
        """Whether it had displays, and has none."""
        return self.attended and not self.displays


async def station_now(draft: Draft, tenant: str, station: str) -> StationNow:
    """How a station stands, as this message sees it."""
    row = await draft.get(STATIONS, tenant, station)
    return StationNow(station) if row is None else made_of(row, _station)


def _station(row: Mapping[str, Any]) -> StationNow:
    values = {each.name: row[each.name] for each in fields(StationNow) if each.name != "attended"}
    for name in _BY_NAME:
        values[name] = row[name] or {}
    return StationNow(**values, attended=row["displays"] is not None)


def put_station(draft: Draft, tenant: str, now: StationNow) -> None:
    """Keep how a station stands."""
    draft.put(STATIONS, {**_row(tenant, now), "version": now.version + 1})


def _row(tenant: str, now: StationNow) -> dict[str, Any]:
    values = {each.name: getattr(now, each.name) for each in fields(now) if each.name != "attended"}
    for name in _BY_NAME:
        values[name] = dict(values[name]) or None
    if now.attended:
        values["displays"] = dict(now.displays)
    return {"tenant": tenant, **values}


async def sequence_of(draft: Draft, tenant: str, station: str) -> int:
    """How far the station's sequence has come; 0 where nothing was ever made there."""
    row = await draft.get(STATIONS, tenant, station)
    return 0 if row is None else int(row["sequence"])


async def next_sequence(draft: Draft, tenant: str, station: str) -> int:
    """Count the station's sequence on: dense, without gaps."""
    counted = await _count(draft, tenant, station, sequence=1)
    return int(counted["sequence"])


async def _count(draft: Draft, tenant: str, station: str, **more: int) -> Row:
    """Count on what is counted of a station: the row itself, for this is done at every step."""
    row = await draft.get(STATIONS, tenant, station)
    counted = Record(_row(tenant, StationNow(station)) if row is None else row)
    for name, count in {"version": 1, **more}.items():
        counted[name] += count
    draft.put(STATIONS, counted)
    return counted


async def prepare_stations(draft: Draft, keys: Collection[tuple[str, str]]) -> None:
    """Read the stations of a whole batch at once."""
    await draft.work.fetch(STATIONS, keys)


async def prepare_tickets(draft: Draft, keys: Collection[tuple[str, UUID]]) -> None:
    """Read the tickets of a whole batch at once, then their stations, and what an expo has."""
    await draft.work.fetch(TICKETS, keys)
    found = [row for key in keys if (row := draft.work.peek(TICKETS, key))]
    await prepare_stations(draft, {(row["tenant"], row["station"]) for row in found})
    # Where an expo waits for them, its tickets follow each of their steps.
    at_expo = [row for row in found if (row["details"] or {}).get("expos")]
    await prepare_orders(draft, {(row["tenant"], row["order_id"]) for row in at_expo})


async def ticket_of(draft: Draft, tenant: str, ticket_id: UUID) -> Ticket | None:
    """Read one ticket."""
    row = await draft.get(TICKETS, tenant, ticket_id)
    return None if row is None else made_of(row, to_ticket)


async def prepare_siblings(draft: Draft, keys: Collection[tuple[str, UUID]]) -> None:
    """Read all tickets of the orders to which these tickets belong, one query a tenant."""
    await draft.work.fetch(TICKETS, keys)
    found = [draft.work.peek(TICKETS, key) for key in keys]
    await prepare_orders(draft, {(row["tenant"], row["order_id"]) for row in found if row})


async def prepare_orders(draft: Draft, keys: Collection[tuple[str, UUID]]) -> None:
    """Read all tickets of these orders, one query a tenant, then their stations."""
    orders: dict[str, set[UUID]] = {}
    for tenant, order_id in keys:
        if (_OF_ORDER, tenant, order_id) not in draft.work.notes:
            orders.setdefault(tenant, set()).add(order_id)
    stations = set()
    for tenant, wanted in orders.items():
        await _read_orders(draft.work, tenant, wanted)
        stations |= {
            (tenant, row["station"])
            for order_id in wanted
            for ticket_id in draft.work.notes[_OF_ORDER, tenant, order_id]
            if (row := draft.work.peek(TICKETS, (tenant, ticket_id)))
        }
    await prepare_stations(draft, stations)


async def tickets_of(draft: Draft, tenant: str, order_id: UUID) -> list[Ticket]:
    """All tickets of an order, as this message sees them, in the order of their ids."""
    return [made_of(row, to_ticket) for row in await rows_of(draft, tenant, order_id)]


async def open_tickets_of(draft: Draft, tenant: str, order_id: UUID) -> int:
    """How many tickets of the order are open, as this message sees them."""
    return sum(row["status"] in _OPEN for row in await rows_of(draft, tenant, order_id))


async def rows_of(draft: Draft, tenant: str, order_id: UUID) -> list[Row]:
    """The same as rows: quicker, for who needs a word or two of each."""
    work = draft.work
    if (_OF_ORDER, tenant, order_id) not in work.notes:
        await _read_orders(work, tenant, {order_id})
    ids: list[UUID] = work.notes[_OF_ORDER, tenant, order_id]
    cut: list[UUID] = work.notes.get((_CUT, tenant, order_id), [])
    rows = [await draft.get(TICKETS, tenant, each) for each in sorted({*ids, *cut})]
    return [row for row in rows if row is not None]


async def _read_orders(work: UnitOfWork, tenant: str, orders: Collection[UUID]) -> None:
    """Note which tickets each order has in the table."""
    chosen = among(TICKETS.c.order_id, orders, work.connection.dialect.name)
    query = select(TICKETS).where(chosen).where(TICKETS.c.tenant == tenant)
    for order_id in orders:
        work.notes[_OF_ORDER, tenant, order_id] = []
    for row in (await work.connection.execute(query)).mappings():
        work.adopt(TICKETS, Record(row))
        work.notes[_OF_ORDER, tenant, row["order_id"]].append(row["ticket_id"])


async def save(draft: Draft, tenant: str, ticket: Ticket) -> None:
    """Keep a ticket, new or changed, and count what its station has to do."""
    before = await draft.get(TICKETS, tenant, ticket.ticket_id) if ticket.version > 1 else None
    row = to_row(tenant, ticket, before)
    opened, work_s = (after - was for after, was in zip(_load(row), _load(before), strict=True))
    if opened or work_s:
        await _count(draft, tenant, ticket.station, open=opened, work_s=work_s)
    draft.put(TICKETS, row)
    if ticket.version == 1:
        draft.work.notes.setdefault((_CUT, tenant, ticket.order_id), []).append(ticket.ticket_id)


async def counted_work(draft: Draft, tenant: str, ticket_id: UUID) -> int:
    """The work that the ticket's station counts of it, in seconds of one pair of hands."""
    return _load(await draft.get(TICKETS, tenant, ticket_id))[1]


def _load(row: Row | None) -> tuple[int, int]:
    """What a ticket adds to its station: one open ticket, and its work while it is to be made."""
    if row is None or row["status"] not in _OPEN:
        return 0, 0
    details = row["details"] or {}
    if row["status"] not in _ON_THE_LINE:
        return 1, 0
    # What was bumped line by line is done.
    return 1, details.get("work_s", 0) - details.get("done_s", 0)


async def open_page(
    connection: AsyncConnection, tenant: str, station: str, *, after: int, limit: int
) -> list[Ticket]:
    """Open tickets of a station by the sequence of their last change."""
    query = (
        select(TICKETS)
        .where(
            TICKETS.c.tenant == tenant,
            TICKETS.c.station == station,
            TICKETS.c.status.in_(_OPEN),
            TICKETS.c.sequence > after,
        )
        .order_by(TICKETS.c.sequence)
        .limit(limit)
    )
    return [to_ticket(dict(row)) for row in (await connection.execute(query)).mappings()]


async def open_tickets(connection: AsyncConnection, tenant: str) -> list[Ticket]:
    """Every open ticket of a tenant, by station and sequence."""
    query = (
        select(TICKETS)
        .where(TICKETS.c.tenant == tenant, TICKETS.c.status.in_(_OPEN))
        .order_by(TICKETS.c.station, TICKETS.c.sequence)
    )
    return [to_ticket(dict(row)) for row in (await connection.execute(query)).mappings()]


async def recalled(connection: AsyncConnection, tenant: str, station: str) -> list[UUID]:
    """Open tickets of a station that were bumped before."""
    query = select(TICKETS.c.ticket_id).where(
        TICKETS.c.tenant == tenant,
        TICKETS.c.station == station,
        TICKETS.c.status.in_(_OPEN),
        TICKETS.c.recalls > 0,
    )
    return list(await connection.scalars(query))


async def heads(
    connection: AsyncConnection, tenant: str | None = None, station: str | None = None
) -> list[tuple[str, StationNow]]:
    """``(tenant, station)`` of every station, or of those asked for."""
    query = select(STATIONS)
    if tenant is not None:
        query = query.where(STATIONS.c.tenant == tenant)
    if station is not None:
        query = query.where(STATIONS.c.station == station)
    query = query.order_by(STATIONS.c.tenant, STATIONS.c.station)
    rows = (await connection.execute(query)).mappings()
    return [(row["tenant"], _station(dict(row))) for row in rows]
