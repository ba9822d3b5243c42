"""A real Mosquitto, and the services' side of the talk, for the tests of devices."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from devices.resending import Patience
from schemas.catalogue import BY_TYPE, locate
from schemas.envelope import encode, envelope_of, service_source
from schemas.identifiers import new_id
from schemas.kitchen_requests import HearTickets
from schemas.message import Message, Request
from schemas.orders import OrderStatus
from schemas.replies import HeardReceipt, OrderReceipt, Outcome, Reply
from schemas.topics import Plane, plane_filter
from tests.patience import PATIENCE_S
from tests.ports import quiet_port

TENANT = "demo"
HASTY = Patience(
    first_s=0.2, longest_s=0.5, reconnect_first_s=0.05, reconnect_longest_s=0.2, refused_s=0.2
)
CALM = replace(HASTY, first_s=PATIENCE_S, longest_s=PATIENCE_S)
"""Asks once what is answered, however late: for a test that counts what was asked."""


def until(condition: Callable[[], object], what: str = "it", within: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {within} s"
        time.sleep(0.005)


class Broker:
    """A private Mosquitto on a port of its own, which it keeps through a restart."""

    def __init__(self, folder: Path, *, more: str = "allow_anonymous true") -> None:
        self.port = quiet_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\n{more}\nset_tcp_nodelay true\npersistence false\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self._process = subprocess.Popen(
            ["/usr/sbin/mosquitto", "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._listens, "the broker's start")
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the broker has ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.5).close()
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Heard:
    """One message as the services' side received it."""

    topic: str
    id: UUID | None
    message: Message
    retained: bool


class Responder:
    """Answers requests as the services do, as far as a test needs it.

    `answers` may be replaced: it gives the reply to a request, or None for silence.
    """

    def __init__(self, broker: Broker) -> None:
        self.heard: list[Heard] = []
        self.answers: Callable[[UUID, Request], Reply | None] = accept
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="services")
        self._client.max_inflight_messages_set(0)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_socket_open = self._on_socket_open
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        if not self._subscribed.wait(PATIENCE_S):
            self.__exit__()
            raise AssertionError("the services' side is not there")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, message: Message, **address: str) -> None:
        topic = message.topic(tenant=TENANT, **address)
        payload = encode(message, id=new_id(), source=service_source(TENANT), time=now())
        self._client.publish(topic, payload, message.qos, message.retain)

    def say_raw(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1, retain)

    def requests(self, kind: type[Request]) -> list[Heard]:
        return [heard for heard in list(self.heard) if isinstance(heard.message, kind)]

    def said(self, kind: type[Message]) -> list[Any]:
        return [heard.message for heard in list(self.heard) if isinstance(heard.message, kind)]

    def _on_connect(self, client: Client, *_: Any) -> None:
        planes = (Plane.REQUEST, Plane.PRESENCE, Plane.TELEMETRY)
        client.subscribe([(plane_filter(plane, tenant=TENANT), 1) for plane in planes])

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed.set()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        located = locate(message.topic)
        if located.message.bare:
            told: Message = located.message.model_validate_json(message.payload)
            self.heard.append(Heard(message.topic, None, told, message.retain))
            return
        envelope = envelope_of(located.message).model_validate_json(message.payload)
        assert BY_TYPE[envelope.type] is located.message
        self.heard.append(Heard(message.topic, envelope.id, envelope.data, message.retain))
        if isinstance(envelope.data, Request):
            reply = self.answers(envelope.id, envelope.data)
            if reply is not None:
                self.say(reply, device=located.address["device"])

    @staticmethod
    def _on_socket_open(_client: Client, _data: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def now() -> datetime:
    return datetime.now(UTC)


def receipt(order_id: UUID) -> OrderReceipt:
    return OrderReceipt(
        order_id=order_id,
        number="ORD-240115103045-A1B2",
        status=OrderStatus.ACCEPTED,
        version=1,
        currency="GBP",
        total_minor=395,
    )


def accept(request_id: UUID, request: Request) -> Reply:
    if isinstance(request, HearTickets):
        heard = HeardReceipt(ticket_ids=request.ticket_ids)
        return Reply(request=request_id, outcome=Outcome.ACCEPTED, result=heard)
    return Reply(request=request_id, outcome=Outcome.ACCEPTED, result=receipt(request_id))


def silence(_request_id: UUID, _request: Request) -> None:
    return None
