"""amqtt's broker, with the parts replaced that lose, leak or wait.

What amqtt 0.12.1 does by itself, and the embedded broker must not:

- it hands every connecting client the retained messages of everybody's filters;
- it forgets a QoS 1 message that is not acknowledged in 5 s, or when the link is cut;
- it marks what it kept for an absent client as retained;
- it loses a message when somebody subscribes while it is being handed out;
- it spends ten tasks and as many timers on one message.

Sessions, subscriptions, retained messages and the packets' encoding stay amqtt's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from amqtt.adapters import BufferReader
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.mqtt import packet_class
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.packet import (
    DISCONNECT,
    PINGREQ,
    PUBACK,
    PUBLISH,
    SUBSCRIBE,
    UNSUBSCRIBE,
    MQTTFixedHeader,
)
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import OutgoingApplicationMessage, Session

from broker_config.access import Identity, may_publish, may_receive, may_subscribe
from broker_config.embedded_connection import Connection, ProtocolViolation

MAX_INFLIGHT: Final = 1_000
"""QoS 1 messages on their way to one client, unacknowledged."""
MAX_WAITING: Final = 100_000
"""Messages that wait for one client; what comes beyond is dropped, as Mosquitto does."""
MAX_BACKLOG_BYTES: Final = 8 * 1024 * 1024
"""A client that reads more slowly than this gets no more QoS 0 messages."""

_IDENTITY: Final = "heard.identity"
_SUBSCRIBING: Final = "heard.subscribing"
_PINGRESP: Final = b"\xd0\x00"
_LISTENER: Final = "default"


class AccessPlugin(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]  # amqtt's bases are untyped
    """The access policy, where amqtt asks for it. What it does not allow is denied."""

    @dataclass
    class Config:
        """What amqtt hands to the plugin: who was let in, by client id."""

        admitted: Any

    async def authenticate(self, *, session: Session) -> bool:
        """Let in whom the door let in, under its own name alone."""
        identity = self.config.admitted.get(session.client_id)
        if identity is None or session.client_id != identity.client_id:
            return False
        session.attributes[_IDENTITY] = identity
        return True

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool:
        """Judge a topic, or for a subscription its filter."""
        return session is not None and allowed(session, topic or "", action)


def allowed(session: Session, topic: str, action: Action | None) -> bool:
    """Tell whether a session may do this; a session of nobody's may do nothing."""
    identity = session.attributes.get(_IDENTITY)
    return identity is not None and _judge(identity, topic, action)


@lru_cache(maxsize=16_384)
def _judge(identity: Identity, topic: str, action: Action | None) -> bool:
    if action is Action.PUBLISH:
        return may_publish(identity, topic)
    if action is Action.RECEIVE:
        return may_receive(identity, topic)
    return action is Action.SUBSCRIBE and may_subscribe(identity, topic)


