"""Clearing what devices left standing on the broker: nobody else would ever do it.

A device may retain its presence, and nothing else; but a broker that cannot tell the one
from the other keeps whatever it is sent. The warden, an account of the services beside the
one that serves, reads what stands on the devices' planes and clears it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final

import structlog

from broker_config.access import WARDEN_USERNAME
from broker_config.secret import derived_secret
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from schemas.identifiers import new_id
from schemas.topics import DEVICE_PLANES, Plane, device_of, event_marker, is_on, plane_filter
from services.people import store
from services.runtime.bus import ConnectionLost, Session
from services.runtime.database import Database
from services.runtime.mqtt_bus import MqttBus

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 10.0
MARK_AGAIN_S: Final = 2.0
BATCH: Final = 256


def of_device(tenant: str, device: str) -> list[str]:
    """The filters of all on which a device may speak."""
    return [
        plane_filter(
            plane, tenant=tenant, tail=device if plane is Plane.PRESENCE else f"{device}/#"
        )
        for plane in DEVICE_PLANES
    ]


async def unowned(database: Database, sweeper: Sweeper) -> set[str]:
    """Name what stands on the devices' planes and is no presence of a device that is known."""
    standing = await sweeper.standing([plane_filter(plane) for plane in DEVICE_PLANES])
    async with database.read() as connection:
        known = {(each.tenant, each.device) for each in await store.devices(connection)}
    return {
        topic
        for topic in standing
        if not is_on(Plane.PRESENCE, topic) or device_of(topic) not in known
    }


class Sweeper:
    """Clears topics of devices, by the warden's account.

    Args:
        address: where the broker is.
        services_secret: the services' password there; the warden's follows from it.
        tells: whether the log says what was cleared; else only when it is debugged.

    Raises, each of its methods:
        ConnectionLost: the broker cannot be reached.
    """

    def __init__(self, address: BrokerAddress, services_secret: str, *, tells: bool = True) -> None:
        self._tells: Final = tells
        login = BrokerLogin(
            username=WARDEN_USERNAME, secret=derived_secret(services_secret, WARDEN_USERNAME)
        )
        self._bus: Final = MqttBus(BrokerSettings(address=address, login=login), clean=True)
        # The account is connected once at a time: who comes second would put the first out.
        self._one = asyncio.Lock()

    async def clear(self, filters: Sequence[str]) -> int:
        """Clear everything that stands on these; returns how many topics that were."""
        async with self._session() as session:
            topics = await _standing(session, filters)
            await _clear(session, topics)
        if topics:
            said = log.info if self._tells else log.debug
            said("cleared what devices left standing", topics=len(topics), first=min(topics))
        return len(topics)

    async def clear_topics(self, topics: Iterable[str]) -> None:
        """Clear these topics."""
        wanted = sorted(topics)
        if wanted:
            async with self._session() as session:
                await _clear(session, wanted)
            log.info("cleared what nobody owns", topics=len(wanted), first=wanted[0])

    async def standing(self, filters: Sequence[str]) -> set[str]:
        """Name the topics on which something stands."""
        async with self._session() as session:
            return await _standing(session, filters)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        async with self._one, self._bus.session() as session:
            yield session


async def _standing(session: Session, filters: Sequence[str]) -> set[str]:
    """Read what is retained: all of it comes before a marker that is published after."""
    marker = event_marker(str(new_id()))
    await session.subscribe(marker, *filters)
    found: set[str] = set()
    markers = 0
    while True:
        # While very much stands there, a broker drops what comes after: the marker too.
        session.publish(marker, b"{}", qos=1, retain=False)
        session.send_now()
        markers += 1
        try:
            async with asyncio.timeout(MARK_AGAIN_S):
                if await _until_marked(session, marker, found):
                    await session.unsubscribe(marker, *filters)
                    return found
        except TimeoutError:
            if markers * MARK_AGAIN_S >= PATIENCE_S:
                raise


async def _until_marked(session: Session, marker: str, found: set[str]) -> bool:
    """Take what stands there until the marker comes; returns that it has."""
    while True:
        batch = await session.receive(BATCH)
        session.acknowledge(batch)
        session.send_now()
        for delivery in batch:
            if delivery.topic == marker:
                return True
            if delivery.retain and delivery.payload:
                found.add(delivery.topic)


async def _clear(session: Session, topics: Iterable[str]) -> None:
    remaining = iter(sorted(topics))
    while some := list(islice(remaining, BATCH)):
        await _publish(session, some, b"", retain=True)


async def _publish(
    session: Session, topics: Sequence[str], payload: bytes, *, retain: bool
) -> None:
    """Publish, and wait until the broker has taken all of it.

    Raises:
        ConnectionLost: the connection is gone before.
    """
    waiting: set[int] = set()
    taken, lost = asyncio.Event(), asyncio.Event()

    def confirmed(mid: int) -> None:
        waiting.discard(mid)
        taken.set()

    def gone() -> None:
        lost.set()
        taken.set()

    session.on_confirmed(confirmed)
    session.on_lost(gone)
    for topic in topics:
        waiting.add(session.publish(topic, payload, qos=1, retain=retain))
    session.send_now()
    async with asyncio.timeout(PATIENCE_S):
        while waiting:
            if lost.is_set():
                raise ConnectionLost("the connection broke before the broker had taken all")
            taken.clear()
            await taken.wait()
