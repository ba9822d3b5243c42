"""A menu in a file: read whole, or not at all and with every place that is wrong."""

from __future__ import annotations

import pytest

from cli.demo import demo_menu
from schemas.menu import MAX_DEPTH, MenuItem, Modifier, ModifierGroup
from services.menu.comparing import choices, difference
from services.menu.importing import Unreadable, read_menu

BURGER = """
- name: Burger
  station: grill
  price: 9.50
  tax: reduced
  allergens: [gluten, egg]
  groups:
    - name: How done
      least: 1
      modifiers: [Rare, {name: Well done}]
    - group: sides
      most: 3
      modifiers:
        - name: Fries
          price: 2.5
          groups:
            - name: Sauces
              most: 2
              modifiers:
                - {name: Aioli, price: 0.50, allergens: egg|mustard}
        - {modifier: no-bun, name: Without bun, removes: [gluten]}
"""


def read(text: str, kind: str = "yaml", currency: str = "GBP") -> list[MenuItem]:
    return read_menu(text, kind=kind, currency=currency)


def complaints(text: str, kind: str = "yaml") -> tuple[str, ...]:
    with pytest.raises(Unreadable) as error:
        read(text, kind)
    return error.value.complaints


def test_choices_stand_in_each_other_with_their_prices_and_allergens() -> None:
    (burger,) = read(BURGER)
    assert (burger.tax, burger.allergens) == ("reduced", ("gluten", "egg"))
    aioli = Modifier(modifier="aioli", name="Aioli", price_minor=50, allergens=("egg", "mustard"))
    sauces = ModifierGroup(group="sauces", name="Sauces", most=2, modifiers=(aioli,))
    assert burger.groups == (
        ModifierGroup(
            group="how-done",
            name="How done",
            least=1,
            most=1,
            modifiers=(
                Modifier(modifier="rare", name="Rare"),
                Modifier(modifier="well-done", name="Well done"),
            ),
        ),
        ModifierGroup(
            group="sides",
            most=3,
            modifiers=(
                Modifier(modifier="fries", name="Fries", price_minor=250, groups=(sauces,)),
                Modifier(modifier="no-bun", name="Without bun", removes=("gluten",)),
            ),
        ),
    )


def test_a_table_has_columns_for_tax_and_allergens() -> None:
    text = "name,station,price,tax,allergens\nAle,bar,5,drinks,gluten|sulphites\nTea,bar,2,,\n"
    ale, tea = read(text, "csv")
    assert (ale.tax, ale.allergens) == ("drinks", ("gluten", "sulphites"))
    assert (tea.tax, tea.allergens, tea.groups) == (None, (), ())


def test_groups_in_a_table_are_pointed_to_yaml() -> None:
    (said,) = complaints("name,station,price,groups\nAle,bar,5,x\n", "csv")
    assert said == "line 1: groups of modifiers need YAML: a table has no room for them"


def groups_of(text: str) -> str:
    return f"- {{name: Burger, station: grill, price: 9, groups: {text}}}"


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ("x", "item 1 (burger): groups are a list"),
        ("[x]", "item 1 (burger): group 1: it is names with values: group, name, least"),
        ("[{name: Side}]", "item 1 (burger): group side: it needs a list of modifiers"),
        ("[{modifiers: [x]}]", "item 1 (burger): group 1: it needs a group or a name"),
        ("[{name: Side, modifiers: []}]", "group side: it needs a list of modifiers"),
        ("[{name: Side, most: 0, modifiers: [x]}]", "group side: most: "),
        ("[{name: Side, most: -1, modifiers: [x]}]", "most: '-1' is no number from 0 to 64"),
        ("[{name: Side, least: 2, most: 1, modifiers: [x]}]", "least is 2, more than most"),
        ("[{name: Side, least: [2], modifiers: [x]}]", "least: this is one word, not a list"),
        ("[{name: Side, price: 2, modifiers: [x]}]", "group 1: price: there are group, name"),
        ("[{name: Side, modifiers: [{price: 1}]}]", "modifier 1: it needs a modifier or a name"),
        ("[{name: Side, modifiers: [{name: A, price: 1.234}]}]", "group side: a: price: '1.234'"),
        ("[{name: Side, modifiers: [{name: A, price: -1}]}]", "group side: a: price: '-1' is out"),
        ("[{name: Side, modifiers: [{modifier: A B}]}]", "group side: A B: modifier: 'A B' is no"),
        ("[{name: Side, modifiers: [{name: A, allergens: [Nuts!]}]}]", "'Nuts!' is no name"),
        ("[{name: Side, modifiers: [{name: A, allergens: {x: y}}]}]", "a: allergens: it is a list"),
        ("[{name: Side, modifiers: [x, x]}]", "item 1 (burger): the modifier x stands there 2"),
        (
            "[{name: A, modifiers: [x]}, {name: B, modifiers: [x]}]",
            "item 1 (burger): the modifier x stands there 2 times",
        ),
        (
            "[{name: A, modifiers: [x]}, {name: A, modifiers: [y]}]",
            "item 1 (burger): the group a stands there 2 times",
        ),
    ],
)
def test_what_is_wrong_with_a_choice_is_told_with_its_place(groups: str, says: str) -> None:
    told = complaints(groups_of(groups))
    assert any(says in each for each in told), told


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = "[{name: A, modifiers: [{name: x, price: z}, {price: 1}]}, {name: B, modifiers: q}]"
    told = complaints(groups_of(wrong) + "\n- {name: Tea, station: Bar, price: nothing}")
    assert len(told) == 4


