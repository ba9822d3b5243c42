"""A book of items, recipes and suppliers in files: whole, or with every place that is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.inventory import BaseUnit, Pack
from schemas.kitchen_rules import Weekday
from schemas.menu import ChosenModifier
from schemas.orders import OrderLine
from schemas.suppliers import Supplier
from services.inventory.book_files import Source
from services.inventory.book_reading import read_book
from services.inventory.recipes import Part
from services.inventory.stock_book import made
from services.inventory.whole_book import WholeBook
from services.inventory.written import Written

NO_WEIGHT = "kg is not counted in ml: say what a millilitre of it weighs"
NOTHING = WholeBook({}, {}, {})

PIZZERIA = """
currency: GBP
suppliers:
  - name: Molino Rossi
    email: orders@rossi.example
    lead_days: 2
    delivery_days: [Tue, friday]
    minimum: 80
items:
  flour: {name: Flour 00, unit: g, par: 50 kg, low: 12.5 kg, critical: 5 kg,
          packs: [{supplier: molino-rossi, holds: 2 x 12.5 kg, price: 21.50, name: sack}]}
  water: {unit: ml}
  tomato: {name: Tomatoes, unit: g, piece: 120 g}
  oil: {unit: ml, litre: 0.92 kg}
  cola: {unit: each, sells: 1, place: bar}
recipes:
  dough:
    yields: 1.6 kg
    parts: {flour: 1 kg, water: 0.6 l, oil: 20 g}
  sauce:
    yields: 1 l
    parts: {tomato: {amount: 10, waste: 20%}}
  margherita:
    name: Margherita
    parts:
      - {part: dough, amount: 250 g}
      - {part: sauce, amount: 80 ml}
modifiers:
  extra-sauce: {parts: {sauce: 40 ml}}
  no-oil: {leaves_out: [oil]}
"""


def read(text: str, kind: str = "yaml", name: str = "book.yaml") -> Written:
    return read_book([Source(name, text, kind)], currency="GBP")


def whole(*sources: Source) -> WholeBook:
    written = read_book(sources, currency="GBP")
    book = NOTHING.with_files(written, (), replace=True)
    assert [*written.complaints, *book.wrong(written)] == []
    return book


def complaints(text: str, kind: str = "yaml") -> list[str]:
    written = read(text, kind, "b")
    return [
        *written.complaints,
        *NOTHING.with_files(written, (), replace=True).wrong(written),
    ]


def test_a_book_says_what_is_bought_kept_made_and_sold() -> None:
    book = whole(Source("book.yaml", PIZZERIA))
    assert book.suppliers["molino-rossi"] == Supplier(
        supplier="molino-rossi",
        name="Molino Rossi",
        email="orders@rossi.example",
        lead_days=2,
        delivery_days=(Weekday.TUE, Weekday.FRI),
        minimum_minor=8000,
    )
    flour, oil = book.items["flour"], book.items["oil"]
    assert (flour.name, flour.unit, flour.par) == ("Flour 00", BaseUnit.GRAM, 50_000_000)
    assert (flour.low, flour.critical) == (12_500_000, 5_000_000)
    sack = Pack(supplier="molino-rossi", holds=25_000_000, price_minor=2150, name="sack")
    assert flour.packs == (sack,)
    assert (oil.g_per_ml, book.items["tomato"].piece_g) == (Decimal("0.92"), Decimal(120))
    assert (book.items["cola"].place, flour.place) == ("bar", "kitchen")
    assert book.recipes["sauce"].recipe.parts == (
        Part("tomato", Decimal(10), "each", Decimal("0.2")),
    )
    takes = book.takes()
    assert takes["margherita"] == {
        "flour": 156_250,
        "oil": 3397,  # 20 g of oil are 21.74 ml, of which 250 g of 1,600 g of dough hold a part
        "tomato": 120_000,
        "water": 93_750,
    }
    assert takes["cola"] == {"cola": 1000}
    assert takes["with:extra-sauce"] == {"tomato": 60_000}
    assert (takes["with:no-oil"], book.recipes["with:no-oil"].leaves_out) == ({}, ("oil",))


def test_the_book_in_the_documents_can_be_imported() -> None:
    document = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(yaml|csv)\n(.*?)```", document, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["yaml", "csv"]
    book = whole(Source("docs", blocks[0][1]))
    assert set(book.takes()["margherita"]) == {"flour", "oil", "tomato", "water"}
    rows = read(blocks[1][1], "csv")
    assert rows.complaints == ()
    assert rows.recipes["sauce"].recipe.parts == book.recipes["sauce"].recipe.parts


def test_what_no_guest_can_order_by_the_piece_takes_nothing_by_itself() -> None:
    assert whole(Source("book.yaml", PIZZERIA)).takes()["dough"] == {}


SAUCES = """
items: {egg: {unit: each}, oil: {unit: ml}, tomato: {unit: g}, bun: {unit: each}}
recipes:
  mayonnaise: {yields: 1 l, parts: {egg: 4, oil: 900 ml}}
  sauce: {yields: 1 l, parts: {mayonnaise: 500 ml, tomato: 600 g}}
  burger: {parts: {bun: 1, egg: 1, sauce: 30 ml, mayonnaise: 10 ml}}
  feast: {parts: {burger: 2, oil: 5 ml}}
