"""What may happen to an order, and that nothing else can: its steps and its lines."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.house_rules import Acceptance, OrderRules, PaymentRule
from schemas.orders import (
    MAX_LINES,
    OPEN_ORDER,
    ORDER_STEPS,
    Order,
    OrderKind,
    OrderLine,
    OrderStatus,
    OrderStep,
    Participant,
    Wait,
)
from schemas.refusals import RefusalCode
from services.orders import pricing, rules, waiting
from services.runtime.refusal import Refusal
from tests.rules.orders_world import MENU, NOON, decided, line, placed, refused

NUMBER = re.compile(r"ORD-\d{12}-[0-9A-HJKMNP-TV-Z]{4}")
LATER = NOON + timedelta(hours=3)


def at_status(status: OrderStatus, kind: OrderKind = OrderKind.DINE_IN) -> Order:
    """An order that came to a status by the shortest way there is."""
    order = placed(kind=kind, house=OrderRules(acceptance=Acceptance.BY_HAND))
    ways: list[list[OrderStep]] = [[]]
    seen = {order.status}
    while ways:
        way = ways.pop(0)
        here = order
        for each in way:
            here = rules.step(here, each, at=NOON, reason="so").order
        if here.status is status:
            return here
        for (before, what), after in ORDER_STEPS.items():
            if before is here.status and after not in seen and rules._fits(here, what):
                seen.add(after)
                ways.append([*way, what])
    raise AssertionError(f"no way leads to {status}")


def kind_for(status: OrderStatus) -> OrderKind:
    out = {OrderStatus.OUT_FOR_DELIVERY, OrderStatus.DELIVERED}
    return OrderKind.DELIVERY if status in out else OrderKind.DINE_IN


@given(status=st.sampled_from(OrderStatus), what=st.sampled_from(OrderStep))
def test_what_is_not_in_the_table_is_refused_by_name(status: OrderStatus, what: OrderStep) -> None:
    assume((status, what) not in ORDER_STEPS)
    order = at_status(status, kind_for(status))
    with pytest.raises(Refusal, match=f"{order.number} is {status}: cannot {what}") as error:
        rules.step(order, what, at=NOON)
    assert refused(error) is RefusalCode.WRONG_STATE


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_that_has_ended_says_when_and_an_open_one_does_not(status: OrderStatus) -> None:
    order = at_status(status, kind_for(status))
    assert (order.closed_at is None) is (status in OPEN_ORDER)


def test_what_goes_out_with_a_courier_is_a_delivery_and_only_that() -> None:
    here = at_status(OrderStatus.READY)
    with pytest.raises(Refusal):
        rules.step(here, OrderStep.DISPATCH, at=NOON)
    away = at_status(OrderStatus.READY, OrderKind.DELIVERY)
    for what in (OrderStep.SERVE, OrderStep.CLOSE):
        with pytest.raises(Refusal):
            rules.step(away, what, at=NOON)
    out = rules.step(away, OrderStep.DISPATCH, at=NOON).order
    assert rules.step(out, OrderStep.RETURN, at=NOON).order.status is OrderStatus.READY


def test_only_an_order_that_came_to_nothing_has_the_reason_it_was_given() -> None:
    order = placed()
    assert rules.step(order, OrderStep.START, at=NOON, reason="x").order.reason is None
    assert rules.step(order, OrderStep.CANCEL, at=NOON, reason="allergy").order.reason == "allergy"


def test_what_is_served_is_marked_so_line_by_line_but_not_what_was_voided() -> None:
    order = rules.void_lines(placed(line("soup"), line("fries")), {2}).order
    order = rules.step(order, OrderStep.FINISH, at=NOON).order
    order = rules.step(order, OrderStep.SERVE, at=NOON).order
    assert [each.served for each in order.lines] == [True, False]


# -- waiting ----------------------------------------------------------------------------------


def test_an_order_that_waits_for_nothing_is_with_the_kitchen_in_its_first_version() -> None:
    order = placed()
    assert (order.status, order.version, order.waits_for) == (OrderStatus.ACCEPTED, 1, ())


def test_an_order_waits_for_all_that_its_house_asks_and_says_why() -> None:
    house = OrderRules(
        acceptance=Acceptance.BY_HAND, payment=PaymentRule.BEFORE_KITCHEN, lead_s=600
    )
    made = decided([line("soup")], house, due_at=LATER)
    order = made.order
    assert (order.status, order.waits_for) == (
        OrderStatus.PLACED,
        (Wait.APPROVAL, Wait.PAYMENT, Wait.TIME),
    )
    assert len(made.rules) == 3
    assert order.wake_at == NOON + timedelta(seconds=house.payment_patience_s)
    assert waiting.unpaid_too_long(order, house, order.wake_at)
    assert not waiting.unpaid_too_long(order, house, order.wake_at - timedelta(seconds=1))


def test_an_order_for_later_is_released_by_its_lead_and_not_before() -> None:
    house = OrderRules(lead_s=600)
    order = placed(house=house, due_at=LATER)
    release = LATER - timedelta(seconds=600)
    assert order.wake_at == release
    assert waiting.settle(order, house, release - timedelta(seconds=1)) is None
    released = waiting.settle(order, house, release)
    assert released is not None
    assert released.order.status is OrderStatus.ACCEPTED


def test_who_orders_more_long_after_paying_has_time_to_pay_for_it() -> None:
    house = OrderRules(payment=PaymentRule.BEFORE_KITCHEN, lead_s=600)
    patience = timedelta(seconds=house.payment_patience_s)
    order = placed(house=house, due_at=LATER)
    paid = order.model_copy(update={"due_minor": 0, "paid_minor": order.total_minor})
    paid, _ = waiting.look(paid, house, NOON + timedelta(minutes=1))
    assert paid.waits_for == (Wait.TIME,)
    now = NOON + timedelta(hours=2)  # longer ago than the house is patient
    more = pricing.price_lines([line("soup")], MENU, first=2, version=2)
    asked, _ = waiting.look(rules.add_lines(paid, more).order, house, now)
    assert (asked.waits_for, asked.wake_at) == ((Wait.PAYMENT, Wait.TIME), now + patience)
    again, _ = waiting.look(asked, house, now + timedelta(minutes=5))
    assert again.wake_at == now + patience, "another change gives no more time"
    assert not waiting.unpaid_too_long(asked, house, now + patience - timedelta(seconds=1))
    assert waiting.unpaid_too_long(asked, house, now + patience)


def test_who_orders_more_just_before_the_time_is_not_given_up_at_the_time() -> None:
    house = OrderRules(payment=PaymentRule.BEFORE_KITCHEN, lead_s=600)
    order = placed(house=house, due_at=LATER)
    paid = order.model_copy(update={"due_minor": 0, "waits_for": (Wait.TIME,), "wake_at": None})
    release = LATER - timedelta(seconds=600)
    more = pricing.price_lines([line("soup")], MENU, first=2, version=2)
    asked, _ = waiting.look(
        rules.add_lines(paid, more).order, house, release - timedelta(minutes=1)
    )
    assert asked.wake_at == release
    assert not waiting.unpaid_too_long(asked, house, release)
    woken, _ = waiting.look(asked, house, release)
    assert woken.waits_for == (Wait.PAYMENT,)
    assert woken.wake_at is not None
    assert waiting.unpaid_too_long(woken, house, woken.wake_at)


def test_a_house_that_asks_for_no_money_any_more_calls_no_order_off_for_it() -> None:
    asked = placed(house=OrderRules(payment=PaymentRule.BEFORE_KITCHEN))
    assert asked.wake_at is not None
    assert not waiting.unpaid_too_long(asked, OrderRules(), asked.wake_at)
    free = waiting.settle(asked, OrderRules(), asked.wake_at)
    assert free is not None
    assert free.order.status is OrderStatus.ACCEPTED


def test_what_costs_nothing_needs_no_payment() -> None:
    assert not placed(line("ale"), house=OrderRules(payment=PaymentRule.BEFORE_KITCHEN)).waits_for


@pytest.mark.parametrize(
    ("due_at", "code"),
    [
        (NOON, RefusalCode.TIME_PASSED),
        (NOON - timedelta(days=1), RefusalCode.TIME_PASSED),
        (NOON + timedelta(days=400), RefusalCode.TIME_OUT_OF_RANGE),
    ],
)
def test_an_order_for_a_time_that_cannot_be_is_refused(due_at: datetime, code: RefusalCode) -> None:
    with pytest.raises(Refusal) as error:
        placed(due_at=due_at)
    assert refused(error) is code


def test_only_what_waits_for_approval_can_be_approved() -> None:
    with pytest.raises(Refusal) as error:
        rules.approve(placed())
    assert refused(error) is RefusalCode.WRONG_STATE
    order = placed(house=OrderRules(acceptance=Acceptance.BY_HAND))
    assert rules.approve(order).waits_for == ()


# -- lines ------------------------------------------------------------------------------------


def test_lines_added_to_what_was_ready_or_served_bring_it_back_to_the_kitchen() -> None:
    for status in (OrderStatus.READY, OrderStatus.SERVED):
        order = at_status(status)
        more = pricing.price_lines([line("fries")], MENU, first=2)
        assert rules.add_lines(order, more).order.status is OrderStatus.PREPARING


@pytest.mark.parametrize(
    "status",
    sorted((set(OrderStatus) - OPEN_ORDER) | {OrderStatus.OUT_FOR_DELIVERY, OrderStatus.DELIVERED}),
)
def test_nothing_is_added_to_what_has_left_or_ended(status: OrderStatus) -> None:
    order = at_status(status, kind_for(status))
    with pytest.raises(Refusal) as error:
        rules.add_lines(order, pricing.price_lines([line("fries")], MENU, first=2))
    assert refused(error) is RefusalCode.WRONG_STATE


def test_an_order_has_so_many_lines_and_no_more() -> None:
    order = placed(*[line("ale")] * MAX_LINES)
    with pytest.raises(Refusal) as error:
        rules.add_lines(order, pricing.price_lines([line("ale")], MENU, first=MAX_LINES + 1))
    assert refused(error) is RefusalCode.TOO_MANY_LINES


def test_a_line_for_a_guest_who_takes_no_part_is_refused() -> None:
    with pytest.raises(Refusal) as error:
        placed(line("soup", guest=2), participants=(Participant(guest=1, name="Ada"),))
    assert refused(error) is RefusalCode.INVALID
    order = placed(line("soup", guest=1), participants=(Participant(guest=1, name="Ada"),))
    with pytest.raises(Refusal):
        rules.add_lines(order, pricing.price_lines([line("soup", guest=3)], MENU, first=2))


def test_a_served_line_cannot_be_touched_though_the_order_goes_on() -> None:
    order = at_status(OrderStatus.SERVED)
    order = rules.add_lines(order, pricing.price_lines([line("fries")], MENU, first=2)).order
    with pytest.raises(Refusal) as error:
        rules.line_of(order, 1)
    assert refused(error) is RefusalCode.ALREADY_SERVED
    assert rules.line_of(order, 2).item == "fries"


@pytest.mark.parametrize(("number", "code"), [(9, "not-found"), (1, "wrong-state")])
def test_a_line_that_is_not_there_or_voided_cannot_be_touched(number: int, code: str) -> None:
    order = rules.void_lines(placed(line("soup"), line("fries")), {1}).order
    with pytest.raises(Refusal) as error:
        rules.line_of(order, number)
    assert refused(error) == code


def test_with_its_last_line_an_order_is_voided_in_one_version() -> None:
    order = placed(line("soup"), line("fries"))
    made = rules.void_all(order, OrderStep.VOID, NOON, "dropped")
    assert (made.order.status, made.order.version) == (OrderStatus.VOIDED, 2)
    assert (made.order.total_minor, made.order.due_minor) == (0, 0)
    assert made.posting.guest == -order.total_minor


# -- versions ---------------------------------------------------------------------------------


def test_changes_that_do_not_touch_one_another_both_succeed() -> None:
    order = placed(line("soup"), line("fries"))
    seen = order.version
    order = rules.void_lines(order, {1}).order
    rules.check_version(order, seen, {2})
    with pytest.raises(Refusal) as error:
        rules.check_version(order, seen, {1})
    assert refused(error) is RefusalCode.STALE_VERSION
    with pytest.raises(Refusal):
        rules.check_version(order, seen)  # who closes the whole order must have seen it
    rules.check_version(order, order.version)
    rules.check_version(order, None)


def test_a_version_that_does_not_exist_yet_is_nobodys_view() -> None:
    with pytest.raises(Refusal) as error:
        rules.check_version(placed(), 2)
    assert refused(error) is RefusalCode.INVALID


def test_a_step_makes_what_was_seen_before_it_old_for_the_whole_but_not_for_a_line() -> None:
    order = placed()
    seen = order.version
    order = rules.step(order, OrderStep.START, at=NOON).order
    rules.check_version(order, seen, {1})
    with pytest.raises(Refusal):
        rules.check_version(order, seen)


# -- money and numbers ------------------------------------------------------------------------


def test_an_order_dearer_than_money_can_say_is_refused() -> None:
    dear = OrderLine(
        line=1,
        item="truffle",
        name="Truffle",
        quantity=1,
        unit_minor=10**12,
        total_minor=10**12,
        station="grill",
    )
    with pytest.raises(Refusal) as error:
        rules.total([dear, dear])
    assert refused(error) is RefusalCode.INVALID
    with pytest.raises(Refusal):
        rules.add_lines(placed(), (dear,))


def test_a_house_that_wants_its_money_first_lets_nothing_be_added_that_is_not_paid() -> None:
    house = OrderRules(payment=PaymentRule.BEFORE_KITCHEN)
    with pytest.raises(Refusal) as error:
        rules.check_more(placed(), house, 1)
    assert refused(error) is RefusalCode.PAYMENT_REQUIRED
    rules.check_more(placed(), house, 0)
    rules.check_more(placed(house=house), house, 1)  # the kitchen does not have it yet


@pytest.mark.parametrize("rule", PaymentRule)
def test_an_unpaid_order_is_closed_only_where_the_house_never_asks(rule: PaymentRule) -> None:
    house = OrderRules(payment=rule)
    if rule is PaymentRule.NEVER:
        rules.check_paid(placed(), house)
        return
    with pytest.raises(Refusal) as error:
        rules.check_paid(placed(), house)
    assert refused(error) is RefusalCode.PAYMENT_REQUIRED


@given(
    at=st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    ordinal=st.integers(0, 2**40),
    hours=st.integers(-12, 14),
)
def test_an_order_number_is_readable_and_tells_the_time_in_utc(
    at: datetime, ordinal: int, hours: int
) -> None:
    number = rules.order_number(at, ordinal)
    assert NUMBER.fullmatch(number)
    assert number[4:16] == at.strftime("%y%m%d%H%M%S")
    assert rules.order_number(at.astimezone(timezone(timedelta(hours=hours))), ordinal) == number


def test_all_order_numbers_of_a_second_are_different_until_the_letters_run_out() -> None:
    start = 987_654
    assert len({rules.order_number(NOON, start + n) for n in range(2**17)}) == 2**17
    # An odd factor permutes the residues, so that the next ones are new as well.
    assert rules.order_number(NOON, start) != rules.order_number(NOON, start + 2**19)
    assert rules.order_number(NOON, start) == rules.order_number(NOON, start + 2**20)


# -- guests -----------------------------------------------------------------------------------


def test_who_ate_is_forgotten_and_what_was_paid_is_not() -> None:
    order = placed(
        line("soup", note="for Ada's birthday", guest=1),
        participants=(Participant(guest=1, name="Ada"),),
        guest={"name": "Ada", "email": "ada@example.com"},
    )
    with pytest.raises(Refusal) as error:
        rules.forget_guest(order)
    assert refused(error) is RefusalCode.WRONG_STATE
    ended = rules.step(order, OrderStep.CANCEL, at=NOON, reason="late").order
    forgotten = rules.forget_guest(ended)
    assert "ada" not in forgotten.model_dump_json().lower()
    assert forgotten.total_minor == order.total_minor
