"""Who is let in to the embedded broker: judged before amqtt knows of anybody.

What amqtt 0.12.1 does by itself, and nobody gets that far here:

- it looks up, and even replaces, a session before it asks who is there: a stranger who only
  knew a name put its owner out, or wiped its subscriptions;
- it gives whoever uses a client id what waits for its owner;
- it asks nobody whether a will may be said;
- it lets silent sockets take up its places for as long as they like;
- it checks as many credentials at once as are sent, and answers guesses as fast as it can.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from amqtt.adapters import BufferReader
from amqtt.mqtt.connack import (
    BAD_USERNAME_PASSWORD,
    IDENTIFIER_REJECTED,
    NOT_AUTHORIZED,
    SERVER_UNAVAILABLE,
    UNACCEPTABLE_PROTOCOL_VERSION,
    ConnackPacket,
)
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.packet import CONNECT, MQTTFixedHeader

from broker_config.access import Credential, Identity, may_publish
from broker_config.embedded_connection import Connection
from broker_config.embedded_engine import Engine
from broker_config.embedded_guesses import Guesses
from broker_config.embedded_packets import ProtocolViolation
from broker_config.embedded_refusals import Kind, Refusals, shown
from broker_config.limits import BrokerLimits
from broker_config.secret import SecretHash, new_secret

_log: Final = logging.getLogger(__name__)

_UNSUPPORTED_TO_MQTT5: Final = b"\x20\x03\x00\x84\x00"
"""MQTT 5's own CONNACK: its clients do not understand the older one."""

Find = Callable[[str], Awaitable[Credential | None]]


