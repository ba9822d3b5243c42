"""What guests and staff do with a file's orders after they were placed: drawn from a seed. Pure.

Each order has a story of its own, told step by step: what comes next may depend on what was
answered. The same seed tells the same stories.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from cli.recount import Bill
from schemas.gateway import PaymentNewsType
from schemas.identifiers import derived_id
from schemas.message import Request
from schemas.order_changes import ChangeLine, VoidLines
from schemas.orders import AddLines, CancelOrder, LineRequest
from schemas.payments import PayOrder, RefundOrder

PROVIDER: Final = "replay-card"
_WHY: Final = "replayed"


@dataclass(frozen=True, slots=True)
class Ask:
    """The till asks for something."""

    id: UUID
    message: Request


@dataclass(frozen=True, slots=True)
class Word:
    """The provider says how a payment, or a refund, stands."""

    order_id: UUID
    payment_id: UUID
    said: PaymentNewsType
    amount_minor: int
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """How a step was answered."""

    accepted: bool


Story = Generator[Ask | Word, Told, None]


class Teller:
    """Tells the story of one order.

    Args:
        seed: of all stories.
        order_id: the order's.
        at: when it was placed, by the file.
        lines: how many it was placed with.
        items: what may be ordered besides.
        bill: its money, recounted up to now.
    """

    def __init__(
        self,
        seed: int,
        order_id: UUID,
        at: datetime,
        *,
        lines: int,
        items: Sequence[str],
        bill: Bill,
    ) -> None:
        self._rng = random.Random(f"{seed}:{order_id}")  # noqa: S311 - a replay is repeatable
        self._seed = seed
        self._order_id = order_id
        self._at = at
        self._lines = lines
        self._items = items
        self._bill = bill
        self._asked = 0

    def story(self) -> Story:
        """All of it, from the first change to the last."""
        rng = self._rng
        yield from self._lines_change()
        if rng.random() < 0.06:
            yield self._ask(CancelOrder(order_id=self._order_id, reason=_WHY))
        kind = rng.choices(("cash", "card", "nothing"), weights=(40, 25, 35))[0]
        if kind == "cash":
            yield from self._pay_in_cash()
        elif kind == "card":
            yield from self._pay_by_card()
        if kind != "nothing":
            if rng.random() < 0.2:
                yield from self._lines_change()
            if rng.random() < 0.3:
                yield from self._money_goes_back()
            if rng.random() < 0.05:
                yield self._ask(CancelOrder(order_id=self._order_id, reason=_WHY))
                yield from self._give_back(self._refund())

    def _ask(self, message: Request) -> Ask:
        self._asked += 1
        parts = ("replay-changes", str(self._seed), str(self._order_id), str(self._asked))
        return Ask(derived_id(self._at, *parts), message)

    def _lines_change(self) -> Story:
        rng, id_ = self._rng, self._order_id
        if rng.random() < 0.25:
            count = rng.choice((1, 1, 2))
            lines = tuple(
                LineRequest(item=rng.choice(self._items), quantity=rng.randint(1, 3))
                for _ in range(count)
            )
            if (yield self._ask(AddLines(order_id=id_, lines=lines))).accepted:
                self._lines += count
        if rng.random() < 0.25:
            quantity, line = rng.randint(1, 5), rng.randint(1, self._lines)
            yield self._ask(ChangeLine(order_id=id_, line=line, quantity=quantity))
        if rng.random() < 0.2:  # with its last line an order goes, and that happens too
            line = rng.randint(1, self._lines)
            yield self._ask(VoidLines(order_id=id_, lines=(line,), reason=_WHY))

    def _pay_in_cash(self) -> Story:
        rng, id_ = self._rng, self._order_id
        tip = rng.choice((0, 0, 50, 101, -1))
        if rng.random() < 0.3 and self._bill.open > 1:
            part = rng.randint(1, self._bill.open - 1)
            yield self._ask(PayOrder(order_id=id_, amount_minor=part))
        yield self._ask(PayOrder(order_id=id_, tip_minor=tip))

    def _pay_by_card(self) -> Story:
        rng, id_ = self._rng, self._order_id
        open_, tip = self._bill.open, rng.choice((0, 0, 77))
        ask = self._ask(PayOrder(order_id=id_, method=PROVIDER, tip_minor=tip))
        if not (yield ask).accepted:
            return
        said = rng.choices(
            (
                (PaymentNewsType.PAID,),
                (PaymentNewsType.AUTHORISED, PaymentNewsType.PAID),
                (PaymentNewsType.FAILED,),
                (PaymentNewsType.FAILED, PaymentNewsType.PAID),
            ),
            weights=(70, 10, 15, 5),
        )[0]
        for each in said:
            yield Word(id_, ask.id, each, open_ + tip)
        if said[-1] is PaymentNewsType.FAILED:
            yield from self._pay_in_cash()

    def _money_goes_back(self) -> Story:
        rng = self._rng
        what = rng.choice(("line", "line", "amount", "all", "too much"))
        if what == "line":
            yield from self._give_back(self._refund(lines=(rng.randint(1, self._lines),)))
        elif what == "amount":
            yield from self._give_back(self._refund(amount=rng.randint(1, 500)))
        elif what == "all":
            yield from self._give_back(self._refund())
        else:
            yield self._refund(amount=10**9)

    def _refund(self, *, amount: int | None = None, lines: tuple[int, ...] = ()) -> Ask:
        return self._ask(
            RefundOrder(order_id=self._order_id, amount_minor=amount, lines=lines, reason=_WHY)
        )

    def _give_back(self, ask: Ask) -> Story:
        """Ask for it; the provider says what became of its part."""
        if not (yield ask).accepted:
            return
        for payment, amount in self._bill.asked_back(str(ask.id)):
            done = self._rng.random() < 0.85
            said = PaymentNewsType.REFUND_DONE if done else PaymentNewsType.REFUND_FAILED
            yield Word(self._order_id, UUID(payment), said, amount, ask.id)
