"""Thousands of trackers of the positions' bench, on bare sockets.

A client for each would be busier than what it measures. Each rider has a connection and an
account of its own, moves round a circle, and publishes at QoS 1 as a tracker does; what the
broker has confirmed is counted.
"""

from __future__ import annotations

import math
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from broker_config.access import client_id_of, username_of
from broker_config.settings import BrokerAddress
from cli.admission import Admitted
from cli.failures import Failure
from schemas.positions import Fix, Fixes

MIDDLE: Final = (60.170, 24.940)
"""The riders are around Helsinki."""
_METRES: Final = 111_195.0
_SLICE_S: Final = 0.02
_CONNACK: Final = 4
_PUBACK: Final = 4
_AT_ONCE: Final = 200


def _text(value: str) -> bytes:
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def _length(size: int) -> bytes:
    """The remaining length (MQTT 3.1.1, 2.2.3)."""
    found = bytearray()
    while True:
        size, low = divmod(size, 128)
        found.append(low | (128 if size else 0))
        if not size:
            return bytes(found)


def _at(north: float, east: float) -> tuple[float, float]:
    """Latitude and longitude, so many metres from the middle."""
    across = _METRES * math.cos(math.radians(MIDDLE[0]))
    return MIDDLE[0] + north / _METRES, MIDDLE[1] + east / across


class Way(Protocol):
    """How somebody rides."""

    @property
    def speed_mps(self) -> float:
        """All the while."""
        ...

    def place(self, t: float) -> tuple[float, float, float]:
        """Latitude, longitude and heading at a time."""
        ...


@dataclass(frozen=True, slots=True)
class Circle:
    """Round and round."""

    radius_m: float
    speed_mps: float
    turn: float

    def place(self, t: float) -> tuple[float, float, float]:
        """See `Way.place`."""
        angle = self.turn + self.speed_mps * t / self.radius_m
        heading = math.degrees(math.atan2(-math.sin(angle), math.cos(angle))) % 360.0
        return *_at(math.sin(angle) * self.radius_m, math.cos(angle) * self.radius_m), heading

    @classmethod
    def of(cls, number: int) -> Circle:
        """Of the rider of a number, unlike those beside it."""
        return cls(300.0 + number % 700, 4.0 + number % 50 / 10, number * 0.618 * math.tau)


@dataclass(frozen=True, slots=True)
class Line:
    """Straight away from the middle, from a time on."""

    heading_deg: float
    speed_mps: float
    since: float

    def place(self, t: float) -> tuple[float, float, float]:
        """See `Way.place`."""
        gone, angle = self.speed_mps * (t - self.since), math.radians(self.heading_deg)
        return *_at(math.cos(angle) * gone, math.sin(angle) * gone), self.heading_deg


@dataclass(slots=True)
class Rider:
    """One of them."""

    device: str
    sock: socket.socket
    several: bytes
    """The topic of `Fixes`, as it stands in a packet."""
    one: bytes
    """The topic of `Fix`."""
    way: Way
    packet: int = 0
    held: bytes = b""
    """What the socket would not take yet."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is to be sent.

    Attributes:
        rate: fixes a second, of all riders together.
        seconds: for how long.
        together: so many fixes a message.
    """

    rate: float
    seconds: float
    together: int


@dataclass(slots=True)
class Sent:
    """What a run sent.

    Attributes:
        fixes: how many.
        messages: in how many messages.
        confirmed: messages that the broker has confirmed.
        began: when the first was sent (`time.time`).
        ended: when the last was.
        late_s: by how much the last was sent later than it was due.
    """

    fixes: int = 0
    messages: int = 0
    confirmed: int = 0
    began: float = 0.0
    ended: float = 0.0
    late_s: float = 0.0


