"""A device under the test's full control: it can say the right thing, and any wrong one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from broker_config.settings import BrokerAddress, BrokerLogin
from schemas.catalogue import locate
from schemas.envelope import device_source, encode, envelope_of
from schemas.identifiers import new_id
from schemas.message import Message, Request
from schemas.orders import LineRequest, PlaceOrder
from schemas.replies import Outcome, Reply
from tests.mqtt_client import MqttClient, Received, Will


def order(*items: str | tuple[str, int], **more: Any) -> PlaceOrder:
    """An order: each item by its name, or with its quantity."""
    pairs = [(each, 1) if isinstance(each, str) else each for each in items]
    lines = tuple(LineRequest(item=item, quantity=quantity) for item, quantity in pairs)
    return PlaceOrder(lines=lines, **more)


class Speaker:
    """One device on an `MqttClient`, subscribed to its own replies."""

    def __init__(
        self,
        address: BrokerAddress,
        login: BrokerLogin,
        tenant: str,
        device: str,
        *,
        will: Will | None = None,
    ) -> None:
        self.tenant = tenant
        self.device = device
        self.mqtt = MqttClient(address, login, will=will)
        self.reply_topic = Reply.route.topic(tenant=tenant, device=device)

    def __enter__(self) -> Self:
        self.mqtt.connect()
        try:
            self.mqtt.subscribe(self.reply_topic)
        except BaseException:
            self.mqtt.disconnect()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.mqtt.disconnect()

    def topic(self, message: type[Message]) -> str:
        """Where this device says a message of this class."""
        return message.route.topic(tenant=self.tenant, device=self.device)

    def wire(self, message: Message, id_: UUID | None = None, at: datetime | None = None) -> bytes:
        """A message as this device writes it."""
        return encode(
            message,
            id=id_ or new_id(),
            source=device_source(self.tenant, self.device),
            time=at or datetime.now(UTC),
        )

    def document(self, message: Message, id_: UUID | None = None) -> dict[str, Any]:
        """The same as a document, to be spoilt."""
        written: dict[str, Any] = json.loads(self.wire(message, id_))
        return written

    def say(self, message: Message, id_: UUID | None = None, at: datetime | None = None) -> None:
        """Say it, and wait for no reply."""
        self.mqtt.publish(self.topic(type(message)), self.wire(message, id_, at), qos=message.qos)

    def ask(self, request: Request, id_: UUID | None = None, at: datetime | None = None) -> Reply:
        """Ask, and wait for the reply to just this."""
        wanted = id_ or new_id()
        self.say(request, wanted, at)
        return self.reply_to(wanted)

    def ask_raw(self, topic: str, payload: bytes, *, retain: bool = False) -> Reply:
        """Say any bytes on any topic, and wait for the next reply, whatever it answers."""
        self.mqtt.publish(topic, payload, retain=retain)
        return self.next_reply()

    def accepted(self, request: Request, id_: UUID | None = None) -> Any:
        """Ask for what must be done; returns the reply's result."""
        reply = self.ask(request, id_)
        assert reply.outcome is Outcome.ACCEPTED, f"{reply.code}: {reply.message}"
        return reply.result

    def reply_to(self, id_: UUID) -> Reply:
        """Wait for the reply to one request; other replies are dropped."""
        while (reply := self.next_reply()).request != id_:
            pass
        return reply

    def next_reply(self) -> Reply:
        """Wait for the next reply; other messages are dropped."""
        while (message := self.mqtt.next_message()).topic != self.reply_topic:
            pass
        return read_reply(message)


def read_reply(message: Received) -> Reply:
    """The reply in a message."""
    reply: Reply = envelope_of(Reply).model_validate_json(message.payload).data
    return reply


def read_message(message: Received) -> Any:
    """Whatever the services have said in a message."""
    return envelope_of(locate(message.topic).message).model_validate_json(message.payload).data
