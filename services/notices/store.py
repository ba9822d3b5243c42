"""Rows of notices, and what a house has set up for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.house_rules import OrderRules
from schemas.notices import ChannelKind, NoticeRule, NoticeStatus, NoticeStep
from services.notices.letter import Channel
from services.notices.rules import step
from services.notices.tables import CHANNELS, NOTICES, TEMPLATES
from services.notices.words import Words
from services.runtime import house_rules
from services.runtime.among import among
from services.runtime.tables import TENANTS

Row = Mapping[str, Any]
Lane = tuple[str, str]
"""A restaurant's channel: what goes through it waits for nobody else's."""

FORGOTTEN: Final = "the guest was forgotten before it went out"


@dataclass(frozen=True, slots=True)
class House:
    """What a restaurant has said of its notices."""

    name: str
    rules: OrderRules
    book: Mapping[str, NoticeRule]
    channels: Mapping[str, Channel]
    words: Mapping[tuple[str, str], Words]


async def due(
    connection: AsyncConnection, now: datetime, *, limit: int, but: Collection[Lane] = ()
) -> list[Row]:
    """Notices whose time has come, the longest waiting first.

    Args:
        connection: a view of the rows.
        now: the time.
        limit: at most so many.
        but: none of these lanes': they are full.
    """
    query = (
        select(NOTICES)
        .where(NOTICES.c.status == NoticeStatus.WAITING.value, NOTICES.c.next_at <= now)
        .order_by(NOTICES.c.next_at)
        .limit(limit)
    )
    if but:
        full = [and_(NOTICES.c.tenant == one, NOTICES.c.channel == other) for one, other in but]
        query = query.where(not_(or_(*full)))
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def houses(connection: AsyncConnection, tenants: Collection[str]) -> dict[str, House]:
    """What these restaurants have set up; those that are gone are absent."""
    named = among(TENANTS.c.tenant, tenants, connection.dialect.name)
    names = {
        row.tenant: row.name
        for row in await connection.execute(select(TENANTS.c.tenant, TENANTS.c.name).where(named))
    }
    channels: dict[str, dict[str, Channel]] = {}
    of_channels = among(CHANNELS.c.tenant, tenants, connection.dialect.name)
    for row in (await connection.execute(select(CHANNELS).where(of_channels))).mappings():
        channels.setdefault(row["tenant"], {})[row["channel"]] = channel_of(dict(row))
    words: dict[str, dict[tuple[str, str], Words]] = {}
    of_words = among(TEMPLATES.c.tenant, tenants, connection.dialect.name)
    for row in (await connection.execute(select(TEMPLATES).where(of_words))).mappings():
        own = words.setdefault(row["tenant"], {})
        own[row["template"], row["language"]] = Words(row["headline"], row["body"])
    found: dict[str, House] = {}
    for tenant, name in names.items():
        rules = await house_rules.read(connection, tenant)
        found[tenant] = House(
            name,
            rules.orders,
            {each.rule: each for each in rules.notices.rules},
            channels.get(tenant, {}),
            words.get(tenant, {}),
        )
    return found


def channel_of(row: Row) -> Channel:
    """Read a row of channels."""
    return Channel(
        row["channel"], ChannelKind(row["kind"]), row["url"], row["secret"], row["created_at"]
    )


async def find(connection: AsyncConnection, tenant: str, notice_id: UUID) -> Row | None:
    """One notice, as it stands."""
    query = select(NOTICES).where(NOTICES.c.tenant == tenant, NOTICES.c.notice_id == notice_id)
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else dict(row)


async def change(connection: AsyncConnection, row: Row, values: Mapping[str, Any]) -> bool:
    """Change a notice, if it still is as it was read; tells whether it was."""
    changed = await connection.execute(
        update(NOTICES)
        .where(
            NOTICES.c.tenant == row["tenant"],
            NOTICES.c.notice_id == row["notice_id"],
            NOTICES.c.version == row["version"],
        )
        .values(version=row["version"] + 1, **values)
    )
    return changed.rowcount == 1


# What a notice becomes; each says what it does to the personal data in the row.

_ERASED: Final = {"to": None, "snapshot": None}


def sent(row: Row, now: datetime) -> dict[str, Any]:
    """The receiver has it: what was only kept in order to send it goes."""
    return {
        "status": _after(row, NoticeStep.DELIVER),
        "attempts": row["attempts"] + 1,
        "next_at": None,
        "ended_at": now,
        "error": None,
        **_ERASED,
    }


def dropped(row: Row, why: str, now: datetime) -> dict[str, Any]:
    """Nobody is to be told any more."""
    return {
        "status": _after(row, NoticeStep.DROP),
        "next_at": None,
        "ended_at": now,
        "error": why,
        **_ERASED,
    }


def again(row: Row, why: str, at: datetime) -> dict[str, Any]:
    """It failed, and is tried again; the address and the order are still needed."""
    return {
        "status": _after(row, NoticeStep.RETRY),
        "attempts": row["attempts"] + 1,
        "next_at": at,
        "error": why,
    }


def held(at: datetime) -> dict[str, Any]:
    """Its quiet hours are not over: that was no try."""
    return {"next_at": at}


def dead(row: Row, why: str, now: datetime) -> dict[str, Any]:
    """Given up; it stays whole, for a person may replay it."""
    return {
        "status": _after(row, NoticeStep.GIVE_UP),
        "attempts": row["attempts"] + 1,
        "next_at": None,
        "ended_at": now,
        "error": why,
    }


def replayed(row: Row, now: datetime) -> dict[str, Any]:
    """A person wants it tried again, from the beginning."""
    return {
        "status": _after(row, NoticeStep.REPLAY),
        "attempts": 0,
        "next_at": now,
        "ended_at": None,
    }


def _after(row: Row, taken: NoticeStep) -> str:
    return step(NoticeStatus(row["status"]), taken).value


# For whoever looks at them.


def listing(
    tenant: str,
    *,
    statuses: Sequence[NoticeStatus] = (),
    channel: str | None = None,
    limit: int | None = None,
) -> Select[Any]:
    """Notices of a restaurant, the newest first."""
    query = select(NOTICES).where(NOTICES.c.tenant == tenant).order_by(NOTICES.c.notice_id.desc())
    if statuses:
        query = query.where(NOTICES.c.status.in_([each.value for each in statuses]))
    if channel is not None:
        query = query.where(NOTICES.c.channel == channel)
    return query if limit is None else query.limit(limit)
