"""The floor under the positions' figures: the libraries as they come, with none of our work."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from broker_config.settings import BrokerSettings
from schemas.positions import Fix, Fixes
from services.runtime.bare_mqtt import bare_drain
from services.runtime.database import Database

_TABLE: Final = "bench_fixes_floor"
_ROWS: Final = 2_500
_COLUMNS: Final = (
    "tenant", "vehicle", "at", "received_at", "lat", "lon", "accuracy_m", "speed_mps",
    "heading_deg", "verdict",
)  # fmt: skip


async def drain(settings: BrokerSettings, tenant: str) -> None:
    """Take messages until told to end; then say how many a second there were, while they came."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    first = last = 0.0
    count = 0

    def note() -> None:
        nonlocal first, last, count
        last = time.monotonic()
        first = first or last
        count += 1

    streams = [each.route.filter(tenant=tenant) for each in (Fix, Fixes)]
    taking = asyncio.ensure_future(
        bare_drain(settings, streams, note, lambda: print("ready", flush=True))
    )
    await asyncio.wait({taking, asyncio.ensure_future(ended.wait())}, return_when="FIRST_COMPLETED")
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    print(count / max(last - first, 1e-9), flush=True)


async def copy_rate(database: Database, tenant: str, seconds: float) -> float:
    """How many rows of positions a second go into a table like theirs, by the driver alone."""
    like = (
        "(like fixes including all)" if not database.is_sqlite else "as select * from fixes limit 0"
    )
    async with database.write() as connection:
        await connection.execute(text(f"create table if not exists {_TABLE} {like}"))
    try:
        async with database.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            return await _copy(driver, tenant, seconds, sqlite=database.is_sqlite)
    finally:
        async with database.write() as connection:
            await connection.execute(text(f"drop table {_TABLE}"))


async def _copy(driver: Any, tenant: str, seconds: float, *, sqlite: bool) -> float:
    begun, taken, count = time.monotonic(), 0.0, 0
    number = itertools.count()
    while time.monotonic() - begun < seconds:
        now = datetime.now(UTC)
        rows = [
            (tenant, f"rider-{next(number) % 5_000}", now + timedelta(milliseconds=each), now,
             60.17, 24.94, 5.0, 8.0, 90.0, 0)
            for each in range(_ROWS)
        ]  # fmt: skip
        at = time.monotonic()
        if sqlite:
            places = ", ".join("?" for _ in _COLUMNS)
            plain = [(*row[:2], row[2].timestamp(), row[3].timestamp(), *row[4:]) for row in rows]
            await driver.executemany(f"insert into {_TABLE} values ({places})", plain)  # noqa: S608 - our own names
            await driver.commit()
        else:
            await driver.copy_records_to_table(_TABLE, records=rows, columns=_COLUMNS)
        taken += time.monotonic() - at
        count += len(rows)
    return count / taken
