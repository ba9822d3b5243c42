"""What every device does: ask durably, say that it is there, and never lose a request."""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from broker_config.access import client_id_of
from broker_config.settings import refuse_plaintext
from devices.connection import Address, CannotConnect, Connection, Packet, Received, Waker
from devices.options import OnProblem, OnReply
from devices.pending import DEVICE_THREADS, Pending
from devices.requests import Requests
from devices.resending import Patience, Reconnecting
from devices.voice import Voice
from schemas.devices import PresenceStatus
from schemas.envelope import envelope_of
from schemas.identifiers import new_id
from schemas.message import Message, Request
from schemas.refusals import RefusalCode
from schemas.replies import Reply

log = logging.getLogger("heard.devices")

TOO_FAST: Final = "more was sent than this device may: what waits is sent more slowly"
_ANSWER_S: Final = 10.0
"""How long the broker may take to let us in, and to take our subscriptions."""
_GOODBYE_S: Final = 2.0
_SAME_PROBLEM_S: Final = 30.0


@dataclass(slots=True)
class Counts:
    """What this device has seen since it was made.

    Attributes:
        repeated_replies: replies to what was answered before; dropped.
        undecodable: messages that could not be read; dropped.
        connections: how often it came online.
    """

    repeated_replies: int = 0
    undecodable: int = 0
    connections: int = 0


