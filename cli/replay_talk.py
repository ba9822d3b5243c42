"""Telling the orders of a replay on: what the till asks, what the provider says, what is heard."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

import httpx

from cli.admission import actor
from cli.application import Application
from cli.failures import Failure
from cli.files import seal_key
from cli.gateway_client import gateway_client
from cli.recount import House, Json, Recount
from cli.replay_changes import PROVIDER, Ask, Story, Teller, Told, Word
from cli.replaying import PATIENCE_S, Plan
from devices.pending import Pending, Rejected
from devices.pos import PointOfSale
from schemas.gateway import PaymentNews, PaymentNewsData, PaymentNewsType
from schemas.replies import OrderReceipt
from services.orders import providers
from services.orders.provider_webhooks import webhook_request_id
from services.people.seal import Seal
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.signatures import new_signing_secret, signed_headers

AT_ONCE: Final = 8
"""So many webhooks are on their way together."""
HEARD_S: Final = 120.0
"""How long one word may wait to be taken: the gateway takes so many a second, and no more."""
AWAY: Final = frozenset({429, 500, 503})
"""Nothing was decided: send again."""
_SAID: Final = {
    PaymentNewsType.AUTHORISED: "authorised",
    PaymentNewsType.PAID: "paid",
    PaymentNewsType.FAILED: "failed",
    PaymentNewsType.REFUND_DONE: "refund-done",
    PaymentNewsType.REFUND_FAILED: "refund-failed",
}


@dataclass(slots=True)
class Talk:
    """All that was asked and answered, and what it must come to.

    Attributes:
        recount: the money, by these messages alone.
        done: what was accepted, by kind.
        refused: why what was refused was, by code.
    """

    recount: Recount
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def hear(self, id_: str, type_name: str, data: Json, reply: Json) -> None:
        """Take in one request and its answer."""
        kind = type_name.split(".")[-2]
        if reply["outcome"] == "accepted":
            self.done[kind] += 1
        else:
            self.refused[f"{kind}: {reply['code']}"] += 1
        self.recount.hear({"id": id_, "type": type_name, "data": data}, reply)


def reply_of(pending: Pending[OrderReceipt]) -> Json:
    """The answer to a till's request, as it stands in the reply.

    Raises:
        Failure: there is none.
    """
    try:
        receipt = pending.result(PATIENCE_S)
    except Rejected as refused:
        return {"outcome": "rejected", "code": str(refused.code)}
    except Exception as error:
        raise Failure(f"a change was not answered ({error}): `heard doctor` says why") from error
    return {"outcome": "accepted", "result": _plain(receipt)}


def _plain(part: Any) -> Json:
    plain: Json = json.loads(part.model_dump_json())
    return plain


class Provider:
    """A payment provider of the replay's own: it signs, and says all until it is answered."""

    def __init__(self, client: httpx.Client, tenant: str, secret: str, currency: str) -> None:
        self._client: Final = client
        self._tenant: Final = tenant
        self._secret: Final = secret
        self._currency: Final = currency

    @classmethod
    @contextmanager
    def of(cls, app: Application, tenant: str, currency: str, url: str | None) -> Iterator[Self]:
        """Have the tenant believe it, for as long as the context lasts."""
        seal, secret = Seal(seal_key(app.settings)), new_signing_secret()

        async def begin(database: Database) -> None:
            await _forget(database, tenant)
            async with database.write() as connection:
                await providers.add(
                    connection, tenant, PROVIDER, secret,
                    seal_it=seal.seal, actor=actor(), now=system_clock(),
                )  # fmt: skip

        app.run(begin)
        try:
            with gateway_client(app, url or None) as client:
                yield cls(client, tenant, secret, currency)
        finally:
            app.run(lambda database: _forget(database, tenant))

    def say(self, word: Word) -> Json:
        """Say it until it is answered; returns the data of the reply.

        Raises:
            Failure: the gateway does not take it.
        """
        data = PaymentNewsData(
            order_id=word.order_id,
            payment_id=word.payment_id,
            refund_id=word.refund_id,
            amount_minor=word.amount_minor,
            currency=self._currency,
        )
        body = PaymentNews(type=word.said, data=data).model_dump_json(exclude_none=True).encode()
        path = f"/v1/tenants/{self._tenant}/payments/{PROVIDER}"
        deadline = time.monotonic() + HEARD_S
        while True:
            headers = signed_headers([self._secret], webhook_id(word), int(time.time()), body)
            headers["content-type"] = "application/json"
            pause = 0.2
            try:
                answer = self._client.post(path, content=body, headers=headers)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.status_code not in AWAY or time.monotonic() > deadline:
                    break
                pause = min(2.0, float(answer.headers.get("retry-after", pause)))
            time.sleep(pause)
        if answer.status_code not in {200, 404, 409}:
            raise Failure(f"the gateway took no payment: {answer.status_code} {answer.text[:200]}")
        reply: Json = answer.json()["data"]
        return reply


