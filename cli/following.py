"""Following what the services publish, over as many connections as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from broker_config.settings import BrokerSettings
from cli.failures import Failure
from services.runtime.bus import ConnectionLost, Delivery, Session
from services.runtime.mqtt_bus import MqttBus

_AGAIN_S: Final = 1.0
_AT_ONCE: Final = 500


class Following:
    """Whoever follows overrides what they want to know.

    Args:
        find: where the broker is now, and who we are there; asked anew for each connection.
        filters: what is followed.
    """

    def __init__(self, find: Callable[[], BrokerSettings], filters: Sequence[str]) -> None:
        self._find: Final = find
        self._filters: Final = tuple(filters)
        self._held = False

    async def run(self, seconds: float | None) -> None:
        """Follow for so long, or until it is cancelled."""
        tasks = [asyncio.ensure_future(self._stay()), *self.beside()]
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)

    def beside(self) -> list[asyncio.Future[None]]:
        """What else runs for as long."""
        return []

    def connected(self) -> None:
        """There is a connection: what stands is told anew from here on."""

    def torn(self) -> None:
        """The connection is gone, at this moment."""

    def take(self, arrival: Delivery) -> None:
        """Something was said."""

    def lost(self, why: str) -> None:
        """There is no connection; it is tried again by itself."""

    async def _stay(self) -> None:
        while True:
            try:
                bus = MqttBus(self._find(), self._filters, clean=True)
                async with bus.session() as session:
                    await self._follow(session)
            except Failure as error:  # nothing runs; it says what to do
                self.lost(f"{error} (it is tried again by itself)")
            except ConnectionLost as error:
                # What tore an old connection says nothing to anybody; why there is no new one does.
                why = "the connection is torn" if self._held else f"{error}: see `heard doctor`"
                self.lost(f"{why} (it is tried again by itself)")
            self._held = False
            await asyncio.sleep(_AGAIN_S)

    async def _follow(self, session: Session) -> None:
        session.on_lost(self.torn)
        self._held = True
        self.connected()
        while True:
            batch = await session.receive(_AT_ONCE)
            session.acknowledge(batch)
            for arrival in batch:
                self.take(arrival)
