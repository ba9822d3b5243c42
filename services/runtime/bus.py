"""The bus: one MQTT connection of the services, behind a small port of ours.

This is the only room that knows aiomqtt. What follows of aiomqtt 2.5 and paho 2 is
worked around here and nowhere else:

- paho acknowledges a message before anyone has handled it. `manual_ack_set` leaves
  that to us: a message is acknowledged after the commit, and one that was not is
  sent again by the broker.
- aiomqtt's iterator costs a task a message and its queue drops what it cannot take.
  Messages go into a queue of ours and are taken in batches.
- awaiting each PUBACK before the next publish saturates early. Publishing returns at
  once; confirmations come to a callback, by message id. Writing does not wait for the
  next turn of the loop.
- an answer (CONNACK, SUBACK) is awaited for ten seconds even when the connection it was to
  come on is gone. We stop waiting when it breaks.
- a topic in broken UTF-8 raises inside the callback and would end the connection.
  Such a message is acknowledged, counted and dropped: it belongs to nobody.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import aiomqtt
import structlog

from broker_config.settings import BrokerSettings

log = structlog.get_logger(__name__)

T = TypeVar("T")

_LAST_WORDS_S: Final = 0.1
_NODELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class ConnectionLost(Exception):
    """The connection to the broker is gone; what was not confirmed must be sent again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the broker delivered it; `tag` is for acknowledging it."""

    topic: str
    payload: bytes
    retain: bool
    qos: int
    tag: int


class WaitingRoom(Protocol):
    """Where messages wait between their arrival and `Session.receive`."""

    def add(self, delivery: Delivery) -> bool:
        """Let one in; False where it is done with instead. Called as it arrives: at once."""
        ...

    def take(self, limit: int) -> list[Delivery]:
        """Take the next, up to a limit."""
        ...

    def __len__(self) -> int: ...


class FirstCome:
    """A waiting room in the order of arrival."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()

    def add(self, delivery: Delivery) -> bool:
        """See `WaitingRoom.add`."""
        self._waiting.append(delivery)
        return True

    def take(self, limit: int) -> list[Delivery]:
        """See `WaitingRoom.take`."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(limit, len(waiting)))]

    def __len__(self) -> int:
        return len(self._waiting)


class Session(Protocol):
    """One connection, from its opening to its loss."""

    def wait_in(self, room: WaitingRoom) -> None:
        """Let messages wait in this room from now on; one that it turns away is acknowledged."""

    async def receive(self, limit: int) -> list[Delivery]:
        """Wait for messages; return what is there, up to `limit`.

        Raises:
            ConnectionLost: the connection is gone.
        """

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are done with; in the order they came."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        """Send one message without waiting; return the id of its confirmation."""

    def on_confirmed(self, callback: Callable[[int], None]) -> None:
        """Name who is told the ids of the messages that the broker has taken."""

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Name who is told, once, that the connection is gone."""

    def send_now(self) -> None:
        """Write what was published and acknowledged to the socket."""

    async def subscribe(self, *filters: str) -> None:
        """Subscribe at QoS 1."""

    async def unsubscribe(self, *filters: str) -> None:
        """End subscriptions."""


Use = Callable[[Session], Awaitable[None]]


class Bus(Protocol):
    """Where sessions come from: MQTT today, a distributed engine later."""

    async def keep(self, use: Use) -> None:
        """Open a session and hand it to `use`; when it is lost, open the next. Never ends."""