class Riders:
    """All of them.

    Args:
        address: where the broker is.
        admitted: their accounts.
        ways: how each of them rides; in circles without.
    """

    def __init__(
        self, address: BrokerAddress, admitted: Sequence[Admitted], ways: Sequence[Way] = ()
    ) -> None:
        if address.tls:
            raise Failure(
                "heard bench fixes speaks to brokers without TLS: name one on this machine"
            )
        self._address: Final = address
        self._poll: Final = select.epoll()
        self._by_socket: Final[dict[int, Rider]] = {}
        self.riders: Final[list[Rider]] = []
        self._unread = 0
        self._ways: Final = ways or [Circle.of(number) for number in range(len(admitted))]
        for start in range(0, len(admitted), _AT_ONCE):
            self._connect(admitted[start : start + _AT_ONCE], start)

    def close(self) -> None:
        """Hang up."""
        for each in self.riders:
            each.sock.close()
        self._poll.close()

    def _connect(self, admitted: Sequence[Admitted], first: int) -> None:
        opened = []
        for number, each in enumerate(admitted, first):
            sock = socket.create_connection((self._address.host, self._address.port), timeout=30)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            name = username_of(each.tenant, each.device)
            body = (
                _text("MQTT")
                + bytes((4, 0xC2, 0, 0))
                + _text(client_id_of(each.tenant, each.device))
                + _text(name)
                + _text(each.secret)
            )
            sock.sendall(b"\x10" + _length(len(body)) + body)
            opened.append(
                Rider(
                    each.device,
                    sock,
                    _text(Fixes.route.topic(tenant=each.tenant, device=each.device)),
                    _text(Fix.route.topic(tenant=each.tenant, device=each.device)),
                    self._ways[number],
                )
            )
        for rider in opened:
            answer = rider.sock.recv(_CONNACK)
            if len(answer) < _CONNACK or answer[3]:
                raise Failure(f"the broker does not let {rider.device} in")
            rider.sock.settimeout(0.0)
            self._by_socket[rider.sock.fileno()] = rider
            self._poll.register(rider.sock.fileno(), select.EPOLLIN)
        self.riders.extend(opened)

    def ride(
        self, course: Course, *, paced: bool = True, beside: Callable[[], None] | None = None
    ) -> Sent:
        """Send fixes, shared out among all riders.

        Args:
            course: how many, and for how long.
            paced: False sends as fast as it goes; fixes have the same times as else.
            beside: called between two slices, for whoever rides too.
        """
        rate, seconds, together = course.rate, course.seconds, course.together
        sent = Sent()
        count, per_s = len(self.riders), rate / together
        # From a whole second on, so that no two rounds of one rider overlap.
        start = math.ceil(time.time()) if paced else time.time() - seconds
        begun = max(time.time(), start) if paced else time.time()
        time.sleep(max(0.0, start - time.time()) if paced else 0.0)
        begun_at = time.monotonic()
        sent.began = begun
        between = count / per_s / together
        total = int(per_s * seconds)
        number = 0
        while number < total:
            due = total if not paced else int((time.monotonic() - begun_at) * per_s)
            until = min(due, total, number + 500)
            while number < until:
                at = start + number / per_s
                rider = self.riders[number % count]
                self.say(rider, at, together, between)
                number += 1
                if number % 100 == 0:
                    self.listen()
            if beside is not None:
                beside()
            if not paced and time.monotonic() - begun_at > seconds:
                break
            self.listen()
            if paced and number >= due:
                time.sleep(_SLICE_S)
        sent.ended = time.time()
        sent.late_s = max(0.0, time.monotonic() - begun_at - number / per_s) if paced else 0.0
        sent.messages, sent.fixes = number, number * together
        deadline = time.monotonic() + 60.0
        while self._unread < number and time.monotonic() < deadline:
            self.listen(0.1)
        sent.confirmed, self._unread = self._unread, 0
        return sent

    def say(self, rider: Rider, at: float, together: int, between: float) -> None:
        """Send one message.

        Args:
            rider: whose.
            at: the time of its last fix.
            together: how many it holds.
            between: seconds between two of them.
        """
        rider.packet = rider.packet % 65_535 + 1
        texts = []
        for place in range(together - 1, -1, -1):
            t = at - place * between
            lat, lon, heading = rider.way.place(t)
            millis = round(t * 1000)
            texts.append(
                f'{{"at":"{_second(millis // 1000)}.{millis % 1000:03d}Z","lat":{lat:.6f},'
                f'"lon":{lon:.6f},"accuracy_m":5.0,"speed_mps":{rider.way.speed_mps:.1f},'
                f'"heading_deg":{heading:.1f}}}'
            )
        if together == 1:
            topic, payload = rider.one, texts[0].encode()
        else:
            topic, payload = rider.several, f'{{"fixes":[{",".join(texts)}]}}'.encode()
        body = topic + rider.packet.to_bytes(2, "big") + payload
        packet = rider.held + b"\x32" + _length(len(body)) + body
        try:
            taken = rider.sock.send(packet)
        except BlockingIOError:
            taken = 0
        rider.held = packet[taken:]

    def listen(self, patience_s: float = 0.0) -> None:
        """Count the confirmations that have come."""
        for number, _ in self._poll.poll(patience_s, 2_000):
            rider = self._by_socket[number]
            try:
                data = rider.sock.recv(65_536)
            except BlockingIOError:
                continue
            if not data:
                raise Failure(f"the broker has hung up on {rider.device}")
            self._unread += len(data) // _PUBACK
            if rider.held:
                self._send_held(rider)

    def _send_held(self, rider: Rider) -> None:
        try:
            taken = rider.sock.send(rider.held)
        except BlockingIOError:
            return
        rider.held = rider.held[taken:]


_seconds: dict[int, str] = {}


def _second(second: int) -> str:
    """A second, as RFC 3339 has it; it is asked for thousands of times."""
    found = _seconds.get(second)
    if found is None:
        if len(_seconds) > 1_000:
            _seconds.clear()
        found = _seconds[second] = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
    return found
