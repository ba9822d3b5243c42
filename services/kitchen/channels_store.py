"""How each kind of order is taken, and how much work each quarter of an hour holds."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Integer,
    String,
    Table,
    Text,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen_pace import Intake
from schemas.orders import OrderKind
from services.kitchen.store import STATIONS, heads
from services.kitchen.throttling import Load, Standing, quarter_of, slot_of
from services.runtime.among import among
from services.runtime.changed import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import METADATA, SLUG
from services.runtime.work import OURS_ALONE, SHELVED, Draft, Row

INTAKES: Final = Table(
    "intakes",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("intake", String(16), nullable=False),
    Column("quoted_s", Integer, nullable=False),
    Column("load", Float, nullable=False),
    Column("station", SLUG),
    Column("why", Text, nullable=False),
    Column("by_hand", Boolean, nullable=False),
    Column("until", Moment),
    Column("since", Moment, nullable=False),
    Column("held", Text),
    CheckConstraint("version >= 1", name="version"),
    info={GUARD: "version", SHELVED: True, OURS_ALONE: True},
)
"""``held`` is why another area has the channel taken no more, whatever the load is."""

QUARTERS: Final = Table(
    "quarters",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("slot", String(96), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("station", SLUG, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("work_s", BigInteger, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("work_s >= 0", name="work"),
    info={GUARD: "version", SHELVED: True, OURS_ALONE: True},
)
"""``slot`` is the station and the quarter of the day, as ``grill 19:15`` in UTC: what stands there
of another day is written over."""


async def standing(draft: Draft, tenant: str, channel: OrderKind) -> Standing | None:
    """How a kind of order is taken, as this message sees it; None where nothing was ever said."""
    row = await draft.get(INTAKES, tenant, channel.value)
    return None if row is None else to_standing(row)


async def put(draft: Draft, tenant: str, channel: OrderKind, now: Standing) -> None:
    """Keep how a kind of order is taken."""
    row = await draft.get(INTAKES, tenant, channel.value)
    draft.put(
        INTAKES,
        {
            "tenant": tenant,
            "channel": channel.value,
            "version": 1 if row is None else row["version"] + 1,
            "intake": now.intake.value,
            "quoted_s": now.quoted_s,
            "load": now.load.share,
            "station": now.load.station,
            "why": now.why,
            "by_hand": now.by_hand,
            "until": now.until,
            "since": now.since,
            "held": now.held,
        },
    )


def to_standing(row: Row) -> Standing:
    """Read a row."""
    return Standing(
        Intake(row["intake"]),
        row["quoted_s"],
        Load(row["load"], row["station"]),
        row["why"],
        row["since"],
        by_hand=row["by_hand"],
        until=row["until"],
        held=row["held"],
    )


async def standings(connection: AsyncConnection, tenant: str) -> dict[OrderKind, Standing]:
    """How each kind of order is taken of which anything was ever said."""
    query = select(INTAKES).where(INTAKES.c.tenant == tenant).order_by(INTAKES.c.channel)
    rows = (await connection.execute(query)).mappings()
    return {OrderKind(row["channel"]): to_standing(dict(row)) for row in rows}


async def booked(draft: Draft, tenant: str, station: str, at: datetime) -> int | None:
    """The work of a station in the quarter of this moment; None where none was booked yet."""
    starts_at = quarter_of(at)
    row = await draft.get(QUARTERS, tenant, slot_of(station, starts_at))
    return None if row is None or row["starts_at"] != starts_at else int(row["work_s"])


async def book(draft: Draft, tenant: str, station: str, at: datetime, work_s: int) -> None:
    """Write down the work of a station in the quarter of this moment."""
    starts_at = quarter_of(at)
    slot = slot_of(station, starts_at)
    row = await draft.get(QUARTERS, tenant, slot)
    draft.put(
        QUARTERS,
        {
            "tenant": tenant,
            "slot": slot,
            "version": 1 if row is None else row["version"] + 1,
            "station": station,
            "starts_at": starts_at,
            "work_s": work_s,
        },
    )


async def quarters(connection: AsyncConnection, tenant: str, at: datetime) -> dict[str, int]:
    """The work of each station in the quarter of this moment, where any was booked."""
    stations = select(STATIONS.c.station).where(STATIONS.c.tenant == tenant)
    starts_at = quarter_of(at)
    slots = [slot_of(each, starts_at) for each in await connection.scalars(stations)]
    if not slots:
        return {}
    chosen = among(QUARTERS.c.slot, slots, connection.dialect.name)
    query = select(QUARTERS.c.station, QUARTERS.c.work_s).where(
        QUARTERS.c.tenant == tenant, QUARTERS.c.starts_at == starts_at, chosen
    )
    return {row.station: row.work_s for row in await connection.execute(query)}


async def work_now(connection: AsyncConnection, tenant: str, at: datetime) -> dict[str, int]:
    """The work of each station in the quarter of this moment: no less than is on its line."""
    work_s = {each.station: each.work_s for _, each in await heads(connection, tenant)}
    for station, booked_s in (await quarters(connection, tenant, at)).items():
        work_s[station] = max(work_s.get(station, 0), booked_s)
    return work_s
