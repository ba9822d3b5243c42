"""Who did what to which device, person or setting: written once, and never again.

Each entry carries the digest of the one before it, tenant by tenant, so that none can be
changed, taken out or put in between without a break that `verify` finds. What is cut off
at the end shows against a digest that was noted elsewhere (`heard audit verify --head`).
The database itself refuses to change or delete an entry (triggers of migration 0002), and
what concerns a tenant outlives it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, RowMapping, String, Table, Text, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.moment import Moment
from services.runtime.tables import METADATA, NO_TENANT, SLUG

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)
"""``details`` is JSON as it was written, for the digest is of its very characters."""

BEGINNING: Final = "0" * 64
PAGE: Final = 1_000
_LOCK: Final = 0x48454152  # "HEAR"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that somebody did."""

    tenant: str
    serial: int
    at: datetime
    actor: str
    """``device:roma/pos-1``, ``person:roma/ada``, ``cli:root@till-server``, ``heard``."""
    action: str
    """What was done, as ``device.revoked``."""
    subject: str
    """To what: ``roma/pos-1``."""
    details: Mapping[str, Any]
    previous: str
    digest: str


class Broken(Exception):
    """The chain does not hold; the message says where."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that somebody does now, to be recorded."""

    action: str
    subject: str
    details: Mapping[str, str | int | bool | None]
    """What is None is left out."""


async def record(
    connection: AsyncConnection,
    *,
    tenant: str = NO_TENANT,
    actor: str,
    action: str,
    subject: str,
    now: datetime,
    **details: str | int | bool | None,
) -> str:
    """Write an entry in the transaction of the change itself; returns its digest.

    No secret belongs into `details`: they are shown to whoever may read the audit.
    """
    deed = Deed(action, subject, details)
    return await record_all(connection, [deed], tenant=tenant, actor=actor, now=now)


async def record_all(
    connection: AsyncConnection,
    deeds: Sequence[Deed],
    *,
    tenant: str = NO_TENANT,
    actor: str,
    now: datetime,
) -> str:
    """Write many entries at once; returns the digest of the last."""
    if connection.dialect.name == "postgresql":
        # Two who add to one chain at once would both continue the same entry.
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:key, hashtext(:tenant))"),
            {"key": _LOCK, "tenant": tenant},
        )
    newest = (
        select(AUDIT.c.serial, AUDIT.c.digest)
        .where(AUDIT.c.tenant == tenant)
        .order_by(AUDIT.c.serial.desc())
        .limit(1)
    )
    found = (await connection.execute(newest)).first()
    serial, previous = (0, BEGINNING) if found is None else (found.serial, found.digest)
    rows: list[dict[str, Any]] = []
    for deed in deeds:
        serial += 1
        row = {
            "tenant": tenant,
            "serial": serial,
            "at": now,
            "actor": actor[:200],
            "action": deed.action,
            "subject": deed.subject[:200],
            "details": _json(deed.details),
            "previous": previous,
        }
        previous = row["digest"] = _digest(row)
        rows.append(row)
    if rows:
        await connection.execute(AUDIT.insert(), rows)
    return str(previous)


async def entries(
    connection: AsyncConnection,
    tenant: str,
    *,
    after: int = 0,
    most: int | None = None,
    newest: int | None = None,
    about: str | None = None,
) -> list[Entry]:
    """Read a tenant's entries, oldest first.

    Args:
        connection: a view of the rows.
        tenant: whose; `NO_TENANT` for what concerns no tenant.
        after: only those with a higher serial.
        most: only so many of these, the oldest.
        newest: only so many, the newest.
        about: only those on this subject.
    """
    query = select(AUDIT).where(AUDIT.c.tenant == tenant, AUDIT.c.serial > after)
    if about is not None:
        query = query.where(AUDIT.c.subject == about)
    if newest is not None:
        query = query.order_by(AUDIT.c.serial.desc()).limit(newest)
    else:
        query = query.order_by(AUDIT.c.serial).limit(most)
    found = [_entry(row) for row in (await connection.execute(query)).mappings()]
    return found if newest is None else found[::-1]


async def chains(connection: AsyncConnection) -> list[str]:
    """Name every tenant that has a chain, those that are gone too."""
    rows = await connection.execute(select(AUDIT.c.tenant).distinct().order_by(AUDIT.c.tenant))
    return [row.tenant for row in rows]


async def verify(connection: AsyncConnection, tenant: str, head: str | None = None) -> int:
    """Hold a tenant's chain against its digests; returns how many entries it has.

    Args:
        connection: a view of the rows.
        tenant: whose chain.
        head: a digest that was noted earlier; it must stand in the chain.

    Raises:
        Broken: an entry was changed, taken out or put in.
    """
    previous, serial, seen = BEGINNING, 0, head is None
    async for row in _rows(connection, tenant):
        serial += 1
        if row["serial"] != serial:
            raise Broken(f"{tenant}: entry {serial} is missing")
        if row["previous"] != previous:
            raise Broken(f"{tenant}: entry {serial} does not continue the one before it")
        if row["digest"] != _digest(row):
            raise Broken(f"{tenant}: entry {serial} was changed after it was written")
        previous = row["digest"]
        seen = seen or previous == head
    if not seen:
        raise Broken(
            f"{tenant}: no entry has the digest {head}: the end was cut off, or written anew"
        )
    return serial


async def _rows(connection: AsyncConnection, tenant: str) -> AsyncIterator[RowMapping]:
    after = 0
    while True:
        query = (
            select(AUDIT)
            .where(AUDIT.c.tenant == tenant, AUDIT.c.serial > after)
            .order_by(AUDIT.c.serial)
            .limit(PAGE)
        )
        page = (await connection.execute(query)).mappings().all()
        for row in page:
            yield row
        if len(page) < PAGE:
            return
        after = page[-1]["serial"]


def _entry(row: RowMapping) -> Entry:
    return Entry(**{**row, "details": json.loads(row["details"])})


def _json(details: Mapping[str, str | int | bool | None]) -> str:
    told = {name: value for name, value in details.items() if value is not None}
    return json.dumps(told, sort_keys=True, ensure_ascii=True)


def _digest(row: Mapping[str, Any] | RowMapping) -> str:
    """SHA-256 over every field, each with its length: no two entries read the same."""
    told = [
        row["tenant"],
        str(row["serial"]),
        row["at"].astimezone(UTC).isoformat(timespec="microseconds"),
        row["actor"],
        row["action"],
        row["subject"],
        row["details"],
        row["previous"],
    ]
    joined = "".join(f"{len(part.encode())}:{part}" for part in told)
    return hashlib.sha256(joined.encode()).hexdigest()
