"""Putting a device out of Mosquitto for a while, because it does not listen.

Its accounts are locked, which ends its connection, and are unlocked when the time is over.
That it is out stands in a row, written before the broker is told and deleted after it was
told again: whatever crashes in between, the next services to serve unlock it. Only what
stands in a row is ever unlocked, and so nobody whom an operator has locked by hand.

The embedded broker needs none of this: it reads no socket faster than its device may speak.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Delete, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config import dynamic_security
from broker_config.access import username_of
from broker_config.dynamic_security import Command, DynamicSecurityRefused
from broker_config.settings import BrokerAddress
from schemas.topics import Plane, plane_filter
from services.people.control import command
from services.people.credentials import of_device
from services.people.sweeping import Sweeper
from services.people.tables import SUSPENSIONS
from services.runtime import audit
from services.runtime.bus import ConnectionLost
from services.runtime.database import Database, is_away
from services.runtime.limits import Key
from services.runtime.moment import Clock, system_clock

log = structlog.get_logger(__name__)

EVERY_S: Final = 0.5
ACTOR: Final = "heard"


class Suspensions:
    """Locks and unlocks the accounts of devices: a `services.runtime.guard.Doorkeeper`.

    Args:
        database: where it stands who is out.
        address: where Mosquitto is.
        admin_secret: the password of heard-admin.
        sweeper: clears what one who was put out had left retained where nothing may stand.
        clock: tells whose time is over.
    """

    def __init__(
        self,
        database: Database,
        address: BrokerAddress,
        admin_secret: str,
        sweeper: Sweeper,
        clock: Clock = system_clock,
    ) -> None:
        self._database: Final = database
        self._address: Final = address
        self._admin_secret: Final = admin_secret
        self._sweeper: Final = sweeper
        self._clock: Final = clock
        self._unswept: list[Key] = []

    async def suspend(self, tenant: str, device: str, seconds: float) -> None:
        """Put one out; one that is none of ours any more is left alone.

        Raises:
            ConnectionLost: Mosquitto cannot be reached.
        """
        now = self._clock()
        row = {"tenant": tenant, "device": device, "ends_at": now + timedelta(seconds=seconds)}
        async with self._database.write() as connection:
            accounts = await _accounts(connection, (tenant, device))
            if not accounts:
                return
            await connection.execute(_row((tenant, device)))
            await connection.execute(SUSPENSIONS.insert().values(row))
            await audit.record(
                connection,
                tenant=tenant,
                actor=ACTOR,
                action="device.suspended",
                subject=f"{tenant}/{device}",
                now=now,
                seconds=int(seconds),
            )
        await self._do([one for each in accounts for one in dynamic_security.disable(each)])
        self._unswept.append((tenant, device))

    async def watch(self) -> None:
        """Let in again whose time is over, for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.let_in()
                while self._unswept:
                    await self._sweeper.clear(_passing(*self._unswept[0]))
                    del self._unswept[0]
            except Exception as error:
                known = isinstance(error, ConnectionLost | DynamicSecurityRefused | TimeoutError)
                if not (known or is_away(error)):
                    raise
                log.warning("who was put out is let in later", why=str(error)[:200])

    async def let_in(self) -> list[Key]:
        """Let in again whose time is over, once; returns who that was."""
        now = self._clock()
        async with self._database.read() as connection:
            query = select(SUSPENSIONS).where(SUSPENSIONS.c.ends_at <= now)
            over = [(row.tenant, row.device) for row in await connection.execute(query)]
            accounts = [each for key in over for each in await _accounts(connection, key)]
        if not over:
            return []
        await self._do([one for each in accounts for one in dynamic_security.enable(each)])
        async with self._database.write() as connection:
            for key in over:
                # One who was put out once more meanwhile stays out.
                await connection.execute(_row(key).where(SUSPENSIONS.c.ends_at <= now))
        for tenant, device in over:
            log.info("let in again", tenant=tenant, device=device)
        return over

    async def _do(self, commands: list[Command]) -> None:
        if not commands:
            return
        # An account may have gone in the meantime: then there is nothing to be done.
        tolerant = [replace(one, tolerated="Client not found") for one in commands]
        await command(self._address, self._admin_secret, tolerant)


async def _accounts(connection: AsyncConnection, key: Key) -> list[str]:
    tenant, device = key
    held = await of_device(connection, tenant, device)
    return [username_of(tenant, device, each.serial) for each in held]


def _row(key: Key) -> Delete:
    tenant, device = key
    return delete(SUSPENSIONS).where(SUSPENSIONS.c.tenant == tenant, SUSPENSIONS.c.device == device)


def _passing(tenant: str, device: str) -> list[str]:
    """All on which a device may speak, and on which nothing may stand."""
    return [
        plane_filter(plane, tenant=tenant, tail=f"{device}/#")
        for plane in (Plane.REQUEST, Plane.TELEMETRY)
    ]
