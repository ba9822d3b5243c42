"""The words of notices: every one that ships can be filled in, with the right money and times."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from schemas.orders import OrderChange
from services.notices.rendering import Unrenderable, money, render
from services.notices.sample import sample_snapshot
from services.notices.view import Money, view_of
from services.notices.words import (
    LANGUAGES,
    OTHER,
    PIECES,
    NoWords,
    Words,
    find,
    shipped,
    written_in,
)

NOW = datetime(2026, 7, 4, 18, 5, tzinfo=UTC)
ROME = ZoneInfo("Europe/Rome")
TOLD = ("placed", "accepted", "rejected", "ready", "out-for-delivery", "delivered", "cancelled",
        "voided", "paid", "payment-failed", "refunded")  # fmt: skip


def view(change: str = "ready", currency: str = "EUR", **order: Any) -> dict[str, Any]:
    snapshot = sample_snapshot(OrderChange(change), currency, "en", NOW)
    snapshot["order"] |= order
    return view_of(snapshot, house="Trattoria Roma", tenant="roma", change=change, at=NOW)


def plain(text: str) -> str:
    """With usual spaces: languages have several that do not break."""
    return re.sub("[\xa0\u202f]", " ", text)


def filled(source: str, language: str = "en", **more: Any) -> str:
    _, text = render(Words("x", source), language, ROME, view(**more))
    return plain(text).strip()


def test_every_language_has_words_for_every_change_that_people_are_told_of() -> None:
    for language in LANGUAGES:
        assert set(shipped(language)) == {*TOLD, OTHER, *PIECES}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("change", list(OrderChange))
def test_whatever_ships_can_be_filled_in(language: str, change: OrderChange) -> None:
    words, found = find({}, change.value, change.value, language)
    assert found == language
    bare: dict[str, Any] = {
        "guest": None,
        "payments": (),
        "reason": None,
        "lines": [],
        "tips_minor": 0,
    }
    full = {"reason": "no oven today", "due_minor": 500, "due_at": "2026-07-04T20:00:00Z"}
    for order in ({}, bare, full):
        headline, text = render(words, language, ROME, view(change.value, **order))
        assert "SAMPLE-1" in headline
        assert "\n" not in headline
        assert text.endswith("Trattoria Roma\n")
        for odd in ("None", "{{", "{%", "[]", "Money("):
            assert odd not in headline + text


@pytest.mark.parametrize(
    ("currency", "language", "written"),
    [
        ("JPY", "en", "¥1,235"),
        ("EUR", "de", "12,35 €"),
        ("EUR", "de-AT", "€ 12,35"),
        ("GBP", "en-GB", "£12.35"),
        ("EUR", "fr", "12,35 €"),
        ("KWD", "en", "KWD 1.235"),
        ("KWD", "es", "1,235 KWD"),
        ("AFN", "en", "AFN 12.35"),  # cash has none of its hundredths, and accounts do
        ("IQD", "en", "IQD 1.235"),
    ],
)
def test_money_has_the_decimals_of_its_currency(currency: str, language: str, written: str) -> None:
    locale = Locale.parse(language, sep="-")
    assert plain(money(Money(1_235, currency), locale)) == written
    assert plain(money(Money(-1_235, currency), locale)) != written


def test_times_are_those_of_the_houses_clock_in_the_guests_way() -> None:
    assert filled("{{ at }}", "de") == "04.07.26, 20:05"
    assert filled("{{ at | time }}", "en-GB") == "20:05"
    assert filled("{{ at | time }}", "en") == "8:05 PM"
    assert filled("{{ at | date }}", "fr") == "4 juillet 2026"
    assert filled("{{ at | moment('long') }}", "es").startswith("4 de julio de 2026")


def test_lists_are_joined_as_people_join_them() -> None:
    assert filled("{{ order.lines[0].allergens | listed }}", "en") == "gluten and milk"
    assert filled("{{ order.lines[0].allergens | listed }}", "de") == "gluten und milk"


def test_the_first_language_there_is_counts_and_in_it_the_houses_own() -> None:
    own = {("ready", "en"): Words("own", "own"), ("pager", "fr"): Words("bip", "bip")}
    assert find(own, "ready", "ready", "de") == (shipped("de")["ready"], "de")
    assert find(own, "ready", "ready", "it") == (own["ready", "en"], "en")
    assert find(own, "pager", "ready", "it") == (own["pager", "fr"], "fr")
    assert find({}, "served", "served", "es-MX") == (shipped("es")["other"], "es")
    for name in ("nothing", *PIECES):
        with pytest.raises(NoWords):
            find({}, name, "ready", "en")


def test_times_are_written_as_asked_where_the_words_are_of_that_language() -> None:
    assert written_in("en-GB", "en") == "en-GB"
    assert written_in("it", "en") == "en"


@pytest.mark.parametrize(
    "source",
    [
        "{{ order.missing }}",
        "{{ order.items() }}",
        "{{ range(10) }}",
        "{{ cycler('a') }}",
        "{{ order.number.format(1) }}",
        "{{ order.lines.append(1) }}",
        "{{ order.total.__class__ }}",
        "{{ 'x' * 10 }}",
        "{{ 'x' + 'y' }}",
        "{{ 2 ** 2 }}",
        "{{ '%9d' % 1 }}",
        "{{ at | time('as I like') }}",
        "{% include 'ready' %}",
        "{% import 'lines' as x %}{{ x.y() }}",
        "{% macro m() %}x{% endmacro %}{{ m() }}",
        "{{ 'x' | center(1000000000) }}",
        "{% set x = namespace(a=1) %}",
        "{{ self.__init__ }}",
        "{% set a = 'x' %}" + "{% set a = a ~ a %}" * 40,
        "{% set a %}{{ order.number }}{% endset %}",
        "{{ 'a' | replace('a', 'aaaaaaaaaa') }}",
        "{% for a in lines %}" * 3 + "x" + "{% endfor %}" * 3,
        "x" * 20_001,
    ],
)
def test_what_a_template_may_not_do_is_said_and_not_done(source: str) -> None:
    with pytest.raises(Unrenderable):
        filled(source)


def test_a_guests_own_words_are_never_taken_for_a_template() -> None:
    name = "{{ order.number }}{% raw %}"
    assert filled("{{ guest.name }}", guest={"name": name}) == name


def test_numbers_may_be_reckoned_with() -> None:
    assert filled("{{ (order.lines | length) * 2 + 1 }}") == "5"
    assert filled("{% for each in lines %}{{ loop.index }}{{ each.name }}{% endfor %}") == (
        "1Margherita"
    )
