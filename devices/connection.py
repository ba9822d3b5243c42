"""One MQTT connection, from CONNECT to its end: the only place that speaks paho.

A new one is made for every attempt. So nothing that paho keeps from an earlier
connection is ever sent behind the outbox's back, and every connection has a will of
its own. paho's sockets are driven by the device's own thread: what arrives is handed
over in batches, and nobody needs a lock.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

CONNECT_TIMEOUT_S: Final = 5.0
_READ_AT_ONCE: Final = 200
_REFUSED: Final = frozenset(
    {"Bad user name or password", "Not authorized", "Client identifier not valid"}
)


class CannotConnect(Exception):
    """No connection; the text says why in one line.

    Attributes:
        refused: the broker is there, and does not let this device in.
    """

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class Packet:
    """One message to be published."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is and who speaks."""

    host: str
    port: int
    client_id: str
    username: str
    secret: str
    keepalive_s: int = 30
    tls: ssl.SSLContext | None = None


class Waker:
    """Wakes a thread that waits in `Connection.wait` or `sleep`."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0)
        self._writer.settimeout(0)
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)
        self._woken = False

    def wake(self) -> None:
        """End the wait, or the next one. From any thread; cheap when already done."""
        if not self._woken:
            self._woken = True
            with contextlib.suppress(OSError):
                self._writer.send(b"!")

    def fileno(self) -> int:
        """For poll."""
        return self._reader.fileno()

    def sleep(self, seconds: float) -> None:
        """Wait, until woken."""
        if self._poll.poll(max(0, math.ceil(seconds * 1000))):
            self.rest()

    def rest(self) -> None:
        """Be ready to be woken again. Look for work after this, not before."""
        with contextlib.suppress(OSError):
            self._reader.recv(64)
        self._woken = False

    def close(self) -> None:
        """Free the sockets."""
        self._reader.close()
        self._writer.close()


class Connection:
    """One connection, driven by the thread that made it.

    Args:
        address: the broker, and who the device is there.
        will: what the broker says if the connection breaks.
        waker: ends a wait early.

    Raises:
        CannotConnect: nobody listens there.
    """

    def __init__(self, address: Address, *, will: Packet, waker: Waker) -> None:
        self.granted = False
        """The broker let us in."""
        self.subscribed = False
        """Every subscription was answered."""
        self.not_granted: list[str] = []
        """Filters that the broker refused."""
        self._address = address
        self._refusal: CannotConnect | None = None
        self._waker = waker
        self._received: list[Received] = []
        self._confirmed: list[int] = []
        self._packets = 0
        self._filters: list[str] = []
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=address.client_id,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.username_pw_set(address.username, address.secret)
        client.will_set(will.topic, will.payload, qos=will.qos, retain=will.retain)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # the outbox's window bounds what is on its way
        if address.tls is not None:
            client.tls_set_context(address.tls)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_socket_open = self._on_socket_open
        try:
            client.connect(address.host, address.port, keepalive=address.keepalive_s)
        except OSError as error:
            self.close()
            where = f"{address.host}:{address.port}"
            raise CannotConnect(f"no broker answers at {where}: {error}") from error
        self._poll = select.poll()
        self._poll.register(waker.fileno(), select.POLLIN)
        self._socket = cast("socket.socket", client.socket())
        self._poll.register(self._socket, select.POLLIN)
        self._wants_write = False

    @property
    def unacknowledged(self) -> bool:
        """Whether something published at QoS 1 still lacks its PUBACK, or its sending."""
        return bool(self._client._out_messages) or self._client.want_write()  # noqa: SLF001 - paho tells it nowhere else

    def subscribe(self, filters: Iterable[str]) -> None:
        """Ask for these at QoS 1; `subscribed` becomes True when all are answered."""
        self._filters = list(filters)
        self._client.subscribe([(filter_, 1) for filter_ in self._filters])

    def publish(self, packet: Packet) -> int:
        """Send it, at once where the socket takes it. What is lost is sent again by its sender.

        Returns:
            The number under which `confirmed` tells that the broker has it.
        """
        return self._client.publish(packet.topic, packet.payload, packet.qos, packet.retain).mid

    def confirmed(self) -> list[int]:
        """What the broker has taken since this was last asked, by number."""
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def wait(self, seconds: float) -> list[Received]:
        """Wait until something arrives, someone wakes us, or the time is over.

        Raises:
            CannotConnect: the connection is over.
        """
        client = self._client
        self._watch_writing()
        readable = self._pending()
        waited = 0 if readable else max(0, math.ceil(seconds * 1000))
        for descriptor, event in self._poll.poll(waited):
            if descriptor == self._waker.fileno():
                self._waker.rest()
                continue
            readable = readable or bool(event & ~select.POLLOUT)
            if event & select.POLLOUT:
                self._check(client.loop_write())
        if readable:
            self._read()
        received, self._received = self._received, []
        return received

    def keep_alive(self) -> None:
        """Ping when it is time; call it every second or so.

        Raises:
            CannotConnect: the broker is silent.
        """
        self._check(self._client.loop_misc())

    def disconnect(self) -> None:
        """Leave politely: the broker forgets the will."""
        self._client.disconnect()
        with contextlib.suppress(CannotConnect):
            while self._client.want_write():
                self._check(self._client.loop_write())
        self.close()

    def close(self) -> None:
        """Drop the connection; the will is spoken."""
        client = self._client
        client.on_connect = client.on_subscribe = client.on_message = None
        client.on_publish = None
        client._sock_close()  # noqa: SLF001 - paho has no public way to cut without a goodbye

    def _read(self) -> None:
        # Each call reads a packet or more; on when there was one, stop when there was none.
        for _ in range(_READ_AT_ONCE):
            before = self._packets
            self._check(self._client.loop_read())
            if self._packets == before or self._refusal is not None:
                break
        if self._refusal is not None:
            self.close()
            raise self._refusal

    def _pending(self) -> bool:
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def _watch_writing(self) -> None:
        wants = self._client.want_write()
        if wants != self._wants_write:
            self._wants_write = wants
            flags = select.POLLIN | (select.POLLOUT if wants else 0)
            self._poll.modify(self._socket, flags)

    def _check(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.close()
            if self._refusal is not None:
                raise self._refusal
            why = code.name.removeprefix("MQTT_ERR_").lower().replace("_", " ")
            raise CannotConnect(
                f"the connection to {self._address.host}:{self._address.port} broke ({why})"
            )

    def _on_connect(self, _c: Any, _u: Any, _flags: Any, reason: Any, _p: Any) -> None:
        self._packets += 1
        if not reason.is_failure:
            self.granted = True
        elif str(reason) in _REFUSED:
            why = f"the broker does not let {self._address.username} in: wrong name or secret"
            self._refusal = CannotConnect(why, refused=True)
        else:
            why = f"the broker does not take {self._address.username} now: {reason}"
            self._refusal = CannotConnect(why)

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, reasons: list[Any], _p: Any) -> None:
        self._packets += 1
        self.not_granted = [
            filter_
            for filter_, reason in zip(self._filters, reasons, strict=False)
            if reason.is_failure
        ]
        self.subscribed = True

    def _on_message(self, _c: Any, _u: Any, message: MQTTMessage) -> None:
        self._packets += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # no topic of ours: whoever judges it will count it
        self._received.append(Received(topic, bytes(message.payload), message.retain))

    def _on_publish(self, _c: Any, _u: Any, mid: int, *_: Any) -> None:
        self._packets += 1
        self._confirmed.append(mid)

    @staticmethod
    def _on_socket_open(_c: Any, _u: Any, sock: Any) -> None:
        # Without it a small packet waits for the acknowledgement of the one before.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
