"""What the kitchen reads in a menu: what an item is made of, how long it takes, its course."""

from __future__ import annotations

import pytest

from schemas.menu import Component, MenuItem
from services.menu.comparing import difference
from services.menu.importing import Unreadable, read_menu

DOUBLE = (Component(component="patty", quantity=2), Component(component="bun"))


def read(text: str, kind: str = "yaml") -> MenuItem:
    (item,) = read_menu(text, kind=kind, currency="GBP")
    return item


def burger(more: str) -> str:
    return f"- {{name: Burger, station: grill, price: 9, {more}}}"


@pytest.mark.parametrize(
    "written", ["{patty: 2, bun: 1}", "[2 patty, bun]", "2 patty|bun", "[2  patty, 1 bun]"]
)
def test_what_an_item_is_made_of_may_be_written_in_several_ways(written: str) -> None:
    assert read(burger(f"components: {written}")).components == DOUBLE


def test_time_and_course_are_read_and_may_be_left_out() -> None:
    said = read(burger("prep_s: 240, course: 2"))
    assert (said.prep_s, said.course) == (240, 2)
    silent = read(burger("category: Mains"))
    assert (silent.components, silent.prep_s, silent.course) == ((), None, 1)


def test_a_table_has_columns_for_them() -> None:
    text = "name,station,price,components,prep_s,course\nBurger,grill,9,2 patty|bun,240,2\n"
    item = read(text, "csv")
    assert (item.components, item.prep_s, item.course) == (DOUBLE, 240, 2)
    assert read("name,station,price,components,prep_s,course\nTea,bar,2,,,\n", "csv").prep_s is None


def test_a_modifier_brings_components_of_its_own() -> None:
    groups = "groups: [{name: More, modifiers: [{name: Extra patty, components: {patty: 1}}]}]"
    (group,) = read(burger(groups)).groups
    assert group.modifiers[0].components == (Component(component="patty"),)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("prep_s: -5", "item 1 (burger): prep_s is '-5': it is whole seconds from 1 to 14400"),
        ("prep_s: 0", "prep_s is '0': it is whole seconds from 1"),
        ("prep_s: 1.5", "prep_s is '1.5'"),
        ("prep_s: 14401", "prep_s is '14401'"),
        ("course: 0", "item 1 (burger): course is '0': it is a number from 1 to 9"),
        ("course: 10", "course is '10'"),
        ("components: {patty: 0}", "patty is '0' times in it: it is a number from 1 to 1000"),
        ("components: {patty: -1}", "patty is '-1' times in it"),
        ("components: {patty: [1]}", "patty is ['1'] times in it"),
        ("components: [bun, 2 bun]", "bun stands there twice"),
        ("components: Beef Patty", "'Beef Patty': components are names with quantities"),
        ("components: {Beef: 1}", "'Beef' is no name"),
        (
            "groups: [{name: M, modifiers: [{name: x, components: {P: 1}}]}]",
            "group m: x: 'P' is no name",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(more: str, says: str) -> None:
    with pytest.raises(Unreadable) as error:
        read(burger(more))
    (said,) = error.value.complaints
    assert says in said


def test_a_change_of_them_is_told_before_it_is_made() -> None:
    before = read(burger("components: {patty: 1}"))
    after = read(burger("components: {patty: 2}, prep_s: 240, course: 2"))
    (changed,) = difference([before], [after], replace=False)
    assert changed.what == "components 1 patty → 2 patty, prep_s none → 240, course 1 → 2"
