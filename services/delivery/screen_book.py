"""What guests' screens show: told anew when it is another thing, every two seconds at most.

It is reckoned from the rows, where couriers are too, and from the live ETAs of the same process.
What ends is shown once more as it ended, with no courier in it, and cleared at the next look: who
connects after that finds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.etas import EtaState
from schemas.guest_tracking import GuestTracking, TrackingState
from schemas.message import State
from services.delivery import guest_view, store
from services.delivery.guest_sight import OrderKey, sights
from services.delivery.guest_view import Sight
from services.delivery.tables import DELIVERIES, TRACKING_SCREENS
from services.runtime.context import Outgoing, clearing, outgoing
from services.runtime.database import Database
from services.runtime.moment import Clock
from services.runtime.positions import Announce, Positions
from services.runtime.rounds import for_ever
from services.runtime.whereabouts import WhereaboutsBook

LOOK_EVERY_S: Final = 2.0
_AT_ONCE: Final = 5_000
"""Orders that are read together."""
_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)

ScreenKey = tuple[str, str]
"""Tenant and device."""
EtaOf = Callable[[str, UUID], EtaState | None]
"""The live ETA of a tenant's order, where there is one."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a screen shows."""

    what: GuestTracking
    message: Outgoing


class ScreenBook:
    """See the module. A `services.runtime.positions.PositionListener`.

    Args:
        database: where screens and deliveries are.
        whereabouts: where couriers are.
        eta_of: the live ETAs.
        clock: the time.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self,
        database: Database,
        whereabouts: WhereaboutsBook,
        eta_of: EtaOf,
        clock: Clock,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database: Final = database
        self._whereabouts: Final = whereabouts
        self._eta_of: Final = eta_of
        self._clock: Final = clock
        self._look_every_s: Final = look_every_s
        self._announce: Announce | None = None
        self._shown: dict[ScreenKey, _Shown] = {}
        self._ended: set[ScreenKey] = set()
        """They were shown the end, and are to be cleared."""
        self._looked: Final = asyncio.Event()

    # -- what listens to positions --------------------------------------------------------

    @property
    def kinds(self) -> Sequence[type[State]]:
        """See `PositionListener.kinds`."""
        return (TrackingState,)

    def begin(self, announce: Announce) -> None:
        """See `PositionListener.begin`."""
        self._announce = announce

    async def ready(self) -> None:
        """See `PositionListener.ready`: the rows were read."""
        await self._looked.wait()

    def moved(self, positions: Positions) -> None:
        """See `PositionListener.moved`: their rows are read at the next look, which is enough."""

    def standing(self) -> Sequence[Outgoing]:
        """See `PositionListener.standing`."""
        return [each.message for each in self._shown.values()]

    # -- what looks at the rows ------------------------------------------------------------

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "guests' screens follow their orders")

    async def look(self) -> None:
        """Tell the screens what is another thing than what they show."""
        now = self._clock()
        async with self._database.read() as connection:
            screens = await self._screens(connection, now)
            orders = {(tenant, order_id) for (tenant, _), (order_id, _until) in screens.items()}
            seen = await self._sights(connection, orders)
        messages = [_clearing(key) for key in sorted(self._ended)]
        self._ended = set()
        lasting: set[ScreenKey] = set()
        for key, (order_id, until) in screens.items():
            sight = seen.get((key[0], order_id))
            if sight is None:
                continue
            ended = sight.kept.delivery.ended_at is not None
            eta = self._eta_of(key[0], order_id)
            view = guest_view.view(sight, eta=eta, until=until, now=now)
            message = self._message(key, view, now)
            if message is not None:
                messages.append(message)
            if ended:
                self._ended.add(key)
            else:
                lasting.add(key)
        over = self._shown.keys() - lasting
        for key in sorted(over):
            del self._shown[key]
            if key not in self._ended:
                messages.append(_clearing(key))
        self._looked.set()
        if messages and self._announce is not None:
            self._announce(messages)

    async def _screens(
        self, connection: AsyncConnection, now: datetime
    ) -> dict[ScreenKey, tuple[UUID, datetime]]:
        """The order that each screen has to show, and until when.

        Of those that ended, only where the end is still to be told.
        """
        screen, delivery = TRACKING_SCREENS.c, DELIVERIES.c
        same = (screen.tenant == delivery.tenant) & (screen.order_id == delivery.order_id)
        query = (
            select(TRACKING_SCREENS, delivery.ended_at)
            .join_from(TRACKING_SCREENS, DELIVERIES, same)
            .where(screen.until > now)
        )
        return {
            (row.tenant, row.device): (row.order_id, row.until)
            for row in await connection.execute(query)
            if row.ended_at is None or (row.tenant, row.device) in self._shown
        }

    async def _sights(
        self, connection: AsyncConnection, orders: Collection[OrderKey]
    ) -> dict[OrderKey, Sight]:
        """What is shown, each order once; none where its guest is forgotten."""
        found: dict[OrderKey, Sight] = {}
        every = sorted(orders)
        for start in range(0, len(every), _AT_ONCE):
            kept = await store.some(connection, every[start : start + _AT_ONCE])
            linked = {key: each for key, each in kept.items() if each.beside.link}
            found |= await sights(connection, self._whereabouts, linked)
        return found

    def _message(self, key: ScreenKey, view: GuestTracking, now: datetime) -> Outgoing | None:
        """What tells a screen of it; None where it shows that already."""
        what = view.model_copy(update={"as_of": _NO_TIME})
        before = self._shown.get(key)
        if before is not None and before.what == what:
            return None
        tenant, device = key
        message = outgoing(TrackingState(device=device, tracking=view), tenant=tenant, now=now)
        self._shown[key] = _Shown(what, message)
        return message


def _clearing(key: ScreenKey) -> Outgoing:
    return clearing(TrackingState, tenant=key[0], device=key[1])
