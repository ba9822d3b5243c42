"""The embedded broker puts out whom the database no longer knows.

Another process (the command line) revokes a device by its row alone. Whoever holds the
broker looks at the rows twice a second, and ends the connections that rest on what is
gone: a removed row, another secret or role, a time that is up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from sqlalchemy import select

from broker_config.access import username_of
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.tables import DEVICES

log = structlog.get_logger(__name__)

EVERY_S: Final = 0.5

Known = dict[str, tuple[str, str]]


async def put_out_changed(
    database: Database, put_out: Callable[[str], Awaitable[None]], clock: Clock
) -> None:
    """Watch the devices for ever."""
    known: Known | None = None
    while True:
        try:
            now = await _known(database, clock)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database away; devices are looked at again later")
        else:
            for username, stood in (known or {}).items():
                if now.get(username) != stood:
                    log.debug("put out", account=username)
                    await put_out(username)
            known = now
        await asyncio.sleep(EVERY_S)


async def _known(database: Database, clock: Clock) -> Known:
    now = clock()
    query = select(
        DEVICES.c.tenant, DEVICES.c.device, DEVICES.c.role, DEVICES.c.secret, DEVICES.c.expires_at
    )
    async with database.read() as connection:
        return {
            username_of(row.tenant, row.device): (row.role, row.secret)
            for row in await connection.execute(query)
            if row.expires_at is None or row.expires_at > now
        }
