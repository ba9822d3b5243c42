"""The receiver of payment providers' webhooks: signed, replay-safe, and kept before it answers.

The id that the provider gives its message becomes the id of a request, so that a delivery
which comes twice, or to two at once, is done once and has the first answer each time. 200
means: kept. Whoever cannot sign learns nothing, not even which restaurants there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from starlette.responses import Response

from schemas.gateway import PaymentNews, PaymentNewsType, ProblemCode
from schemas.identifiers import derived_id, is_slug
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from services.orders.inside import Said, SettlePayment
from services.orders.providers import OpenIt, secrets_of
from services.runtime.database import Database
from services.runtime.gateway import Call, Denied, Octets, Offer
from services.runtime.intake import Intake
from services.runtime.moment import Clock
from services.runtime.requests_over_http import reply_response
from services.runtime.signatures import NotAuthentic, Signed, new_signing_secret, verify

PATH: Final = "/v1/tenants/{tenant}/payments/{provider}"
CHALLENGE: Final = "Webhook-Signature"

# Not the time of the delivery: that is another each time it is sent.
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SAID: Final = {
    PaymentNewsType.AUTHORISED: Said.AUTHORISED,
    PaymentNewsType.PAID: Said.PAID,
    PaymentNewsType.FAILED: Said.FAILED,
    PaymentNewsType.REFUND_DONE: Said.REFUND_DONE,
    PaymentNewsType.REFUND_FAILED: Said.REFUND_FAILED,
}
_STATUS: Final[dict[str, int]] = {RefusalCode.NOT_FOUND: 404, RefusalCode.INTERNAL: 500}
_REJECTED: Final = 409


class ProviderWebhooks:
    """The route of payment providers.

    Args:
        database: who they are.
        intake: where what they say is done.
        open_it: opens their sealed secrets.
        clock: tells what is stale.
    """

    def __init__(self, database: Database, intake: Intake, open_it: OpenIt, clock: Clock) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._open_it: Final = open_it
        self._clock: Final = clock
        self._nobody: Final = (new_signing_secret(),)

    @property
    def offers(self) -> tuple[Offer[Any], ...]:
        """All of them, for the gateway."""
        return (Offer("POST", PATH, Octets, self.receive),)

    async def receive(self, call: Call, asked: Octets) -> Response:
        """Do what a provider's webhook says, once."""
        tenant, provider = call.path["tenant"], call.path["provider"]
        signed = await self._believed(call, asked.octets, tenant, provider)
        call.who = f"{tenant}/{provider}"
        request_id = webhook_request_id(tenant, provider, signed.id)
        request = _settlement(provider, asked.octets)
        reply = await self._intake.ask_of_ourselves(tenant, request, request_id)
        call.refused_as = "" if reply.code is None else str(reply.code)
        return reply_response(reply, tenant, self._clock, _status(reply))

    async def _believed(self, call: Call, body: bytes, tenant: str, provider: str) -> Signed:
        known: Sequence[str] = ()
        if is_slug(tenant) and is_slug(provider):
            async with self._database.read() as connection:
                known = await secrets_of(connection, tenant, provider, self._open_it)
        try:
            # Nobody's signature is looked at as somebody's would be: one cannot find out
            # which restaurants there are, and with whom they work.
            return verify(call.headers, body, known or self._nobody, self._clock())
        except NotAuthentic as error:
            text = str(error)
            raise Denied(401, ProblemCode.BAD_SIGNATURE, text, challenge=CHALLENGE) from None


def webhook_request_id(tenant: str, provider: str, webhook_id: str) -> UUID:
    """The request that a provider's message always is."""
    return derived_id(_EPOCH, "webhook", tenant, provider, webhook_id)


def _settlement(provider: str, body: bytes) -> SettlePayment:
    try:
        news = PaymentNews.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        text = f"{where}: {first['msg']}"[:500]
        raise Denied(400, ProblemCode.INVALID, text) from None
    data = news.data
    return SettlePayment(
        provider=provider,
        order_id=data.order_id,
        payment_id=data.payment_id,
        refund_id=data.refund_id,
        said=_SAID[news.type],
        amount_minor=data.amount_minor,
        currency=data.currency,
        reason=data.reason,
    )


def _status(reply: Reply) -> int:
    if reply.outcome is Outcome.ACCEPTED:
        return 200
    return _STATUS.get(str(reply.code), _REJECTED)
