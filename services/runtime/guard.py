"""The guard: stands before the worker, and turns away what is too much, as it arrives.

What is over a limit is never parsed and never kept. A request is answered that it may come
again, unless too many of its kind were answered already: answering must be no amplifier,
and a device that hears nothing asks again by itself. Readings are dropped and counted.
What passes and then cannot be understood has a narrow limit of its own, for it would
cost a row or an answer each. Who goes on regardless is put out for a while.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol
from uuid import UUID

import structlog

from schemas.limits import Limits
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from schemas.topics import Plane, device_of, is_on
from services.runtime.bus import Delivery
from services.runtime.context import Outgoing, outgoing
from services.runtime.limits import Gate, Key, speaker_of
from services.runtime.line import Line
from services.runtime.moment import Clock
from services.runtime.ratelimit import Buckets, Rate
from services.runtime.reception import Unfit, find_id
from services.runtime.relay import HIGH_WATER

log = structlog.get_logger(__name__)

ANSWERS: Final = Rate(per_s=10, burst=30)
"""To one device that it may come again; its tenant has ten times as many."""
UNFIT: Final = Rate(per_s=20, burst=200)
"""Messages of one device that nobody can understand, each answered or kept."""
KEPT: Final = Rate(per_s=0.1, burst=20)
"""Rows of one device in quarantine; its tenant has five times as many."""
EMPTY: Final = Rate(per_s=50, burst=5_000)
"""Empty messages on one device's topics: clearings are many, and never go on for long."""
LEAST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
OUT_S: Final = 60.0
"""For how long one is put out."""
TELL_EVERY_S: Final = 10.0
FORGET_EVERY_S: Final = 60.0
LOOK_EVERY_S: Final = 1.0
_CLEARED: Final = 50_000
_HEAD: Final = 4096
_TOO_LARGE: Final = f"unfit:{RefusalCode.TOO_LARGE}"


class Doorkeeper(Protocol):
    """Puts devices out at the broker, and lets them in again."""

    async def suspend(self, tenant: str, device: str, seconds: float) -> None:
        """End a device's connection, and let it in again only after so long.

        Raises:
            ConnectionLost: the broker cannot be reached.
        """
        ...

    async def watch(self) -> None:
        """Let in again whose time is over, for ever."""
        ...


class Mouth(Protocol):
    """Publishes what a guard has to say: words that nobody keeps."""

    @property
    def backlog(self) -> int:
        """How many messages wait."""
        ...

    def say(self, messages: Iterable[Outgoing], /) -> None:
        """Publish these, or nothing where there is no connection."""
        ...


class OpenDoor:
    """Puts nobody out: for a broker that reads nobody faster than allowed."""

    async def suspend(self, tenant: str, device: str, seconds: float) -> None:
        """See `Doorkeeper.suspend`."""

    async def watch(self) -> None:
        """See `Doorkeeper.watch`."""
        await asyncio.Event().wait()


