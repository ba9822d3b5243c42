"""Who may say how much: told before anything is parsed, in a microsecond or two a message.

A device is held to its own limits and, with all others of its tenant, to the tenant's: so
many messages and bytes a second, with bursts (see `services.runtime.ratelimit` for the
way of counting). That a burst keeps nobody waiting is seen to by `services.runtime.line`.

Presence is counted by itself: a birth must not be lost to a flood of readings.

Everything here is pure: `now` is seconds of a clock that never goes back.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from schemas.limits import Limits, Share
from schemas.topics import Plane, device_of
from services.runtime.ratelimit import Bucket, Rate

PRESENCE: Final = Rate(per_s=5, burst=50)
"""Births and wills of one device."""
TOO_FAR: Final = 3_000
"""Who had so many messages refused within `WINDOW_S` does not listen: it is put out."""
COUNTS_AS_ONE: Final = 4_096
"""Bytes: a larger message counts as several, for brokers have to keep it all the same."""
WINDOW_S: Final = 10.0
FORGOTTEN_S: Final = 900.0
"""A device that was silent for so long has a full burst again, and need not be remembered."""

Key = tuple[str, str]
"""Tenant and device."""


class Meter:
    """What one may still send, in messages and bytes.

    Args:
        limits: how much that is.
    """

    __slots__ = (
        "_bytes_depth",
        "_bytes_each",
        "_bytes_full",
        "_messages_depth",
        "_messages_each",
        "_messages_full",
        "limits",
    )

    def __init__(self, limits: Limits) -> None:
        self.hold_to(limits)

    def hold_to(self, limits: Limits) -> None:
        """Hold to these from now on; nothing of them is used yet."""
        self.limits = limits
        self._messages_each, self._messages_depth = _pace(
            limits.messages_per_s, limits.messages_burst
        )
        self._bytes_each, self._bytes_depth = _pace(limits.bytes_per_s, limits.bytes_burst)
        self._messages_full = self._bytes_full = -math.inf

    def take(self, now: float, size: int) -> float:
        """Take one message of so many bytes.

        Returns:
            0.0 where it may pass; else nothing was taken, and it is the seconds after
            which it would.
        """
        # Written out, not two `Bucket`s: this is done for whatever anybody sends.
        full = self._messages_full
        messages = (full if full > now else now) + self._messages_each  # noqa: FURB136 - quicker
        full = self._bytes_full
        octets = (full if full > now else now) + size * self._bytes_each  # noqa: FURB136 - quicker
        wait = max(messages - self._messages_depth, octets - self._bytes_depth) - now
        if wait > 1e-9:
            return wait
        self._messages_full, self._bytes_full = messages, octets
        return 0.0

    def lack(self, now: float, size: int) -> tuple[float, float]:
        """For how long there is too little left for one message of so many bytes.

        Returns:
            Seconds, of messages and of bytes; 0.0 where there is enough. Nothing is taken.
        """
        messages = max(self._messages_full, now) + self._messages_each - self._messages_depth - now
        octets = max(self._bytes_full, now) + size * self._bytes_each - self._bytes_depth - now
        return messages if messages > 1e-9 else 0.0, octets if octets > 1e-9 else 0.0

    def give_back(self, size: int) -> None:
        """Undo a `take` that turned out not to count."""
        self._messages_full -= self._messages_each
        self._bytes_full -= size * self._bytes_each

    def share(self, now: float) -> Share:
        """The limits, and what is left of them."""
        return Share(
            limits=self.limits,
            messages_left=_left(
                self._messages_full - now, self._messages_each, self._messages_depth
            ),
            bytes_left=_left(self._bytes_full - now, self._bytes_each, self._bytes_depth),
        )


def _pace(per_s: float | None, burst: int | None) -> tuple[float, float]:
    if per_s is None or burst is None:
        return 0.0, math.inf
    return 1 / per_s, burst / per_s


def _left(used: float, each: float, depth: float) -> int | None:
    if not each:
        return None
    return max(0, int((depth - max(used, 0.0)) / each + 1e-6))


class Sender:
    """One device, as it is held to its limits."""

    __slots__ = (
        "free",
        "held",
        "key",
        "largest",
        "meter",
        "presence",
        "refused",
        "seen",
        "since",
        "tenant",
        "told",
    )

    def __init__(self, key: Key, limits: Limits, tenant: Meter) -> None:
        self.key: Final = key
        self.meter: Final = Meter(limits)
        self.tenant: Final = tenant
        self.presence: Final = Bucket(PRESENCE)
        self.seen = 0.0
        self.refused = 0
        """Messages refused since `since`: what tells one who does not listen."""
        self.since = -math.inf
        self.held = 0
        """Messages refused that no line of the log has told yet."""
        self.told = -math.inf
        self.free = limits.unlimited
        self.largest = _largest(limits)

    def hold_to(self, limits: Limits) -> None:
        """Hold to these from now on."""
        self.meter.hold_to(limits)
        self.free = limits.unlimited
        self.largest = _largest(limits)


def _largest(limits: Limits) -> float:
    return math.inf if limits.payload_bytes is None else limits.payload_bytes


class Gate:
    """Lets messages pass, or says for how long they must wait.

    Args:
        device: what a device is held to of which nothing else is known yet.
        tenant: the same for a tenant.
    """

    def __init__(self, device: Limits, tenant: Limits) -> None:
        self._usual_device: Final = device
        self._usual_tenant: Final = tenant
        self._senders: dict[Key, Sender] = {}
        self._tenants: dict[str, Meter] = {}
        self.strangers: Final[set[Key]] = set()
        """Devices that spoke, and of whose limits nobody has told yet."""
        self.offenders: Final[set[Key]] = set()
        """Devices that went too far, and that nobody has put out yet."""
        self.alarm: Final = asyncio.Event()
        """Set with the first of them: several guards may stand at one gate, and one puts out."""

    def wait(self, topic: str, size: int, now: float) -> float:
        """Take a message of so many bytes on a topic.

        Returns:
            0.0 where it may pass (what no device can have said always may); infinity for
            a payload that is larger than may ever pass; else the seconds to wait.
        """
        spoken = speaker_of(topic)
        if spoken is None:
            return 0.0
        key, is_presence = spoken
        sender = self._senders.get(key) or self.sender(key)
        sender.seen = now
        if sender.free:
            return 0.0
        if size > sender.largest:
            wait = math.inf
        elif is_presence:
            wait = sender.presence.take(now)
        else:
            wait = sender.meter.take(now, size)
        if wait:
            self._refuse(sender, now, size)
            return wait
        if is_presence:
            return 0.0
        wait = sender.tenant.take(now, size)
        if wait:
            sender.meter.give_back(size)
            sender.held += 1
        return wait

    def lack(self, topic: str, size: int, now: float) -> tuple[float, float]:
        """Tell for how long a message has to wait, and take nothing.

        Returns:
            Seconds, for there are too few messages left, and for there are too few bytes; 0.0 and
            0.0 where `wait` lets it pass.
        """
        spoken = speaker_of(topic)
        if spoken is None or (sender := self.sender(spoken[0])).free:
            return 0.0, 0.0
        if size > sender.largest:
            return 0.0, math.inf
        mine, all_s = sender.meter.lack(now, size), sender.tenant.lack(now, size)
        return max(mine[0], all_s[0]), max(mine[1], all_s[1])

    def note(self, key: Key) -> None:
        """Count a message that passed, and was then found to be worth nothing."""
        sender = self._senders.get(key)
        if sender is not None:
            sender.held += 1

    def sender(self, key: Key) -> Sender:
        """A device, as it is remembered, or anew."""
        found = self._senders.get(key)
        if found is None:
            found = Sender(key, self._usual_device, self.tenant(key[0]))
            self._senders[key] = found
            self.strangers.add(key)
        return found

    def tenant(self, tenant: str) -> Meter:
        """What is left for a tenant as a whole."""
        found = self._tenants.get(tenant)
        if found is None:
            found = self._tenants[tenant] = Meter(self._usual_tenant)
        return found

    def refuse(self, key: Key, now: float, size: int) -> None:
        """Count a message that was turned away though it was within the limits."""
        sender = self.sender(key)
        sender.seen = now
        self._refuse(sender, now, size)

    def _refuse(self, sender: Sender, now: float, size: int) -> None:
        sender.held += 1
        if now - sender.since > WINDOW_S:
            sender.since, sender.refused = now, 0
        sender.refused += 1 + size // COUNTS_AS_ONE
        if sender.refused > TOO_FAR:
            sender.since = -math.inf
            self.offenders.add(sender.key)
            self.alarm.set()

    # What the limits are

    def learn(self, key: Key, limits: Limits) -> None:
        """Hold a device to these, where it is remembered."""
        self.strangers.discard(key)
        sender = self._senders.get(key)
        if sender is not None and sender.meter.limits != limits:
            sender.hold_to(limits)

    def learn_tenant(self, tenant: str, limits: Limits) -> None:
        """Hold a tenant to these, where one of its devices is remembered."""
        meter = self._tenants.get(tenant)
        if meter is not None and meter.limits != limits:
            meter.hold_to(limits)

    def known(self) -> Iterable[Key]:
        """The devices that are remembered."""
        return self._senders.keys()

    def tenants(self) -> Iterable[str]:
        """The tenants of which devices are remembered."""
        return self._tenants.keys()

    # What happened

    def untold(self, now: float, every_s: float) -> list[tuple[Key, int]]:
        """How many messages of which devices were refused since that was last asked.

        Each device is told of at most once in `every_s`.
        """
        told = []
        for sender in self._senders.values():
            if sender.held and now - sender.told >= every_s:
                told.append((sender.key, sender.held))
                sender.told, sender.held = now, 0
        return told

    def forget(self, now: float) -> None:
        """Forget whom nobody has heard for long."""
        silent = [key for key, sender in self._senders.items() if now - sender.seen > FORGOTTEN_S]
        for key in silent:
            del self._senders[key]
            self.strangers.discard(key)
        left = {tenant for tenant, _ in self._senders}
        for tenant in [each for each in self._tenants if each not in left]:
            del self._tenants[tenant]


@lru_cache(maxsize=20_000)
def speaker_of(topic: str) -> tuple[Key, bool] | None:
    """Whose topic it is, and whether it is that of its presence."""
    # Of the million topics that one device may think of, these levels are the same.
    return _speaker("/".join(topic.split("/", 5)[:5]))


@lru_cache(maxsize=20_000)
def _speaker(head: str) -> tuple[Key, bool] | None:
    key = device_of(head)
    return None if key is None else (key, head.split("/")[3] == Plane.PRESENCE)
