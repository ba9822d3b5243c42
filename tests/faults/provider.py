"""A payment provider: it speaks of each payment by signed webhooks, until it is answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Self
from uuid import UUID

import httpx

from schemas.identifiers import reserved
from services.orders.provider_webhooks import webhook_request_id
from services.runtime.signatures import signed_headers
from tests.faults.plan import PROVIDER, TIP, Step, Wanted, Word

ANSWER_S: Final = 10.0
"""How long it waits for an answer before it sends again."""
AGAIN_S: Final = 0.1
KEPT: Final = frozenset({200, 404, 409})
"""The word is kept: done, or refused for ever."""


def webhook_id(payment_id: UUID, word: Word) -> str:
    """The name of one message, the same at each attempt."""
    return f"{payment_id}-{word.value.replace('.', '-')}"


def settling_id(tenant: str, order: Wanted, word: Word) -> UUID:
    """The id of the request that a word becomes."""
    name = webhook_id(order.request(Step.CARD), word)
    return reserved(webhook_request_id(tenant, PROVIDER, name))


class Provider:
    """Speaks on a thread of its own. A context manager.

    Args:
        tenant: of whose payments.
        secret: it signs with.
        orders: with the words to say of each.
        begun: the payments that it was asked for, so far.
        ports: where it may be heard; one of them serves.
    """

    def __init__(
        self,
        tenant: str,
        secret: str,
        orders: Sequence[Wanted],
        begun: Callable[[], set[UUID]],
        ports: Sequence[int],
    ) -> None:
        self.contradictions: Final[list[str]] = []
        self.said: Final[dict[UUID, int]] = {}
        """The status of the answer to each word, by the request that it became."""
        self._tenant = tenant
        self._secret = secret
        self._orders = [order for order in orders if order.words]
        self._begun = begun
        self._ports = list(ports)
        self._replies: dict[UUID, Any] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._speak, name="provider", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(ANSWER_S * 4)

    @property
    def done(self) -> bool:
        """Whether all was said, twice, of every payment that it was asked for."""
        begun = self._begun()
        return all(
            self.said.get(settling_id(self._tenant, order, word), 0) >= 2
            for order in self._orders
            if order.request(Step.CARD) in begun
            for word in order.words
        )

    def _speak(self) -> None:
        with httpx.Client(timeout=ANSWER_S) as client:
            while not self._ended.wait(AGAIN_S):
                begun = self._begun()
                for order in self._orders:
                    if order.request(Step.CARD) in begun:
                        self._speak_of(order, client)

    def _speak_of(self, order: Wanted, client: httpx.Client) -> None:
        for word in order.words:
            key = settling_id(self._tenant, order, word)
            while self.said.get(key, 0) < 2:  # it never knows that it was heard: it says all twice
                if self._ended.is_set() or not self._send(order, word, client):
                    return
                self.said[key] = self.said.get(key, 0) + 1

    def _send(self, order: Wanted, word: Word, client: httpx.Client) -> bool:
        payment_id = order.request(Step.CARD)
        news = {
            "type": word.value,
            "data": {
                "order_id": str(order.order_id),
                "payment_id": str(payment_id),
                "amount_minor": order.placed_minor + TIP,
                "currency": "GBP",
            },
        }
        body = json.dumps(news).encode()
        id_ = webhook_id(payment_id, word)
        headers = signed_headers([self._secret], id_, int(time.time()), body)
        headers["content-type"] = "application/json"
        for port in self._ports:
            url = f"http://127.0.0.1:{port}/v1/tenants/{self._tenant}/payments/{PROVIDER}"
            try:
                answer = client.post(url, content=body, headers=headers)
            except httpx.HTTPError:
                continue
            if answer.status_code in KEPT:
                reply = answer.json()["data"]
                key = settling_id(self._tenant, order, word)
                if self._replies.setdefault(key, reply) != reply:
                    self.contradictions.append(f"{id_}: {self._replies[key]}, later {reply}")
                return True
            if answer.status_code not in {429, 500, 503}:
                self.contradictions.append(f"{id_}: {answer.status_code} {answer.text}")
        return False
