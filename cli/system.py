"""Heard itself in this process: the services, and with the embedded broker that too.

It runs on a thread with an event loop of its own, so that the command that started it
stays free to draw, to wait for signals, or to be a device.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Final, Self

import structlog
import uvloop

from broker_config.access import Directory, Identity, service_credentials
from broker_config.embedded import EmbeddedBroker
from broker_config.embedded_refusals import Kind
from broker_config.settings import BrokerAddress
from cli.compose import LOOK_EVERY_S, Served, assemble
from cli.failures import Failure, of_another_version
from cli.files import admin_secret, services_secret
from cli.gateway import gateway_of
from cli.notices import sender_settings
from cli.settings import BrokerKind, Settings
from schemas.devices import DevicePresence
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from services.migrations.version import NEWEST, version
from services.people.accounts import Accounts, EmbeddedAccounts, MosquittoAccounts
from services.people.credentials import DatabaseDirectory
from services.people.suspension import Suspensions
from services.people.sweeping import Sweeper
from services.people.watch import Seen, put_out_changed
from services.runtime.context import Outgoing, clearing, outgoing
from services.runtime.database import Database
from services.runtime.file_drop import FileDrop
from services.runtime.moment import Clock, system_clock

log = structlog.get_logger(__name__)

USUAL_PORT: Final = 1883
START_S: Final = 20.0
STOP_S: Final = 8.0


class System:
    """Broker, services and database of one process.

    >>> with System(settings) as system:
    ...     system.wait(10)

    Args:
        settings: what runs, and where.
        migrate: bring the database to this version first; else it must be there.
        any_port: take whatever port is free.
        clock: the time of all decisions: a simulation's runs fast.
        look_every_s: how often what is due is looked for.
        positions: take positions too; else `heard track serve` does.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        migrate: bool,
        any_port: bool = False,
        clock: Clock = system_clock,
        look_every_s: float = LOOK_EVERY_S,
        positions: bool = True,
    ) -> None:
        self._settings: Final = settings
        self._clock: Final = clock
        self._look_every_s: Final = look_every_s
        self._positions: Final = positions
        self._migrate: Final = migrate
        self._any_port: Final = any_port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._served: Served | None = None
        self._started: Future[BrokerAddress] = Future()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="heard-services", daemon=True)
        self.usual_port_taken = False
        self.gateway_url = ""
        """Where the gateway answers; known once it has started, empty where none is wanted."""

    @property
    def address(self) -> BrokerAddress:
        """Where the broker is; known once it has started."""
        return self._started.result(0)

    def start(self) -> Self:
        """Start; on return the broker takes connections (the services may still begin).

        Raises:
            Failure: the database is of another version.
            OSError: the port that was asked for is taken.
        """
        services_secret(self._settings)  # made here, so that two threads never make two
        drop = self._settings.drop
        if drop is not None and not drop.is_dir():
            raise Failure(
                f"there is no folder {drop} to take files from: make it, or change --drop"
            )
        self._thread.start()
        try:
            self._started.result(START_S)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Finish, publish, disconnect and end; within 5 s. May be called twice."""
        if self._thread.ident is None:
            return
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(stopping.set)
        self._thread.join(STOP_S)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end; tells whether it has come.

        Raises:
            BaseException: what ended it.
        """
        ended = self._ended.wait(seconds)
        if ended and self._error is not None:
            raise self._error
        return ended

    def wait_serving(self, seconds: float = START_S) -> bool:
        """Wait until requests are handled; tells whether they are.

        Raises:
            BaseException: it ended instead.
        """
        deadline = time.monotonic() + seconds
        while not self.serving:
            if self.wait(0.02):
                raise Failure("heard has ended while it started: the log says why")
            if time.monotonic() > deadline:
                return False
        return True

    @property
    def serving(self) -> bool:
        """Whether requests are handled now."""
        return self._served is not None and self._served.backbone.ready.is_set()

    def online(self) -> int:
        """How many devices the services believe to be there."""
        if self._served is None or self._loop is None:
            return 0
        presence = self._served.presence

        async def count() -> int:
            return presence.online()

        with suppress(RuntimeError, TimeoutError):
            return asyncio.run_coroutine_threadsafe(count(), self._loop).result(1.0)
        return 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- on its own thread --------------------------------------------------------------

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - raised where `start` or `wait` waits
            self._error = error
            if not self._started.done():
                self._started.set_exception(error)
        finally:
            self._ended.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        settings = self._settings
        async with AsyncExitStack() as stack:
            database = Database(settings.database_url)
            stack.push_async_callback(database.close)
            await self._make_ready(database)
            watching: list[asyncio.Task[None]] = []
            accounts: Accounts
            doorkeeper: Callable[[Sweeper], Suspensions] | None = None
            if settings.broker is BrokerKind.EMBEDDED:
                ours = service_credentials(services_secret(settings))
                seen = Seen(DatabaseDirectory(database, ours))
                broker = await self._broker(seen)
                stack.push_async_callback(broker.stop)
                address = BrokerAddress(host=broker.host, port=broker.port)
                watch = put_out_changed(database, _Doorkeeper(self, broker), system_clock, seen)
                watching.append(asyncio.create_task(watch))
                accounts = EmbeddedAccounts()
            else:
                address = settings.address()
                accounts = MosquittoAccounts(address, admin_secret(settings))
                doorkeeper = partial(Suspensions, database, address, admin_secret(settings))
            self._served = served = assemble(
                database,
                address,
                services_secret(settings),
                accounts=accounts,
                doorkeeper=doorkeeper,
                notices=sender_settings(settings),
                clock=self._clock,
                look_every_s=self._look_every_s,
                positions=self._positions,
            )
            gateway = await stack.enter_async_context(
                gateway_of(settings, database, served, address, any_port=self._any_port)
            )
            if gateway is not None:
                self.gateway_url = gateway.url
                watching.append(asyncio.create_task(gateway.run()))
            if settings.drop is not None:
                drop = FileDrop(
                    settings.drop,
                    served.systems,
                    database,
                    system_clock,
                    serving=served.backbone.ready.is_set,
                )
                watching.append(asyncio.create_task(drop.run()))
            backbone = asyncio.create_task(served.backbone.run())
            stopping = asyncio.create_task(self._stopping.wait())
            # What was loaded so far stays for good: the collector need not look through it
            # while orders wait, nor as often as its defaults say.
            gc.collect()
            gc.freeze()
            gc.set_threshold(20_000, 20, 20)
            self._started.set_result(address)
            try:
                await asyncio.wait(
                    {backbone, stopping, *watching}, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                served.backbone.stop()
                for task in (stopping, *watching):
                    task.cancel()
                ends = await asyncio.gather(backbone, *watching, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):
                    raise end

    async def _make_ready(self, database: Database) -> None:
        if self._migrate:
            from services.migrations.upgrade import upgrade  # noqa: PLC0415 - Alembic is slow

            before, after = await upgrade(database)
            if before != after:
                log.info("database migrated", before=before, after=after)
            return
        at = await version(database)
        if at != NEWEST:
            raise of_another_version(database.shown, at)

    def say(self, messages: Sequence[Outgoing]) -> None:
        """Publish what stands in no row; from its own thread alone."""
        if self._served is not None:
            self._served.relay.say(messages)

    def _tell(self, client_id: str, kind: Kind) -> None:
        """Tell a device what it does too much of: its broker has no word for it."""
        tenant, _, device = client_id.partition(":")
        if not device:
            return  # one of ours: the log has it
        reply = Reply(
            outcome=Outcome.REJECTED,
            code=RefusalCode.RATE_LIMITED,
            message=f"{kind}: the broker takes no more, or takes it more slowly",
        )
        self.say([outgoing(reply, tenant=tenant, now=system_clock(), device=device)])

    async def _broker(self, directory: Directory) -> EmbeddedBroker:
        """Start the broker on the port that was asked for, the usual one, or any."""
        settings = self._settings

        async def on(port: int) -> EmbeddedBroker:
            broker = EmbeddedBroker(
                directory, host=settings.broker_host, port=port, on_exceeded=self._tell
            )
            await broker.start()
            return broker

        if settings.broker_port is not None or self._any_port:
            return await on(settings.broker_port or 0)
        try:
            return await on(USUAL_PORT)
        except OSError:
            self.usual_port_taken = True
            return await on(0)


class _Doorkeeper:
    """Puts out at the embedded broker, and clears what a device did while it still could."""

    def __init__(self, system: System, broker: EmbeddedBroker) -> None:
        self._system: Final = system
        self._broker: Final = broker

    async def put_out(self, client_id: str) -> bool:
        """See `services.people.watch.Broker.put_out`."""
        was_there = await self._broker.put_out(client_id)
        tenant, _, device = client_id.partition(":")
        self._system.say([clearing(DevicePresence, tenant=tenant, device=device)])
        return was_there

    async def knows(self, identity: Identity) -> bool:
        """See `services.people.watch.Broker.knows`."""
        return await self._broker.knows(identity)

    async def withdraw(self, username: str) -> bool:
        """See `services.people.watch.Broker.withdraw`."""
        return await self._broker.withdraw(username)
