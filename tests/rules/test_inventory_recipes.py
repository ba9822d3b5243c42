"""What a dish takes from the shelf, and which books of recipes are refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.inventory import BaseUnit
from services.inventory.recipes import DEEPEST, Book, Part, Recipe
from services.inventory.units import Measure, UnitMismatch, exactly, text, thousandths

GRAM, ML, EACH = (Measure(base) for base in (BaseUnit.GRAM, BaseUnit.MILLILITRE, BaseUnit.EACH))
SHELF = {
    "flour": GRAM,
    "water": ML,
    "tomato": Measure(BaseUnit.GRAM, piece_g=Decimal(120)),
    "box": EACH,
}


def part(name: str, amount: str, unit: str, waste: str = "0") -> Part:
    return Part(name, Decimal(amount), unit, Decimal(waste))


def book(*recipes: Recipe) -> Book:
    return Book({each.name: each for each in recipes}, SHELF)


DOUGH = Recipe("dough", (part("flour", "1", "kg"), part("water", "0.6", "l")), Decimal("1.6"), "kg")
SAUCE = Recipe("sauce", (part("tomato", "10", "each", "0.2"),), Decimal(1), "l")
PIZZA = Recipe(
    "pizza", (part("dough", "250", "g"), part("sauce", "80", "ml"), part("box", "1", "each"))
)


def test_a_dish_takes_what_its_parts_take_with_their_yield_and_waste() -> None:
    good = book(DOUGH, SAUCE, PIZZA)
    assert good.problems() == []
    assert good.takes("pizza") == {
        "box": 1000,
        "flour": 156_250,  # 250 g of 1,600 g that hold 1,000 g
        "tomato": 120_000,  # 80 ml of 1 l that takes 10 of 120 g, a fifth of which is peel
        "water": 93_750,
    }


def test_what_one_piece_takes_is_rounded_once_and_up() -> None:
    third = Recipe("bite", (part("flour", "1", "mg"),), Decimal(3))
    assert book(third).takes("bite") == {"flour": 1}
    plate = Recipe("plate", (part("bite", "3", "each"),))
    assert book(third, plate).takes("plate") == {"flour": 1}, "not three thirds rounded up"


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe("x", (part("flower", "1", "g"),)), "flower is neither an ingredient nor a recipe"),
        (Recipe("x", ()), "nothing goes in"),
        (Recipe("x", (part("flour", "-5", "g"),)), "above nothing"),
        (Recipe("x", (part("flour", "NaN", "g"),)), "above nothing"),
        (Recipe("x", (part("flour", "1", "g", "1"),)), "a share from 0 to below 1"),
        (Recipe("x", (part("flour", "1", "l"),)), "say what a millilitre of it weighs"),
        (Recipe("x", (part("water", "2", "each"),)), "each is not counted in ml"),
        (Recipe("x", (part("flour", "1", "handful"),)), "no unit that is known here"),
        (Recipe("x", (part("flour", "1", "g"),), Decimal(0)), "it yields 0"),
        (Recipe("x", (part("flour", "1", "g"),), Decimal(1), "bucket"), "no unit that is known"),
        (Recipe("box", (part("flour", "1", "g"),)), "is an ingredient too"),
    ],
)
def test_a_book_that_cannot_be_cooked_from_is_refused_with_why(recipe: Recipe, said: str) -> None:
    [problem] = book(recipe).problems()
    assert problem.recipe == recipe.name
    assert said in problem.text


def test_a_circle_is_told_of_once_with_its_whole_way() -> None:
    round_ = [
        Recipe(name, (part(below, "1", "each"), part("flour", "1", "g")))
        for name, below in (("c", "a"), ("a", "b"), ("b", "c"), ("outside", "a"))
    ]
    assert [each.text for each in book(*round_).problems()] == ["it contains itself: a > b > c > a"]


def test_a_recipe_that_contains_itself_is_a_circle_too() -> None:
    own = Recipe(
        "starter", (part("starter", "50", "g"), part("flour", "50", "g")), Decimal(100), "g"
    )
    assert [each.text for each in book(own).problems()] == ["it contains itself: starter > starter"]


@pytest.mark.parametrize(("depth", "problems"), [(DEEPEST, 0), (DEEPEST + 1, 1)])
def test_recipes_are_nested_so_deep_and_no_deeper(depth: int, problems: int) -> None:
    chain = [Recipe("r0", (part("flour", "1", "g"),))]
    chain += [Recipe(f"r{n}", (part(f"r{n - 1}", "1", "each"),)) for n in range(1, depth)]
    assert len(book(*chain).problems()) == problems


amounts = st.decimals("0.001", "5000", places=3)
masses = st.sampled_from(["mg", "g", "kg", "oz", "lb"])


@given(amounts, masses, masses)
def test_units_of_one_kind_convert_there_and_back_without_loss(
    amount: Decimal, one: str, other: str
) -> None:
    there = exactly(amount, one, GRAM)
    rate = exactly(Decimal(1), other, GRAM)
    assert there / rate * rate == there
    assert there == Fraction(amount) * exactly(Decimal(1), one, GRAM)


@given(st.integers(1, 40), st.integers(1, 500), st.integers(1, 500))
def test_a_batch_takes_what_its_pieces_take(pieces: int, grams: int, other: int) -> None:
    batch = Recipe(
        "batch", (part("flour", str(grams), "g"), part("water", str(other), "ml")), Decimal(pieces)
    )
    all_ = Recipe("all", (part("batch", str(pieces), "each"),))
    assert book(batch, all_).takes("all") == {"flour": grams * 1000, "water": other * 1000}


def test_more_than_a_restaurant_has_is_a_slip_of_the_unit() -> None:
    with pytest.raises(UnitMismatch, match="check the unit"):
        thousandths(Decimal(10**7), "t", GRAM)


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_no_quantity(odd: str) -> None:
    with pytest.raises(UnitMismatch, match="no quantity"):
        exactly(Decimal(odd), "g", GRAM)


@pytest.mark.parametrize(
    ("amount", "base", "said"),
    [
        (1_500_000, BaseUnit.GRAM, "1.5 kg"),
        (-2_000_000, BaseUnit.MILLILITRE, "-2 l"),
        (999_000, BaseUnit.GRAM, "999 g"),
        (12_000, BaseUnit.EACH, "12"),
        (500, BaseUnit.EACH, "0.5"),
        (0, BaseUnit.GRAM, "0 g"),
        (10_000_000_000, BaseUnit.GRAM, "10,000 kg"),
    ],
)
def test_quantities_are_said_as_people_say_them(amount: int, base: BaseUnit, said: str) -> None:
    assert text(amount, base) == said
