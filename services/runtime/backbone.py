"""The services of one process, supervised: started in order, ended in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from services.runtime import retained
from services.runtime.bus import Bus, ConnectionLost, Session
from services.runtime.database import Database, is_away
from services.runtime.lease import LeaseLost, lease
from services.runtime.moment import Clock
from services.runtime.relay import Relay
from services.runtime.router import Router
from services.runtime.worker import Worker

log = structlog.get_logger(__name__)

GRACE_S: Final = 4.0
"""How long a graceful end may take to finish, publish and mark what was begun."""

Task = Callable[[], Awaitable[None]]


class Backbone:
    """Everything that serves, in one process.

    Args:
        database: where decisions are kept.
        bus: where messages come from.
        router: every area's handlers.
        relay: publishes what was decided.
        worker: decides.
        clock: the time.
        first: run once the right to serve is held, before anything is received.
        beside: tasks that run beside the worker for as long as the right to serve is held.
        within: tasks that run only while a connection to the broker is served, as the worker.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        router: Router,
        relay: Relay,
        worker: Worker,
        *,
        clock: Clock,
        first: tuple[Task, ...] = (),
        beside: tuple[Task, ...] = (),
        within: tuple[Task, ...] = (),
    ) -> None:
        self._database: Final = database
        self._bus: Final = bus
        self._router: Final = router
        self._relay: Final = relay
        self._worker: Final = worker
        self._clock: Final = clock
        self._first: Final = first
        self._beside: Final = beside
        self._within: Final = within
        self._stopping = asyncio.Event()
        self._ending = False
        self.ready: Final = asyncio.Event()
        """Set while messages are being handled."""

    async def run(self) -> None:
        """Serve until `stop`; hand the service over when the lease is lost, and queue for it."""
        while not self._stopping.is_set():
            holding = asyncio.create_task(self._hold())
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({holding, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not holding.done():
                await self._end(holding)
                return
            try:
                holding.result()
            except LeaseLost:
                log.warning("another process may serve now; queueing for the lease")

    def stop(self) -> None:
        """Ask for a graceful end: finish, publish, disconnect cleanly."""
        self._stopping.set()

    async def _end(self, holding: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(GRACE_S):
                await self._worker.stop()
                await self._relay.finish()
        except TimeoutError:
            log.warning("stopped before all was published; the rest goes out at the next start")
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("stopped while the database was away")
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)

    async def _hold(self) -> None:
        async with lease(self._database) as lost:
            self._ending = False
            for task in self._first:
                await _until_there(task)
            serving = asyncio.create_task(self._serve())
            losing = asyncio.create_task(lost.wait())
            try:
                await asyncio.wait({serving, losing}, return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    serving.result()
                raise LeaseLost
            finally:
                self._ending = True
                for task_ in (serving, losing):
                    task_.cancel()
                await asyncio.gather(serving, losing, return_exceptions=True)

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._relay.mark())
            group.create_task(self._bus.keep(self._session))
            for task in self._beside:
                group.create_task(_forever(task))

    async def _session(self, session: Session) -> None:
        """One connection: put the broker right first, then handle what comes."""
        try:
            await self._put_right(session)
            self.ready.set()
            log.info("serving")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._worker.run(session))
                group.create_task(self._relay.watch())
                for task in self._within:
                    group.create_task(_forever(task))
        except BaseExceptionGroup as group:
            # Not `except*`: what is raised in it comes out in a group again, or not, as the
            # patch release of Python has it.
            lost, others = group.split(ConnectionLost)
            if lost is None or others is not None:
                raise
            if self._ending:
                # A task group that fails while it is cancelled from outside tells of its own
                # failure alone (before Python 3.13): who was told to end must not go on.
                raise asyncio.CancelledError from lost
            raise ConnectionLost(str(lost.exceptions[0])) from lost
        finally:
            self.ready.clear()
            self._relay.detach()

    async def _put_right(self, session: Session) -> None:
        async def attempt() -> None:
            await self._relay.attach(session)
            await retained.restore(
                session,
                self._relay,
                self._database,
                self._router,
                self._clock,
                handle=self._worker.handle,
            )

        await _until_there(attempt)


async def _until_there(task: Task) -> None:
    """Do it; again and again, while the database is away."""
    while True:
        try:
            await task()
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database away; trying again", why=str(error)[:200])
            await asyncio.sleep(0.5)
        else:
            return


async def _forever(task: Task) -> None:
    await task()