modifiers:
  no-mayonnaise: {leaves_out: [mayonnaise]}
  no-sauce: {leaves_out: [sauce, bun]}
"""


def test_a_modifier_that_leaves_out_a_part_saves_what_the_part_brings_and_no_more() -> None:
    book = whole(Source("b", SAUCES))
    takes, spares = book.takes(), book.spares()
    assert takes["burger"] == {"bun": 1000, "egg": 1100, "oil": 22_500, "tomato": 18_000}
    assert spares == {
        "with:no-mayonnaise": {
            "burger": {"egg": 100, "oil": 22_500},
            "feast": {"egg": 200, "oil": 45_000},
        },
        "with:no-sauce": {
            "burger": {"egg": 60, "oil": 13_500, "tomato": 18_000},
            "feast": {"egg": 120, "oil": 27_000, "tomato": 36_000},
        },
    }
    assert takes["feast"]["oil"] - spares["with:no-mayonnaise"]["feast"]["oil"] == 5000


@pytest.mark.parametrize(
    ("chosen", "takes"),
    [
        ((), {"bun": 2000, "egg": 2200, "oil": 45_000, "tomato": 36_000}),
        (("no-mayonnaise",), {"bun": 2000, "egg": 2000, "tomato": 36_000}),
        (("no-sauce",), {"egg": 2080, "oil": 18_000}),
        (("rye",), {"bun": 2000, "egg": 2200, "oil": 45_000, "tomato": 36_000}),
    ],
)
def test_an_order_takes_its_dishes_without_what_its_guests_left_out(
    chosen: Sequence[str], takes: dict[str, int]
) -> None:
    book = whole(Source("b", SAUCES))
    left_out = {name: each.leaves_out for name, each in book.recipes.items() if each.leaves_out}
    stock = made(1, book.items, book.takes(), left_out, book.spares())
    line = OrderLine(
        line=1,
        item="burger",
        name="Burger",
        quantity=2,
        unit_minor=0,
        total_minor=0,
        station="grill",
        modifiers=tuple(ChosenModifier(modifier=each, name=each) for each in chosen),
    )
    assert stock.of_line(line) == takes


def test_tables_say_the_same_as_yaml() -> None:
    tables = {
        "suppliers.csv": "supplier,name,email,lead_days,delivery_days,minimum\n"
        "molino-rossi,Molino Rossi,orders@rossi.example,2,tue|fri,80\n",
        "items.csv": "\ufeffItem,name,unit,piece,litre,place,par,low,critical,sells,"
        "supplier,holds,price,pack\n"
        "flour,Flour 00,g,,,,50 kg,12.5 kg,5 kg,,molino-rossi,2 x 12.5 kg,21.50,sack\n"
        "water,,ml,,,,,,,,,,,\n"
        "tomato,Tomatoes,g,120 g,,,,,,,,,,\n"
        "oil,,ml,,0.92 kg,,,,,,,,,\n"
        "cola,,each,,,bar,,,,1,,,,\n",
        "recipes.csv": "recipe,name,yields,part,amount,waste\n"
        "dough,,1.6 kg,flour,1 kg,\n"
        "margherita,Margherita,,dough,250 g,\n"
        "dough,,,water,0.6 l,\n"
        "dough,,,oil,20 g,\n"
        "sauce,,1 l,tomato,10,0.2\n"
        "margherita,,,sauce,80 ml,\n",
        "modifiers.csv": "modifier,leaves_out,part,amount\n"
        "extra-sauce,,sauce,40 ml\n"
        "\n"
        "no-oil,oil,,\n",
    }
    book = whole(*(Source(name, text, "csv") for name, text in tables.items()))
    assert book == whole(Source("book.yaml", PIZZERIA))


def test_an_item_in_several_rows_has_several_packs() -> None:
    rows = "item,unit,supplier,holds,price\nrice,g,a,5 kg,8\nrice,,b,1 kg,2\n"
    suppliers = Source("s.csv", "supplier\na\nb\n", "csv")
    rice = whole(Source("i.csv", rows, "csv"), suppliers).items["rice"]
    assert [(each.supplier, each.holds) for each in rice.packs] == [("a", 5 * 10**6), ("b", 10**6)]


def test_everything_that_is_wrong_is_told_with_its_line() -> None:
    said = complaints("""
