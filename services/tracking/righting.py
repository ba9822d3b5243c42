"""Putting right what stands retained of positions, and of what others make of them.

A broker may come back with what should not stand, or without what should; and whoever fails in
the middle does not know any more what it has said. So what stands is listened to, and held against
what each says now: at the beginning of every connection, and after whatever went wrong. Positions
go on meanwhile, and wait for nobody who is beside them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

import structlog

from schemas.catalogue import is_one_of
from schemas.identifiers import new_id
from schemas.message import Message
from schemas.positions import VehicleState
from schemas.topics import Plane, plane_filter, state_marker
from services.runtime import retained
from services.runtime.bus import Session
from services.runtime.context import Outgoing
from services.runtime.positions import PositionListener, Positions
from services.tracking.announcing import Announcer

log = structlog.get_logger(__name__)

READY_S: Final = 2.0
"""So long it is waited at the beginning for those who do not know yet what should stand."""
AGAIN_S: Final = 2.0
"""Who is not ready then, or has failed, is looked for again after so long."""

Kinds = set[type[Message]]


class Righting:
    """Knows whose states may be wrong, and puts them right.

    Args:
        announcer: publishes.
        listeners: whose states stand beside the places of vehicles.
        places: says where vehicles are, as it should stand now.
        positions: the same, as listeners are told.
    """

    def __init__(
        self,
        announcer: Announcer,
        listeners: Sequence[PositionListener],
        places: Callable[[], Sequence[Outgoing]],
        positions: Callable[[], Positions],
    ) -> None:
        self._announcer: Final = announcer
        self._listeners: Final = tuple(listeners)
        self._places: Final = places
        self._positions: Final = positions
        self._places_wrong = True
        self._wrong: set[PositionListener] = set(listeners)
        self._times = 0
        """How often all was wrong."""
        self._again_at = 0.0

    @property
    def due_in(self) -> float | None:
        """Seconds after which there is something to put right; None where there is nothing."""
        if not (self._places_wrong or self._wrong):
            return None
        return max(0.0, self._again_at - time.monotonic())

    def all_wrong(self) -> None:
        """Nobody knows what stands: put all of it right, at once."""
        self._times += 1
        self._places_wrong = True
        self._wrong = set(self._listeners)
        self._again_at = 0.0

    def move(self, positions: Positions) -> None:
        """Tell listeners of new positions, but those who learn of all when they are put right."""
        for listener in self._listeners:
            if listener not in self._wrong:
                try:
                    listener.moved(positions)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is theirs
                    self._failed(listener, error)

    def _failed(self, listener: PositionListener, error: Exception) -> None:
        who = type(listener).__name__
        log.error("who listens to positions failed; it begins anew", who=who, exc_info=error)
        self._wrong.add(listener)
        self._again_at = time.monotonic() + AGAIN_S
        listener.begin(self._announcer.say)

    async def put_right(self, session: Session, handle: retained.Handle) -> None:
        """Tell again what should stand, and clear what stands and should not.

        Args:
            session: connected.
            handle: takes what else comes meanwhile.
        """
        while True:
            times, places = self._times, self._places_wrong
            listeners = await _ready(self._wrong, READY_S if places else 0.0)
            self._again_at = time.monotonic() + AGAIN_S
            if not (places or listeners):
                return
            kinds: Kinds = {kind for each in listeners for kind in each.kinds}
            standing = await _standing(
                session, kinds | ({VehicleState} if places else set()), handle
            )
            if times == self._times:
                break
        # From here on nobody else has a turn: what is said now is newer than all that was said
        # while it was listened.
        wanted: dict[str, Outgoing] = {}
        right: Kinds = set()
        if places:
            self._places_wrong = False
            right.add(VehicleState)
            wanted |= {message.topic: message for message in self._places()}
        for listener in listeners:
            self._wrong.discard(listener)
            try:
                listener.moved(self._positions())
                wanted |= {message.topic: message for message in listener.standing()}
            except Exception as error:  # noqa: BLE001 - whatever it is, it is theirs
                self._failed(listener, error)
            else:
                right |= set(listener.kinds)
        self._announcer.say(
            Outgoing("", topic, b"", 1, retain=True)
            for topic in standing
            if topic not in wanted and is_one_of(topic, right)
        )
        self._announcer.say(wanted.values())


async def _ready(
    listeners: Iterable[PositionListener], patience_s: float
) -> Sequence[PositionListener]:
    """Those of them who know what should stand, or will within so long."""
    waiting = {asyncio.ensure_future(each.ready()): each for each in listeners}
    if not waiting:
        return ()
    try:
        await asyncio.wait(waiting, timeout=patience_s)
        return [each for task, each in waiting.items() if task.done() and task.exception() is None]
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _standing(session: Session, kinds: Kinds, handle: retained.Handle) -> Collection[str]:
    """The topics of all that stands retained beside what is of these kinds."""
    found: set[str] = set()
    for first in sorted({each.route.template.split("/")[4] for each in kinds}):
        whole = plane_filter(Plane.STATE, tail=f"{first}/#")
        # The usual marker is no state of these: it has to be listened to as well.
        marker = retained.Marker(state_marker(str(new_id())))
        found |= set(await retained.listen(session, whole, marker=marker, handle=handle))
    return found
