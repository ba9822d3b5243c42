"""Parties, purely: whatever guests do in whatever order, each has what they chose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.menu import MenuItem
from schemas.orders import MAX_LINES, OPEN_ORDER, LineRequest, OrderStatus
from schemas.parties import MAX_PARTY, PARTY_STEPS, OpenParty, Party, PartyStatus
from schemas.refusals import RefusalCode
from services.orders import party_rules, pricing, rules
from services.orders.party_rules import LASTS, code_of, guest_at, normal_code, present, shown
from services.runtime.refusal import Refusal

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
PRICES = {"burger": 995, "fries": 350, "ale": 480}
MENU = {
    item: MenuItem(item=item, name=item, station="grill", price_minor=price, currency="GBP")
    for item, price in PRICES.items()
}
HOUSE = OrderRules()
HOST = "guest-1"
DEVICES = [HOST, "guest-2", "guest-3", "pos-1"]
codes = st.integers(0, 2**40 - 1)
lines = st.lists(
    st.builds(LineRequest, item=st.sampled_from(sorted(MENU)), quantity=st.integers(1, 9)),
    max_size=4,
).map(tuple)


def opened(code: int = 1, at: datetime = NOON) -> Party:
    return party_rules.open_party(
        OpenParty(name="Ada", table="7"),
        party_id=new_id(),
        device=HOST,
        code=code_of(code),
        currency="GBP",
        at=at,
    )


def choose(party: Party, device: str, wanted: Any, at: datetime = NOON) -> Party:
    return party_rules.choose(party, device, wanted, menu=MENU, house=HOUSE, at=at)


def cost(wanted: tuple[LineRequest, ...]) -> int:
    return sum(PRICES[line.item] * line.quantity for line in wanted)


@given(codes)
def test_a_code_is_read_as_people_type_it(number: int) -> None:
    code = code_of(number)
    as_shown = shown(code)
    assert len(as_shown) == 9
    assert as_shown[4] == "-"
    for typed in (
        code,
        as_shown,
        as_shown.lower(),
        as_shown.replace("-", " "),
        f" {as_shown} ",
        as_shown.replace("0", "o").replace("1", "l"),
        as_shown.replace("0", "O").replace("1", "I"),
    ):
        assert normal_code(typed) == code


@given(codes, codes)
def test_two_numbers_are_two_codes(one: int, other: int) -> None:
    assert (code_of(one) == code_of(other)) is (one == other)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_code_or_none(typed: str) -> None:
    code = normal_code(typed)
    assert code is None or normal_code(shown(code)) == code


class Evening(RuleBasedStateMachine):
    """A party beside a plain record of who is in and who wants what."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOON
        self.party = opened()
        self.wanted: dict[str, tuple[LineRequest, ...]] = {HOST: ()}
        self.numbers = {HOST: 1}
        self.versions = [1]

    def take(self, after: Party) -> None:
        assert (self.party.status is after.status) or (
            after.status in {to for (was, _), to in PARTY_STEPS.items() if was is self.party.status}
        )
        assert after.version == self.party.version + (after != self.party)
        self.party = after

    def may_change(self) -> bool:
        return self.party.status is PartyStatus.OPEN and self.at < self.party.ends_at

    @rule(device=st.sampled_from(DEVICES), name=st.sampled_from(["Ada", "Bob", "Cleo"]))
    def join(self, device: str, name: str) -> None:
        if not self.may_change():
            with pytest.raises(Refusal) as refused:
                party_rules.join(self.party, device, name, self.at)
            assert refused.value.code is RefusalCode.WRONG_STATE
            return
        self.take(party_rules.join(self.party, device, name, self.at))
        self.wanted.setdefault(device, ())
        guest = guest_at(self.party, device)
        assert guest is not None
        assert guest.name == name
        assert self.numbers.setdefault(device, guest.guest) == guest.guest

    @rule(device=st.sampled_from(DEVICES), wanted=lines)
    def choose(self, device: str, wanted: tuple[LineRequest, ...]) -> None:
        if not self.may_change() or device not in self.wanted:
            with pytest.raises(Refusal) as refused:
                choose(self.party, device, wanted, self.at)
            assert refused.value.code in {RefusalCode.WRONG_STATE, RefusalCode.NOT_FOUND}
            return
        self.take(choose(self.party, device, wanted, self.at))
        self.wanted[device] = wanted

    @rule(device=st.sampled_from(DEVICES))
    def leave(self, device: str) -> None:
        if guest_at(self.party, device) is None:
            with pytest.raises(Refusal):
                party_rules.leave(self.party, device, self.at)
            return
        if self.party.status is PartyStatus.OPEN and not self.may_change():
            with pytest.raises(Refusal):
                party_rules.leave(self.party, device, self.at)
            return
        was_open = self.may_change()
        self.take(party_rules.leave(self.party, device, self.at))
        if device == HOST and was_open:
            assert self.party.status is PartyStatus.ENDED
        if was_open:
            self.wanted.pop(device)
        else:
            assert self.party.status is PartyStatus.SENT

    @rule(device=st.sampled_from(DEVICES))
    def send(self, device: str) -> None:
        chosen = [line for each in self.wanted.values() for line in each]
        if not self.may_change() or device != HOST or not chosen:
            with pytest.raises(Refusal) as refused:
                party_rules.order_of(self.party, device, self.at)
            assert refused.value.code in {
                RefusalCode.WRONG_STATE,
                RefusalCode.NOT_THE_HOST,
                RefusalCode.NOT_FOUND,
                RefusalCode.INVALID,
            }
            return
        request = party_rules.order_of(self.party, device, self.at)
        told = {each.guest for each in request.participants}
        assert told == {self.numbers[each] for each in self.wanted}
        for each, wanted in self.wanted.items():
            own = [line for line in request.lines if line.guest == self.numbers[each]]
            assert [(line.item, line.quantity) for line in own] == [
                (line.item, line.quantity) for line in wanted
            ]
        priced = pricing.price_lines(request.lines, MENU, HOUSE)
        decided = rules.place(
            request, HOUSE, order_id=new_id(), number="N", device=device, lines=priced,
            currency="GBP", at=self.at,
        )  # fmt: skip
        assert decided.order.total_minor == sum(g.subtotal_minor for g in present(self.party))
        self.take(party_rules.sent(self.party, decided.order, self.at))

    @precondition(lambda self: self.party.status is PartyStatus.SENT)
    @rule(status=st.sampled_from(OrderStatus))
    def the_order_moves(self, status: OrderStatus) -> None:
        self.take(party_rules.follow(self.party, status, self.at))
        assert self.party.order_status is status
        assert (self.party.status is PartyStatus.SENT) is (status in OPEN_ORDER)

    @rule(minutes=st.integers(1, 200))
    def time_passes(self, minutes: int) -> None:
        self.at += timedelta(minutes=minutes)

    @invariant()
    def each_has_what_they_chose(self) -> None:
        if self.party.status is PartyStatus.ENDED:
            assert self.party.guests == (), "who was there is forgotten"
            return
        here = {each.device: each for each in present(self.party)}
        if self.party.status is PartyStatus.OPEN:
            assert here.keys() == self.wanted.keys()
            for device, wanted in self.wanted.items():
                assert [(line.item, line.quantity) for line in here[device].lines] == [
                    (line.item, line.quantity) for line in wanted
                ]
                assert here[device].subtotal_minor == cost(wanted)
        for guest in self.party.guests:
            assert {line.guest for line in guest.lines} <= {guest.guest}
        numbers = [each.guest for each in self.party.guests]
        assert numbers == sorted(set(numbers))
        Party.model_validate(self.party.model_dump())


