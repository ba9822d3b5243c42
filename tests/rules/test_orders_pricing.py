"""What lines cost, what is in them, and which tax they bear."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.house_rules import MILLION, OrderRules
from schemas.menu import MenuItem, ModifierRequest
from schemas.orders import MAX_QUANTITY, LineRequest
from schemas.refusals import RefusalCode
from services.orders import pricing
from services.runtime.refusal import Refusal
from tests.rules.orders_world import MENU, line, refused

plain = st.builds(
    LineRequest,
    item=st.sampled_from(["fries", "ale", "soup"]),
    quantity=st.integers(1, MAX_QUANTITY),
    note=st.sampled_from(["", "no onions"]),
)
some_lines = st.lists(plain, min_size=1, max_size=12)


def chosen(*names: str, **inside: tuple[str, ...]) -> tuple[ModifierRequest, ...]:
    return tuple(
        ModifierRequest(modifier=name, modifiers=chosen(*inside.get(name, ()))) for name in names
    )


@given(lines=some_lines, first=st.integers(1, 150))
def test_lines_are_priced_and_named_by_the_menu_alone(lines: list[LineRequest], first: int) -> None:
    priced = pricing.price_lines(lines, MENU, first=first)
    assert [each.line for each in priced] == [*range(first, first + len(lines))]
    for asked, got in zip(lines, priced, strict=True):
        item = MENU[asked.item]
        assert (got.name, got.unit_minor, got.station) == (
            item.name,
            item.price_minor,
            item.station,
        )
        assert (got.item, got.quantity, got.note) == (asked.item, asked.quantity, asked.note)
        assert (got.total_minor, got.tax_minor) == (asked.quantity * item.price_minor, 0)


@given(lines=some_lines, unknown=st.lists(st.sampled_from(["pie", "tea"]), min_size=1))
def test_items_that_are_not_on_the_menu_are_refused_and_named(
    lines: list[LineRequest], unknown: list[str]
) -> None:
    asked = [*lines, *(LineRequest(item=item, quantity=1) for item in unknown)]
    with pytest.raises(Refusal) as error:
        pricing.price_lines(asked, MENU)
    assert refused(error) is RefusalCode.UNKNOWN_ITEM
    for item in unknown:
        assert item in error.value.message


def test_what_is_sold_out_is_refused_and_named() -> None:
    menu = MENU | {"ale": MENU["ale"].model_copy(update={"available": False})}
    with pytest.raises(Refusal, match="sold out: ale") as error:
        pricing.price_lines([line("soup"), line("ale")], menu)
    assert refused(error) is RefusalCode.ITEM_UNAVAILABLE


def test_modifiers_are_priced_with_what_is_chosen_with_them() -> None:
    (got,) = pricing.price_lines(
        [line("burger", 3, modifiers=chosen("fries", "cheese", fries=("aioli",)))], MENU
    )
    assert got.unit_minor == 995 + (200 + 50) + 120
    assert got.total_minor == 3 * got.unit_minor
    assert [each.name for each in got.modifiers] == ["Fries", "Extra cheese"]
    assert [each.name for each in got.modifiers[0].modifiers] == ["Aioli"]


def test_what_stands_on_a_line_says_all_that_is_in_it() -> None:
    def allergens(*names: str, **inside: tuple[str, ...]) -> tuple[str, ...]:
        asked = line("burger", modifiers=chosen(*names, **inside))
        return pricing.price_lines([asked], MENU)[0].allergens

    assert allergens("salad") == ("gluten", "milk")
    assert allergens("salad", "no-cheese") == ("gluten",)
    # What is taken out was there before: it never takes away what another puts in.
    assert allergens("salad", "no-cheese", "cheese") == ("gluten", "milk")
    assert allergens("salad", "cheese", "no-cheese") == ("gluten", "milk")
    assert allergens("fries", fries=("aioli",)) == ("eggs", "gluten", "milk")


@pytest.mark.parametrize(
    ("modifiers", "code"),
    [
        ((), RefusalCode.WRONG_CHOICE),
        (chosen("fries", "salad"), RefusalCode.WRONG_CHOICE),
        (chosen("salad", "salad"), RefusalCode.WRONG_CHOICE),
        ((ModifierRequest(modifier="salad", quantity=2),), RefusalCode.WRONG_CHOICE),
        (chosen("salad", "gold"), RefusalCode.UNKNOWN_MODIFIER),
        (chosen("salad", salad=("aioli",)), RefusalCode.UNKNOWN_MODIFIER),
    ],
)
def test_a_choice_that_the_menu_does_not_offer_is_refused_by_name(
    modifiers: tuple[ModifierRequest, ...], code: RefusalCode
) -> None:
    with pytest.raises(Refusal, match=r"Burger|Salad") as error:
        pricing.price_lines([line("burger", modifiers=modifiers)], MENU)
    assert refused(error) is code


def test_modifiers_on_an_item_that_has_none_are_refused() -> None:
    with pytest.raises(Refusal) as error:
        pricing.price_lines([line("soup", modifiers=chosen("salad"))], MENU)
    assert refused(error) is RefusalCode.UNKNOWN_MODIFIER


def test_nobody_is_served_what_they_must_not_get() -> None:
    with pytest.raises(Refusal, match="milk") as error:
        pricing.price_lines([line("burger", avoid=("milk",))], MENU)
    assert refused(error) is RefusalCode.ALLERGEN
    (got,) = pricing.price_lines(
        [line("burger", avoid=("milk",), modifiers=chosen("salad", "no-cheese"))], MENU
    )
    assert got.avoid == ("milk",)


# -- tax --------------------------------------------------------------------------------------


@given(amount=st.integers(0, 10**9), rate=st.integers(0, MILLION), included=st.booleans())
def test_tax_is_the_rate_of_what_is_left_to_half_a_minor_unit(
    amount: int, rate: int, included: bool
) -> None:
    total, tax = pricing.with_tax(amount, rate, included=included)
    assert total == (amount if included else amount + tax)
    exact = Fraction(total - tax if not included else 0) * Fraction(rate, MILLION)
    if included:
        exact = Fraction(amount * rate, MILLION + rate)
    assert abs(tax - exact) <= Fraction(1, 2)
    if abs(tax - exact) == Fraction(1, 2):
        assert tax > exact, "half a unit goes up"


def test_an_item_bears_its_own_tax_or_the_standard_one() -> None:
    menu = MENU | {"ale": MENU["ale"].model_copy(update={"tax": "drinks", "price_minor": 480})}
    house = OrderRules(taxes={"standard": 200_000, "drinks": 50_000}, prices_include_tax=False)
    soup, ale = pricing.price_lines([line("soup"), line("ale")], menu, house)
    assert (soup.tax_ppm, soup.tax_minor, soup.total_minor) == (200_000, 155, 932)
    assert (ale.tax_ppm, ale.tax_minor, ale.total_minor) == (50_000, 24, 504)


def test_a_tax_that_the_house_has_no_rate_for_is_refused_and_not_left_out() -> None:
    menu = MENU | {"ale": MENU["ale"].model_copy(update={"tax": "drinks"})}
    with pytest.raises(Refusal, match="drinks") as error:
        pricing.price_lines([line("ale")], menu, OrderRules(taxes={"standard": 1}))
    assert refused(error) is RefusalCode.INVALID


@pytest.mark.parametrize("included", [True, False])
def test_a_line_keeps_the_tax_it_was_ordered_with(included: bool) -> None:
    house = OrderRules(taxes={"standard": 200_000}, prices_include_tax=included)
    (soup,) = pricing.price_lines([line("soup")], MENU, house)
    assert pricing.reprice(soup) == soup
    two = pricing.reprice(soup.model_copy(update={"quantity": 2}))
    assert two.total_minor == pricing.with_tax(2 * 777, 200_000, included=included)[0]


def test_an_amount_beyond_what_money_can_say_is_refused() -> None:
    dear = MenuItem(item="gold", name="Gold", station="bar", price_minor=10**12, currency="GBP")
    with pytest.raises(Refusal) as error:
        pricing.price_lines([line("gold", 2)], {"gold": dear})
    assert refused(error) is RefusalCode.INVALID


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_rounding_is_half_away_from_zero(numerator: int, denominator: int) -> None:
    got = pricing.rounded(numerator, denominator)
    exact = Fraction(numerator, denominator)
    assert abs(got - exact) <= Fraction(1, 2)
    assert pricing.rounded(-numerator, denominator) == -got