def webhook_id(word: Word) -> str:
    """The name of a word, the same each time the file is replayed."""
    of = word.payment_id if word.refund_id is None else word.refund_id
    return f"{word.payment_id}-{of}-{word.said.value.replace('.', '-')}"


async def _forget(database: Database, tenant: str) -> None:
    async with database.write() as connection:
        known = await providers.listed(connection, tenant)
        if any(each.provider == PROVIDER for each in known):
            now = system_clock()
            await providers.remove(connection, tenant, PROVIDER, actor=actor(), now=now)


class Telling:
    """Tells many stories side by side, one step of each at a time.

    Args:
        plan: whose orders.
        seed: of the stories.
        house: what prices rest on, by the file.
        till: asks.
        provider: speaks of payments.
    """

    def __init__(
        self, plan: Plan, seed: int, house: House, till: PointOfSale, provider: Provider
    ) -> None:
        self.talk: Final = Talk(Recount(house))
        self._plan: Final = plan
        self._seed: Final = seed
        self._till: Final = till
        self._provider: Final = provider
        self._items: Final = sorted(set(plan.items.values()))

    def tell(self, placed: Sequence[tuple[Any, Pending[OrderReceipt]]]) -> None:
        """Tell the stories of these orders of the file, to their ends."""
        stories: list[tuple[Story, Told | None]] = []
        for order, pending in placed:
            new = self._plan.new_order(order)
            id_ = self._plan.id_of(order)
            request = new.request()
            self.talk.hear(str(id_), request.type_name, _plain(request), reply_of(pending))
            bill = self.talk.recount.bills.get(str(id_))
            if bill is not None:
                teller = Teller(
                    self._seed,
                    id_,
                    order.placed_at,
                    lines=len(order.lines),
                    items=self._items,
                    bill=bill,
                )
                stories.append((teller.story(), None))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while stories:
                stories = self._one_step(stories, pool.map)

    def _one_step(
        self,
        stories: Sequence[tuple[Story, Told | None]],
        side_by_side: Callable[..., Iterator[Json]],
    ) -> list[tuple[Story, Told | None]]:
        asks: list[tuple[Story, Ask]] = []
        words: list[tuple[Story, Word]] = []
        for story, told in stories:
            try:
                step = next(story) if told is None else story.send(told)
            except StopIteration:
                continue
            if isinstance(step, Ask):
                asks.append((story, step))
            else:
                words.append((story, step))
        handles = self._till.ask_many([(ask.message, ask.id) for _, ask in asks])
        on: list[tuple[Story, Told | None]] = []
        for (story, word), reply in zip(
            words, side_by_side(self._provider.say, [word for _, word in words]), strict=True
        ):
            id_ = webhook_request_id(self._plan.tenant, PROVIDER, webhook_id(word))
            said = {
                "order_id": str(word.order_id),
                "payment_id": str(word.payment_id),
                "refund_id": str(word.refund_id),
                "said": _SAID[word.said],
            }
            self.talk.hear(str(id_), "heard.provider.settle-payment.v1", said, reply)
            on.append((story, Told(reply["outcome"] == "accepted")))
        for (story, ask), pending in zip(asks, handles, strict=True):
            reply = reply_of(pending)
            self.talk.hear(str(ask.id), ask.message.type_name, _plain(ask.message), reply)
            on.append((story, Told(reply["outcome"] == "accepted")))
        return on