TestEvening = Evening.TestCase
TestEvening.settings = settings(max_examples=150, stateful_step_count=30)


def test_a_line_for_another_guest_is_refused_by_name() -> None:
    party = party_rules.join(opened(), "guest-2", "Bob", NOON)
    with pytest.raises(Refusal, match="guest 1, and you are guest 2") as refused:
        choose(party, "guest-2", [LineRequest(item="ale", quantity=1, guest=1)])
    assert refused.value.code is RefusalCode.NOT_ALLOWED


def test_a_party_has_no_more_lines_than_its_order_may_have() -> None:
    party = opened()
    mine = [LineRequest(item="ale", quantity=1)] * 50
    for number in range(2, 6):
        party = choose(party, party.guests[-1].device, mine)
        party = party_rules.join(party, f"guest-{number}", "Bob", NOON)
    assert sum(len(each.lines) for each in party.guests) == MAX_LINES
    with pytest.raises(Refusal, match="0 are left") as refused:
        choose(party, "guest-5", mine[:1])
    assert refused.value.code is RefusalCode.TOO_MANY_LINES
    assert len(party_rules.order_of(party, HOST, NOON).lines) == MAX_LINES


def test_a_party_is_never_longer_than_all_its_guests_can_be_sent() -> None:
    party = opened()
    wordy = LineRequest(item="ale", quantity=1, note="\N{HOT BEVERAGE}" * 280)
    party = choose(party, HOST, [wordy] * 50)
    party = party_rules.join(party, "guest-2", "Bob", NOON)
    assert len(party.model_dump_json().encode()) <= party_rules.MOST_BYTES
    with pytest.raises(Refusal) as refused:
        choose(party, "guest-2", [wordy] * 50)
    assert refused.value.code is RefusalCode.TOO_LARGE


