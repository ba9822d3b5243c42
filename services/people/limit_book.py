"""What the guard knows of limits: read from the rows, again and again, and told when asked.

Limits that somebody has set are few, and are read once a second. What follows from a role
is read when a device speaks for the first time, and then in turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import Role
from schemas.limits import LimitsReport, ReadLimits
from services.people.limits import (
    BY_ROLE,
    OF_TENANT,
    of_devices,
    of_tenants,
    set_devices,
)
from services.runtime.database import Database, is_away
from services.runtime.limits import Gate, Key
from services.runtime.router import Asking, Router

log = structlog.get_logger(__name__)

EVERY_S: Final = 1.0
SOON_S: Final = 0.05
IN_TURN: Final = 200
"""Devices whose role is looked at again each time."""


def usual_gate() -> Gate:
    """A gate that knows nobody yet: it holds a device to what a till may."""
    return Gate(BY_ROLE[Role.POS], OF_TENANT)


class LimitBook:
    """Tells the gate what the rows say, and devices what the gate knows.

    Args:
        database: where limits are kept.
        gate: that is told.
        monotonic: the gate's clock.
    """

    def __init__(
        self,
        database: Database,
        gate: Gate,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database: Final = database
        self._gate: Final = gate
        self._monotonic: Final = monotonic
        self._waiting: list[Key] = []
        self._were_set: set[Key] = set()
        self._tenants_set: set[str] = set()
        self.router: Final = Router()
        self.router.answer(ReadLimits)(self._read_limits)

    async def run(self) -> None:
        """Read for ever; what a new device is held to is known a moment after its first word."""
        at = 0.0
        while True:
            now = self._monotonic()
            if now >= at or self._gate.strangers:
                at = now + EVERY_S
                try:
                    await self.read()
                except Exception as error:
                    if not is_away(error):
                        raise
                    log.warning("database away; limits stay as they were")
                    await asyncio.sleep(EVERY_S)
            await asyncio.sleep(SOON_S)

    async def read(self) -> None:
        """Read once."""
        async with self._database.read() as connection:
            await self._read(connection)

    async def _read(self, connection: AsyncConnection) -> None:
        gate = self._gate
        own = await set_devices(connection)
        if not self._waiting:
            self._waiting = list(gate.known())
        turn = self._waiting[:IN_TURN]
        del self._waiting[:IN_TURN]
        # Who had limits of its own has its role's again; who is new has whatever it has.
        asked = {*islice(gate.strangers, 5 * IN_TURN), *turn, *(self._were_set - own.keys())}
        found = await of_devices(connection, asked - own.keys())
        for key in asked:
            gate.learn(key, own.get(key) or found.get(key) or BY_ROLE[Role.POS])
        for key, limits in own.items():
            gate.learn(key, limits)
        self._were_set = set(own)
        tenants = await of_tenants(connection)
        for tenant, limits in tenants.items():
            gate.learn_tenant(tenant, limits)
        for tenant in self._tenants_set - tenants.keys():
            gate.learn_tenant(tenant, OF_TENANT)
        self._tenants_set = set(tenants)

    async def _read_limits(self, query: ReadLimits, asking: Asking) -> LimitsReport:
        del query
        now = self._monotonic()
        sender = self._gate.sender((asking.tenant, asking.device))
        return LimitsReport(device=sender.meter.share(now), tenant=sender.tenant.share(now))
