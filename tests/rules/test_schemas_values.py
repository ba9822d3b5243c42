"""Names, ids and money: the small values that everything stands on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import derived_id, is_reserved, is_slug, new_id, reserved, slug
from schemas.money import digits, to_minor, to_text

moments = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2200, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.just(UTC),
)


@given(st.text())
def test_a_slug_of_any_text_may_stand_in_a_topic(text: str) -> None:
    assert is_slug(slug(text))


@given(st.text())
def test_a_slug_of_a_slug_is_itself(text: str) -> None:
    assert slug(slug(text)) == slug(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Chicken Tikka (1/4)", "chicken-tikka-1-4"),
        ("  --Chips--  ", "chips"),
        ("+/#", slug("+/#")),
        ("x" * 80, "x" * 64),
    ],
)
def test_a_slug_reads_like_its_text(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_texts_without_a_latin_letter_get_names_of_their_own() -> None:
    assert slug("寿司") != slug("天ぷら")


@pytest.mark.parametrize("name", ["", "A", "a.b", "a b", "a\n", "é", "+", "#", "x" * 65, "a/b"])
def test_what_is_no_slug_is_told(name: str) -> None:
    assert not is_slug(name)


@given(moments, st.lists(st.text(), max_size=3))
def test_a_derived_id_is_a_uuid_of_version_7_with_its_time(at: datetime, parts: list[str]) -> None:
    found = derived_id(at, *parts)
    assert found.version == 7
    assert found.variant == "specified in RFC 4122"
    assert found.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert found == derived_id(at, *parts)


@given(moments, st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_other_parts_give_another_id(at: datetime, one: list[str], other: list[str]) -> None:
    assert (derived_id(at, *one) == derived_id(at, *other)) == (one == other)


def test_new_ids_are_of_version_7_and_ordered() -> None:
    made = [new_id() for _ in range(1000)]
    assert made == sorted(set(made))
    assert {id_.version for id_ in made} == {7}


@given(st.integers(0, 10**12), st.sampled_from(["GBP", "JPY", "KWD", "EUR"]))
def test_money_is_read_back_as_it_was_written(minor: int, currency: str) -> None:
    amount, code = to_text(minor, currency).split()
    assert (to_minor(amount, currency), code) == (minor, currency)


@pytest.mark.parametrize(
    ("currency", "places", "text"),
    [("GBP", 2, "3.95 GBP"), ("JPY", 0, "395 JPY"), ("KWD", 3, "0.395 KWD")],
)
def test_money_has_the_decimals_of_its_currency(currency: str, places: int, text: str) -> None:
    assert digits(currency) == places
    assert to_text(395, currency) == text


@pytest.mark.parametrize(
    "text", ["", "x", "NaN", "Infinity", "-1", "0.001", "1e13", "1,50", "£3", "sNaN", "--1"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is"):
        to_minor(text, "GBP")


@given(st.text())
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    try:
        assert 0 <= to_minor(text, "GBP") <= 10**12
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017 - most texts are refused, some are not


@given(moments, st.lists(st.text(), max_size=3))
def test_an_id_in_the_services_own_form_is_another_one_and_tells_the_same_time(
    at: datetime, parts: list[str]
) -> None:
    made = derived_id(at, *parts)
    ours = reserved(made)
    assert (made.version, ours.version, ours.variant) == (7, 8, made.variant)
    assert is_reserved(ours)
    assert not is_reserved(made)
    assert not is_reserved(new_id())
    assert ours.int >> 80 == made.int >> 80
    assert reserved(ours) == ours
