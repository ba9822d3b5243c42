"""Retained state is derived from the database.

A broker may come back with nothing kept, or with what should have been cleared. On
every connection the services listen to all that stands retained, compare it with what
follows from the rows, put back what is missing and clear what should not be there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import select

from schemas.catalogue import is_one_of
from schemas.dispatch import DispatchState, WaitingPlace
from schemas.etas import EtaState
from schemas.guest_tracking import TrackingState
from schemas.identifiers import new_id
from schemas.message import Message
from schemas.positions import ReportingWish, TrackerAdvice, VehicleState
from schemas.topics import Plane, is_on, plane_filter, state_marker
from services.runtime.bus import Delivery, Session
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.moment import Clock
from services.runtime.relay import Relay
from services.runtime.router import Router
from services.runtime.tables import TENANTS

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 30.0
"""For how long the broker may send nothing at all while it shows what stands retained."""
BATCH: Final = 256
LIVE: Final[frozenset[type[Message]]] = frozenset(
    {VehicleState, EtaState, TrackingState, ReportingWish, TrackerAdvice}
)
"""These follow from what is heard, not from rows alone: the position line sees to them."""
PLANNED: Final[frozenset[type[Message]]] = frozenset({DispatchState, WaitingPlace})
"""These follow from the dispatcher's last plan. Who begins to serve clears what another had
planned, and plans; while it serves they stand as they are."""

Handle = Callable[[Sequence[Delivery]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What has to happen for the broker to stand as the database says."""

    missing: list[Outgoing]
    stray: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.stray)


async def expected(database: Database, router: Router, clock: Clock) -> dict[str, Outgoing]:
    """What should stand retained, by topic, for all tenants."""
    found: dict[str, Outgoing] = {}
    async with database.read() as connection:
        tenants = list(await connection.scalars(select(TENANTS.c.tenant)))
        for tenant in sorted(tenants):
            for source in router.retained:
                for message in await source(connection, tenant, clock()):
                    found[message.topic] = message
    return found


@dataclass(frozen=True, slots=True)
class Marker:
    """A message of one's own that comes after all that was retained before it."""

    topic: str
    payload: bytes = b"{}"


async def listen(
    session: Session,
    whole: str = plane_filter(Plane.STATE),
    *,
    marker: Marker | None = None,
    handle: Handle | None = None,
) -> dict[str, bytes]:
    """Read everything that stands retained, by topic.

    A marker of our own, published after the subscription, shows where the retained
    messages end: the broker keeps the order. Where it did not, what was missed is put
    there once more, which changes nothing.

    Args:
        session: a connection of the services, or of whoever may read `whole`.
        whole: the states to read.
        marker: for one who may not publish among the states: a message that it may both
            publish and hear.
        handle: takes what else comes meanwhile. It may not wait until the end: a broker
            sends nothing more, not even the marker, while too much is unacknowledged.
    """
    filters = [whole] if marker is None else [whole, marker.topic]
    marker = marker or Marker(state_marker(str(new_id())))
    standing: dict[str, bytes] = {}
    await session.subscribe(*filters)
    session.publish(marker.topic, marker.payload, qos=1, retain=False)
    session.send_now()
    try:
        ended = False
        while not ended:
            async with asyncio.timeout(PATIENCE_S):
                batch = await session.receive(BATCH)
            others: list[Delivery] = []
            for delivery in batch:
                if delivery.topic == marker.topic:
                    ended = True
                elif not is_on(Plane.STATE, delivery.topic):
                    others.append(delivery)
                elif delivery.retain:
                    standing[delivery.topic] = delivery.payload
                else:
                    standing.pop(delivery.topic, None)
            if handle is not None and others:
                await handle(others)
            session.acknowledge(batch)
            session.send_now()
    except TimeoutError:
        log.warning("the broker did not show its retained messages in time", in_s=PATIENCE_S)
    await session.unsubscribe(*filters)
    return standing


def compare(
    standing: dict[str, bytes],
    wanted: dict[str, Outgoing],
    *,
    beside: Collection[type[Message]] = LIVE,
) -> Difference:
    """Hold what stands against what should; envelopes differ, their data must not.

    Args:
        standing: by topic.
        wanted: by topic.
        beside: these may stand though no row wants them.
    """
    missing = [
        message
        for topic, message in wanted.items()
        if topic not in standing or _data(standing[topic]) != _data(message.payload)
    ]
    stray = standing.keys() - wanted.keys()
    return Difference(missing, sorted(topic for topic in stray if not is_one_of(topic, beside)))


async def restore(
    session: Session,
    relay: Relay,
    database: Database,
    router: Router,
    clock: Clock,
    *,
    handle: Handle,
) -> None:
    """Make the broker's retained state true; `handle` takes what else comes meanwhile.

    While the rows are read, something may be decided and published (a device's presence),
    and what was read is then published after it, although older. So it looks again until
    nothing differs.
    """
    standing = await listen(session, handle=handle)
    while difference := compare(standing, await expected(database, router, clock)):
        log.info(
            "retained state put right",
            put_back=len(difference.missing),
            cleared=len(difference.stray),
        )
        relay.say(difference.missing)
        relay.say(Outgoing("", topic, b"", 1, retain=True) for topic in difference.stray)
        standing.update((message.topic, message.payload) for message in difference.missing)
        for topic in difference.stray:
            del standing[topic]
        await relay.drain()


def _data(payload: bytes) -> Any:
    try:
        return json.loads(payload)["data"]
    except (ValueError, KeyError, TypeError):
        return payload
