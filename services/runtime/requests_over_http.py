"""``POST /v1/requests``: other systems ask over HTTP what a device asks over MQTT."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.responses import Response

from broker_config.access import Identity
from schemas.envelope import MAX_REQUEST_BYTES, encode, service_source
from schemas.identifiers import new_id
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from services.runtime.gateway import JSON, Call, Octets, Offer
from services.runtime.moment import Clock
from services.runtime.other_systems import OtherSystems

CLOUDEVENT: Final = "application/cloudevents+json"
_STATUS: Final[dict[str, int]] = {RefusalCode.RATE_LIMITED: 429, RefusalCode.TOO_LARGE: 413}
_REJECTED: Final = 422

Identify = Callable[[Call], Awaitable[Identity]]
"""Finds out whose device is calling.

Raises:
    services.runtime.gateway.Denied: nobody's.
"""


def reply_response(reply: Reply, tenant: str, clock: Clock, status: int | None = None) -> Response:
    """Write a reply as an HTTP response: the same envelope as over MQTT.

    Args:
        reply: the answer.
        tenant: whose.
        clock: the time of the answer.
        status: of the response; None takes what goes with the reply.
    """
    accepted = reply.outcome is Outcome.ACCEPTED
    if status is None:
        status = 200 if accepted else _STATUS.get(str(reply.code), _REJECTED)
    body = encode(
        reply,
        id=new_id(),
        source=service_source(tenant),
        time=clock(),
        causation=reply.request,
    )
    headers = {}
    if reply.retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(reply.retry_after_s)))
    return Response(body, status, headers, CLOUDEVENT)


class RequestsOverHttp:
    """The route of requests.

    Args:
        systems: does what is asked.
        identify: who calls.
        clock: the time of answers.
    """

    def __init__(self, systems: OtherSystems, identify: Identify, clock: Clock) -> None:
        self._systems: Final = systems
        self._identify: Final = identify
        self._clock: Final = clock

    @property
    def offers(self) -> tuple[Offer[Any], ...]:
        """All of them, for the gateway."""
        return (
            Offer(
                "POST",
                "/v1/requests",
                Octets,
                self.ask,
                kinds=(JSON, CLOUDEVENT),
                body_bytes=MAX_REQUEST_BYTES,
            ),
        )

    async def ask(self, call: Call, asked: Octets) -> Response:
        """Do what an envelope asks."""
        identity = await self._identify(call)
        call.who = identity.client_id
        reply = await self._systems.ask(identity, asked.octets)
        call.refused_as = "" if reply.code is None else str(reply.code)
        return reply_response(reply, identity.tenant, self._clock)
