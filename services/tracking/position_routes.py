"""Positions over HTTP: for senders that speak no MQTT, or not as our brokers ask for it.

``POST /v1/positions/traccar`` takes what Traccar forwards (``forward.type`` ``json``), and
``POST /v1/positions/owntracks`` what OwnTracks posts in its HTTP mode. Each goes on the topic on
which that device would have said it over MQTT, with its rights, limits and readers; 2xx means:
taken, and kept where it is not found wrong.

https://www.traccar.org/forward/ , https://owntracks.org/booklet/tech/http/
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

from starlette.responses import Response

from broker_config.access import Identity
from schemas.devices import Role
from schemas.foreign_positions import OwnTracksSaid, TraccarForwarded
from schemas.gateway import ProblemCode
from schemas.message import Telemetry
from services.runtime.gateway import JSON, Call, Denied, Octets, Offer
from services.runtime.requests_over_http import Identify
from services.tracking.arriving import Teller
from services.tracking.brought import Became, Brought, TooMuch
from services.tracking.formats import owntracks, traccar
from services.tracking.formats.raw import RawFix, Reader, Reading, Unreadable
from services.tracking.nameless import advice

TRACCAR: Final = "/v1/positions/traccar"
OWNTRACKS: Final = "/v1/positions/owntracks"
AGAIN_S: Final = 2.0


class PositionRoutes:
    """The routes of positions.

    Args:
        brought: where they are taken.
        identify: finds out whose device is calling.
        now: seconds since 1970.
    """

    def __init__(
        self, brought: Brought, identify: Identify, *, now: Callable[[], float] = time.time
    ) -> None:
        self._brought: Final = brought
        self._identify: Final = identify
        self._now: Final = now

    @property
    def offers(self) -> tuple[Offer[Any], ...]:
        """All of them, for the gateway."""
        return (
            Offer("POST", TRACCAR, Octets, self.traccar),
            Offer("POST", OWNTRACKS, Octets, self.owntracks),
        )

    async def traccar(self, call: Call, asked: Octets) -> None:
        """Keep what Traccar forwards."""
        await self._keep(call, asked.octets, TraccarForwarded, traccar.read)

    async def owntracks(self, call: Call, asked: Octets) -> Response:
        """Keep what a phone posts; there is nothing to tell it in return.

        Who it is stands in its login: ``X-Limit-U`` and ``X-Limit-D`` are what the app's
        settings say, and anybody may write anything there.
        """
        await self._keep(call, asked.octets, OwnTracksSaid, owntracks.read)
        return Response("[]", media_type=JSON)

    async def _keep(
        self, call: Call, payload: bytes, kind: type[Telemetry], reader: Reader
    ) -> None:
        identity = await self._identify(call)
        call.who = identity.client_id
        if identity.role is not Role.TRACKER:
            text = f"a {identity.role.value} tells no positions: use a device of role tracker"
            raise Denied(403, ProblemCode.NOT_ALLOWED, text)
        if not payload:
            return  # a friend was deleted on the phone: such a post is to be ignored
        reading, wrong = _read(reader, payload, self._now())
        became = await self._bring(identity, kind, payload, reading)
        # What cannot be read is taken, too: it counts, and the tracker's advice tells of it.
        if wrong:
            raise Denied(400, ProblemCode.INVALID, wrong)
        if became is Became.OF_NO_VEHICLE and reading.fixes:
            raise Denied(404, ProblemCode.NOT_FOUND, _no_vehicle(identity, reading))

    async def _bring(
        self, identity: Identity, kind: type[Telemetry], payload: bytes, reading: Reading
    ) -> Became:
        tenant, device = identity.tenant, identity.device
        about = {Teller(tenant, device, each.below) for each in reading.fixes}
        topic = kind.route.topic(tenant=tenant, device=device)
        if not self._brought.is_open:
            text = "this process takes no positions now; another one may: try again"
            raise Denied(503, ProblemCode.AWAY, text, retry_after_s=AGAIN_S)
        try:
            became = await self._brought.bring(topic, payload, about or {Teller(tenant, device)})
        except TooMuch as error:
            raise _too_much(error, len(payload)) from None
        if became is Became.SENT_AWAY:
            text = "the position could not be kept in time: send it again"
            raise Denied(503, ProblemCode.AWAY, text, retry_after_s=AGAIN_S)
        if became is Became.FAILED:
            raise Denied(500, ProblemCode.INTERNAL, "a fault of ours; the log says more")
        return became


def _read(reader: Reader, payload: bytes, now: float) -> tuple[Reading, str]:
    """What stands in it, and what is wrong with it: nothing, where any of it can be used."""
    try:
        reading = reader(payload, now)
    except Unreadable as error:
        return Reading(), str(error)
    if reading.left or any(map(_is_somewhere, reading.fixes)):
        return reading, ""
    if reading.fixes:
        return reading, _why_nowhere(reading.fixes[0])
    return reading, "nothing in it can be read" if reading.spoilt else ""


def _is_somewhere(fix: RawFix) -> bool:
    known = math.isfinite(fix.t) and math.isfinite(fix.lat) and math.isfinite(fix.lon)
    return known and abs(fix.lat) <= 90.0 and abs(fix.lon) <= 180.0


def _why_nowhere(fix: RawFix) -> str:
    told = (("time", fix.t), ("latitude", fix.lat), ("longitude", fix.lon))
    missing = [name for name, value in told if not math.isfinite(value)]
    if missing:
        return f"a position needs a time, a latitude and a longitude: no {missing[0]} in it"
    if abs(fix.lat) > 90.0:
        return f"there is no latitude {fix.lat:g}: it lies between -90 and 90"
    return f"there is no longitude {fix.lon:g}: it lies between -180 and 180"


def _no_vehicle(identity: Identity, reading: Reading) -> str:
    names = sorted({each.below for each in reading.fixes if each.below is not None})
    if not names:
        return f"{identity.device} is no vehicle of {identity.tenant}"
    return "; ".join(advice(Teller(identity.tenant, identity.device, each)) for each in names[:3])


def _too_much(error: TooMuch, size: int) -> Denied:
    if math.isinf(error.wait_s):
        text = f"{size} bytes are more than this device may ever send at once"
        return Denied(413, ProblemCode.TOO_LARGE, text)
    text = "this device sends more than it may: wait"
    return Denied(429, ProblemCode.RATE_LIMITED, text, retry_after_s=error.wait_s)
