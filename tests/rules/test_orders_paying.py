"""The money of an order: whatever is tried, it adds up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.orders import (
    OPEN_ORDER,
    ORDER_STEPS,
    Order,
    OrderChange,
    OrderStatus,
    OrderStep,
    Participant,
)
from schemas.payments import (
    PAYMENT_STEPS,
    TAKEN,
    Payment,
    PaymentStatus,
    PayOrder,
    RefundOrder,
    RefundStatus,
)
from schemas.refusals import RefusalCode
from services.orders import bill, ledger, paying, pricing, rules, sharing
from services.orders.decided import Decided
from services.orders.inside import Said, SettlePayment
from services.orders.ledger import Posting
from services.runtime.refusal import Refusal
from tests.rules.orders_world import MENU, NOON, decided, line, placed, refused

AMOUNTS = st.none() | st.integers(-5, 3_000)
GUESTS = tuple(Participant(guest=number, name=f"guest {number}") for number in (1, 2, 3))


def pay(order: Order, at: datetime = NOON, **asked: Any) -> Decided:
    request = PayOrder(order_id=order.order_id, **asked)
    return paying.begin(order, request, payment_id=new_id(), device="pos-1", at=at)


def refund(order: Order, **asked: Any) -> Decided:
    asked.setdefault("reason", "cold")
    request = RefundOrder(order_id=order.order_id, **asked)
    return paying.refund(order, request, refund_id=new_id())[0]


def says(order: Order, payment: Payment, said: Said, **more: Any) -> Decided:
    told = {
        "provider": payment.method,
        "order_id": order.order_id,
        "payment_id": payment.payment_id,
        "said": said,
        "amount_minor": payment.amount_minor + payment.tip_minor,
        "currency": "GBP",
    } | more
    return paying.settle(order, SettlePayment(**told))[0]


class TheMoneyOfAnOrder(RuleBasedStateMachine):
    """Anything may be tried at any time, by anybody; the books balance after each step."""

    order: Order
    books: Posting

    def take(self, made: Decided) -> None:
        assert made.order.version == self.order.version + 1
        before, after = self.order.status, made.order.status
        assert before is after or after in {
            to for (at, _), to in ORDER_STEPS.items() if at is before
        }
        known = {each.payment_id: each.status for each in self.order.payments}
        for each in made.order.payments:
            was = known.get(each.payment_id)
            if was is not None and was is not each.status:
                assert each.status in {to for (at, _), to in PAYMENT_STEPS.items() if at is was}
        self.order = made.order
        self.books += made.posting

    @initialize(
        lines=st.lists(st.sampled_from(["soup", "fries", "burger"]), min_size=1, max_size=5),
        rate=st.sampled_from([0, 50_000, 88_750, 200_000]),
        included=st.booleans(),
    )
    def place(self, lines: list[str], rate: int, included: bool) -> None:
        self.house = OrderRules(taxes={"standard": rate}, prices_include_tax=included)
        made = decided(
            [line(item, guest=1 + number % 3) for number, item in enumerate(lines)],
            self.house,
            participants=GUESTS,
        )
        self.order, self.books = made.order, made.posting

    @rule(
        method=st.sampled_from(["cash", "card"]),
        amount=AMOUNTS,
        tip=st.sampled_from([0, 0, 0, 7, 150, -1]),
        guest=st.none() | st.integers(1, 4),
    )
    def pay(self, method: str, amount: int | None, tip: int, guest: int | None) -> None:
        before = self.order
        open_ = bill.open_minor(before)
        try:
            made = pay(before, method=method, amount_minor=amount, tip_minor=tip, guest=guest)
        except Refusal:
            impossible = (
                before.status not in OPEN_ORDER
                or open_ <= 0
                or (amount is not None and not 0 < amount <= open_)
                or tip < 0
                or guest is not None
            )
            assert impossible, "a payment that could be taken was refused"
            return
        payment = made.order.payments[-1]
        assert 0 < payment.amount_minor <= open_
        assert payment.tip_minor == tip >= 0
        self.take(made)

    @rule(data=st.data(), said=st.sampled_from([Said.AUTHORISED, Said.PAID, Said.FAILED]))
    def the_provider_speaks(self, data: st.DataObject, said: Said) -> None:
        cards = [each for each in self.order.payments if each.method == "card"]
        if not cards:
            return
        payment = data.draw(st.sampled_from(cards))
        step = paying._STEPS[said][0]
        if (payment.status, step) in PAYMENT_STEPS:
            self.take(says(self.order, payment, said))
            return
        with pytest.raises(Refusal) as error:
            says(self.order, payment, said)
        taken = payment.status in TAKEN
        assert refused(error) is (RefusalCode.ALREADY_PAID if taken else RefusalCode.WRONG_STATE)

    @rule(data=st.data(), done=st.booleans())
    def the_provider_gives_back(self, data: st.DataObject, done: bool) -> None:
        asked = [
            (payment, each)
            for payment in self.order.payments
            for each in payment.refunds
            if payment.method == "card"
        ]
        if not asked:
            return
        payment, entry = data.draw(st.sampled_from(asked))
        try:
            made = says(
                self.order,
                payment,
                Said.REFUND_DONE if done else Said.REFUND_FAILED,
                refund_id=entry.refund_id,
                amount_minor=entry.amount_minor,
            )
        except Refusal:
            assert entry.status is not RefundStatus.ASKED
            return
        assert entry.status is RefundStatus.ASKED
        self.take(made)

    @rule(data=st.data(), amount=AMOUNTS, by_line=st.booleans())
    def give_back(self, data: st.DataObject, amount: int | None, by_line: bool) -> None:
        before = self.order
        lines: tuple[int, ...] = ()
        if by_line:
            amount = None
            lines = (data.draw(st.integers(1, len(before.lines) + 1)),)
        try:
            made = refund(before, amount_minor=amount, lines=lines)
        except Refusal:
            return
        given = sum(
            each.amount_minor
            for payment in made.order.payments
            for each in payment.refunds
            if each.refund_id not in {r.refund_id for p in before.payments for r in p.refunds}
        )
        if amount is not None:
            assert given == amount
        self.take(made)

    @rule(what=st.sampled_from(OrderStep))
    def step(self, what: OrderStep) -> None:
        if (self.order.status, what) in ORDER_STEPS and rules._fits(self.order, what):
            try:
                self.take(rules.step(self.order, what, at=NOON, reason="so"))
            except Refusal:  # lines came after what was served
                assert any(each.served and not each.voided for each in self.order.lines)
                assert what in {OrderStep.CANCEL, OrderStep.VOID}

    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        left = [each.line for each in self.order.lines if not each.voided and not each.served]
        if len(left) > 1 and self.order.status in OPEN_ORDER:
            self.take(rules.void_lines(self.order, {data.draw(st.sampled_from(left))}))

    @rule(item=st.sampled_from(["soup", "fries"]))
    def add(self, item: str) -> None:
        more = pricing.price_lines([line(item)], MENU, self.house, first=len(self.order.lines) + 1)
        try:
            self.take(rules.add_lines(self.order, more))
        except Refusal:
            assert self.order.status not in {
                OrderStatus.PLACED,
                OrderStatus.ACCEPTED,
                OrderStatus.PREPARING,
                OrderStatus.READY,
                OrderStatus.SERVED,
            }

    @rule(data=st.data(), quantity=st.integers(1, 9))
    def change(self, data: st.DataObject, quantity: int) -> None:
        left = [each for each in self.order.lines if not each.voided and not each.served]
        if left and self.order.status in OPEN_ORDER:
            one = data.draw(st.sampled_from(left)).model_copy(update={"quantity": quantity})
            self.take(rules.change_line(self.order, pricing.reprice(one)))

    @invariant()
    def the_books_say_what_the_order_says(self) -> None:
        if not hasattr(self, "order"):
            return
        order, books = self.order, self.books
        annulled = order.status in {OrderStatus.CANCELLED, OrderStatus.VOIDED}
        sold = 0 if annulled else order.total_minor
        assert order.due_minor == books.guest
        assert order.paid_minor + order.tips_minor - order.refunded_minor == (
            books.cash + books.provider
        )
        assert books.sales == -(sold - (0 if annulled else order.tax_minor))
        assert books.guest + books.cash + books.provider + books.refunds + books.tax == -(
            books.sales + books.tips
        )
        taken = [each for each in order.payments if each.status in TAKEN]
        assert order.paid_minor == sum(each.amount_minor for each in taken)
        assert order.tips_minor == sum(each.tip_minor for each in taken)
        assert order.refunded_minor == sum(each.refunded_minor for each in order.payments)
        assert order.payment is bill.together(order)
        for each in order.payments:
            asked = sum(x.amount_minor for x in each.refunds if x.status is RefundStatus.ASKED)
            assert each.refunded_minor + asked <= each.amount_minor + each.tip_minor
            assert each.status in TAKEN or not each.refunds

    @invariant()
    def shares_make_up_the_bill(self) -> None:
        if hasattr(self, "order"):
            open_ = bill.open_minor(self.order)
            for ways in (None, 1, 3, 7):
                shares = sharing.shares(self.order, ways)
                assert sum(each.amount_minor for each in shares) == open_

    @invariant()
    def it_can_be_written_and_read_back(self) -> None:
        if hasattr(self, "order"):
            assert Order.model_validate_json(self.order.model_dump_json()) == self.order


TestTheMoneyOfAnOrder = TheMoneyOfAnOrder.TestCase
TestTheMoneyOfAnOrder.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"tip_minor": -1}, RefusalCode.WRONG_AMOUNT),
        ({"amount_minor": 0}, RefusalCode.WRONG_AMOUNT),
        ({"amount_minor": -5}, RefusalCode.WRONG_AMOUNT),
        ({"amount_minor": 778}, RefusalCode.MORE_THAN_DUE),
        ({"tendered_minor": 700}, RefusalCode.WRONG_AMOUNT),
        ({"tendered_minor": 900, "method": "card"}, RefusalCode.WRONG_AMOUNT),
        ({"guest": 1}, RefusalCode.NOT_FOUND),
    ],
)
def test_a_payment_that_cannot_be_is_refused_by_name(
    asked: dict[str, Any], code: RefusalCode
) -> None:
    with pytest.raises(Refusal) as error:
        pay(placed(line("soup")), **asked)
    assert refused(error) is code


def test_what_a_provider_is_to_give_back_already_is_not_owed_again() -> None:
    order = placed(line("soup"), line("soup"), line("soup"))
    each = order.lines[0].total_minor
    order = pay(order, method="card", amount_minor=2 * each).order
    order = says(order, order.payments[0], Said.PAID).order
    order = rules.void_lines(order, {1, 2}).order
    assert order.due_minor == -each
    order = refund(order, lines=(1,)).order  # asked for; the provider has not said yet
    with pytest.raises(Refusal) as error:
        refund(order, lines=(2,))
    assert refused(error) is RefusalCode.MORE_THAN_PAID


def test_a_provider_that_stays_silent_does_not_keep_a_guest_from_paying_in_cash() -> None:
    order = pay(placed(), method="card").order
    card, total = order.payments[0], order.total_minor
    soon, late = NOON + paying.SILENT, NOON + paying.SILENT * 2
    for at, named in ((soon, total), (late, None), (late, total + 1)):
        with pytest.raises(Refusal):
            pay(order, at=at, amount_minor=named)
    order = pay(order, at=late, amount_minor=total).order
    assert order.due_minor == 0
    order = says(order, card, Said.PAID).order  # it came after all: it is owed, and goes back
    assert (order.due_minor, order.paid_minor) == (-total, 2 * total)
    cash = order.payments[1].payment_id
    assert refund(order, amount_minor=total, payment_id=cash).order.due_minor == 0


def test_what_is_being_paid_cannot_be_paid_a_second_time() -> None:
    for method in ("cash", "card"):
        order = pay(placed(), method=method).order
        with pytest.raises(Refusal) as error:
            pay(order)
        assert refused(error) is RefusalCode.ALREADY_PAID


def test_a_provider_that_speaks_of_other_money_is_not_believed() -> None:
    order = pay(placed(), method="card").order
    (payment,) = order.payments
    wrongs: list[tuple[dict[str, Any], RefusalCode]] = [
        ({"currency": "USD"}, RefusalCode.WRONG_AMOUNT),
        ({"amount_minor": 776}, RefusalCode.WRONG_AMOUNT),
        ({"provider": "other"}, RefusalCode.NOT_FOUND),
        ({"payment_id": new_id()}, RefusalCode.NOT_FOUND),
        ({"said": Said.REFUND_DONE, "refund_id": new_id()}, RefusalCode.NOT_FOUND),
    ]
    for wrong, code in wrongs:
        with pytest.raises(Refusal) as error:
            says(order, payment, **({"said": Said.PAID} | wrong))
        assert refused(error) is code, wrong


def test_money_that_comes_after_it_was_given_up_has_come() -> None:
    order = pay(placed(), method="card").order
    order = says(order, order.payments[0], Said.FAILED, reason="declined").order
    assert order.payments[0].reason == "declined"
    order = says(order, order.payments[0], Said.PAID).order
    assert (order.payment, order.due_minor) == (PaymentStatus.PAID, 0)


def test_what_was_paid_for_a_cancelled_order_is_owed_and_given_back_whole() -> None:
    order = pay(placed(), tip_minor=100).order
    ended = rules.step(order, OrderStep.CANCEL, at=NOON, reason="left").order
    assert ended.due_minor == -order.total_minor
    made = refund(ended)
    assert (made.order.due_minor, made.order.payment) == (0, PaymentStatus.REFUNDED)
    assert made.posting == Posting(guest=777, tips=100, cash=-877)


def test_a_refund_by_line_takes_its_share_of_the_tax_and_happens_once() -> None:
    house = OrderRules(taxes={"standard": 200_000})
    order = pay(placed(line("soup"), line("fries"), house=house)).order
    made = refund(order, lines=(1,))
    assert made.posting.cash == -777
    assert made.posting.tax == pricing.rounded(order.tax_minor * 777, order.total_minor)
    for again in ((1,), (1, 1)):
        with pytest.raises(Refusal) as error:
            refund(made.order, lines=again)
        assert refused(error) is RefusalCode.MORE_THAN_PAID
    with pytest.raises(Refusal) as error:
        refund(made.order, amount_minor=351)
    assert refused(error) is RefusalCode.MORE_THAN_PAID
    assert refund(made.order).order.payment is PaymentStatus.REFUNDED


def test_a_providers_refund_is_money_only_when_it_says_so() -> None:
    order = pay(placed(), method="card").order
    order = says(order, order.payments[0], Said.PAID).order
    request = RefundOrder(order_id=order.order_id, reason="cold")
    asked, change = paying.refund(order, request, refund_id=new_id())
    assert change is OrderChange.REFUND_ASKED
    assert asked.posting == ledger.NOTHING
    assert asked.order.refunded_minor == 0
    (payment,) = asked.order.payments
    with pytest.raises(Refusal):
        paying.refund(asked.order, request, refund_id=new_id())
    (entry,) = payment.refunds
    failed = says(asked.order, payment, Said.REFUND_FAILED, refund_id=entry.refund_id)
    again, _ = paying.refund(failed.order, request, refund_id=new_id())
    assert again.order.payments[0].refunds[-1].status is RefundStatus.ASKED


@given(
    st.integers(-(10**6), 10**6),
    st.lists(st.integers(1, 10**5), min_size=1, max_size=20),
)
def test_an_amount_is_divided_to_the_last_minor_unit(amount: int, weights: list[int]) -> None:
    parts = sharing.allot(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - amount * weight / sum(weights)) <= 1


def test_each_guest_pays_their_own_and_a_part_of_what_is_for_all() -> None:
    order = placed(
        line("soup", guest=1), line("fries", guest=2), line("fries"), participants=GUESTS
    )
    assert [each.amount_minor for each in sharing.shares(order)] == [777 + 117, 350 + 117, 116]
    order = pay(order, guest=1).order
    assert [each.amount_minor for each in sharing.shares(order)] == [0, 467, 116]
    order = pay(order, guest=2).order
    order = pay(order, guest=3).order
    assert order.due_minor == 0


def test_no_posting_can_be_made_that_does_not_balance() -> None:
    with pytest.raises(ValueError, match="zero"):
        Posting(guest=1)