class Guard:
    """Turns away what is over the limits.

    Args:
        gate: knows the limits.
        mouth: takes the answers.
        clock: the time of the answers.
        doorkeeper: puts out who goes on.
        counts: what happened, where somebody else counts too.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        gate: Gate,
        mouth: Mouth,
        clock: Clock,
        doorkeeper: Doorkeeper | None = None,
        *,
        counts: Counter[str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.gate: Final = gate
        self._mouth: Final = mouth
        self._clock: Final = clock
        self._doorkeeper: Final = OpenDoor() if doorkeeper is None else doorkeeper
        self._monotonic: Final = monotonic
        self._answers: Final = Buckets(ANSWERS)
        self._tenants_answers: Final = Buckets(_times(ANSWERS, 10))
        self._unfit: Final = Buckets(UNFIT)
        self._empty: Final = Buckets(EMPTY)
        self._kept: Final = Buckets(KEPT)
        self._tenants_kept: Final = Buckets(_times(KEPT, 5))
        self._cleared: Counter[str] = Counter()
        self._out_until: dict[Key, float] = {}
        self._line: Final = Line()
        self.counts: Final[Counter[str]] = Counter() if counts is None else counts
        """What happened since the start."""

    def sieve(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Return what may pass, in its order; what else there is to do is done."""
        now = self._monotonic()
        return [each for each in deliveries if not self._wait(each, now)]

    def refusal(self, topic: str, payload: bytes) -> Reply | None:
        """Tell what is answered to a request that came another way than over MQTT.

        Args:
            topic: any of the sender's own: it is held to the same limits there as here.
            payload: of the request.

        Returns:
            None where it may pass.
        """
        now = self._monotonic()
        wait = self.gate.wait(topic, len(payload), now)
        key = device_of(topic)
        if not wait or key is None:
            return None
        self.counts["limited" if wait < math.inf else _TOO_LARGE] += 1
        return self._no(key, payload, wait)

    def begin(self) -> None:
        """Begin with an empty line: the broker brings again what was not acknowledged."""
        self._line.clear()

    def add(self, delivery: Delivery) -> bool:
        """See `services.runtime.bus.WaitingRoom.add`."""
        spoken = speaker_of(delivery.topic)
        key, is_presence = spoken or (None, False)
        if key is not None:
            has_room = is_presence or self._line.has_room(key)
            if self.wait_for(delivery, has_room=has_room):
                return False
        self._line.add(key, delivery)
        return True

    def wait_for(self, delivery: Delivery, *, has_room: bool) -> float:
        """Tell whether a message may come in; what else there is to do is done.

        Args:
            delivery: as it arrives.
            has_room: whether there is room for one more of this device.

        Returns:
            0.0 where it may; else the seconds after which it might, or infinity.
        """
        spoken = speaker_of(delivery.topic)
        if spoken is None:
            return 0.0
        key = spoken[0]
        now = self._monotonic()
        if not delivery.payload and is_on(Plane.TELEMETRY, delivery.topic):
            # Nothing is said: the warden clears so what was left standing.
            if self._empty.take(key, now):
                self._crowd_out(delivery, key, now)
            return math.inf
        if not (has_room or self.gate.sender(key).free):
            self._crowd_out(delivery, key, now)
            return LEAST_WAIT_S
        return self._wait(delivery, now)

    def lacks(self, delivery: Delivery) -> tuple[float, float]:
        """For how long a message has to wait: see `Gate.lack`. Nothing is counted or done."""
        return self.gate.lack(delivery.topic, len(delivery.payload), self._monotonic())

    def take(self, limit: int) -> list[Delivery]:
        """See `services.runtime.bus.WaitingRoom.take`."""
        return self._line.take(limit)

    def __len__(self) -> int:
        return len(self._line)

    def _crowd_out(self, delivery: Delivery, key: Key, now: float) -> None:
        self.gate.refuse(key, now, len(delivery.payload))
        self.counts["limited"] += 1
        if delivery.retain:
            self._clear(delivery.topic)
        self._turn_away(delivery, LEAST_WAIT_S, now)

    def _wait(self, delivery: Delivery, now: float) -> float:
        topic, payload = delivery.topic, delivery.payload
        if not payload and self._cleared and self._is_our_clearing(topic):
            return math.inf
        if delivery.retain and payload:
            self._clear(topic)
        wait = self.gate.wait(topic, len(payload), now)
        if wait:
            self.counts["limited" if wait < math.inf else _TOO_LARGE] += 1
            self._turn_away(delivery, wait, now)
        return wait

    def weigh(self, unfit: Unfit) -> Unfit | None:
        """Say what is to be done of a message that is good for nothing: less, or nothing."""
        now = self._monotonic()
        key = device_of(unfit.delivery.topic) or (unfit.tenant, "")
        if self._unfit.take(key, now):
            self.gate.note(key)
            return None
        if not unfit.kept or self.may_keep(key):
            return unfit
        self.gate.note(key)
        return None if unfit.device is None else replace(unfit, kept=False)

    def may_keep(self, key: Key) -> bool:
        """Tell whether one more row of a device may go into quarantine."""
        now = self._monotonic()
        return not self._kept.take(key, now) and not self._tenants_kept.take(key[0], now)

    # What stands retained where nothing may

    def _clear(self, topic: str) -> None:
        """Take from the broker what would else come again at every connect."""
        spoken = device_of(topic)
        if spoken is None or is_on(Plane.PRESENCE, topic) or self._mouth.backlog > HIGH_WATER:
            return
        if len(self._cleared) >= _CLEARED:
            self._cleared.clear()
        self._cleared[topic] += 1
        self._mouth.say([Outgoing(spoken[0], topic, b"", 1, retain=True)])

    def _is_our_clearing(self, topic: str) -> bool:
        if topic not in self._cleared:
            return False
        self._cleared[topic] -= 1
        if not self._cleared[topic]:
            del self._cleared[topic]
        return True

    # Turning away

    def _turn_away(self, delivery: Delivery, wait: float, now: float) -> None:
        key = device_of(delivery.topic)
        if key is None or not is_on(Plane.REQUEST, delivery.topic):
            return
        request_id = find_id(delivery.payload[:_HEAD])
        if request_id is None and wait < math.inf:
            return  # nobody would know what is answered
        if self._answers.take(key, now) or self._tenants_answers.take(key[0], now):
            return
        tenant, device = key
        reply = self._no(key, delivery.payload, wait)
        answer = outgoing(
            reply, tenant=tenant, now=self._clock(), causation=request_id, device=device
        )
        self._mouth.say([answer])

    def _no(self, key: Key, payload: bytes, wait: float) -> Reply:
        request_id, sender = find_id(payload[:_HEAD]), self.gate.sender(key)
        if wait == math.inf:
            return _too_large(request_id, len(payload), sender.largest)
        return _not_now(request_id, wait, sender.meter.limits)

    # Beside the worker

    async def run(self) -> None:
        """Tell of what was refused, and put out who goes on, for ever."""
        forget_at = self._monotonic() + FORGET_EVERY_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self.gate.alarm.wait()
            self.gate.alarm.clear()
            now = self._monotonic()
            for (tenant, device), messages in self.gate.untold(now, TELL_EVERY_S):
                log.warning("limit exceeded", tenant=tenant, device=device, messages=messages)
            while self.gate.offenders:
                await self._put_out(self.gate.offenders.pop())
            if now >= forget_at:
                forget_at = now + FORGET_EVERY_S
                self.gate.forget(now)
                self._out_until = {k: at for k, at in self._out_until.items() if at > now}

    async def _put_out(self, key: Key) -> None:
        """Put out one; what it had sent before may go on coming for a while."""
        now = self._monotonic()
        if now < self._out_until.get(key, -math.inf):
            return
        tenant, device = key
        log.warning("a device went too far", tenant=tenant, device=device, out_s=OUT_S)
        try:
            await self._doorkeeper.suspend(tenant, device, OUT_S)
            self._out_until[key] = now + OUT_S
        except Exception:
            # Whatever the broker says to it: those who are served must not suffer of it.
            log.exception("it could not be put out", tenant=tenant, device=device)


def _times(rate: Rate, factor: float) -> Rate:
    return Rate(rate.per_s * factor, rate.burst * factor)


def _not_now(request_id: UUID | None, wait: float, limits: Limits) -> Reply:
    retry_after_s = math.ceil(min(max(wait, LEAST_WAIT_S), LONGEST_WAIT_S) * 10) / 10
    pace = ""
    if limits.messages_per_s is not None and limits.messages_burst is not None:
        pace = f": {limits.messages_per_s:g} a second, after a rest {limits.messages_burst:,}"
    return Reply(
        request=request_id,
        outcome=Outcome.REJECTED,
        code=RefusalCode.RATE_LIMITED,
        message=f"more messages than this device or its restaurant may send{pace}; "
        f"the same again after {retry_after_s:g} s",
        retry_after_s=retry_after_s,
    )


def _too_large(request_id: UUID | None, size: int, largest: float) -> Reply:
    return Reply(
        request=request_id,
        outcome=Outcome.REJECTED,
        code=RefusalCode.TOO_LARGE,
        message=f"{size} bytes; a message of this device may have {largest:.0f}",
    )
