"""Requests of other systems: the same envelope, the same rights and limits, the same answers.

What is said over HTTP or in a file is held to what a device may say over MQTT: to the topic
on which it would have said it, to its limits, and to being who it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from broker_config.access import Identity, may_publish
from schemas.envelope import MAX_REQUEST_BYTES
from schemas.limits import ReadLimits
from schemas.refusals import RefusalCode
from schemas.replies import Reply
from services.runtime.bus import Delivery
from services.runtime.guard import Guard
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock
from services.runtime.reception import Received, Unfit, find_id, read, topic_of
from services.runtime.refusal import rejected


class OtherSystems:
    """Has done what other systems ask.

    Args:
        intake: where it is done, once.
        guard: holds senders to their limits.
        clock: the time of arrival.
    """

    def __init__(self, intake: Intake, guard: Guard, clock: Clock) -> None:
        self._intake: Final = intake
        self._guard: Final = guard
        self._clock: Final = clock

    async def ask(self, identity: Identity, payload: bytes) -> Reply:
        """Read a request, do it, and give its answer.

        Args:
            identity: who asks, found out by whoever let them in.
            payload: the envelope, as it would stand in an MQTT message.

        Returns:
            The answer, also to what cannot be read, is not allowed, or is too much for now
            (`RefusalCode.RATE_LIMITED`: nothing of that is kept, the same may come again).

        Raises:
            NotServing: nothing was answered; the same may come again.
        """
        if not self._intake.is_open:
            raise NotServing("this process does not serve now")
        # Its limits are the same on all its topics: this one every device has.
        own = ReadLimits.route.topic(tenant=identity.tenant, device=identity.device)
        if (too_much := self._guard.refusal(own, payload)) is not None:
            return too_much
        entry = self._read(identity, payload)
        if isinstance(entry, Received):
            return await self._intake.ask(replace(entry, inside=True))
        return rejected(entry.request_id, entry.code, entry.reason)

    def _read(self, identity: Identity, payload: bytes) -> Received | Unfit:
        tenant, device = identity.tenant, identity.device

        def unfit(code: RefusalCode, reason: str) -> Unfit:
            nowhere = Delivery("", payload, retain=False, qos=1, tag=0)
            return Unfit(nowhere, tenant, device, find_id(payload[:4096]), code, reason)

        if len(payload) > MAX_REQUEST_BYTES:
            text = f"{len(payload)} bytes; a request may have {MAX_REQUEST_BYTES}"
            return unfit(RefusalCode.TOO_LARGE, text)
        topic = topic_of(payload, tenant, device)
        if isinstance(topic, Unfit):
            return topic
        if not may_publish(identity, topic):
            return unfit(RefusalCode.NOT_ALLOWED, f"a {identity.role.value} may not ask this")
        entry = read(Delivery(topic, payload, retain=False, qos=1, tag=0), self._clock())
        # A request is never read as nothing; the type does not know.
        return entry or unfit(RefusalCode.UNREADABLE, "nothing is asked")