items:
  - {item: flour, unit: g, packs: {supplier: dairy, holds: 1 kg, price: 1}}
  - {item: Salt, unit: g}
  - {item: pepper, unit: kilo}
  - {item: cheese, unit: g, low: 2 kg, low_clear: 1 kg, brand: Best}
  - {item: ham, unit: g, par: a lot}
  - {item: ham, unit: g}
  - {item: milk, unit: ml, packs: [{supplier: dairy, holds: 1 l, price: 1.00}, {holds: 2 kg}]}
recipes:
  - recipe: pizza
    yields: 0
    parts:
      flour: 250 g
      flower: 1 g
      milk: 3 kg
      pepper: 5 g
      ham: -1 g
      cheese: {amount: 20 g, waste: 100%}
  - {recipe: air}
  - {recipe: bread, parts: {flour: 1 handful}}
modifiers:
  - {modifier: nothing}
  - {modifier: no-air, leaves_out: [bread, fire, air]}
""")
    for expected in (
        "b, line 4: 'Salt' is no name: lower-case letters, digits and hyphens, as 'salt'",
        "b, line 5: 'kilo': an item is counted in g, ml or each",
        "b, line 6: brand: there are item, name",
        "b, line 7: par: 'a lot' is no quantity: write it as 1.5 kg, 20 ml or 3",
        "b, line 8: the item ham stands there twice: see b, line 7",
        "b, line 9: a pack needs supplier",
        f"b, line 9: holds: {NO_WEIGHT}",
        "b, line 3: flour: there is no supplier dairy",
        "b, line 18: '-1 g' is no quantity",
        "b, line 19: waste: '100%' is no share",
        "b, line 20: air: nothing goes in",
        "b, line 21: bread: flour: 'handful' is no unit that is known here: use mg, g, kg",
        "b, line 23: nothing: it changes nothing",
        "b, line 24: no-air: it leaves out fire, which is neither an item nor a recipe",
    ):
        assert any(expected in each for each in said), (expected, said)
    assert not any("pepper is neither" in each for each in said), "it is named, and told of"


def test_what_is_wrong_with_a_recipe_is_told_of_where_its_part_stands() -> None:
    assert complaints("""
items: {flour: {unit: g}, milk: {unit: ml}}
recipes:
  pizza:
    parts:
      flour: 250 g
      flower: 1 g
      milk: 3 kg
""") == [
        "b, line 7: pizza: flower is neither an ingredient nor a recipe",
        f"b, line 8: pizza: milk: {NO_WEIGHT}, or use a unit of ml",
    ]


def test_a_circle_is_named_in_full_beside_all_else_that_is_wrong() -> None:
    said = complaints("""
items: {flour: {unit: g}}
recipes:
  - {recipe: sauce, yields: 1 l, parts: {stock: 1 l}}
  - {recipe: stock, yields: 1 l, parts: {roux: 100 g}}
  - {recipe: roux, yields: 1 kg, parts: {flour: 500 g, sauce: 10 ml}}
  - {recipe: bread, parts: {rye: 1 kg}}
