"""The embedded broker puts out whom the database no longer knows.

Another process (the command line) revokes a device by its rows alone. Whoever holds the
broker looks at the rows four times a second, and ends the connections that rest on what is
gone: a removed device, another role, a secret that was replaced or whose time is up.
Whoever comes in and is revoked between two looks was in neither: so `Seen` remembers whom
the broker was told of.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from sqlalchemy import select

from broker_config.access import Credential, Directory, Identity, username_of
from schemas.devices import Role
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.tables import CREDENTIALS, DEVICES

log = structlog.get_logger(__name__)

EVERY_S: Final = 0.25


class Seen:
    """A directory that remembers whom it has named, until somebody takes that over.

    Args:
        directory: what it asks.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory: Final = directory
        self._named: dict[str, Credential] = {}

    async def find(self, username: str) -> Credential | None:
        """See `broker_config.access.Directory.find`."""
        found = await self._directory.find(username)
        if found is not None and found.identity.role is not Role.SERVICE:
            self._named[username] = found
        return found

    def take(self) -> dict[str, Credential]:
        """Give what it remembers, by user name, and forget it."""
        named, self._named = self._named, {}
        return named


class Broker(Protocol):
    """What ends connections: see `broker_config.embedded.EmbeddedBroker`."""

    async def put_out(self, client_id: str) -> bool:
        """End a device's connection and session; returns whether it was connected."""
        ...

    async def knows(self, identity: Identity) -> bool:
        """Tell whether a device is in, or was and left a session: it, and no other of its name."""
        ...

    async def withdraw(self, username: str) -> bool:
        """End the connection on one account; returns whether there was one."""
        ...


@dataclass(slots=True)
class _Device:
    identity: Identity
    secrets: dict[str, str] = field(default_factory=dict)
    """The hashes, by user name."""


_Known = dict[str, _Device]


async def put_out_changed(
    database: Database, broker: Broker, clock: Clock, seen: Seen | None = None
) -> None:
    """Watch the devices for ever.

    Args:
        database: where their rows are.
        broker: puts out.
        clock: tells whose time is up.
        seen: the directory that the broker asks.
    """
    known: _Known = {}
    named: dict[str, Credential] = {}
    while True:
        named |= {} if seen is None else seen.take()
        try:
            now = await _look(database, clock)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database away; devices are looked at again later")
        else:
            for client_id, stood in known.items():
                await _compare(broker, client_id, stood, now.get(client_id))
            for credential in named.values():
                if credential.identity.client_id not in known:
                    await _compare_one(broker, credential, now)
            known, named = now, {}
        await asyncio.sleep(EVERY_S)


async def _compare(broker: Broker, client_id: str, stood: _Device, now: _Device | None) -> None:
    if now is None or now.identity != stood.identity:
        await _put_out(broker, client_id, now)
        return
    for username, secret in stood.secrets.items():
        if now.secrets.get(username) != secret:
            await _withdraw(broker, username)


async def _compare_one(broker: Broker, credential: Credential, now: _Known) -> None:
    """Compare what the broker was told of a newcomer with what is so now."""
    client_id, username = credential.identity.client_id, credential.username
    device = now.get(client_id)
    if device is None or device.identity != credential.identity:
        await _put_out(broker, client_id, device)
    elif device.secrets.get(username) != credential.secret.text:
        await _withdraw(broker, username)


async def _put_out(broker: Broker, client_id: str, now: _Device | None) -> None:
    """Put a device out; one that had left by itself, as every command does, is no news.

    Who bears its name now, and came in already, stays: the broker has put out who was there before.
    """
    if now is not None and await broker.knows(now.identity):
        log.debug("another has come in under its name", client=client_id)
        return
    why = "it is gone" if now is None else "it has another role, or is another of the same name"
    if await broker.put_out(client_id):
        log.info("put out", client=client_id, why=why)
    else:
        log.debug("had left already", client=client_id, why=why)


async def _withdraw(broker: Broker, username: str) -> None:
    if await broker.withdraw(username):
        log.info("put out", account=username, why="its secret is no longer good")
    else:
        log.debug("had left already", account=username, why="its secret is no longer good")


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
            identity = Identity(row.tenant, row.device, Role(row.role), row.created_at)
            device = found.setdefault(identity.client_id, _Device(identity))
            if row.ends_at is None or row.ends_at > now:
                device.secrets[username_of(row.tenant, row.device, row.serial)] = row.secret
    return found
