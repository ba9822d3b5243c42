"""A small MQTT client for tests: it waits for what must come, with a deadline.

To show that something does *not* arrive, publish a marker afterwards that is allowed,
on a way that keeps order, and look at what stood before it::

    stranger.publish(secret_topic, b"x")
    friend.publish(open_topic, b"marker")
    assert reader.until(open_topic, b"marker") == []
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker_config.settings import BrokerAddress, BrokerLogin
from tests.patience import PATIENCE_S

REFUSED_FILTER: Final = 0x80


class NotInTime(AssertionError):
    """What had to come did not come before the deadline."""


class ConnectionRefused(Exception):
    """The broker did not let the client in; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    mid: int


@dataclass(frozen=True, slots=True)
class Will:
    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class MqttClient:
    """One client; a context manager that connects on entry and leaves cleanly.

    Args:
        address: where the broker is.
        login: user name and secret; the client id is the user name, unless given.
        clean: False keeps the session on the broker while the client is away.
        manual_ack: nothing is acknowledged until `acknowledge` is called.
        anonymous: connect without user name and password.
        tls: a context of the test's own, instead of the address's.
    """

    def __init__(
        self,
        address: BrokerAddress,
        login: BrokerLogin,
        *,
        client_id: str | None = None,
        clean: bool = True,
        will: Will | None = None,
        manual_ack: bool = False,
        keepalive_s: int = 30,
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
        anonymous: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.messages: list[Received] = []
        self.connected = False
        self.session_present = False
        self._changed = threading.Condition()
        self._reason: str | None = None
        self._answered = self._gone = False
        self._granted: dict[int, list[int]] = {}
        self._acknowledged: set[int] = set()
        self._address = address
        self._keepalive_s = keepalive_s
        mqtt5 = protocol is MQTTProtocolVersion.MQTTv5
        self._clean = clean
        self._mqtt5 = mqtt5
        self._paho = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=login.client_id if client_id is None else client_id,
            clean_session=None if mqtt5 else clean,
            protocol=protocol,
            reconnect_on_failure=False,
            manual_ack=manual_ack,
        )
        self._paho.max_inflight_messages_set(1000)
        if not anonymous:
            self._paho.username_pw_set(login.username, login.secret)
        if will is not None:
            self._paho.will_set(will.topic, will.payload, will.qos, will.retain)
        tls = tls or address.tls_context()
        if tls is not None:
            self._paho.tls_set_context(tls)
        self._paho.on_socket_open = self._on_socket_open
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_message = self._on_message
        self._paho.on_subscribe = self._on_subscribe
        self._paho.on_unsubscribe = self._on_subscribe
        self._paho.on_publish = self._on_publish

    # What one does

    def connect(self) -> Self:
        """Connect, and wait until the broker has let the client in.

        Raises:
            ConnectionRefused: it did not.
        """
        extra: dict[str, Any] = {}
        self._answered = self._gone = False
        if self._mqtt5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
            if not self._clean:
                properties.SessionExpiryInterval = 3600
            extra = {"clean_start": self._clean, "properties": properties}
        self._paho.connect(self._address.host, self._address.port, self._keepalive_s, **extra)
        self._paho.loop_start()
        try:
            self._wait(self._is_answered, "an answer to CONNECT")
        except NotInTime:
            self._finish()
            raise
        if not self.connected:
            self._finish()
            raise ConnectionRefused(self._reason or "the connection was closed")
        return self

    def subscribe(self, filter_: str, qos: int = 1) -> int:
        """Subscribe; returns the granted QoS, or `REFUSED_FILTER`."""
        _, mid = self._paho.subscribe(filter_, qos)
        self._wait(lambda: mid in self._granted or self._gone, f"an answer to SUBSCRIBE {filter_}")
        return self._granted.get(mid or 0, [REFUSED_FILTER])[0]

    def unsubscribe(self, filter_: str) -> None:
        """Unsubscribe, and wait for the answer."""
        _, mid = self._paho.unsubscribe(filter_)
        self._wait(lambda: mid in self._granted, f"an answer to UNSUBSCRIBE {filter_}")

    def publish(
        self, topic: str, payload: bytes = b"", *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish; at QoS 1 wait until the broker has acknowledged it."""
        info = self._paho.publish(topic, payload, qos, retain)
        if qos:
            self._wait(lambda: info.mid in self._acknowledged, f"the PUBACK for {topic}")

    def publish_unanswered(self, topic: str, payload: bytes = b"", *, qos: int = 1) -> None:
        """Publish, and wait for no acknowledgement."""
        self._paho.publish(topic, payload, qos)

    def publish_all(self, messages: list[tuple[str, bytes]]) -> None:
        """Publish many at QoS 1, pipelined, and wait until all are acknowledged."""
        mids = {self._paho.publish(topic, payload, 1).mid for topic, payload in messages}
        self._wait(lambda: mids <= self._acknowledged, f"{len(mids)} PUBACKs")

    def acknowledge(self, message: Received) -> None:
        """Acknowledge one message; only with `manual_ack`."""
        self._paho.ack(message.mid, message.qos)

    def disconnect(self) -> None:
        """Leave cleanly: the will is not published."""
        self._paho.disconnect()
        self._finish()

    def cut(self) -> None:
        """Cut the link as a lost network does: no DISCONNECT is sent."""
        link = self._paho.socket()
        if isinstance(link, socket.socket):
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.shutdown(socket.SHUT_RDWR)
        self._wait(lambda: self._gone, "the link to be cut")
        self._finish()

    def freeze(self) -> None:
        """Fall silent with the link open, as a machine does that hangs; `thaw` ends it."""
        self._paho.loop_stop()

    def thaw(self) -> None:
        """Close what `freeze` left open."""
        self._finish()

    # What one waits for

    def until(self, topic: str, payload: bytes | None = None) -> list[Received]:
        """Wait for a message; return all that came before it, and forget them with it."""

        def position() -> int | None:
            for index, one in enumerate(self.messages):
                if one.topic == topic and payload in {None, one.payload}:
                    return index
            return None

        self._wait(lambda: position() is not None, f"{payload!r} on {topic}")
        with self._changed:
            found = position()
            assert found is not None
            before, self.messages = self.messages[:found], self.messages[found + 1 :]
        return before

    def next_message(self) -> Received:
        """Wait for the next message, whatever it is."""
        self._wait(lambda: bool(self.messages), "a message")
        with self._changed:
            return self.messages.pop(0)

    def take(self, count: int) -> list[Received]:
        """Wait for the next `count` messages."""
        self._wait(lambda: len(self.messages) >= count, f"{count} messages")
        with self._changed:
            taken, self.messages = self.messages[:count], self.messages[count:]
        return taken

    def wait_until_gone(self) -> None:
        """Wait until the broker has closed the connection."""
        self._wait(lambda: self._gone, "the broker to close the connection")

    def _finish(self) -> None:
        self._paho.loop_stop()
        self._paho._reset_sockets()  # else they are left to the garbage collector, with a warning
        self.connected = False

    def _is_answered(self) -> bool:
        return any((self._answered, self._gone))

    def _wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if self._gone:
                    raise NotInTime(f"{what} did not come: the connection is gone")
                if left <= 0:
                    raise NotInTime(f"{what} did not come in {PATIENCE_S:.0f} s")
                self._changed.wait(left)

    # What paho tells, on its own thread

    def _on_socket_open(self, _client: paho.Client, _data: Any, link: Any) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(
        self, _client: paho.Client, _data: Any, flags: Any, reason: Any, _properties: Any
    ) -> None:
        with self._changed:
            self._answered = True
            self.connected = not reason.is_failure
            self.session_present = flags.session_present
            self._reason = str(reason) if reason.is_failure else None
            self._changed.notify_all()

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, _reason: Any, _properties: Any
    ) -> None:
        with self._changed:
            self._gone = True
            self.connected = False
            self._changed.notify_all()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        received = Received(
            message.topic,
            bytes(message.payload),
            message.qos,
            message.retain,
            message.dup,
            message.mid,
        )
        with self._changed:
            self.messages.append(received)
            self._changed.notify_all()

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, mid: int, reasons: Any, _properties: Any
    ) -> None:
        with self._changed:
            self._granted[mid] = [reason.value for reason in reasons]
            self._changed.notify_all()

    def _on_publish(
        self, _client: paho.Client, _data: Any, mid: int, _reason: Any, _properties: Any
    ) -> None:
        with self._changed:
            self._acknowledged.add(mid)
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.disconnect()