def test_a_full_party_takes_somebody_when_somebody_has_left() -> None:
    party = opened()
    for number in range(2, MAX_PARTY + 1):
        party = party_rules.join(party, f"guest-{number}", "Bob", NOON)
    with pytest.raises(Refusal, match="full"):
        party_rules.join(party, "late", "Cleo", NOON)
    party = party_rules.leave(party, "guest-9", NOON)
    party = party_rules.join(party, "late", "Cleo", NOON)
    late = guest_at(party, "late")
    assert late is not None
    assert late.guest == 9
    assert guest_at(party, "guest-9") is None


def test_all_is_priced_by_the_menu_of_the_moment_and_what_is_gone_keeps_its_price() -> None:
    party = choose(opened(), HOST, [LineRequest(item="burger", quantity=2)])
    party = party_rules.join(party, "guest-2", "Bob", NOON)
    party = party_rules.join(party, "guest-3", "Cleo", NOON)
    party = choose(party, "guest-2", [LineRequest(item="fries", quantity=1)])
    menu = {
        "burger": MENU["burger"].model_copy(update={"price_minor": 1095}),
        "ale": MENU["ale"],
    }
    ale = [LineRequest(item="ale", quantity=1)]
    party = party_rules.choose(party, "guest-3", ale, menu=menu, house=HOUSE, at=NOON)
    assert [each.subtotal_minor for each in party.guests] == [2190, 350, 480]


def test_an_empty_party_is_not_sent_and_one_whose_time_is_up_neither() -> None:
    party = opened()
    with pytest.raises(Refusal, match="nobody") as refused:
        party_rules.order_of(party, HOST, NOON)
    assert refused.value.code is RefusalCode.INVALID
    party = choose(party, HOST, [LineRequest(item="ale", quantity=1)])
    assert party_rules.order_of(party, HOST, NOON + LASTS - timedelta(seconds=1)).table == "7"
    with pytest.raises(Refusal, match="is over"):
        party_rules.order_of(party, HOST, NOON + LASTS)


def test_an_item_that_is_sold_out_is_refused_by_name() -> None:
    menu = {"ale": MENU["ale"].model_copy(update={"available": False})}
    with pytest.raises(Refusal, match="sold out: ale"):
        party_rules.choose(
            opened(), HOST, [LineRequest(item="ale", quantity=1)], menu=menu, house=HOUSE, at=NOON
        )
    with pytest.raises(Refusal, match="not on the menu: soup"):
        choose(opened(), HOST, [LineRequest(item="soup", quantity=1)])