class EngineHandler(BrokerProtocolHandler):  # type: ignore[misc]  # amqtt's bases are untyped
    """One client's packets, taken and sent without a task for each."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.plugins_manager)
        self._engine = engine
        # amqtt makes its own one after it began to read: a client that leaves at once
        # was then waited for without end.
        self._left: asyncio.Future[DisconnectPacket | None] = asyncio.Future()

    async def wait_disconnect(self) -> DisconnectPacket | None:
        """Wait for the client to leave: with its DISCONNECT, or None when it just went."""
        return await asyncio.shield(self._left)

    async def handle_disconnect(self, disconnect: DisconnectPacket | None) -> None:
        """Note that the client leaves; the first word counts."""
        if not self._left.done():
            self._left.set_result(disconnect)

    async def stop(self) -> None:
        """Stop reading, and close."""
        await super().stop()
        await self.handle_disconnect(None)

    async def _reader_loop(self) -> None:
        connection: Connection = self.reader
        self._reader_ready.set()
        try:
            while (packet := await connection.next_packet()) is not None:
                await self._take(*packet)
                if self._left.done():
                    break
        except asyncio.CancelledError:
            pass  # amqtt cancels this task to stop it, and waits for the event below
        except Exception as violation:  # noqa: BLE001 - no input of a client ends the broker
            self.logger.debug("%s: closing: %r", self.session.client_id, violation)
        finally:
            self._reader_stopped.set()
            await self.handle_disconnect(None)

    async def _take(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == PUBLISH:
            await self._take_publish(first, body)
        elif kind == PUBACK:
            self.session.inflight_out.pop(int.from_bytes(body[:2], "big"), None)
            self.send_waiting()
        elif kind == PINGREQ:
            self.writer.write(_PINGRESP)
        elif kind == SUBSCRIBE:
            await self.handle_subscribe(await _decoded(first, body))
        elif kind == UNSUBSCRIBE:
            await self.handle_unsubscribe(await _decoded(first, body))
        elif kind == DISCONNECT:
            await self.handle_disconnect(DisconnectPacket())
        else:
            raise ProtocolViolation(f"a packet of kind {kind} is not taken here")

    async def _take_publish(self, first: int, body: bytes) -> None:
        qos = (first >> 1) & 3
        if qos > 1:
            raise ProtocolViolation("QoS 2 is not taken here")
        end = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:end].decode()
        acknowledgement = b""
        if qos:
            acknowledgement = b"\x40\x02" + body[end : end + 2]
            end += 2
        if end > len(body) or len(acknowledgement) not in {0, 4}:
            raise ProtocolViolation("a PUBLISH is shorter than it says")
        # MQTT 3.1.1 has no refusal of a message: what is not allowed is acknowledged
        # like the rest, and goes nowhere.
        if allowed(self.session, topic, Action.PUBLISH):
            await self._engine.take(self.session, topic, body[end:], qos, retain=bool(first & 1))
        if qos:
            self.writer.write(acknowledgement)

    def send(self, topic: str, data: bytes, qos: int, *, retain: bool) -> None:
        """Send a message; at QoS 1 it stays with the session until it is acknowledged."""
        if qos == 0:
            if self.writer.backlog_bytes < MAX_BACKLOG_BYTES:
                self._write(OutgoingApplicationMessage(None, topic, 0, data, retain))
            return
        keep(self.session, topic, data, retain=retain)
        self.send_waiting()

    def send_waiting(self) -> None:
        """Send what waits, as far as the client's acknowledgements leave room."""
        inflight, waiting = self.session.inflight_out, self.session.retained_messages
        while not waiting.empty() and len(inflight) < MAX_INFLIGHT:
            message = waiting.get_nowait()
            message.packet_id = self.session.next_packet_id
            inflight[message.packet_id] = message
            self._write(message)

    async def _retry_deliveries(self) -> None:
        for message in self.session.inflight_out.values():
            self._write(message, dup=True)
        self.send_waiting()

    def _write(self, message: OutgoingApplicationMessage, *, dup: bool = False) -> None:
        self.writer.write(message.build_publish_packet(dup).to_bytes())


def keep(session: Session, topic: str, data: bytes, *, retain: bool = False) -> None:
    """Let a QoS 1 message wait for its turn, or for its client to come back."""
    if session.retained_messages.qsize() < MAX_WAITING:
        session.retained_messages.put_nowait(
            OutgoingApplicationMessage(None, topic, 1, data, retain)
        )


