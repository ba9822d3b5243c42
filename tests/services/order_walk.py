"""A long evening, drawn from a seed: what is asked mostly makes sense, and goes far."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from schemas.house_rules import Acceptance, PaymentRule
from schemas.menu import ModifierRequest
from schemas.orders import ORDER_STEPS, LineRequest, OrderKind, OrderStatus
from services.orders.inside import Said
from tests.services.order_draws import CARD, ON, STEPS, TAXES
from tests.services.order_machine import OrderMachine
from tests.services.order_world import MANAGER, OTHER, POINTS, TILL

ORDERS: Final = 6
"""So many orders an evening has, that much happens to each."""
_AGO: Final = (None,) * 6 + (0, 0, 0, 1, 3, -1)


class Walk:
    """Takes random steps through a machine.

    Args:
        machine: not yet opened.
        rng: the only source of chance.
    """

    def __init__(self, machine: OrderMachine, rng: random.Random) -> None:
        self._machine: Final = machine
        self._rng: Final = rng
        self._doings: Final[list[tuple[int, Callable[[], None]]]] = [
            (6, self._place),
            (8, self._add),
            (10, self._change),
            (9, self._void_lines),
            (12, self._step),
            (2, self._step_anyhow),
            (14, self._pay),
            (12, self._provider_says),
            (10, self._refund),
            (8, self._provider_says_of_a_refund),
            (12, self._cook),
            (8, lambda: machine.cook_all_of_it(which=self._nth())),
            (2, lambda: machine.forget_the_guest(which=self._nth())),
            (2, lambda: machine.wait(minutes=rng.choice((1, 16, 61)), early=rng.random() < 0.2)),
            (3, lambda: machine.split(which=self._nth(), ways=rng.choice((None, 1, 3)))),
            (5, lambda: machine.say_it_again(which=self._nth(), other=rng.random() < 0.3)),
            (5, lambda: machine.die_at_the_next(point=rng.choice(POINTS))),
            (1, machine.restart),
            (4, lambda: machine.gather_a_batch(together=rng.randint(2, 5))),
        ]

    def go(self, steps: int) -> None:
        """Open a house, ask so many things, and look at the end of it all."""
        rng, machine = self._rng, self._machine
        machine.open(
            currency=rng.choice(("GBP", "JPY", "KWD")),
            taxes=rng.choice((TAXES, TAXES, {})),
            included=rng.random() < 0.5,
            payment=rng.choice(tuple(PaymentRule)),
            acceptance=rng.choices(tuple(Acceptance), weights=(4, 1))[0],
        )
        weights = [weight for weight, _ in self._doings]
        for _ in range(steps):
            rng.choices(self._doings, weights)[0][1]()
        machine.teardown()

    def _nth(self) -> int:
        return self._rng.randrange(min(ORDERS, max(1, len(self._machine.orders))))

    def _lines(self) -> tuple[LineRequest, ...]:
        rng = self._rng
        found = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            item = rng.choice(("burger", "fries", "ale", "water", "burger"))
            item = "sold-out" if rng.random() < 0.01 else item
            found.append(
                LineRequest(
                    item=item,
                    quantity=rng.randint(1, 4),
                    modifiers=self._modifiers() if item == "burger" else (),
                    avoid=("egg",) if rng.random() < 0.05 else (),
                    guest=rng.choice((None, None, 1, 2)),
                )
            )
        return tuple(found)

    def _modifiers(self) -> tuple[ModifierRequest, ...]:
        rng = self._rng
        sauce = (ModifierRequest(modifier="sauce", quantity=rng.randint(1, 2)),)
        cheese = ModifierRequest(modifier="cheese", modifiers=rng.choice(((), sauce)))
        bacon = ModifierRequest(modifier="bacon", quantity=rng.randint(1, 3))
        return rng.choice(((), (cheese,), (bacon,), (cheese, bacon)))

    def _place(self) -> None:
        rng = self._rng
        if len(self._machine.orders) >= ORDERS:
            return
        self._machine.place(
            asked=self._lines(),
            kind=rng.choice(tuple(OrderKind)),
            device=rng.choice((TILL, OTHER)),
            guests=2,
            later=rng.choice((None, None, None, 20, 90)),
        )

    def _add(self) -> None:
        self._machine.add(which=self._nth(), asked=self._lines(), device=TILL)

    def _change(self) -> None:
        rng = self._rng
        self._machine.change(
            which=self._nth(),
            line=rng.randint(1, 3),
            quantity=rng.choice((None, 1, 2, 5)),
            chosen=rng.choice((None, None, self._modifiers())),
            note=rng.choice((None, "no salt")),
            ago=rng.choice(_AGO),
            device=rng.choice((TILL, OTHER)),
        )

    def _void_lines(self) -> None:
        rng = self._rng
        self._machine.void_lines(
            which=self._nth(),
            numbers=tuple(rng.sample(range(1, 5), rng.choice((1, 1, 2)))),
            ago=rng.choice(_AGO),
            device=rng.choice((TILL, MANAGER)),
        )

    def _step(self) -> None:
        """One that the table has from where the order stands, and not the end of it."""
        which, rng = self._nth(), self._rng
        status = OrderStatus(self._machine.rows[self._machine.order(which)]["status"])
        steps = [step for (before, step) in ORDER_STEPS if before is status and step in ON]
        if steps:
            step = rng.choice(steps)
            self._machine.step(which=which, step=step, ago=rng.choice(_AGO), device=TILL)

    def _step_anyhow(self) -> None:
        rng = self._rng
        self._machine.step(
            which=self._nth(),
            step=rng.choice(tuple(STEPS)),
            ago=rng.choice(_AGO),
            device=rng.choice((TILL, MANAGER)),
        )

    def _pay(self) -> None:
        rng = self._rng
        if rng.random() < 0.2:
            self._machine.pay_a_share(
                which=self._nth(), guest=rng.choice((1, 2, 2, 5)), tip=rng.choice((0, 40))
            )
            return
        self._machine.pay(
            which=self._nth(),
            method=rng.choice(("cash", CARD)),
            amount=rng.choice((None, None, rng.randint(1, 2000), rng.randint(-1, 20000))),
            tip=rng.choice((0, 0, 50, 333, -1)),
            tendered=rng.choice((None, None, 20_000, 1)),
        )

    def _provider_says(self) -> None:
        if not self._machine.payments():
            return
        rng = self._rng
        wrong: Any = rng.choice((None,) * 12 + ("amount", "currency", "provider", "id"))
        self._machine.provider_says(
            which=self._nth(),
            said=rng.choice((Said.AUTHORISED, Said.PAID, Said.PAID, Said.PAID, Said.FAILED)),
            wrong=wrong,
        )

    def _refund(self) -> None:
        rng = self._rng
        self._machine.refund(
            which=self._nth(),
            what=rng.choice(("all", "amount", "amount", "lines", "lines", "lines", "both")),
            amount=rng.randint(1, 1500),
            numbers=tuple(rng.sample(range(1, 5), rng.choice((1, 1, 2)))),
            payment=rng.choice((None, None, 0, 1)),
        )

    def _provider_says_of_a_refund(self) -> None:
        if self._machine.refunds():
            self._machine.provider_says_of_a_refund(
                which=self._nth(),
                done=self._rng.random() < 0.6,
                wrong=int(self._rng.random() < 0.1),
            )

    def _cook(self) -> None:
        if self._machine.tickets:
            rng = self._rng
            self._machine.cook(
                which=rng.randrange(len(self._machine.tickets)),
                verb=rng.choice(("hear", "start", "bump")),
                ago=rng.choice((None, 0, 0, 0, 1, 4)),
            )