""")
    assert said == [
        "b, line 7: bread: rye is neither an ingredient nor a recipe",
        "b, line 6: roux: it contains itself: roux > sauce > stock > roux",
    ]


def test_recipes_nested_without_end_are_refused_and_harm_nobody() -> None:
    chain = "".join(f"  r{n}: {{parts: {{r{n + 1}: 1}}}}\n" for n in range(3000))
    said = complaints(
        f"items: {{salt: {{unit: g}}}}\nrecipes:\n{chain}  r3000: {{parts: {{salt: 1 g}}}}\n"
    )
    assert "r0: its parts are nested deeper than 16: take one of them apart" in said[-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "b: there is nothing in it"),
        ("- flour", "b: a book has currency, suppliers, items, recipes, modifiers"),
        ("items: [\n", "b, line 2: did not find"),
        ("item: []", "b, line 1: item: there are currency, suppliers, items"),
        ("currency: EUR", "b, line 1: the file says EUR, the tenant has GBP"),
        ("items: {a: {unit: g}, a: {unit: g}}", "b, line 1: a stands there twice"),
        ("items: {a: {unit: g, unit: ml}}", "b, line 1: unit stands there twice"),
        ("items: {a: g}", "b, line 1: a: names with values stand below a name"),
        ("items: flour", "b, line 1: this is a list, or names with what they are"),
        ("items: [flour]", "b, line 1: it is names with values: item, name, unit"),
        ("items: [{unit: g}]", "b, line 1: it needs a name"),
        ("items: {a: {unit: [g]}}", "b, line 1: unit is one word, not a list"),
        ("items: &a [*a]", "b, line 1: nothing before it is called &a"),
        ("items: " + "[" * 100_000, "b, line 1: it is nested too deeply"),
        ("items: {a: {unit: g, low: 9999999999 t}}", "more than a restaurant has"),
        ("items: {a: {unit: g, low: 12345678901234567890 t}}", "is no quantity"),
        ("items: {a: {unit: g, low: 1 kg, critical: 2 kg}}", "critical must be below low"),
        ("items: {a: {unit: g, piece: 0 g}}", "piece: 0 g is nothing: what does it weigh?"),
        ("items: {a: {unit: each, par: 3 kg}}", "say what a piece of it weighs"),
        ("suppliers: {a: {lead_days: soon}}", "lead_days: 'soon' is no number up to 365"),
        ("suppliers: {a: {lead_days: 61}}", "less than or equal to 60"),
        ("suppliers: {a: {delivery_days: [someday]}}", "delivery_days.0: Input should be 'mon'"),
        ("suppliers: {a: {minimum: 1.005}}", "minimum: '1.005' is finer than GBP can pay"),
        ("suppliers: {a: {email: nobody}}", "email: String should match"),
        ("items: {a: {unit: each, sells: 1}}\nrecipes: {a: {parts: {a: 1}}}", "stands there twice"),
        ("recipes: {a: {parts: flour}}", "parts are names with how much of each goes in"),
        ("recipes: {a: {parts: [{amount: 1 g}]}}", "a part needs the name of what goes in"),
        ("recipes: {a: {parts: [{part: b}]}}", "b: say how much goes in"),
        ("recipes: {a: {parts: {b: 1,5 kg}}}", "5 kg: say how much goes in"),
    ],
)
def test_bad_yaml_is_told_of_in_words(text: str, said: str) -> None:
    found = complaints(text)
    assert any(said in each for each in found), found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "b, line 1: a table has a column item, recipe, modifier or supplier"),
        ("item,unit,colour\nflour,g,white", "b, line 1: colour: there are item, name"),
        ("item,item\na,b", "b, line 1: item: each column once"),
        ("item,unit\nflour,g\nsalt", "b, line 3: it has 1 columns, and the first line 2"),
        ("item,unit\n,g", "b, line 2: it names no item"),
        ("item,unit\na,g\na,ml", "b, line 3: a: unit is 'ml' here, and 'g' above"),
        ('item,unit\n"a', "b, line 2: unexpected end of data"),
        ("recipe,part,amount\npizza,flour,1 kg\n", "b, line 2: pizza: flour is neither"),
    ],
)
def test_bad_tables_are_told_of_in_words(text: str, said: str) -> None:
    found = complaints(text, "csv")
    assert any(said in each for each in found), found
