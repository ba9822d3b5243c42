"""The position line: from what trackers say to rows, states, and whoever has to know.

Positions are many, and the last one counts; orders are few, and each does. So positions have a
connection of their own, and go neither through the worker nor through inbox and outbox: what
has come is taken together every tenth of a second, read, judged, kept in one transaction, and
only then acknowledged. What is kept twice meets its own key.

Whatever dies, what was not kept comes again: the broker holds what was not acknowledged, and
what is known of each vehicle is read from its row.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
import structlog

from schemas.positions import VehicleState
from services.runtime.bus import Bus, Delivery, Session
from services.runtime.context import Outgoing
from services.runtime.courier_modes import CourierModes
from services.runtime.database import Database, is_away
from services.runtime.guard import Doorkeeper, Guard
from services.runtime.lease import POSITIONS, LeaseLost, lease
from services.runtime.limits import Gate
from services.runtime.moment import Clock
from services.runtime.positions import PositionListener, Positions
from services.runtime.relay import Checkpoint, no_checkpoint
from services.runtime.rounds import begun_again
from services.tracking import vehicle_rows
from services.tracking.announcing import Announcer
from services.tracking.batches import Numbers, Standing
from services.tracking.brought import Brought
from services.tracking.keeping import Keeper
from services.tracking.nameless import nameless
from services.tracking.righting import Righting
from services.tracking.room import PositionRoom
from services.tracking.strays import strays
from services.tracking.telling import Told, some, states
from services.tracking.tick import Tick, Watch
from services.tracking.vehicle_book import Vehicle, VehicleBook

log = structlog.get_logger(__name__)

LIMIT: Final = 5_000
"""Messages of one tick."""
TICK_S: Final = 0.1
"""From the beginning of one tick to that of the next, where there is little to do."""
LOOK_EVERY_S: Final = 2.0
"""How often it is looked who is silent, and whose rules are others."""
AGAIN_S: Final = 1.0
QUIET_S: Final = 1.0
"""Where nothing came for so long it is seen to what is due all the same."""

T = TypeVar("T")
Task = Callable[[], Awaitable[None]]


class PositionLine:
    """Keeps positions, and tells of them.

    Args:
        database: where they are kept.
        bus: a connection of the line's own, subscribed to `arriving.FILTERS`.
        gate: who may send how much.
        doorkeeper: puts out who goes on regardless; None where another guard of the same gate
            does.
        clock: the time.
        watch: finds what comes of a tick and belongs into its transaction; None for nothing.
        listeners: are told where vehicles are.
        beside: tasks that run for as long as the line does; one that fails is begun again.
        couriers: knows what they go by; None for nobody.
        checkpoint: called where a crash would be worst.
        counts: what happened, by its name; shared with who else counts.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        gate: Gate,
        doorkeeper: Doorkeeper | None,
        clock: Clock,
        *,
        watch: Watch | None = None,
        listeners: Sequence[PositionListener] = (),
        beside: Sequence[Task] = (),
        couriers: CourierModes | None = None,
        checkpoint: Checkpoint = no_checkpoint,
        counts: Counter[str] | None = None,
    ) -> None:
        self._database: Final = database
        self._bus: Final = bus
        self._clock: Final = clock
        self._watch: Final = watch
        self._listeners: Final = tuple(listeners)
        self._beside: Final = tuple(beside)
        self._checkpoint: Final = checkpoint
        self.counts: Final[Counter[str]] = Counter() if counts is None else counts
        """What happened since the start: by verdict, and what was turned away."""
        self.announcer: Final = Announcer()
        self._doorkeeper: Final = doorkeeper
        self._guard: Final = Guard(gate, self.announcer, clock, doorkeeper, counts=self.counts)
        self._room: Final = PositionRoom(self._guard, self.counts)
        self.brought: Final = Brought(self._room)
        """Takes what comes another way than over MQTT."""
        self._keeper: Final = Keeper(database, clock, checkpoint)
        self._couriers: Final = couriers
        self._book = VehicleBook(couriers)
        self._tick = Tick(self._book, self.counts, watch)
        self._told = Told()
        self._righting: Final = Righting(
            self.announcer, self._listeners, self._places, lambda: self._positions(self._known())
        )
        self._busy: Final = asyncio.Lock()
        """Held while the book changes, or has to stay as it is."""
        self._sure = False
        """Whether the book stands as the rows do: not after a tick that did not end well."""
        self.ready: Final = asyncio.Event()
        """Set while positions are taken, and the book is whole."""

    @property
    def book(self) -> VehicleBook:
        """The vehicles that were heard of."""
        return self._book

    def stands(self, topic: str) -> bytes | None:
        """What a listener has said last on the topic of a state; None where it says nothing."""
        said = (each for listener in self._listeners for each in listener.standing())
        return next((each.payload for each in said if each.topic == topic), None)

    async def run(self) -> None:
        """Serve for ever; whatever goes wrong with positions stays with positions."""
        while True:
            try:
                await self._hold()
            except LeaseLost:
                log.warning("another process may take positions now; queueing for them")
            except Exception as error:
                if not is_away(error):
                    log.exception("positions: a fault of ours; beginning anew")
                await asyncio.sleep(AGAIN_S)

    async def _hold(self) -> None:
        async with lease(self._database, POSITIONS) as lost:
            self._sure = False
            tasks: set[asyncio.Future[Any]] = {
                asyncio.ensure_future(each)
                for each in (
                    self._bus.keep(self._session),
                    self._look(),
                    *(() if self._doorkeeper is None else (self._guard.run(),)),
                    *(begun_again(task) for task in self._beside),
                )
            }
            losing: asyncio.Future[Any] = asyncio.ensure_future(lost.wait())
            try:
                await asyncio.wait({*tasks, losing}, return_when=asyncio.FIRST_COMPLETED)
                for each in tasks:
                    if each.done():
                        each.result()
                raise LeaseLost
            finally:
                for each in (*tasks, losing):
                    each.cancel()
                await asyncio.gather(*tasks, losing, return_exceptions=True)
                self.ready.clear()
                self.announcer.detach()
                if not lost.is_set():
                    await self._leave()

    async def _leave(self) -> None:
        """Write down what the rows do not know yet; it is no harm where it fails."""
        if not self._sure:
            await self._keeper.close()
            return
        with suppress(Exception):
            async with asyncio.timeout(2.0):
                await self._keeper.keep(self._tick.leave())
        with suppress(Exception):
            await self._keeper.close()

    # -- one connection -------------------------------------------------------------------

    async def _session(self, session: Session) -> None:
        try:
            self._room.clear()
            session.wait_in(self._room)
            self.announcer.attach(session)
            self._righting.all_wrong()
            await self._begin()
            while True:
                if self._righting.due_in == 0.0:
                    await self._righting.put_right(session, self._take)
                    self.ready.set()
                    self.brought.attach(session)
                deliveries = await self._receive(session)
                began = time.monotonic()
                await (self._take(deliveries) if deliveries else self._catch_up())
                session.acknowledge(deliveries)
                session.send_now()
                self._checkpoint("fixes acknowledged")
                await asyncio.sleep(max(0.0, began + TICK_S - time.monotonic()))
        finally:
            self.ready.clear()
            self.brought.detach()
            self.announcer.detach()

    async def _receive(self, session: Session) -> Sequence[Delivery]:
        """What came; nothing, where something is to be put right first, or it stayed quiet."""
        due_in = self._righting.due_in
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_S if due_in is None else min(due_in, QUIET_S)):
                return await session.receive(LIMIT)
        return ()

    async def _begin(self) -> None:
        """See that the book stands as the rows do; until then there is the one of before."""
        if self._sure:
            return
        self.ready.clear()
        if self._watch is not None:
            await self._until_there(self._watch.start)
        self._book = await self._until_there(self._remembered)
        self._tick = Tick(self._book, self.counts, self._watch)
        self._told = Told()
        for listener in self._listeners:
            listener.begin(self.announcer.say)
        # What was said before is in nobody's memory any more.
        self._righting.all_wrong()
        self._sure = True

    async def _remembered(self) -> VehicleBook:
        book = VehicleBook(self._couriers)
        async with self._database.read() as connection:
            await book.remember(connection)
        return book

    def _known(self) -> Standing:
        """Where all vehicles are of which that is known."""
        everybody = np.array([each.number for each in self._book.vehicles if each], dtype=np.int32)
        told = self._book.fleet.standing(everybody)
        return some(told, np.isfinite(told.t))

    def _places(self) -> list[Outgoing]:
        """What stands of all vehicles, as of now."""
        now, known = self._clock(), self._known()
        self._told.note(known, now.timestamp())
        return states(self._book, known, now)

    # -- one tick ---------------------------------------------------------------------------

    async def _take(self, deliveries: Sequence[Delivery]) -> None:
        """Take what came; where we fail, one by one, and what makes us fail again is left."""
        if not deliveries:
            return
        async with self._busy:
            if await self._tried(deliveries):
                return
            for each in deliveries:
                if not await self._tried([each]):
                    self.counts["given up"] += 1
                    self.brought.failed(each)
                    log.error("a position could not be kept", topic=each.topic)

    async def _tried(self, deliveries: Sequence[Delivery]) -> bool:
        """Take these, and tell whether that went well; where not, the book was begun anew."""
        try:
            await self._do(deliveries)
        except Exception:
            log.exception("a tick failed; the book is read anew", messages=len(deliveries))
            self.counts["ticks that failed"] += 1
            self._sure = False
            await self._begin()
            return False
        return True

    async def _do(self, deliveries: Sequence[Delivery]) -> None:
        now = self._clock()
        arrived = self._tick.read(deliveries, now.timestamp())
        strangers = self._book.strangers(arrived.tellers)
        if strangers:

            async def meet() -> None:
                async with self._database.read() as connection:
                    await self._book.meet(connection, strangers)

            await self._until_there(meet)
        self._sure, was_sure = False, self._sure
        found = await self._tick.judge(arrived, now)
        unfit = strays(deliveries, self._guard, now)
        unfit += nameless(self._book.take_nameless(), deliveries, now)
        kept = replace(found.kept, strays=unfit)
        await self._until_there(lambda: self._keeper.keep(kept))
        self._sure = was_sure
        self.brought.kept(deliveries, lambda each: self._book.number_of(each) is not None)
        self._tell(found.touched)

    async def _catch_up(self) -> None:
        """Write the rows that are due, though nobody said more."""
        async with self._busy:
            kept = self._tick.overdue(self._clock())
            self._sure, was_sure = False, self._sure
            await self._until_there(lambda: self._keeper.keep(kept))
            self._sure = was_sure

    def _tell(self, touched: Numbers) -> None:
        if not len(touched):
            return
        now = self._clock()
        standing = self._book.fleet.standing(touched)
        if self._listeners:
            self._righting.move(self._positions(standing))
        due = some(standing, self._told.due(standing, now.timestamp()))
        if len(due.vehicle):
            self._told.note(due, now.timestamp())
            self.announcer.say(states(self._book, due, now))

    def _positions(self, standing: Standing) -> Positions:
        """Where those are, as listeners are told."""
        keys = self._book.keys
        return Positions(
            [keys[number] for number in standing.vehicle.tolist()],
            standing.vehicle,
            standing.t,
            standing.lat,
            standing.lon,
            standing.spread_m,
            standing.speed_mps,
            standing.heading_deg,
            standing.moving,
        )

    async def _until_there(self, task: Callable[[], Awaitable[T]]) -> T:
        """Do it; again and again, while the database is away: nothing is acknowledged so long."""
        pause = 0.1
        while True:
            try:
                return await task()
            except Exception as error:
                if not is_away(error):
                    raise
                self.counts["database away"] += 1
                log.warning("database away; positions wait", why=str(error)[:200])
                await asyncio.sleep(pause)
                pause = min(2.0, pause * 2)

    # -- beside -----------------------------------------------------------------------------

    async def _look(self) -> None:
        """See who is silent, who is gone, and what is believed of whom, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self.ready.is_set():
                continue
            try:
                async with self._busy:
                    async with self._database.read() as connection:
                        gone = await self._book.look_again(connection)
                    if gone:
                        await self._until_there(partial(self._forget, gone))
            except Exception as error:
                if not is_away(error):
                    raise
                continue
            for vehicle in gone:
                tenant, name = vehicle.key
                topic = VehicleState.route.topic(tenant=tenant, vehicle=name)
                self.announcer.say([Outgoing(tenant, topic, b"", 1, retain=True)])
            self._miss()

    async def _forget(self, gone: Sequence[Vehicle]) -> None:
        async with self._database.write() as connection:
            await vehicle_rows.forget(connection, [each.key for each in gone])

    def _miss(self) -> None:
        """Tell of who is silent for too long: where they are nobody knows."""
        now = self._clock()
        heard, patience = self._book.silence(now.timestamp())
        numbers = self._told.silent(heard, patience)
        numbers = np.array(
            [each for each in numbers.tolist() if self._book.vehicles[each]], dtype=np.int32
        )
        if len(numbers):
            standing = self._book.fleet.standing(numbers)
            self._told.note(standing, now.timestamp(), silent=True)
            self.announcer.say(states(self._book, standing, now, silent=True))