class DeviceClient:
    """The core of a device. Use one of the devices, or derive your own.

    It connects by itself and for as long as it lives; everything works offline, and
    requests then wait in the outbox. All public methods may be called from any
    thread. Callbacks come on the device's own thread: they must be quick, and must
    not wait for a reply; one that raises is logged and disturbs nothing.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        tenant: the restaurant.
        device: this device's name there.
        secret: its password.
        username: the account that the password is of; None for a device's first one.
        outbox: the file of the durable outbox. None keeps requests in memory alone:
            only for devices that ask nothing worth keeping.
        keepalive_s: after how much silence the connection is tested.
        heartbeat_s: how often the device says that it is there.
        patience: how long it waits before it says something again.
        tls: a context for TLS; None speaks plainly, on this machine alone.
        plaintext: speak plainly to another machine too.
        software: what runs here, for whoever looks after the devices.
        on_reply: told of every reply to a request in the outbox, also to one of an
            earlier run: its id and the reply.
        on_problem: told in one line what is wrong: no broker, a wrong password, a
            disk that is full. The device goes on trying.

    Raises:
        OutboxInUse: another process has this outbox open.
        OutboxBroken: the outbox cannot be used.
        PlaintextRefused: another machine, with neither `tls` nor `plaintext`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tenant: str,
        device: str,
        secret: str,
        username: str | None = None,
        outbox: Path | None = None,
        keepalive_s: int = 30,
        heartbeat_s: float = 15.0,
        patience: Patience | None = None,
        tls: ssl.SSLContext | None = None,
        plaintext: bool = False,
        software: str | None = None,
        on_reply: OnReply | None = None,
        on_problem: OnProblem | None = None,
    ) -> None:
        refuse_plaintext(host, tls=tls is not None, plaintext=plaintext)
        self.tenant: Final = tenant
        self.device: Final = device
        self.counts: Final = Counts()
        name = client_id_of(tenant, device)
        self._address = Address(host, port, name, username or name, secret, keepalive_s, tls)
        self._reply_topic = Reply.route.topic(tenant=tenant, device=device)
        self._voice = Voice(tenant, device, software, heartbeat_s)
        self._patience = patience or Patience()
        self._on_reply = on_reply
        self._on_problem = on_problem
        self._said: dict[str, float] = {}

        self._packets: deque[Packet] = deque(maxlen=1000)
        # Only the device's own thread touches these two.
        self._epoch = new_id()
        self._online_at = float("inf")
        self._online = threading.Event()
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._waker = Waker()
        try:
            self._requests = Requests(
                outbox,
                name=device,
                patience=self._patience,
                wake=self._wake,
                report=self._report,
            )
        except BaseException:
            self._waker.close()
            raise

    # -- what anyone may call -------------------------------------------------------

    def start(self) -> Self:
        """Begin to connect; returns at once."""
        with self._starting:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=self._run, name=f"device {self.device}", daemon=True
                )
                self._thread.start()
        return self

    def close(self, timeout: float = 5.0) -> None:
        """Say goodbye and stop, within `timeout` seconds. May be called twice.

        What is not answered stays in the outbox, and its handles say `Unanswered`.
        """
        with self._starting:
            if self._stop.is_set():
                return
            self._stop.set()
        self._requests.refuse()
        if self._thread is None:
            self._waker.close()
        else:
            self._waker.wake()
            self._thread.join(timeout)
        self._requests.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def online(self) -> bool:
        """Whether the device is connected, subscribed, and has said so."""
        return self._online.is_set()

    def wait_online(self, timeout: float | None = None) -> bool:
        """Wait until the device is online; tells whether it is."""
        return self._online.wait(timeout)

    @property
    def waiting(self) -> int:
        """How many requests no reply has cleared yet."""
        return len(self._requests)

    def pending(self, request_id: UUID) -> Pending[Any] | None:
        """The handle of a request that is still waiting, also one of an earlier run."""
        return self._requests.get(request_id)

    @property
    def resent(self) -> int:
        """How many requests were sent again, since the device was made."""
        return self._requests.resent

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until every request has its reply; tells whether that is so."""
        return self._requests.drain(timeout)

    # -- what a device is made of ---------------------------------------------------

    def _filters(self) -> list[str]:
        """What to subscribe to, besides the replies."""
        return []

    def _connected(self, now: float) -> None:
        """The subscriptions stand and the birth is said."""

    def _disconnected(self, now: float) -> None:
        """The connection is gone."""

    def _receive(self, message: Received, now: float) -> None:
        """A message that is no reply. A ValueError counts it as undecodable."""

    def _tick(self, now: float) -> float:  # noqa: ARG002 - the hook's shape
        """After every batch and when its time has come; returns when next (inf: never)."""
        return float("inf")

    def _due(self, now: float) -> Iterable[Packet]:  # noqa: ARG002 - the hook's shape
        """After every tick: what else is to be published; `_confirmed` tells of each."""
        return ()

    def _confirmed(self, packet: Packet, now: float) -> None:
        """The broker has one of these. What it has not when the connection goes is forgotten."""

    def _request(self, message: Request, request_id: UUID | None = None) -> Pending[Any]:
        """Ask durably."""
        return self._request_many([(message, request_id)])[0]

    def _request_many(self, messages: Iterable[tuple[Request, UUID | None]]) -> list[Pending[Any]]:
        """Ask durably, many at once.

        Raises:
            ValueError: the id stands already in the outbox, with another content.
            RuntimeError: the device is closed.
        """
        at = datetime.now(UTC)
        made = [(id_ or new_id(), message) for message, id_ in messages]
        return self._requests.ask([(id_, self._voice.packet(m, id_, at)) for id_, m in made], at)

    def _ask(self, message: Request, *, expires_s: float = float("inf")) -> Pending[Any]:
        """Ask what need not be kept: in memory, until replied or `expires_s` is over."""
        id_ = new_id()
        packet = self._voice.packet(message, id_)
        return self._requests.question(id_, packet, expires_s)

    def _publish(self, message: Message) -> None:
        """Say it once, now or at the next connection; at most the newest are held."""
        self._packets.append(self._voice.packet(message))
        self._wake()

    def _wake(self) -> None:
        # The device's own thread looks for work before it waits: it need not wake itself.
        if threading.current_thread() is not self._thread:
            self._waker.wake()

    def _report(self, problem: str) -> None:
        """Tell of a problem, each at most every half minute."""
        now = time.monotonic()
        if now - self._said.get(problem, float("-inf")) < _SAME_PROBLEM_S:
            return
        self._said = {text: at for text, at in self._said.items() if now - at < _SAME_PROBLEM_S}
        self._said[problem] = now
        log.warning("%s: %s", self._address.username, problem)
        if self._on_problem is not None:
            self._call(self._on_problem, problem)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        """Call what someone else wrote."""
        try:
            callback(*arguments)
        except Exception:
            log.exception("%s: a callback failed", self._address.username)

    # -- the device's own thread ----------------------------------------------------

    def _run(self) -> None:
        DEVICE_THREADS.add(threading.get_ident())
        reconnecting = Reconnecting(self._patience)
        try:
            while not self._stop.is_set():
                self._online_at = float("inf")
                refused = False
                try:
                    self._session()
                except CannotConnect as error:
                    refused = error.refused
                    if not self._stop.is_set():
                        self._report(str(error))
                except Exception as error:
                    # A fault of ours or of paho's: say so and go on, a device never dies of it.
                    log.exception("%s: the connection failed", self._address.username)
                    self._report(f"unexpected: {error!r}")
                now = time.monotonic()
                held_s = now - self._online_at
                self._away(now + reconnecting.pause(held_s=held_s, refused=refused))
        finally:
            DEVICE_THREADS.discard(threading.get_ident())
            self._waker.close()

    def _away(self, until: float) -> None:
        while not self._stop.is_set() and (now := time.monotonic()) < until:
            self._requests.take_mail(now)
            self._requests.expire(now)
            self._waker.sleep(min(until, self._looked(now)) - time.monotonic())

    def _session(self) -> None:
        self._epoch = new_id()
        will = self._voice.presence(PresenceStatus.OFFLINE, self._epoch)
        connection = Connection(self._address, will=will, waker=self._waker)
        try:
            early = self._come_in(connection)
            if self._stop.is_set():
                return
            self._requests.reconnected()
            connection.publish(self._voice.presence(PresenceStatus.ONLINE, self._epoch))
            self.counts.connections += 1
            self._online_at = time.monotonic()
            self._connected(self._online_at)
            self._online.set()
            self._requests.live(is_live=True)
            self._handle(early)
            self._stay(connection)
            self._requests.live(is_live=False)
            self._leave(connection)
        finally:
            self._requests.live(is_live=False)
            self._online.clear()
            connection.close()
            self._disconnected(time.monotonic())

    def _come_in(self, connection: Connection) -> list[Received]:
        """Wait for CONNACK and SUBACK; what is retained may come before the latter."""
        deadline = time.monotonic() + _ANSWER_S
        early: list[Received] = []
        asked = False
        while not connection.subscribed and not self._stop.is_set():
            if time.monotonic() > deadline:
                raise CannotConnect(f"the broker at {self._address.host} does not answer")
            early += connection.wait(0.5)
            self._requests.take_mail(time.monotonic())
            if connection.granted and not asked:
                asked = True
                connection.subscribe([self._reply_topic, *self._filters()])
        for filter_ in connection.not_granted:
            self._report(f"the broker does not let {self._address.username} read {filter_}")
        return early

    def _stay(self, connection: Connection) -> None:
        beat = look = keep = 0.0
        on_its_way: dict[int, Packet] = {}
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= beat:
                beat = now + self._voice.heartbeat_s
                connection.publish(self._voice.heartbeat(self._epoch, len(self._requests)))
            if now >= keep:
                keep = now + 1.0
                connection.keep_alive()
                self._requests.expire(now)
            # What the device decides now goes out in the same round.
            look = self._looked(now)
            self._requests.take_mail(now)
            while self._packets and now >= self._requests.held_until:
                connection.publish(self._packets.popleft())
            for packet in self._requests.due(now):
                connection.publish(packet)
            if now >= self._requests.held_until:
                for packet in self._due(now):
                    on_its_way[connection.publish(packet)] = packet
            until = min(beat, keep, look, self._requests.next_due(now))
            if self._packets:
                until = min(until, self._requests.held_until)
            self._handle(connection.wait(until - time.monotonic() if until > now else 0.0))
            for number in connection.confirmed():
                if (taken := on_its_way.pop(number, None)) is not None:
                    self._confirmed(taken, time.monotonic())

    def _leave(self, connection: Connection) -> None:
        connection.publish(self._voice.presence(PresenceStatus.OFFLINE, self._epoch))
        deadline = time.monotonic() + _GOODBYE_S
        with contextlib.suppress(CannotConnect):
            while connection.unacknowledged and time.monotonic() < deadline:
                self._handle(connection.wait(0.1))
        connection.disconnect()

    def _looked(self, now: float) -> float:
        try:
            return self._tick(now)
        except Exception:
            log.exception("%s: a fault in its rules", self._address.username)
            return now + 1.0

    def _handle(self, batch: Sequence[Received]) -> None:
        if not batch:
            return
        now = time.monotonic()
        cleared: list[UUID] = []
        for message in batch:
            try:
                if message.topic == self._reply_topic:
                    self._replied(message.payload, cleared)
                else:
                    self._receive(message, now)
            except ValueError as error:
                self.counts.undecodable += 1
                log.warning("%s: cannot read %s: %.200s", self.device, message.topic, error)
            except Exception:
                log.exception("%s: a fault while reading %s", self.device, message.topic)
        self._requests.clear(cleared)

    def _replied(self, payload: bytes, cleared: list[UUID]) -> None:
        reply: Reply = envelope_of(Reply).model_validate_json(payload).data
        id_ = reply.request
        if id_ is None:
            is_about_pace = reply.code is RefusalCode.RATE_LIMITED
            what = "" if is_about_pace else "the services could not read a request: "
            self._report(f"{what}{reply.message or reply.code}")
            return
        if reply.code is RefusalCode.RATE_LIMITED:
            self._requests.hold(reply, time.monotonic())
            self._report(TOO_FAST)
            return
        wanted, durable = self._requests.settle(reply)
        if not wanted:
            self.counts.repeated_replies += 1
        elif durable:
            cleared.append(id_)
            if self._on_reply is not None:
                self._call(self._on_reply, id_, reply)