class MqttSession:
    """A `Session` on aiomqtt."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._aiomqtt: Final = client
        self._paho: Final[Any] = client._client  # noqa: SLF001 - see the module's first lines
        self._waiting: WaitingRoom = FirstCome()
        self._wake = asyncio.Event()
        self._lost: BaseException | None = None
        self._broken = asyncio.Event()
        self._confirmed: Callable[[int], None] | None = None
        self._told_of_loss: Callable[[], None] | None = None
        self._stuck = False  # True while the socket takes no more and we wait for it
        self.dropped = 0
        self._paho.manual_ack_set(True)  # noqa: FBT003 - paho's own signature
        # The window is the relay's: paho's own would be searched at every PUBACK.
        self._paho.max_inflight_messages_set(0)
        self._paho.max_queued_messages_set(0)
        self._paho.on_message = self._on_message
        self._paho.on_publish = self._on_publish
        self._tell_aiomqtt: Final[Any] = self._paho.on_disconnect
        self._paho.on_disconnect = self._on_disconnect

    def _on_disconnect(self, *told: Any) -> None:
        self._tell_aiomqtt(*told)
        self._broken.set()

    async def answered(self, asking: Coroutine[Any, Any, T]) -> T:
        """Wait for the broker's answer, no longer than the connection lasts.

        Raises:
            ConnectionLost: it broke first.
        """
        tasks = asyncio.create_task(asking), asyncio.create_task(self._broken.wait())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not tasks[0].done():
                # Why the broker refuses us may be said already, and on its way to the task.
                await asyncio.wait(tasks[:1], timeout=_LAST_WORDS_S)
            if not tasks[0].done():
                raise ConnectionLost("the connection broke before the broker answered")
            return tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def abandon(self) -> None:
        """Close what never became a session: a late CONNACK would make it one of ours."""
        self._paho._sock_close()  # noqa: SLF001 - aiomqtt closes only what it has opened

    def opened(self) -> None:
        """Take over, now that there is a connection: its writing, and the watch for its end."""
        self._paho.on_socket_register_write = self._on_writable_wanted
        self._paho.on_socket_unregister_write = self._on_writable_unwanted
        if self._paho.want_write():
            self._on_writable_wanted(None, None, self._paho.socket())
        self._aiomqtt._disconnected.add_done_callback(self._on_lost)  # noqa: SLF001 - the same

    def _on_writable_wanted(self, _client: Any, _userdata: Any, _socket: Any) -> None:
        # aiomqtt would wake the loop through a pipe and wait for the socket to be writable,
        # which it nearly always is: just write, a moment later, all that is there by then.
        asyncio.get_running_loop().call_soon(self._write)

    def _on_writable_unwanted(self, _client: Any, _userdata: Any, sock: Any) -> None:
        if self._stuck:
            self._stuck = False
            asyncio.get_running_loop().remove_writer(sock)

    def _write(self) -> None:
        if self._lost is not None or self._paho.socket() is None:
            return
        with suppress(OSError, ValueError):  # the reader notices what is broken
            self._paho.loop_write()
            if self._paho.want_write() and not self._stuck:
                self._stuck = True
                asyncio.get_running_loop().add_writer(self._paho.socket(), self._write)

    def _on_message(self, _client: Any, _userdata: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self.dropped += 1
            log.warning("dropped a message whose topic is no UTF-8", dropped=self.dropped)
            self._paho.ack(message.mid, message.qos)
            return
        self._arrive(Delivery(topic, message.payload, message.retain, message.qos, message.mid))

    def _arrive(self, delivery: Delivery) -> None:
        if self._waiting.add(delivery):
            self._wake.set()
        elif delivery.qos:
            # At once: the broker sends only so many that are unacknowledged.
            self._paho.ack(delivery.tag, delivery.qos)

    def wait_in(self, room: WaitingRoom) -> None:
        """See `Session.wait_in`."""
        before, self._waiting = self._waiting, room
        for delivery in before.take(len(before)):
            self._arrive(delivery)

    def _on_publish(self, _client: Any, _userdata: Any, mid: int, *_rest: Any) -> None:
        if self._confirmed is not None:
            self._confirmed(mid)

    def _on_lost(self, future: asyncio.Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        self._lost = error or ConnectionLost("disconnected")
        self._wake.set()
        if self._told_of_loss is not None:
            self._told_of_loss()

    async def receive(self, limit: int) -> list[Delivery]:
        """See `Session.receive`."""
        while not len(self._waiting):
            self._check()
            self._wake.clear()
            await self._wake.wait()
        self._check()
        return self._waiting.take(limit)

    def _check(self) -> None:
        if self._lost is not None:
            raise ConnectionLost(str(self._lost)) from self._lost

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Session.acknowledge`."""
        if self._lost is not None:
            return
        for delivery in deliveries:
            if delivery.qos:
                self._paho.ack(delivery.tag, delivery.qos)

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        """See `Session.publish`."""
        self._check()
        info = self._paho.publish(topic, payload, qos, retain)
        mid: int = info.mid
        return mid

    def on_confirmed(self, callback: Callable[[int], None]) -> None:
        """See `Session.on_confirmed`."""
        self._confirmed = callback

    def on_lost(self, callback: Callable[[], None]) -> None:
        """See `Session.on_lost`."""
        self._told_of_loss = callback
        if self._lost is not None:
            callback()

    def send_now(self) -> None:
        """See `Session.send_now`."""
        if self._paho.want_write():
            self._write()

    async def subscribe(self, *filters: str) -> None:
        """See `Session.subscribe`."""
        granted = await self.answered(self._aiomqtt.subscribe([(each, 1) for each in filters]))
        for each, code in zip(filters, granted, strict=False):
            if _number(code) >= 0x80:
                raise ConnectionLost(f"the broker refused the subscription to {each}")

    async def unsubscribe(self, *filters: str) -> None:
        """See `Session.unsubscribe`."""
        await self.answered(self._aiomqtt.unsubscribe(list(filters)))