class Engine(Broker):  # type: ignore[misc]  # amqtt's bases are untyped
    """amqtt's broker behind a door of ours: it listens nowhere itself.

    Args:
        admitted: who was let in, by client id; the door keeps it.
    """

    def __init__(self, admitted: dict[str, Identity]) -> None:
        plugin = f"{AccessPlugin.__module__}.{AccessPlugin.__qualname__}"
        super().__init__(
            {
                "listeners": {_LISTENER: {"type": "external"}},
                "plugins": {plugin: {"admitted": admitted}},
            }
        )
        self.silent = False
        """True while it stops: then nobody is told of anybody's leaving."""
        self._wildcards: list[tuple[str, list[str]]] | None = None

    async def serve(self, connection: Connection) -> None:
        """Serve one client that was let in, until it leaves."""
        await self.external_connected(connection, connection, _LISTENER)

    async def forget(self, client_id: str, *, only_clean: bool = False) -> None:
        """Drop a session with all that it kept; with `only_clean`, unless it is persistent."""
        session, _ = self._sessions.get(client_id, (None, None))
        if session is not None and not (only_clean and not session.clean_session):
            await self._delete_session(client_id)

    def unsay_will(self, client_id: str) -> None:
        """Take back a session's will: whoever is put out has nothing more to say."""
        session, _ = self._sessions.get(client_id, (None, None))
        if session is not None:
            session.will_flag = False

    def identity_of(self, client_id: str) -> Identity | None:
        """Tell for whom a session was made; None where there is no session."""
        session, _ = self._sessions.get(client_id, (None, None))
        found: Identity | None = session and session.attributes.get(_IDENTITY)
        return found

    async def take(
        self, session: Session, topic: str, data: bytes, qos: int, *, retain: bool
    ) -> None:
        """Hand a message to whoever subscribed, and keep it where it is to be retained."""
        await self._broadcast_message(session, topic, data, qos)
        if retain:
            await self.retain_message(session, topic, data, qos)

    async def _initialize_client_session(
        self, reader: Any, writer: Any, remote_address: str, remote_port: int
    ) -> tuple[EngineHandler, Session]:
        _, session = await super()._initialize_client_session(
            reader, writer, remote_address, remote_port
        )
        # Of a session that was there before, amqtt keeps these two as they were.
        session.will_retain = reader.connect.will_retain_flag
        session.clean_session = reader.connect.clean_session_flag
        # The door minds silence: amqtt's way makes a task and a timer for each packet,
        # and then does nothing when the time is over.
        session.keep_alive = 0
        return EngineHandler(self), session

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        return allowed(session, topic, action)

    async def _broadcast_message(
        self,
        session: Session | None,  # noqa: ARG002 - amqtt's signature
        topic: str,
        data: bytes,
        force_qos: int | None = None,
    ) -> None:
        if self.silent:
            return
        qos = min(force_qos or 0, 1)
        for client_id, granted in self._audience(topic).items():
            target, handler = self._sessions[client_id]
            if not allowed(target, topic, Action.RECEIVE):
                continue
            if target.transitions.state == "connected":
                handler.send(topic, data, min(qos, granted), retain=False)
            elif qos and granted and not target.clean_session:
                keep(target, topic, data)

    def _audience(self, topic: str) -> dict[str, int]:
        """Find who subscribed to a topic, each with the best QoS it was granted."""
        found: dict[str, int] = {}
        self._note(found, self._subscriptions.get(topic, ()))
        levels = topic.split("/")
        for filter_, wanted in self._wildcard_filters():
            if _fits(wanted, levels):
                self._note(found, self._subscriptions.get(filter_, ()))
        return found

    def _note(self, found: dict[str, int], subscribers: Iterable[tuple[Session, int]]) -> None:
        for session, qos in subscribers:
            if session.client_id in self._sessions:
                found[session.client_id] = max(qos, found.get(session.client_id, 0))

    def _wildcard_filters(self) -> list[tuple[str, list[str]]]:
        if self._wildcards is None:
            self._wildcards = [
                (one, one.split("/"))
                for one in self._subscriptions
                if one[-1:] == "#" or "+" in one
            ]
        return self._wildcards

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """Subscribe a session, at QoS 1 at most; 0x80 where the policy refuses."""
        filter_, qos = subscription
        granted: int = await super().add_subscription((filter_, min(qos, 1)), session)
        if granted <= 1:
            # amqtt keeps the QoS of the first time; the last one counts.
            self._subscriptions[filter_] = [
                *(one for one in self._subscriptions[filter_] if one[0] is not session),
                (session, granted),
            ]
            self._wildcards = None
        return granted

    async def _del_all_subscriptions(self, session: Session) -> None:
        await super()._del_all_subscriptions(session)
        self._wildcards = None

    async def _handle_unsubscription(
        self, client_session: Session, handler: Any, unsubscribe_waiter: asyncio.Future[Any]
    ) -> None:
        await super()._handle_unsubscription(client_session, handler, unsubscribe_waiter)
        for filter_ in unsubscribe_waiter.result().topics:
            if not self._subscriptions.get(filter_, True):
                del self._subscriptions[filter_]
        self._wildcards = None

    async def _handle_subscription(
        self, client_session: Session, handler: Any, subscribe_waiter: asyncio.Future[Any]
    ) -> None:
        client_session.attributes[_SUBSCRIBING] = True
        try:
            await super()._handle_subscription(client_session, handler, subscribe_waiter)
        finally:
            client_session.attributes[_SUBSCRIBING] = False

    async def _publish_session_retained_messages(self, session: Session) -> None:
        """Do nothing: the handler has sent what waited, in its order."""

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # amqtt calls this for everybody's filters too, whenever anybody connects.
        if not session.attributes.get(_SUBSCRIBING):
            return
        filter_, qos = subscription
        handler = self._get_handler(session)
        wanted = filter_.split("/")
        for topic, retained in list(self._retained_messages.items()):
            if _fits(wanted, topic.split("/")) and allowed(session, topic, Action.RECEIVE):
                handler.send(topic, retained.data, min(qos, retained.qos or 0, 1), retain=True)


def _fits(wanted: list[str], levels: list[str]) -> bool:
    """Tell whether a filter's levels match a topic's; no topic here begins with ``$``."""
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position >= len(levels) or (level != "+" and level != levels[position]):
            return False
    return len(wanted) == len(levels)


async def _decoded(first: int, body: bytes) -> Any:
    header = MQTTFixedHeader(first >> 4, first & 0x0F, len(body))
    return await packet_class(header).from_stream(BufferReader(body), fixed_header=header)
