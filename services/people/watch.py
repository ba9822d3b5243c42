"""The embedded broker puts out whom the database no longer knows.

Another process (the command line) revokes a device by its rows alone. Whoever holds the
broker looks at the rows four times a second, and ends the connections that rest on what is
gone: a removed device, another role, a secret that was replaced or whose time is up.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import structlog
from sqlalchemy import select

from broker_config.access import client_id_of, username_of
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.tables import CREDENTIALS, DEVICES

log = structlog.get_logger(__name__)

EVERY_S: Final = 0.25


class Broker(Protocol):
    """What ends connections: see `broker_config.embedded.EmbeddedBroker`."""

    async def put_out(self, client_id: str) -> None:
        """End a device's connection and session."""
        ...

    async def withdraw(self, username: str) -> None:
        """End the connection on one account."""
        ...


@dataclass(slots=True)
class _Device:
    role: str
    since: datetime
    secrets: dict[str, str] = field(default_factory=dict)
    """The hashes, by user name."""

    def is_other_than(self, now: _Device | None) -> bool:
        return now is None or (now.role, now.since) != (self.role, self.since)


_Known = dict[str, _Device]


async def put_out_changed(database: Database, broker: Broker, clock: Clock) -> None:
    """Watch the devices for ever."""
    known: _Known = {}
    while True:
        try:
            now = await _look(database, clock)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database away; devices are looked at again later")
        else:
            for client_id, stood in known.items():
                await _compare(broker, client_id, stood, now.get(client_id))
            known = now
        await asyncio.sleep(EVERY_S)


async def _compare(broker: Broker, client_id: str, stood: _Device, now: _Device | None) -> None:
    if stood.is_other_than(now):
        log.info("put out", client=client_id, why="it is gone, or has another role")
        await broker.put_out(client_id)
        return
    for username, secret in stood.secrets.items():
        if now is not None and now.secrets.get(username) != secret:
            log.info("put out", account=username, why="its secret is no longer good")
            await broker.withdraw(username)


async def _look(database: Database, clock: Clock) -> _Known:
    now = clock()
    query = (
        select(DEVICES.c.tenant, DEVICES.c.device, DEVICES.c.role, DEVICES.c.created_at)
        .add_columns(DEVICES.c.expires_at, CREDENTIALS.c.serial, CREDENTIALS.c.secret)
        .add_columns(CREDENTIALS.c.expires_at.label("ends_at"))
        .where(CREDENTIALS.c.tenant == DEVICES.c.tenant, CREDENTIALS.c.device == DEVICES.c.device)
    )
    found: _Known = {}
    async with database.read() as connection:
        for row in await connection.execute(query):
            if row.expires_at is not None and row.expires_at <= now:
                continue
            client_id = client_id_of(row.tenant, row.device)
            device = found.setdefault(client_id, _Device(row.role, row.created_at))
            if row.ends_at is None or row.ends_at > now:
                device.secrets[username_of(row.tenant, row.device, row.serial)] = row.secret
    return found