class MqttBus:
    """A `Bus` over one MQTT 3.1.1 broker.

    Args:
        settings: where the broker is, and who we are.
        subscriptions: what every session subscribes to, at QoS 1.
        clean: True forgets the session at its end: for a tool, not for the services.
    """

    def __init__(
        self, settings: BrokerSettings, subscriptions: Sequence[str] = (), *, clean: bool = False
    ) -> None:
        self.settings: Final = settings
        self.subscriptions: Final = tuple(subscriptions)
        self.clean: Final = clean

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MqttSession]:
        """Connect once; disconnect cleanly at the end.

        Raises:
            ConnectionLost: the broker cannot be reached, or refuses us.
        """
        to = self.settings
        client = aiomqtt.Client(
            to.address.host,
            to.address.port,
            username=to.login.username,
            password=to.login.secret,
            identifier=to.login.client_id,
            clean_session=self.clean,
            keepalive=to.keepalive_s,
            socket_options=[_NODELAY],
            tls_context=to.address.tls_context(),
            timeout=10,
        )
        session = MqttSession(client)
        try:
            await session.answered(client.__aenter__())
        except aiomqtt.MqttError as error:
            session.abandon()
            raise ConnectionLost(f"{to.address}: {error}") from error
        except BaseException:
            session.abandon()
            raise
        try:
            session.opened()
            if self.subscriptions:
                await session.subscribe(*self.subscriptions)
            yield session
        except aiomqtt.MqttError as error:
            raise ConnectionLost(str(error)) from error
        finally:
            session.send_now()
            with suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)

    async def keep(self, use: Use) -> None:
        """See `Bus.keep`; the patience between attempts grows, and is jittered."""
        attempt = 0
        while True:
            try:
                async with self.session() as session:
                    attempt = 0
                    await use(session)
            except ConnectionLost as lost:
                attempt += 1
                pause = min(5.0, 0.1 * 2 ** min(attempt, 6)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
                log.warning("broker away; trying again", why=str(lost), in_s=round(pause, 2))
                await asyncio.sleep(pause)


def _number(code: Any) -> int:
    # MQTT 3.1.1 gives a plain number, 5 an object around one.
    return int(getattr(code, "value", code))


async def bare_path(
    settings: BrokerSettings,
    source: str,
    target: str,
    keep: Callable[[bytes], Awaitable[None]],
    ready: Callable[[], None],
) -> None:
    """Carry messages from one topic to another with the library alone: the benchmarks' floor.

    Nothing of ours stands in this path: aiomqtt as its documentation uses it, with
    TCP_NODELAY. Runs until it is cancelled or the connection is lost.

    Args:
        settings: where the broker is, and who we are.
        source: the topic to receive from.
        target: the topic to publish to.
        keep: keeps one payload, committed.
        ready: called once messages are received.
    """
    async with aiomqtt.Client(
        settings.address.host,
        settings.address.port,
        username=settings.login.username,
        password=settings.login.secret,
        identifier=settings.login.client_id,
        keepalive=settings.keepalive_s,
        socket_options=[_NODELAY],
        tls_context=settings.address.tls_context(),
    ) as client:
        await client.subscribe(source, qos=1)
        ready()
        async for message in client.messages:
            payload = bytes(message.payload)
            await keep(payload)
            await client.publish(target, payload, qos=1)
