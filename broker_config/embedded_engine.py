"""amqtt's broker, with the parts replaced that leak, or that wait for others.

What amqtt 0.12.1 does by itself, and the embedded broker must not:

- it hands every connecting client the retained messages of everybody's filters;
- it retains whatever a client may publish, and a will wherever it points;
- it loses a message when somebody subscribes while it is being handed out;
- it looks through all filters of all tenants for each message (`Subscriptions` does not);
- it ends sessions of clients that have just come back.

The life of a connection and a session, CONNECT, CONNACK and wills stay amqtt's.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.session import Session

from broker_config.access import Identity
from broker_config.embedded_access import AccessPlugin, allowed, identity_of, may_stay
from broker_config.embedded_connection import Connection
from broker_config.embedded_flow import Meters
from broker_config.embedded_handler import EngineHandler
from broker_config.embedded_outbox import Kept, Outbox, Share
from broker_config.embedded_refusals import Kind, Refusals, shown
from broker_config.embedded_subscriptions import Subscriptions
from broker_config.limits import BrokerLimits
from schemas.topics import matches

_OUTBOX: Final = "heard.outbox"
_LEFT_AT: Final = "heard.left-at"
_LISTENER: Final = "default"
_REFUSED: Final = 0x80


class _Retained(NamedTuple):
    data: bytes
    qos: int


class Engine(Broker):  # type: ignore[misc]  # amqtt's bases are untyped
    """amqtt's broker behind a door of ours: it listens nowhere itself.

    Args:
        admitted: who was let in, by client id; the door keeps it.
        limits: how much is taken and kept.
        refusals: where what is refused is counted and told.
    """

    def __init__(
        self, admitted: dict[str, Identity], limits: BrokerLimits, refusals: Refusals
    ) -> None:
        plugin = f"{AccessPlugin.__module__}.{AccessPlugin.__qualname__}"
        super().__init__(
            {
                "listeners": {_LISTENER: {"type": "external"}},
                "plugins": {plugin: {"admitted": admitted}},
            }
        )
        self.limits: Final = limits
        self.refusals: Final = refusals
        self.silent = False
        """True while it stops: then nobody is told of anybody's leaving."""
        self.meters: Final = Meters(limits)
        self._admitted: Final = admitted
        self._subscribers: Final = Subscriptions(self._may_hear)
        # By tenant, so that nobody's looking for its own costs more for what others have.
        self._standing: defaultdict[str, dict[str, _Retained]] = defaultdict(dict)
        self._shares: dict[str, Share] = {}

    # Sessions

    async def serve(self, connection: Connection) -> None:
        """Serve one client that was let in, until it leaves."""
        await self.external_connected(connection, connection, _LISTENER)

    async def forget(self, client_id: str, *, only_clean: bool = False) -> None:
        """Drop a session with all that it kept; with `only_clean`, unless it is persistent."""
        session, _ = self._sessions.get(client_id, (None, None))
        if session is None:
            return
        session.attributes[_LEFT_AT] = self._loop.time()
        if session.clean_session or not only_clean:
            await self._delete_session(client_id)

    def unsay_will(self, client_id: str) -> None:
        """Take back a session's will: whoever is put out has nothing more to say."""
        session, _ = self._sessions.get(client_id, (None, None))
        if session is not None:
            session.will_flag = False

    def identity_of(self, client_id: str) -> Identity | None:
        """Tell for whom a session was made; None where there is no session."""
        return identity_of(self._sessions.get(client_id, (None, None))[0])

    async def _initialize_client_session(
        self, reader: Any, writer: Any, remote_address: str, remote_port: int
    ) -> tuple[EngineHandler, Session]:
        _, session = await super()._initialize_client_session(
            reader, writer, remote_address, remote_port
        )
        identity = self._admitted[session.client_id]
        session.attributes.pop(_LEFT_AT, None)
        # Of a session that was there before, amqtt keeps these two as they were.
        session.will_retain = reader.connect.will_retain_flag
        session.clean_session = reader.connect.clean_session_flag
        if session.will_flag and session.will_retain:
            topic, payload = session.will_topic or "", bytes(session.will_message or b"")
            if not may_stay(identity, topic, payload):
                why = f"of its will on {shown(topic)}"
                self.refusals.note(Kind.RETAIN, identity.client_id, reader.where, why)
                session.will_retain = False
        # The door minds silence: amqtt's way makes a task and a timer for each packet,
        # and then does nothing when the time is over.
        session.keep_alive = 0
        outbox = session.attributes.setdefault(_OUTBOX, self._outbox(identity))
        meter = self.meters.of(identity, self._loop.time())
        return EngineHandler(self, identity, outbox, meter), session

    def _outbox(self, identity: Identity) -> Outbox:
        limits, is_ours = self.limits, not identity.tenant
        most = limits.services_waiting_bytes if is_ours else limits.tenant_waiting_bytes
        share = self._shares.setdefault(identity.tenant, Share(most))
        of_one = most if is_ours else limits.waiting_bytes
        return Outbox(limits.inflight, limits.waiting, of_one, share)

    async def _del_all_subscriptions(self, session: Session) -> None:
        self._subscribers.drop(session.client_id)
        outbox = session.attributes.get(_OUTBOX)
        if outbox is not None:
            outbox.clear()

    async def _session_monitor(self) -> None:
        """End the sessions of those who are away for too long.

        amqtt's own notes who is away, waits, and then ends whoever is there by that time.
        """
        away_s = self.limits.away_s
        while True:
            await asyncio.sleep(min(60.0, away_s / 4))
            for client_id, (session, _) in list(self._sessions.items()):
                left_at = session.attributes.get(_LEFT_AT)
                if left_at is not None and self._loop.time() - left_at >= away_s:
                    await self._delete_session(client_id)

    # Subscriptions

    def _may_hear(self, client_id: str, topic: str) -> bool:
        return allowed(self.identity_of(client_id), topic, Action.RECEIVE)

    def subscribe(self, handler: EngineHandler, identity: Identity, filter_: str, qos: int) -> int:
        """Subscribe a client, at QoS 1 at most; 0x80 where that is refused."""
        has = self._subscribers.of(identity.client_id)
        if not allowed(identity, filter_, Action.SUBSCRIBE):
            handler.note(Kind.SUBSCRIBE, f"to {shown(filter_)}")
            return _REFUSED
        if filter_.count("/") >= self.limits.filter_levels:
            handler.note(Kind.SUBSCRIBE, f"to {shown(filter_)}, which is too deep")
            return _REFUSED
        if filter_ not in has and len(has) >= self.limits.subscriptions and identity.tenant:
            handler.note(Kind.SUBSCRIPTIONS, f"it has {len(has)}, and gets no more")
            return _REFUSED
        granted = min(qos, 1)
        self._subscribers.add(identity.client_id, filter_, granted)
        return granted

    def unsubscribe(self, identity: Identity, filters: list[str]) -> None:
        """Take subscriptions away."""
        for one in filters:
            self._subscribers.remove(identity.client_id, one)

    def hand_retained(
        self, handler: EngineHandler, identity: Identity, filter_: str, qos: int
    ) -> int:
        """Send what stands retained under a filter; returns how much was looked through."""
        looked_at = 0
        for topic, retained in self._under(filter_):
            looked_at += 1
            if matches(filter_, topic) and allowed(identity, topic, Action.RECEIVE):
                handler.send(topic, retained.data, min(qos, retained.qos), retain=True)
        return looked_at

    def _under(self, filter_: str) -> Iterator[tuple[str, _Retained]]:
        tenant = _tenant(filter_)
        if "+" not in filter_ and "#" not in filter_:
            found = self._standing.get(tenant, {}).get(filter_)
            return iter([(filter_, found)] if found is not None else [])
        if tenant == "+":
            return iter([one for each in self._standing.values() for one in each.items()])
        return iter(self._standing.get(tenant, {}).items())

    # Messages

    async def take(
        self, session: Session, topic: str, data: bytes, qos: int, *, retain: bool
    ) -> None:
        """Hand a message to whoever subscribed, and keep it where it is to be retained."""
        await self._broadcast_message(session, topic, data, qos)
        if retain:
            await self.retain_message(session, topic, data, qos)

    async def retain_message(
        self,
        source_session: Session | None,  # noqa: ARG002 - amqtt's signature
        topic_name: str | None,
        data: bytes | bytearray | None,
        qos: int | None = None,
    ) -> None:
        """Let a message stand on its topic; an empty one takes away what stands there."""
        topic = topic_name or ""
        tenant = _tenant(topic)
        if data:
            self._standing[tenant][topic] = _Retained(bytes(data), min(qos or 0, 1))
        elif topic in self._standing.get(tenant, {}):
            del self._standing[tenant][topic]
            if not self._standing[tenant]:
                del self._standing[tenant]

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        return allowed(identity_of(session), topic, action)

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
        for client_id, granted in self._subscribers.audience(topic).items():
            target, handler = self._sessions.get(client_id, (None, None))
            if target is None:
                continue
            if target.transitions.state == "connected":
                if not handler.send(topic, data, min(qos, granted), retain=False):
                    handler.note(Kind.WAITING, "it reads too slowly: messages to it are dropped")
            elif qos and granted and not target.clean_session:
                await self._keep(target, topic, data)

    async def _keep(self, session: Session, topic: str, data: bytes) -> None:
        """Keep a message for a client that is away.

        A device for which more would have to be kept than may be loses its session, and is
        told so when it comes: it asks for what is true now. The services have no such word.
        """
        if session.attributes[_OUTBOX].put(Kept(topic.encode(), data, retain=False)):
            return
        identity = identity_of(session)
        self.refusals.note(Kind.WAITING, session.client_id, "afar", "it is away for too much")
        if identity is not None and identity.tenant:
            await self._delete_session(session.client_id)


def _tenant(topic: str) -> str:
    """The level of a topic, or of a filter, that says whose it is."""
    levels = topic.split("/", 3)
    return levels[2] if len(levels) > 2 else ""
