"""What may happen to an order, and that nothing else can."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.identifiers import new_id
from schemas.menu import MenuItem
from schemas.orders import (
    MAX_LINES,
    MAX_QUANTITY,
    OPEN_ORDER,
    ORDER_STEPS,
    LineRequest,
    Order,
    OrderLine,
    OrderStatus,
    OrderStep,
)
from schemas.refusals import RefusalCode
from services.orders import rules
from services.runtime.refusal import Refusal

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
NUMBER = re.compile(r"ORD-\d{12}-[0-9A-HJKMNP-TV-Z]{4}")

MENU = {
    item: MenuItem(item=item, name=item.title(), station=station, price_minor=price, currency="GBP")
    for item, station, price in [
        ("burger", "grill", 995),
        ("fries", "fry", 350),
        ("ale", "bar", 0),
        ("truffle", "grill", 10**6),
    ]
}

requested = st.builds(
    LineRequest,
    item=st.sampled_from(sorted(MENU)),
    quantity=st.integers(1, MAX_QUANTITY),
    note=st.sampled_from(["", "no onions"]),
)
some_lines = st.lists(requested, min_size=1, max_size=12)


def placed(lines: list[LineRequest]) -> Order:
    return rules.place(
        order_id=new_id(),
        number=rules.order_number(NOON, 1),
        device="pos-1",
        lines=rules.price_lines(lines, MENU),
        currency="GBP",
        placed_at=NOON,
        reference=None,
        table="7",
    )


def refused(error: pytest.ExceptionInfo[Refusal]) -> RefusalCode:
    return error.value.code


class AnOrdersLife(RuleBasedStateMachine):
    """Anything may be tried at any time; the order stays whole."""

    order: Order
    expected_total: int

    @initialize(lines=some_lines)
    def place(self, lines: list[LineRequest]) -> None:
        self.order = placed(lines)
        self.expected_total = sum(MENU[line.item].price_minor * line.quantity for line in lines)

    @rule(what=st.sampled_from(OrderStep), reason=st.none() | st.just("the guest left"))
    def step(self, what: OrderStep, reason: str | None) -> None:
        before = self.order
        following = ORDER_STEPS.get((before.status, what))
        if following is None:
            with pytest.raises(Refusal) as error:
                rules.step(before, what, reason=reason)
            assert refused(error) is RefusalCode.WRONG_STATE
            assert before.number in error.value.message
            assert before.status in error.value.message
            return
        after = rules.step(before, what, reason=reason)
        assert (after.status, after.version) == (following, before.version + 1)
        assert after.lines == before.lines
        self.order = after

    @rule(lines=some_lines)
    def add(self, lines: list[LineRequest]) -> None:
        before = self.order
        more = rules.price_lines(lines, MENU, first=len(before.lines) + 1)
        if before.status not in OPEN_ORDER:
            with pytest.raises(Refusal) as error:
                rules.add_lines(before, more)
            assert refused(error) is RefusalCode.WRONG_STATE
            return
        if len(before.lines) + len(more) > MAX_LINES:
            with pytest.raises(Refusal) as error:
                rules.add_lines(before, more)
            assert refused(error) is RefusalCode.TOO_MANY_LINES
            return
        after = rules.add_lines(before, more)
        assert after.version == before.version + 1
        assert after.lines == before.lines + more
        assert after.status is (
            OrderStatus.PREPARING if before.status is OrderStatus.READY else before.status
        )
        self.expected_total += sum(MENU[line.item].price_minor * line.quantity for line in lines)
        self.order = after

    @precondition(lambda self: self.order.status not in OPEN_ORDER)
    @rule(what=st.sampled_from(OrderStep))
    def nothing_moves_an_ended_order(self, what: OrderStep) -> None:
        with pytest.raises(Refusal):
            rules.step(self.order, what)

    @invariant()
    def it_is_whole(self) -> None:
        if not hasattr(self, "order"):
            return
        assert self.order.total_minor == self.expected_total == rules.total(self.order.lines)
        assert [line.line for line in self.order.lines] == [*range(1, len(self.order.lines) + 1)]
        # What stands in the rules can always be written, and read back as it is.
        assert Order.model_validate_json(self.order.model_dump_json()) == self.order


TestAnOrdersLife = AnOrdersLife.TestCase
TestAnOrdersLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(status=st.sampled_from(OrderStatus), what=st.sampled_from(OrderStep))
def test_what_is_not_in_the_table_is_refused_by_name(status: OrderStatus, what: OrderStep) -> None:
    assume((status, what) not in ORDER_STEPS)
    order = placed([LineRequest(item="ale", quantity=1)]).model_copy(update={"status": status})
    with pytest.raises(Refusal, match=f"{order.number} is {status}: cannot {what}") as error:
        rules.step(order, what)
    assert refused(error) is RefusalCode.WRONG_STATE


def test_only_a_cancelled_order_has_the_reason_it_was_given() -> None:
    order = placed([LineRequest(item="ale", quantity=1)])
    assert order.reason is None
    assert rules.step(order, OrderStep.START).reason is None
    cancelled = rules.step(order, OrderStep.CANCEL, reason="allergy")
    assert cancelled.reason == "allergy"


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


@given(lines=some_lines, first=st.integers(1, 150))
def test_lines_are_priced_and_named_by_the_menu_alone(lines: list[LineRequest], first: int) -> None:
    priced = rules.price_lines(lines, MENU, first=first)
    assert [line.line for line in priced] == [*range(first, first + len(lines))]
    for asked, line in zip(lines, priced, strict=True):
        item = MENU[asked.item]
        assert (line.name, line.unit_minor, line.station) == (
            item.name,
            item.price_minor,
            item.station,
        )
        assert (line.item, line.quantity, line.note) == (asked.item, asked.quantity, asked.note)


@given(lines=some_lines, unknown=st.lists(st.sampled_from(["soup", "tea"]), min_size=1))
def test_items_that_are_not_on_the_menu_are_refused_and_named(
    lines: list[LineRequest], unknown: list[str]
) -> None:
    asked = [*lines, *(LineRequest(item=item, quantity=1) for item in unknown)]
    with pytest.raises(Refusal) as error:
        rules.price_lines(asked, MENU)
    assert refused(error) is RefusalCode.UNKNOWN_ITEM
    for item in unknown:
        assert item in error.value.message


def test_what_is_sold_out_is_refused_and_named() -> None:
    menu = MENU | {"ale": MENU["ale"].model_copy(update={"available": False})}
    asked = [LineRequest(item="burger", quantity=1), LineRequest(item="ale", quantity=1)]
    with pytest.raises(Refusal, match="sold out: ale") as error:
        rules.price_lines(asked, menu)
    assert refused(error) is RefusalCode.ITEM_UNAVAILABLE


def test_an_order_dearer_than_money_can_say_is_refused() -> None:
    dear = OrderLine(
        line=1, item="truffle", name="Truffle", quantity=999, unit_minor=10**12, station="grill"
    )
    with pytest.raises(Refusal) as error:
        rules.place(
            order_id=new_id(),
            number=rules.order_number(NOON, 1),
            device="pos-1",
            lines=(dear,),
            currency="GBP",
            placed_at=NOON,
            reference=None,
            table=None,
        )
    assert refused(error) is RefusalCode.INVALID
    with pytest.raises(Refusal) as error:
        rules.add_lines(placed([LineRequest(item="ale", quantity=1)]), (dear,))
    assert refused(error) is RefusalCode.INVALID
