"""Presence is held in memory and kept when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import DevicePresence, DeviceState, Heartbeat, PresenceStatus
from services.presence import rules, store
from services.runtime.context import Outgoing, outgoing
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.outbox import enclose
from services.runtime.relay import Relay
from services.runtime.router import Notice, Router

log = structlog.get_logger(__name__)

SWEEP_S: Final = 1.0
FIRST_PATIENCE: Final = timedelta(seconds=60)
"""How long devices known from before a start have to give a sign."""


class PresenceBook:
    """Who is there: listens to notices, notices silence, keeps and publishes changes."""

    def __init__(self, database: Database, relay: Relay, clock: Clock) -> None:
        self._database: Final = database
        self._relay: Final = relay
        self._clock: Final = clock
        self._seen: dict[tuple[str, str], rules.Seen] = {}
        self._unkept: set[tuple[str, str]] = set()
        self._unsure = False  # True while changes may be kept though we were never told
        self._wake = asyncio.Event()
        self.router: Final = Router()
        self.router.hear(DevicePresence, self._presence)
        self.router.hear(Heartbeat, self._heartbeat)
        self.router.state(device_states)

    def _presence(self, notice: Notice) -> None:
        said = notice.message
        if not isinstance(said, DevicePresence):
            return
        key = (notice.tenant, notice.device)
        before = self._seen.get(key)
        after = rules.weigh(before, said, notice.now, retained=notice.retained)
        if after is not None:
            self._take(key, before, after)

    def _heartbeat(self, notice: Notice) -> None:
        key = (notice.tenant, notice.device)
        before = self._seen.get(key)
        if before is not None and isinstance(notice.message, Heartbeat):
            self._take(key, before, rules.beat(before, notice.message.epoch, notice.now))

    def _take(self, key: tuple[str, str], before: rules.Seen | None, after: rules.Seen) -> None:
        self._seen[key] = after
        if before is None or (before.status, before.epoch) != (after.status, after.epoch):
            self._unkept.add(key)
            self._wake.set()

    def online(self) -> int:
        """How many devices are there now."""
        return sum(seen.status is not PresenceStatus.OFFLINE for seen in self._seen.values())

    async def start(self) -> None:
        """Begin with what was believed before, by whoever served; who is gone shows by silence."""
        self._seen.clear()
        self._unkept.clear()
        now = self._clock()
        async with self._database.read() as connection:
            for row in await store.last_epochs(connection):
                self._seen[row["tenant"], row["device"]] = rules.Seen(
                    PresenceStatus(row["status"]), row["epoch"], row["since"], now, FIRST_PATIENCE
                )

    async def run(self) -> None:
        """Keep what changes, for ever; look for silence every second."""
        while True:
            try:
                async with asyncio.timeout(SWEEP_S):
                    await self._wake.wait()
            except TimeoutError:
                self._listen_for_silence()
            self._wake.clear()
            while self._unkept:
                keys = sorted(self._unkept)[:200]
                # What changes again while this is written must be kept again.
                self._unkept.difference_update(keys)
                try:
                    await self._keep(keys)
                except Exception as error:
                    self._unsure = True
                    self._unkept.update(keys)
                    if not is_away(error):
                        raise
                    log.warning("database away; presence is kept later")
                    await asyncio.sleep(SWEEP_S)

    def _listen_for_silence(self) -> None:
        now = self._clock()
        for key, before in list(self._seen.items()):
            after = rules.silence(before, now)
            if after is not before:
                log.info("a device fell silent", tenant=key[0], device=key[1])
                self._take(key, before, after)

    async def _keep(self, keys: Sequence[tuple[str, str]]) -> None:
        now = self._clock()
        messages: list[Outgoing] = []
        async with self._database.write() as connection:
            for tenant, device in keys:
                seen = self._seen[tenant, device]
                role = await store.role_of(connection, tenant, device)
                if role is None:
                    continue  # a device that was removed in the meantime
                row = {
                    "tenant": tenant,
                    "device": device,
                    "status": seen.status.value,
                    "epoch": seen.epoch,
                    "since": seen.since,
                }
                await store.keep(connection, row)
                state = DeviceState(
                    device=device,
                    role=role,
                    status=seen.status,
                    since=seen.since,
                    epoch=seen.epoch,
                )
                messages.append(outgoing(state, tenant=tenant, now=now))
            parcels = await enclose(connection, messages)
        if self._unsure:
            # An earlier attempt may stand in the table: it goes out first, or not at all.
            await self._relay.collect(everything=True)
            self._unsure = False
        else:
            self._relay.offer(parcels)


async def device_states(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: the state of every device."""
    return [
        outgoing(state, tenant=tenant, now=now) for state in await store.states(connection, tenant)
    ]
