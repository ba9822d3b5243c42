"""The embedded broker: amqtt in this process, on a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import uvloop

from broker_config.access import Credential, Directory, Identity
from broker_config.capabilities import EMBEDDED, Capabilities
from broker_config.embedded_connection import Connection
from broker_config.embedded_door import Door
from broker_config.embedded_refusals import Kind, Refusals
from broker_config.limits import BrokerLimits

T = TypeVar("T")

_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
_STOP_PATIENCE_S: Final = 2.0
_BACKLOG: Final = 1024


class NotLoopback(ValueError):
    """The embedded broker has no TLS, so it serves this machine alone."""


class BrokerNotStarted(RuntimeError):
    """The embedded broker could not start, or does not run."""


class EmbeddedBroker:
    """A broker in this process, for one machine and MQTT 3.1.1.

    It runs on a thread with an event loop of its own: services that compute, or wait
    for a disk, do not keep it from answering pings. It keeps nothing through a restart.

    >>> async with EmbeddedBroker(directory) as broker:
    ...     print(broker.host, broker.port)

    Args:
        directory: who may connect. It is asked on the event loop that entered this
            context, so that it may use that loop's database.
        host: an address of this machine's loopback.
        port: 0 takes a free port of the system's; see `port`.
        recheck_s: seconds after which the directory is asked again about everybody who is
            in, so that a revocation by another process counts too; see `put_out`.
        limits: how much it takes from anybody, and keeps for anybody.
        on_exceeded: called with a client id and what it did too much of, once in a minute
            for each; on the event loop that entered this context. MQTT 3.1.1 has no word
            for it, so the services may tell the device.

    Raises:
        NotLoopback: `host` is reachable from elsewhere.
    """

    capabilities: Final[Capabilities] = EMBEDDED

    def __init__(
        self,
        directory: Directory,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        recheck_s: float = 10.0,
        limits: BrokerLimits | None = None,
        on_exceeded: Callable[[str, Kind], None] | None = None,
    ) -> None:
        if host not in _LOOPBACK:
            raise NotLoopback(
                f"the embedded broker listens on loopback only, not on {host}: "
                "use Mosquitto for devices on other machines"
            )
        self._directory = directory
        self._wanted = (host, port)
        self._recheck_s = recheck_s
        self._limits = limits or BrokerLimits()
        self._on_exceeded = on_exceeded
        self._refusals = Refusals(self._limits, self._exceeded)
        self._home: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._door: Door | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._started: Future[tuple[str, int]] = Future()
        self._asking: set[asyncio.Future[Credential | None]] = set()

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._address()[0]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._address()[1]

    @property
    def counts(self) -> Counter[Kind]:
        """How often each kind of thing was refused since it was made."""
        return self._refusals.counts.copy()

    def _address(self) -> tuple[str, int]:
        if not self._started.done():
            raise BrokerNotStarted("the embedded broker has no port before it has started")
        return self._started.result()

    async def start(self) -> None:
        """Listen; on return clients may connect.

        Raises:
            OSError: the port is taken.
        """
        self._home = asyncio.get_running_loop()
        self._started = Future()
        self._thread = threading.Thread(target=self._run, name="heard-broker", daemon=True)
        self._thread.start()
        try:
            await asyncio.wrap_future(self._started)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Put everybody out within two seconds, and end; to do so twice is no error.

        On return the directory is not asked any more, and no question to it is open: one that
        it is still at is waited for, as long as the directory takes to leave it.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stopping.set)
        await asyncio.to_thread(thread.join, _STOP_PATIENCE_S)
        if self._asking:  # whoever asked was cancelled with the broker's loop
            await asyncio.wait(self._asking)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def put_out(self, client_id: str) -> bool:
        """Close a client's connection and drop its session; call it after a revocation.

        The directory must no longer know its accounts, or the client just comes again.

        Returns:
            Whether it was connected.
        """
        door = self._door
        return door is not None and await self._inside(door.put_out(client_id))

    async def knows(self, identity: Identity) -> bool:
        """Tell whether a device is in, or was and left a session: it, and no other of its name."""
        door = self._door
        return door is not None and await self._inside(door.knows(identity))

    async def withdraw(self, username: str) -> bool:
        """Close the connection that rests on one account; the client's session stays.

        The directory must no longer know the account.

        Returns:
            Whether there was one.
        """
        door = self._door
        return door is not None and await self._inside(door.withdraw(username))

    async def _inside(self, doing: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            raise BrokerNotStarted("the embedded broker does not run")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing, self._loop))

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised where `start` waits
            if not self._started.done():
                self._started.set_exception(error)

    async def _serve(self) -> None:
        # What a client does wrong is answered to that client; it is no news for the log.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._loop = loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        listener = _listening(*self._wanted)
        self._door = door = Door(self._find, self._limits, self._refusals)
        await door.engine.start()

        def made() -> Connection:
            return Connection(door.opened, self._limits, door.fell_silent)

        server = await loop.create_server(made, sock=listener)
        self._started.set_result(server.sockets[0].getsockname()[:2])
        rechecking = loop.create_task(self._recheck(door))
        try:
            await self._stopping.wait()
        finally:
            rechecking.cancel()
            server.close()
            await door.close()
            await door.engine.shutdown()
            await server.wait_closed()

    async def _recheck(self, door: Door) -> None:
        while True:
            await asyncio.sleep(self._recheck_s)
            with suppress(Exception):  # the directory is away: nobody was revoked by that
                await door.put_out_revoked()

    def _exceeded(self, client_id: str, kind: Kind) -> None:
        if self._on_exceeded is not None and self._home is not None:
            with suppress(RuntimeError):  # that loop has ended: nobody is left to tell
                self._home.call_soon_threadsafe(self._on_exceeded, client_id, kind)

    async def _find(self, username: str) -> Credential | None:
        if self._home is None:
            raise BrokerNotStarted("the embedded broker does not run")
        found: Awaitable[Credential | None] = asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self._ask(username), self._home)
        )
        return await found

    async def _ask(self, username: str) -> Credential | None:
        asking = asyncio.ensure_future(self._directory.find(username))
        self._asking.add(asking)
        try:
            return await asking
        finally:
            self._asking.discard(asking)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.settimeout(0)
    except OSError:
        listener.close()
        raise
    return listener
