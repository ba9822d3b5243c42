"""The database: whether it answers, its version, its tables, and what waits in it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from cli.application import Application
from cli.examination.finding import Finding, bad, good, why
from cli.printing import counted
from services.migrations import upgrade as migrations
from services.runtime.database import Database, parse_url
from services.runtime.moment import system_clock
from services.runtime.tables import OUTBOX, QUARANTINE

SKEW_S: Final = 2.0
LOOKS: Final = 4
LOOK_EVERY_S: Final = 0.7


async def look_at_database(app: Application, *, mend: bool) -> list[Finding]:
    """It is there, at the newest version, as the code believes, and its clock is ours."""
    where = parse_url(app.database_url)
    if where.get_backend_name() == "sqlite" and not _exists(where.database):
        return [bad("database", f"{where.database} is not there yet", "heard db upgrade")]
    database = Database(app.database_url)
    try:
        async with database.read() as connection:
            began = system_clock()
            told = None if database.is_sqlite else await connection.scalar(select(func.now()))
            took = system_clock() - began
        findings = [good("database", f"{database.shown} answers")]
        at = await migrations.version(database)
        if at != migrations.newest() and mend:
            await migrations.upgrade(database)
            at = await migrations.version(database)
        if at != migrations.newest():
            says = f"at version {at or 'none'}; this program needs {migrations.newest()}"
            return [*findings, bad("migrations", says, "heard db upgrade")]
        findings.append(good("migrations", f"at the newest version, {at}"))
        findings.append(_schema(await migrations.differences(database)))
        if told is not None:
            findings.append(_clock(told, began + took / 2))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is wrong
        hint = "start it, or name another with --database"
        return [bad("database", why(error), hint)]
    finally:
        await database.close()
    return findings


def _exists(path: str | None) -> bool:
    return path is None or path == ":memory:" or Path(path).exists()


def _schema(differences: list[str]) -> Finding:
    if not differences:
        return good("schema", "the tables are as the code believes")
    says = f"the tables differ: {differences[0][:160]}"
    more = len(differences) - 1
    return bad(
        "schema",
        says + (f" (and {more} more)" if more else ""),
        "somebody changed them by hand: undo that, or restore a backup",
    )


def _clock(told: datetime, here: datetime) -> Finding:
    skew = abs((told.astimezone(UTC) - here).total_seconds())
    if skew <= SKEW_S:
        return good("clock", f"the database's clock and ours differ by {skew:.2f} s")
    return bad(
        "clock",
        f"the database's clock and ours differ by {skew:.0f} s",
        "set both by NTP: timedatectl set-ntp true",
    )


async def look_at_rows(database: Database) -> list[Finding]:
    """What waits, and what was put aside."""
    findings = [await _outbox(database)]
    async with database.read() as connection:
        count = int(await connection.scalar(select(func.count()).select_from(QUARANTINE)) or 0)
    if count:
        says = f"{counted(count, 'message')} that nobody could understand"
        mend = "heard quarantine list, and when looked at: heard quarantine clear --all"
        findings.append(bad("quarantine", says, mend))
    else:
        findings.append(good("quarantine", "empty"))
    return findings


async def _outbox(database: Database) -> Finding:
    """What stands in the outbox for seconds is stuck; what passes through it is well."""
    query = select(OUTBOX.c.parcel_id).order_by(OUTBOX.c.parcel_id).limit(1)
    oldest = None
    for look in range(LOOKS):
        async with database.read() as connection:
            found = await connection.scalar(query)
            count = await connection.scalar(select(func.count()).select_from(OUTBOX))
        if found is None or (oldest is not None and found != oldest):
            return good("outbox", "what is decided goes out at once")
        oldest = found
        if look < LOOKS - 1:
            await asyncio.sleep(LOOK_EVERY_S)
    return bad(
        "outbox",
        f"{counted(count or 0, 'parcel waits', 'parcels wait')} and none goes out",
        "heard up, or heard serve",
    )
