"""One MQTT connection, on aiomqtt: a `services.runtime.bus.Session`.

Only this room and those beside it (`mqtt_bus`, `bare_mqtt`) know aiomqtt. What follows of
aiomqtt 2.5 and paho 2 is worked around here and nowhere else:

- paho acknowledges a message before anyone has handled it. `manual_ack_set` leaves
  that to us: a message is acknowledged after the commit, and one that was not is
  sent again by the broker.
- aiomqtt's iterator costs a task a message and its queue drops what it cannot take.
  Messages go into a queue of ours and are taken in batches; they are read in batches, too
  (`bus_reading`), every connection's of a like size, so that none keeps another waiting.
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
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import aiomqtt
import structlog

from services.runtime.bus import ConnectionLost, Delivery, FirstCome, WaitingRoom
from services.runtime.bus_reading import PUBACK, SwiftReader, acknowledgement

log = structlog.get_logger(__name__)

T = TypeVar("T")

_LAST_WORDS_S: Final = 0.1


class MqttSession:
    """A `Session` on aiomqtt."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._aiomqtt: Final = client
        self._paho: Final[Any] = client._client  # noqa: SLF001 - see the module's first lines
        self._waiting: WaitingRoom = FirstCome()
        self._refused: list[int] = []
        self._wake = asyncio.Event()
        self._lost: BaseException | None = None
        self._broken = asyncio.Event()
        self._confirmed: Callable[[int], None] | None = None
        self._told_of_loss: Callable[[], None] | None = None
        self._reads_on = False  # True while more is read in the next turn of the loop anyhow
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
        """Take over, now that there is a connection: its writing, and the watch for its end.

        Raises:
            ConnectionLost: it broke since the broker let us in.
        """
        self._paho.on_socket_register_write = self._on_writable_wanted
        self._paho.on_socket_unregister_write = self._on_writable_unwanted
        if self._paho.want_write():
            self._on_writable_wanted(None, None, self._paho.socket())
        self._aiomqtt._disconnected.add_done_callback(self._on_lost)  # noqa: SLF001 - the same
        sock = self._paho.socket()
        if sock is None:
            raise ConnectionLost("the connection broke as soon as the broker had let us in")
        reader = SwiftReader(self._paho, self._on_swift_message)
        # After aiomqtt has done so, which it does in the next turn of the loop.
        loop, number = asyncio.get_running_loop(), sock.fileno()
        loop.call_soon(self._read_with, loop, number, reader)

    def _read_with(self, loop: asyncio.AbstractEventLoop, number: int, reader: SwiftReader) -> None:
        sock = self._paho.socket()
        if self._lost is None and sock is not None and sock.fileno() == number:
            loop.add_reader(number, self._read, reader)
            self._read(reader)  # what came to aiomqtt's reader, and it has not read

    def _read(self, reader: SwiftReader) -> None:
        if not self._reads_on:
            self._read_some(reader)

    def _read_on(self, reader: SwiftReader) -> None:
        self._reads_on = False
        self._read_some(reader)

    def _read_some(self, reader: SwiftReader) -> None:
        if reader.readable():
            self._reads_on = True
            asyncio.get_running_loop().call_soon(self._read_on, reader)
        self._acknowledge_refused()

    def _on_swift_message(
        self,
        raw: bytes,
        payload: bytes,
        retain: bool,  # noqa: FBT001 - `bus_reading.Arrive`
        qos: int,
        tag: int,
    ) -> None:
        try:
            topic = raw.decode()
        except UnicodeDecodeError:
            self._drop(tag, qos)
            return
        self._arrive(Delivery(topic, payload, retain, qos, tag))

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
            self._drop(message.mid, message.qos)
            self._acknowledge_refused()
            return
        self._arrive(Delivery(topic, message.payload, message.retain, message.qos, message.mid))
        self._acknowledge_refused()

    def _drop(self, tag: int, qos: int) -> None:
        self.dropped += 1
        log.warning("dropped a message whose topic is no UTF-8", dropped=self.dropped)
        if qos:
            self._refused.append(tag)

    def _arrive(self, delivery: Delivery) -> None:
        if self._waiting.add(delivery):
            self._wake.set()
        elif delivery.qos:
            self._refused.append(delivery.tag)

    def _acknowledge_refused(self) -> None:
        """At once: the broker sends only so many that are unacknowledged."""
        if self._refused and self._lost is None:
            self._acknowledge(self._refused)
        self._refused.clear()

    def wait_in(self, room: WaitingRoom) -> None:
        """See `Session.wait_in`."""
        before, self._waiting = self._waiting, room
        for delivery in before.take(len(before)):
            self._arrive(delivery)
        self._acknowledge_refused()

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

    def wake(self) -> None:
        """See `Session.wake`."""
        self._wake.set()

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Session.acknowledge`."""
        numbers = [each.tag for each in deliveries if each.qos]
        if numbers and self._lost is None:
            self._acknowledge(numbers)

    def _acknowledge(self, numbers: Sequence[int]) -> None:
        packet = acknowledgement(numbers)
        self._paho._packet_queue(PUBACK, packet, numbers[-1], 1)  # noqa: SLF001 - all at once

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


def _number(code: Any) -> int:
    # MQTT 3.1.1 gives a plain number, 5 an object around one.
    return int(getattr(code, "value", code))
