"""A child: a till that places a list of orders, however often it is killed.

`live` takes the fields of `Ordering` as JSON. It writes down in
`asked` what its outbox has on the disk, and never asks for that again in a later life: what
the outbox then loses is lost. It ends when every request of the list has its reply.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from devices.pending import Pending
from devices.pos import PointOfSale
from devices.resending import Patience
from schemas.orders import OrderStatus
from schemas.replies import OrderReceipt, Outcome, Reply
from tests.faults.plan import Wanted

HASTY: Final = Patience(
    first_s=0.5, longest_s=1.0, reconnect_first_s=0.05, reconnect_longest_s=0.2, refused_s=0.3
)
HEARTBEAT_S: Final = 1.0


class Ordering(BaseModel):
    """What the till needs to know."""

    model_config = ConfigDict(frozen=True)

    port: int
    tenant: str
    device: str
    secret: str
    home: Path
    """Its outbox, and what it writes down."""
    orders: tuple[Wanted, ...]


class Answer(BaseModel):
    """A reply as the till has written it down."""

    model_config = ConfigDict(frozen=True)

    request: UUID
    accepted: bool
    code: str | None = None
    status: OrderStatus | None = None
    total_minor: int | None = None


class Papers:
    """What the till writes down; each line stands once `write` has returned."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.outbox: Final = home / "outbox.db"
        self._asked: Final = home / "asked"
        self._answers: Final = home / "answers"

    def say_asked(self, request: UUID) -> None:
        """The outbox has it on the disk."""
        _append(self._asked, str(request))

    def say_answered(self, request: UUID, reply: Reply) -> None:
        """A reply has come."""
        receipt = reply.result if isinstance(reply.result, OrderReceipt) else None
        answer = Answer(
            request=request,
            accepted=reply.outcome is Outcome.ACCEPTED,
            code=reply.code,
            status=receipt.status if receipt else None,
            total_minor=receipt.total_minor if receipt else None,
        )
        _append(self._answers, answer.model_dump_json())

    def asked(self) -> set[UUID]:
        """What was ever in the outbox."""
        return {UUID(line) for line in _lines(self._asked)}

    def answers(self) -> list[Answer]:
        """Every reply to a request that waited, in the order in which they came."""
        return [Answer.model_validate_json(line) for line in _lines(self._answers)]


def _append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        # What a kill has cut short was never said.
        whole, _, _cut = path.read_text().rpartition("\n")
        yield from whole.splitlines()


class Till:
    """Goes through the list: each order in its turn, each later step after the reply before it."""

    def __init__(self, given: Ordering) -> None:
        self._orders = given.orders
        self._papers = Papers(given.home)
        self._asked = self._papers.asked()
        self._answered = {answer.request for answer in self._papers.answers()}
        self._changed = threading.Condition()
        self._pos = PointOfSale(
            "127.0.0.1",
            given.port,
            tenant=given.tenant,
            device=given.device,
            secret=given.secret,
            outbox=self._papers.outbox,
            heartbeat_s=HEARTBEAT_S,
            patience=HASTY,
            on_reply=self._replied,
        )

    def work(self) -> None:
        """Ask for everything on the list, and wait for every reply."""
        with self._pos:
            for order in self._orders:
                if order.order_id not in self._asked:
                    time.sleep(order.pause_s)
                self._go_on_with(order)
                self._look_back(order.number)
            while not self._done():
                self._look_back(len(self._orders))
                with self._changed:
                    self._changed.wait(0.05)
            self._pos.drain()

    def _replied(self, request: UUID, reply: Reply) -> None:
        # Before the outbox forgets it: a kill in between brings the reply again.
        self._papers.say_answered(request, reply)
        with self._changed:
            self._answered.add(request)
            self._changed.notify()

    def _look_back(self, upto: int) -> None:
        for order in self._orders[:upto]:
            self._go_on_with(order)

    def _go_on_with(self, order: Wanted) -> None:
        """Ask for the order's next step, if the one before it is answered."""
        for step in order.steps:
            request = order.request(step)
            if request not in self._asked and request not in self._answered:
                pending: Pending[OrderReceipt] = self._pos._request(order.message(step), request)
                if pending.wait_kept(1.0) or pending.done:
                    self._asked.add(request)
                    self._papers.say_asked(request)
            if request not in self._answered:
                return

    def _done(self) -> bool:
        return all(
            order.request(step) in self._answered for order in self._orders for step in order.steps
        )


def live(given: str) -> None:
    """Be such a process."""
    Till(Ordering.model_validate_json(given)).work()