class Refused(Exception):
    """A client may not come in.

    Args:
        kind: what is refused to it.
        why: for the log.
        answer: the packet that tells it, or its return code.
        who: the name that it gave.
    """

    def __init__(self, kind: Kind, why: str, answer: int | bytes, who: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why
        self.who = who
        self.answer: bytes = (
            answer if isinstance(answer, bytes) else ConnackPacket.build(0, answer).to_bytes()
        )


class Door:
    """Lets clients in, one at a time under each client id, and puts them out.

    Args:
        find: looks up a credential by user name.
        limits: how many may come, and how much each may do.
        refusals: where what is refused is counted and told.
    """

    def __init__(self, find: Find, limits: BrokerLimits, refusals: Refusals) -> None:
        self._find = find
        self._limits = limits
        self._refusals = refusals
        # All by client id.
        self._live: dict[str, Connection] = {}
        self._admitted: dict[str, Identity] = {}
        self._credentials: dict[str, Credential] = {}
        self._of_tenant: Counter[str] = Counter()
        self._callers: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()
        # Who has not said who it is, the oldest first; and who has, and is looked up.
        self._silent: dict[Connection, None] = {}
        self._checked: set[Connection] = set()
        self._checks = asyncio.Semaphore(limits.checks)
        self._guesses = Guesses(limits)
        self._nobody = SecretHash.of(new_secret())
        self._numbers = itertools.count(1)
        self._put_outs = 0
        self.engine = Engine(self._admitted, limits, refusals)

    def opened(self, connection: Connection) -> None:
        """Begin with a new connection."""
        limits = self._limits
        if self.engine.silent:
            connection.abort()
            return
        is_full = len(self._connections) >= limits.connections
        too_strange = len(self._silent) + len(self._checked) >= limits.strangers
        if (is_full or too_strange) and not self._put_out_silent():
            self._refusals.note(
                Kind.CONNECTIONS, "somebody", connection.where, "no room", let_in=False
            )
            connection.abort()
            return
        connection.number = next(self._numbers)
        self._connections.add(connection)
        self._silent[connection] = None
        task = asyncio.get_running_loop().create_task(self._receive(connection))
        self._callers.add(task)
        task.add_done_callback(self._callers.discard)

    def _put_out_silent(self) -> bool:
        """Make room: who came first and still has not said who it is has to go."""
        oldest = next(iter(self._silent), None)
        if oldest is None:
            return False
        why = "it gave no name, and others came"
        self._refusals.note(Kind.CONNECTIONS, "somebody", oldest.where, why, let_in=False)
        oldest.abort()
        self._connections.discard(oldest)
        del self._silent[oldest]
        return True

    def fell_silent(self, connection: Connection) -> None:
        """Note that a client is put out because it said nothing for too long."""
        who = connection.connect.client_id if connection.connect else "somebody"
        self._refusals.note(Kind.SILENCE, who, connection.where, "beyond its keepalive")

    async def put_out(self, client_id: str) -> bool:
        """Close the connection of a client, its will unsaid, and drop what was kept for it.

        Returns:
            Whether it was connected.
        """
        self._put_outs += 1
        was_there = await self._close(client_id)
        await self.engine.forget(client_id)
        return was_there

    async def knows(self, identity: Identity) -> bool:
        """Tell whether what is kept under its name is its own, and not of who bore it before."""
        return self.engine.identity_of(identity.client_id) == identity

    async def withdraw(self, username: str) -> bool:
        """Close the connection that rests on one account; its session waits for another one.

        Returns:
            Whether there was one.
        """
        self._put_outs += 1
        was_there = False
        for client_id, credential in list(self._credentials.items()):
            if credential.username == username:
                was_there = await self._close(client_id) or was_there
        return was_there

    async def _close(self, client_id: str) -> bool:
        connection = self._live.get(client_id)
        if connection is None:
            return False
        self.engine.unsay_will(client_id)
        connection.abort()
        await connection.gone.wait()
        return True

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

    # One connection

    async def _receive(self, connection: Connection) -> None:
        client_id = ""
        try:
            connect = await self._listen(connection)
            put_outs = self._put_outs
            credential = await self._admit(connect, connection)
            identity = credential.identity
            client_id = identity.client_id
            await self._take_over(identity, connection)
            await self._look_again(credential, put_outs)
            await self._slow_down(identity, connect, connection)
            if (known := self.engine.identity_of(client_id)) is not None and known != identity:
                await self.engine.forget(client_id)  # another device bore the name then
            self._admitted[client_id] = identity
            self._credentials[client_id] = credential
            connection.connect = connect
            connection.accepted(connect.keep_alive)
            await self.engine.serve(connection)
        except Refused as refusal:
            await self._refuse(connection, refusal)
        except ProtocolViolation as violation:
            self._note_stranger(Kind.VIOLATION, connection, str(violation))
        except Exception:  # noqa: BLE001 - whatever a stranger sends, only it is put out
            _log.debug("a client was put out", exc_info=True)
        finally:
            await connection.close()
            self._connections.discard(connection)
            self._silent.pop(connection, None)
            self._checked.discard(connection)
            if self._live.get(client_id) is connection:
                await self._leave(client_id)
            connection.gone.set()

    async def _leave(self, client_id: str) -> None:
        await self.engine.forget(client_id, only_clean=True)
        del self._live[client_id]
        self._of_tenant[_tenant(client_id)] -= 1
        self._admitted.pop(client_id, None)
        self._credentials.pop(client_id, None)

    async def _listen(self, connection: Connection) -> ConnectPacket:
        """Wait for a stranger's first packet; all of it must come in time, not only some."""
        try:
            async with asyncio.timeout(self._limits.connect_patience_s):
                connect = await _read_connect(connection)
        except TimeoutError:
            why = f"it did not say who it is in {self._limits.connect_patience_s:g} s"
            raise ProtocolViolation(why) from None
        self._silent.pop(connection, None)
        self._checked.add(connection)
        return connect

    async def _admit(self, connect: ConnectPacket, connection: Connection) -> Credential:
        name, secret = connect.username or "", connect.password or ""
        if not connect.username_flag or not connect.password_flag:
            raise Refused(Kind.LOGIN, "no name or no secret", BAD_USERNAME_PASSWORD, name)
        async with self._checks:
            credential = await self._find(name)
            # A name that nobody bears costs as much as a wrong secret.
            hashed = self._nobody if credential is None else credential.secret
            is_right = hashed.verify(secret)
        if credential is None or not is_right:
            raise _wrong_secret(name)
        identity = credential.identity
        if connect.client_id != identity.client_id or name != credential.username:
            why = f"its client id is {shown(connect.client_id or '')}"
            raise Refused(Kind.LOGIN, why, IDENTIFIER_REJECTED, name)
        if connect.will_flag and not may_publish(identity, connect.will_topic or ""):
            why = f"on {shown(connect.will_topic or '')}"
            raise Refused(Kind.WILL, why, NOT_AUTHORIZED, name)
        self._checked.discard(connection)
        return credential

    async def _look_again(self, credential: Credential, put_outs: int) -> None:
        """Look somebody up once more if anybody was put out since: perhaps it was this one."""
        while put_outs != self._put_outs:
            put_outs = self._put_outs
            if await self._find(credential.username) != credential:
                raise _wrong_secret(credential.username)

    async def _take_over(self, identity: Identity, connection: Connection) -> None:
        """Put out who is in under this name: the newest connection counts (MQTT 3.1.4-2).

        Newest is who came last, not who was looked up last.
        """
        client_id, tenant = identity.client_id, identity.tenant
        while (other := self._live.get(client_id)) is not None:
            if other.number > connection.number:
                raise ConnectionError("it came again, and is in already")
            other.abort()
            await other.gone.wait()
        if tenant and self._of_tenant[tenant] >= self._limits.tenant_connections:
            why = f"its tenant has {self._of_tenant[tenant]}"
            raise Refused(Kind.CONNECTIONS, why, SERVER_UNAVAILABLE, client_id)
        self._live[client_id] = connection
        self._of_tenant[tenant] += 1

    async def _slow_down(
        self, identity: Identity, connect: ConnectPacket, connection: Connection
    ) -> None:
        """Count coming in as a message, for it may leave a will: who was too fast waits here."""
        now = asyncio.get_running_loop().time()
        meter = self.engine.meters.of(identity, now)
        if meter is None:
            return
        rest_s, kind = meter.take(now, len(connect.will_message or b""))
        if rest_s:
            why = f"it is let in after {rest_s:.3f} s"
            self._refusals.note(kind, identity.client_id, connection.where, why)
            await connection.rest(rest_s)

    async def _refuse(self, connection: Connection, refusal: Refused) -> None:
        self._checked.discard(connection)
        self._refusals.note(refusal.kind, refusal.who, connection.where, refusal.why, let_in=False)
        guesses = self._guesses
        if refusal.kind is Kind.LOGIN:
            delay_s = guesses.delay_s(connection.address, refusal.who)
            if delay_s:
                guesses.waiting += 1
                try:
                    await connection.rest(delay_s)
                finally:
                    guesses.waiting -= 1
        connection.write(refusal.answer)

    def _note_stranger(self, kind: Kind, connection: Connection, why: str) -> None:
        self._refusals.note(kind, "somebody", connection.where, why, let_in=False)


def _tenant(client_id: str) -> str:
    """The tenant of a client id; empty for the services."""
    return client_id.partition(":")[0] if ":" in client_id else ""


def _wrong_secret(name: str) -> Refused:
    return Refused(Kind.LOGIN, "its name or secret is wrong", BAD_USERNAME_PASSWORD, name)


async def _read_connect(connection: Connection) -> ConnectPacket:
    """Read a client's first packet; of anything but MQTT 3.1.1 only the version is looked at."""
    first = await connection.first_byte()
    if first is None:
        raise ConnectionError("it went away")
    if first != CONNECT << 4 or (packet := await connection.next_packet()) is None:
        raise ProtocolViolation("its first packet is no CONNECT")
    body = packet[1]
    if body[:6] != b"\x00\x04MQTT" or body[6:7] != b"\x04":
        is_mqtt5 = body[6:7] == b"\x05"
        answer = _UNSUPPORTED_TO_MQTT5 if is_mqtt5 else UNACCEPTABLE_PROTOCOL_VERSION
        raise Refused(Kind.LOGIN, "it does not speak MQTT 3.1.1", answer, "somebody")
    _mind_flags(body[7] if len(body) > 7 else 1)
    header = MQTTFixedHeader(CONNECT, 0, len(body))
    try:
        return await ConnectPacket.from_stream(BufferReader(body), fixed_header=header)
    except Exception as error:
        raise ProtocolViolation("its CONNECT cannot be read") from error


def _mind_flags(flags: int) -> None:
    """Refuse what 3.1.2 forbids; amqtt lets all of it pass but the reserved bit."""
    will, will_qos, will_retain = flags & 0x04, flags >> 3 & 3, flags & 0x20
    if flags & 0x01 or will_qos == 3 or (not will and (will_qos or will_retain)):
        raise ProtocolViolation("the flags of its CONNECT are not as they must be")
