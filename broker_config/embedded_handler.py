"""One client of the embedded broker: its packets, taken and sent.

What amqtt 0.12.1 does by itself, and this handler does not:

- it forgets a QoS 1 message that is not acknowledged in 5 s, or when the link is cut;
- it marks what it kept for an absent client as retained;
- it does nothing when a client is silent for too long (see `Connection`);
- it reads as fast as a client sends, and keeps whatever waits for a slow one;
- it spends ten tasks and as many timers on one message.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from amqtt.contexts import Action
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.packet import DISCONNECT, PINGREQ, PUBACK, PUBLISH, SUBSCRIBE, UNSUBSCRIBE
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from broker_config.access import Identity
from broker_config.embedded_access import allowed, may_stay
from broker_config.embedded_connection import Connection
from broker_config.embedded_flow import Meter
from broker_config.embedded_outbox import Kept, Outbox
from broker_config.embedded_packets import (
    ProtocolViolation,
    mind_empty,
    publish_packet,
    read_puback,
    read_publish,
    read_subscribe,
    read_unsubscribe,
)
from broker_config.embedded_refusals import Kind, shown

if TYPE_CHECKING:
    from broker_config.embedded_engine import Engine

_PINGRESP: Final = b"\xd0\x00"
_TURN: Final = 64
"""Packets of one client that are taken before others have their turn."""
_SHORTEST_REST_S: Final = 0.01
"""A timer for each packet would cost more than the packet."""


class EngineHandler(BrokerProtocolHandler):  # type: ignore[misc]  # amqtt's bases are untyped
    """One client's packets, taken and sent without a task for each.

    Args:
        engine: whose client it is.
        identity: who the client is.
        outbox: what its session keeps for it.
        meter: how fast it may speak; None for as fast as it likes.
    """

    def __init__(
        self, engine: Engine, identity: Identity, outbox: Outbox, meter: Meter | None
    ) -> None:
        super().__init__(engine.plugins_manager)
        self._engine = engine
        self._identity = identity
        self._outbox = outbox
        self._meter = meter
        # amqtt makes its own one after it began to read: a client that leaves at once
        # was then waited for without end.
        self._left: asyncio.Future[DisconnectPacket | None] = asyncio.Future()

    def attach(self, session: Session, reader: Connection, writer: Connection) -> None:
        """Begin with a connection, which is reader and writer in one: amqtt's interface."""
        super().attach(session, reader, writer)
        self._connection = reader

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

    def note(self, kind: Kind, why: str) -> None:
        """Count and tell what was refused to this client."""
        self._engine.refusals.note(kind, self._identity.client_id, self._connection.where, why)

    async def _reader_loop(self) -> None:
        self._reader_ready.set()
        try:
            await self._read()
        except asyncio.CancelledError:
            pass  # amqtt cancels this task to stop it, and waits for the event below
        except ProtocolViolation as violation:
            self.note(Kind.VIOLATION, str(violation))
        except Exception:  # no input of a client ends the broker
            self.logger.exception("%s: closing", self._identity.client_id)
            self.note(Kind.VIOLATION, "its packet could not be taken")
        finally:
            self._reader_stopped.set()
            await self.handle_disconnect(None)

    async def _read(self) -> None:
        connection, meter, clock = self._connection, self._meter, self._loop.time
        turn = 0
        while (packet := await connection.next_packet()) is not None:
            await self._take(*packet)
            if self._left.done():
                return
            if meter is not None:
                rest_s, kind = meter.take(clock(), len(packet[1]))
                if rest_s > _SHORTEST_REST_S:
                    self.note(kind, f"it is read more slowly, and rests for {rest_s:.3f} s")
                    await connection.rest(rest_s)
            turn += 1
            if turn % _TURN == 0:
                await asyncio.sleep(0)
            if connection.is_choked:
                self.note(Kind.WAITING, "it does not read what it is sent, nor is it read")
                await connection.unchoked()

    async def _take(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == PUBLISH:
            await self._take_publish(first, body)
        elif kind == PUBACK:
            self._outbox.acknowledge(read_puback(first, body))
            self.send_waiting()
        elif kind == PINGREQ:
            mind_empty(first, body)
            self._connection.write(_PINGRESP)
        elif kind == SUBSCRIBE:
            await self._take_subscribe(first, body)
        elif kind == UNSUBSCRIBE:
            identifier, names = read_unsubscribe(first, body, self._most_filters)
            self._engine.unsubscribe(self._identity, names)
            self._connection.write(b"\xb0\x02" + identifier)
        elif kind == DISCONNECT:
            mind_empty(first, body)
            await self.handle_disconnect(DisconnectPacket())
        else:
            raise ProtocolViolation(f"a packet of kind {kind} is not taken here")

    @property
    def _most_filters(self) -> int:
        return self._engine.limits.filters_in_packet

    async def _take_publish(self, first: int, body: bytes) -> None:
        topic, payload, qos, retain, acknowledgement = read_publish(first, body)
        # MQTT 3.1.1 has no refusal of a message: what is not allowed is acknowledged
        # like the rest, and goes nowhere.
        if not allowed(self._identity, topic, Action.PUBLISH):
            self.note(Kind.PUBLISH, f"to {shown(topic)}")
        else:
            if retain and not may_stay(self._identity, topic, payload):
                self.note(Kind.RETAIN, f"on {shown(topic)}")
                retain = False
            await self._engine.take(self.session, topic, payload, qos, retain=retain)
        if qos:
            self._connection.write(acknowledgement)

    async def _take_subscribe(self, first: int, body: bytes) -> None:
        identifier, wanted = read_subscribe(first, body, self._most_filters)
        granted = []
        if self._meter is not None:
            self._meter.take(self._loop.time(), 0, len(wanted) / 4)
        for filter_, qos in wanted:
            granted.append(self._engine.subscribe(self, self._identity, filter_, qos))
            if granted[-1] <= 1:
                looked_at = self._engine.hand_retained(self, self._identity, filter_, granted[-1])
                if self._meter is not None:
                    # One packet could ask for this work a hundred times.
                    self._meter.take(self._loop.time(), 0, looked_at / 20)
                    await asyncio.sleep(0)
        # Last, as Mosquitto does it: who has it has been sent all that stood retained.
        head = b"\x90" + _remaining(2 + len(granted))
        self._connection.write(head + identifier + bytes(granted))

    def send(self, topic: str, data: bytes, qos: int, *, retain: bool) -> bool:
        """Send a message; at QoS 1 it is kept until it is acknowledged.

        Returns:
            False where the client is too far behind, and the message is dropped.
        """
        if qos == 0:
            if self._connection.backlog_bytes >= self._engine.limits.backlog_bytes:
                return False
            self._connection.write(publish_packet(topic.encode(), data, 0, retain=retain))
            return True
        if not self._outbox.put(Kept(topic.encode(), data, retain)):
            return False
        self.send_waiting()
        return True

    def send_waiting(self) -> None:
        """Send what waits, as far as the client's acknowledgements leave room."""
        most = self._engine.limits.backlog_bytes
        # With nothing in flight no acknowledgement would ever bring the rest.
        while self._connection.backlog_bytes < most or not self._outbox.is_in_flight:
            packet = self._outbox.next_packet()
            if packet is None:
                return
            self._connection.write(packet)

    async def _retry_deliveries(self) -> None:
        for packet in self._outbox.unacknowledged():
            self._connection.write(packet)
        self.send_waiting()


def _remaining(count: int) -> bytes:
    """Write a packet's length, of at most two bytes."""
    return bytes([count]) if count < 0x80 else bytes([count & 0x7F | 0x80, count >> 7])