def nested(depth: int) -> str:
    text = "[{name: End, modifiers: [x]}]"
    for level in range(depth - 1):
        text = f"[{{name: Level {level}, modifiers: [{{name: M, groups: {text}}}]}}]"
    return groups_of(text)


def test_choices_may_stand_as_deep_as_an_order_may_name_them_and_no_deeper() -> None:
    (item,) = read(nested(MAX_DEPTH))
    assert len(list(choices(item.groups, "GBP"))) == 2 * MAX_DEPTH
    (said,) = complaints(nested(MAX_DEPTH + 1))
    assert said.endswith(f"modifiers stand no deeper than {MAX_DEPTH} in each other")


def test_a_choice_that_stands_in_itself_is_told_not_followed_for_ever() -> None:
    text = (
        "- name: Burger\n  station: grill\n  price: 9\n  groups: &again\n"
        "    - {name: A, modifiers: [{name: M, groups: *again}]}\n"
    )
    assert complaints(text) == ("line 4: found unconstructable recursive node",)


def test_a_few_lines_that_mean_millions_of_choices_are_refused_at_once() -> None:
    text = "- {name: Tea, station: bar, price: 1, groups: &l0 [{name: A, modifiers: [x]}]}\n"
    for level in range(1, MAX_DEPTH):
        inner = ", ".join(f"{{name: m-{at}, groups: *l{level - 1}}}" for at in range(64))
        groups = ", ".join(
            f"{{name: g-{at}, modifiers: [{inner.replace('m-', f'm-{at}-')}]}}" for at in range(16)
        )
        text += f"- {{name: T{level}, station: bar, price: 1, groups: &l{level} [{groups}]}}\n"
    assert all("has more than 2000 modifiers" in each for each in complaints(text))


def test_an_item_that_no_till_could_hold_is_refused() -> None:
    some = ", ".join(f"{{modifier: m-{at}, name: {'x' * 120}}}" for at in range(64))
    groups = ", ".join(
        f"{{name: G {at}, modifiers: [{some.replace('m-', f'm-{at}-')}]}}" for at in range(16)
    )
    (said,) = complaints(groups_of(f"[{groups}]"))
    assert "one message holds 131072" in said


def test_a_change_of_choices_is_told_by_the_path_that_leads_to_it() -> None:
    old = read(BURGER)
    new = read(
        BURGER.replace("price: 2.5", "price: 3")
        .replace("price: 0.50", "price: 0.60")
        .replace("Rare, ", "Rare, Medium, ")
        .replace("[gluten, egg]", "[gluten]")
        .replace("tax: reduced", "tax: standard")
        .replace("        - {modifier: no-bun, name: Without bun, removes: [gluten]}\n", "")
    )
    (changed,) = difference(old, new, replace=False)
    assert changed.what.split(", ") == [
        "tax reduced → standard",
        "allergens gluten + egg → gluten",
        "+ how-done > medium: Medium",
        "sides > fries: Fries +2.50 GBP → Fries +3.00 GBP",
        "sides > fries > sauces > aioli: Aioli +0.50 GBP",
        "with egg + mustard → Aioli +0.60 GBP",
        "with egg + mustard",
        "- sides > no-bun",
    ]


def test_choices_that_came_or_went_with_their_group_are_told_once() -> None:
    bare = read("- {name: Burger, station: grill, price: 9.50, tax: reduced, "
                "allergens: [gluten, egg]}")  # fmt: skip
    (came,) = difference(bare, read(BURGER), replace=False)
    assert came.what == "+ how-done: How done (choose 1), + sides: sides (choose 0 to 3)"
    (went,) = difference(read(BURGER), bare, replace=False)
    assert went.what == "- how-done, - sides"


def test_another_order_of_the_same_choices_is_a_change_too() -> None:
    (changed,) = difference(
        read(BURGER),
        read(BURGER.replace("[Rare, {name: Well done}]", "[Well done, Rare]")),
        replace=True,
    )
    assert changed.what == "its choices stand in another order"


def test_the_demo_has_choices_in_choices_and_what_is_in_them() -> None:
    menu = {item.item: item for item in demo_menu()}
    drawn = list(choices(menu["burger"].groups, "GBP"))
    assert "  Fries +2.50 GBP" in drawn
    assert "      Aioli +0.50 GBP, with egg" in drawn
    assert menu["burger"].allergens
    assert all(group.least == 0 for group in menu["burger"].groups), "burger=2 must do"
