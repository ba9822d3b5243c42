"""Positions that come another way than over MQTT: through the same room, and kept like all others.

Whoever brings one waits until the tick that it was in is committed, and is told what became of it.
Nothing is held for those who are sent away: they bring it again, and what was kept meanwhile meets
its own key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from services.runtime.bus import Delivery, Session
from services.tracking.arriving import Teller
from services.tracking.room import PositionRoom

PATIENCE_S: Final = 10.0
"""How long one waits for the commit before one is sent away."""
MOST: Final = 500
"""So many may wait at once; each holds its payload."""


class Became(Enum):
    """What became of what was brought."""

    KEPT = auto()
    """It went through a tick that was committed."""
    OF_NO_VEHICLE = auto()
    """The same, but nobody whom it is about is a vehicle."""
    FAILED = auto()
    """It is what makes us fail."""
    SENT_AWAY = auto()
    """Nobody knows: it may come again."""


class TooMuch(Exception):
    """The sender is over its limits; `wait_s` is infinite where it is too large for ever."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s: Final = wait_s


@dataclass(frozen=True, slots=True)
class _Waiting:
    about: Collection[Teller]
    became: asyncio.Future[Became]


class Brought:
    """Takes them in, for as long as there is a connection to the broker.

    Args:
        room: where they wait with all others.
        patience_s: how long one waits.
    """

    def __init__(self, room: PositionRoom, *, patience_s: float = PATIENCE_S) -> None:
        self._room: Final = room
        self._patience_s: Final = patience_s
        self._session: Session | None = None
        self._waiting: Final[dict[int, _Waiting]] = {}
        self._last = 0

    @property
    def is_open(self) -> bool:
        """Whether this process takes positions now."""
        return self._session is not None

    async def bring(self, topic: str, payload: bytes, about: Collection[Teller]) -> Became:
        """Have one taken, as if it had come on this topic, and wait for what becomes of it.

        Args:
            topic: on which its sender would have said it; who that is was found out before.
            payload: as it came, and not empty.
            about: whom it tells of.

        Raises:
            TooMuch: nothing of it was taken.
        """
        if self._session is None or len(self._waiting) >= MOST:
            return Became.SENT_AWAY
        # No broker counts below zero: by this it is told apart.
        self._last -= 1
        delivery = Delivery(topic, payload, retain=False, qos=0, tag=self._last)
        if wait := self._room.enter(delivery):
            raise TooMuch(wait)
        became = asyncio.get_running_loop().create_future()
        self._waiting[delivery.tag] = _Waiting(about, became)
        self._session.wake()
        try:
            done, _ = await asyncio.wait((became,), timeout=self._patience_s)
            return became.result() if done else Became.SENT_AWAY
        finally:
            del self._waiting[delivery.tag]
            if not became.done():
                self._room.leave(delivery)

    # -- what the line tells -----------------------------------------------------------------------

    def attach(self, session: Session) -> None:
        """They are taken from now on, in the ticks of this connection."""
        self._session = session

    def detach(self) -> None:
        """They are not any more; who waits is sent away."""
        self._session = None
        for each in self._waiting.values():
            _tell(each, Became.SENT_AWAY)

    def kept(self, deliveries: Sequence[Delivery], is_vehicle: Callable[[Teller], bool]) -> None:
        """These were in a tick that is committed."""
        if not self._waiting:
            return
        for delivery in deliveries:
            if (each := self._waiting.get(delivery.tag)) is not None:
                known = any(is_vehicle(teller) for teller in each.about)
                _tell(each, Became.KEPT if known else Became.OF_NO_VEHICLE)

    def failed(self, delivery: Delivery) -> None:
        """This one was given up."""
        if (each := self._waiting.get(delivery.tag)) is not None:
            _tell(each, Became.FAILED)


def _tell(each: _Waiting, became: Became) -> None:
    if not each.became.done():
        each.became.set_result(became)
