"""Who is let in to the embedded broker: judged before amqtt knows of anybody.

amqtt looks up, and even replaces, a session before it asks who is there: a stranger
who only knew a name could put its owner out. Nobody gets that far here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from amqtt.adapters import BufferReader
from amqtt.mqtt.connack import (
    BAD_USERNAME_PASSWORD,
    IDENTIFIER_REJECTED,
    NOT_AUTHORIZED,
    UNACCEPTABLE_PROTOCOL_VERSION,
    ConnackPacket,
)
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.packet import CONNECT, MQTTFixedHeader

from broker_config.access import Credential, Identity, may_publish
from broker_config.embedded_connection import Connection, ProtocolViolation
from broker_config.embedded_engine import Engine

_log: Final = logging.getLogger(__name__)

CONNECT_PATIENCE_S: Final = 10.0
"""Who has not said who it is by then is put out."""

_UNSUPPORTED_TO_MQTT5: Final = b"\x20\x03\x00\x84\x00"
"""MQTT 5's own CONNACK: its clients do not understand the older one."""

Find = Callable[[str], Awaitable[Credential | None]]


class Refused(Exception):
    """A client may not come in; `answer` is the packet that tells it why."""

    def __init__(self, answer: int | bytes) -> None:
        super().__init__(answer)
        self.answer: bytes = (
            answer if isinstance(answer, bytes) else ConnackPacket.build(0, answer).to_bytes()
        )


class Door:
    """Lets clients in, one at a time under each client id, and puts them out.

    Args:
        find: looks up a credential by user name.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        # All by client id.
        self._live: dict[str, Connection] = {}
        self._admitted: dict[str, Identity] = {}
        self._credentials: dict[str, Credential] = {}
        self._callers: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()
        self.engine = Engine(self._admitted)

    def opened(self, connection: Connection) -> None:
        """Begin with a new connection."""
        if self.engine.silent:
            connection.abort()
            return
        self._connections.add(connection)
        task = asyncio.get_running_loop().create_task(self._receive(connection))
        self._callers.add(task)
        task.add_done_callback(self._callers.discard)

    async def put_out(self, client_id: str) -> None:
        """Close the connection of a client, its will unsaid, and drop what was kept for it."""
        await self._close(client_id)
        await self.engine.forget(client_id)

    async def withdraw(self, username: str) -> None:
        """Close the connection that rests on one account; its session waits for another one."""
        for client_id, credential in list(self._credentials.items()):
            if credential.username == username:
                await self._close(client_id)

    async def _close(self, client_id: str) -> None:
        if (connection := self._live.get(client_id)) is not None:
            self.engine.unsay_will(client_id)
            connection.abort()
            await connection.gone.wait()

    async def put_out_revoked(self) -> None:
        """Put out whom the directory no longer knows, or knows by another secret or role.

        A directory that cannot answer changes nothing: its being away is no revocation.
        """
        for client_id, admitted in list(self._credentials.items()):
            found = await self._find(admitted.username)
            if found != admitted and self._credentials.get(client_id) is admitted:
                await self.put_out(client_id)

    async def close(self) -> None:
        """Put everybody out; wills stay unsaid, for it is the broker that leaves."""
        self.engine.silent = True
        for connection in list(self._connections):
            connection.abort()
        if self._callers:
            _, slow = await asyncio.wait(self._callers, timeout=1.0)
            for task in slow:
                task.cancel()

    async def _receive(self, connection: Connection) -> None:
        client_id = ""
        try:
            async with asyncio.timeout(CONNECT_PATIENCE_S):
                connect, credential = await self._admit(connection)
            identity = credential.identity
            client_id = identity.client_id
            await self._take_over(client_id, connection)
            if (known := self.engine.identity_of(client_id)) is not None and known != identity:
                await self.engine.forget(client_id)  # another device bore the name then
            self._admitted[client_id] = identity
            self._credentials[client_id] = credential
            connection.connect = connect
            connection.accepted(connect.keep_alive)
            await self.engine.serve(connection)
        except Refused as refusal:
            connection.write(refusal.answer)
        except Exception:  # noqa: BLE001 - whatever a stranger sends, only it is put out
            _log.debug("a client was put out", exc_info=True)
        finally:
            await connection.close()
            self._connections.discard(connection)
            if self._live.get(client_id) is connection:
                await self.engine.forget(client_id, only_clean=True)
                del self._live[client_id]
                self._admitted.pop(client_id, None)
                self._credentials.pop(client_id, None)
            connection.gone.set()

    async def _take_over(self, client_id: str, connection: Connection) -> None:
        """Put out who is in under this name: the newest connection counts (MQTT 3.1.4-2)."""
        while (older := self._live.get(client_id)) is not None:
            older.abort()
            await older.gone.wait()
        self._live[client_id] = connection

    async def _admit(self, connection: Connection) -> tuple[ConnectPacket, Credential]:
        connect = await _read_connect(connection)
        if not connect.username_flag or not connect.password_flag:
            raise Refused(BAD_USERNAME_PASSWORD)
        credential = await self._find(connect.username)
        if credential is None or not credential.secret.verify(connect.password or ""):
            raise Refused(BAD_USERNAME_PASSWORD)
        identity = credential.identity
        if connect.client_id != identity.client_id or connect.username != credential.username:
            raise Refused(IDENTIFIER_REJECTED)
        if connect.will_flag and not may_publish(identity, connect.will_topic or ""):
            raise Refused(NOT_AUTHORIZED)
        return connect, credential


async def _read_connect(connection: Connection) -> ConnectPacket:
    """Read a client's first packet; of anything but MQTT 3.1.1 only the version is looked at."""
    first = await connection.first_byte()
    if first != CONNECT << 4 or (packet := await connection.next_packet()) is None:
        raise ProtocolViolation("the first packet is no CONNECT")
    body = packet[1]
    if body[:6] != b"\x00\x04MQTT" or body[6:7] != b"\x04":
        is_mqtt5 = body[6:7] == b"\x05"
        raise Refused(_UNSUPPORTED_TO_MQTT5 if is_mqtt5 else UNACCEPTABLE_PROTOCOL_VERSION)
    header = MQTTFixedHeader(CONNECT, 0, len(body))
    return await ConnectPacket.from_stream(BufferReader(body), fixed_header=header)
