"""Suggestions: enough until the delivery after the next one, in whole packs, with reasons."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.inventory import BaseUnit, Lot, Pack, StockItem, StockLevel
from schemas.kitchen_rules import Weekday
from schemas.suppliers import Supplier
from services.inventory.arrivals import next_two
from services.inventory.forecast import SLOTS, Profile, expected_use
from services.inventory.suggesting import OnItsWay, Shelf, Suggestions, spoils, suggest

UTC_ZONE = ZoneInfo("UTC")
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)
KILO = 1_000_000
BUTCHER = Supplier(supplier="butcher", name="Butcher", lead_days=1)
TUESDAYS_AND_FRIDAYS = BUTCHER.model_copy(
    update={"delivery_days": (Weekday.TUE, Weekday.FRI), "lead_days": 2}
)
PACK = Pack(supplier="butcher", holds=2 * KILO, price_minor=2500, name="2 kg")
DAILY_KILO = Profile((KILO / 24,) * SLOTS, UTC_ZONE, 10)


def beef(
    on_hand: int,
    *,
    par: int | None = None,
    packs: tuple[Pack, ...] = (PACK,),
    counted: bool = True,
    reserved: int = 0,
    name: str = "beef",
) -> tuple[StockItem, StockLevel]:
    item = StockItem(item=name, name=name.title(), unit=BaseUnit.GRAM, par=par, packs=packs)
    figures = {"on_hand": on_hand, "reserved": reserved, "damaged": 0, "planned": 0}
    level = StockLevel(
        item=name,
        unit=BaseUnit.GRAM,
        **figures,
        available=on_hand - reserved,
        counted=counted,
        changed_at=MONDAY,
    )
    return item, level


def of(*shelves: Shelf, supplier: Supplier = BUTCHER, now: datetime = MONDAY) -> Suggestions:
    return suggest(shelves, {"butcher": supplier}, now, UTC_ZONE, "GBP")


def packs_of(found: Suggestions) -> dict[str, int]:
    return {line.item.item: line.packs for basket in found.baskets for line in basket.lines}


@pytest.mark.parametrize(
    ("supplier", "ordered", "comes", "then"),
    [
        (BUTCHER, date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)),
        (TUESDAYS_AND_FRIDAYS, date(2026, 11, 23), date(2026, 11, 27), date(2026, 12, 1)),
        (TUESDAYS_AND_FRIDAYS, date(2026, 11, 25), date(2026, 11, 27), date(2026, 12, 1)),
        (TUESDAYS_AND_FRIDAYS, date(2026, 11, 26), date(2026, 12, 1), date(2026, 12, 4)),
    ],
)
def test_things_come_on_the_suppliers_days_after_their_lead_time(
    supplier: Supplier, ordered: date, comes: date, then: date
) -> None:
    assert next_two(supplier, ordered) == (comes, then)


def test_what_lasts_until_the_delivery_after_the_next_is_not_bought() -> None:
    # Tomorrow's delivery, or the day after's: three days of use, and 15 % of the two after it.
    assert packs_of(of(Shelf(*beef(3_300_000), profile=DAILY_KILO))) == {}
    assert packs_of(of(Shelf(*beef(3_299_000), profile=DAILY_KILO))) == {"beef": 1}


def test_what_is_missing_is_bought_in_whole_packs_and_says_why() -> None:
    found = of(Shelf(*beef(500_000), profile=DAILY_KILO), supplier=TUESDAYS_AND_FRIDAYS)
    (basket,) = found.baskets
    (line,) = basket.lines
    assert basket.arrives_on == date(2026, 11, 27)
    assert (line.packs, line.cost_minor, line.urgent) == (3, 7500, True)
    assert line.reasons == (
        "500 g is usable",
        "4 kg is used until it comes on Fri 27 Nov",
        "5 kg is used between this delivery and that of Tue 1 Dec",
        "750 g more, for weeks differ",
        "it runs out on Mon 23 Nov, 12:00, before it comes",
        "5.75 kg is missing: 3 x 2 kg",
    )


def test_what_is_on_its_way_is_not_bought_again() -> None:
    shelf = Shelf(*beef(1_000_000), profile=DAILY_KILO)
    assert packs_of(of(shelf)) == {"beef": 2}
    comes = OnItsWay(2 * KILO, date(2026, 11, 24), "PO-1")
    coming = Shelf(*beef(1_000_000), profile=DAILY_KILO, coming=[comes])
    (line,) = of(coming).baskets[0].lines
    assert line.packs == 1
    assert "2 kg is on its way (PO-1)" in line.reasons
    late = OnItsWay(10 * KILO, date(2026, 12, 24), "PO-2")
    assert packs_of(of(Shelf(*beef(1_000_000), profile=DAILY_KILO, coming=[late]))) == {"beef": 2}


def test_par_is_kept_even_where_nothing_is_used() -> None:
    found = of(Shelf(*beef(500_000, par=4 * KILO)))
    assert packs_of(found) == {"beef": 2}
    assert "par is 4 kg" in found.baskets[0].lines[0].reasons
    assert packs_of(of(Shelf(*beef(4 * KILO, par=4 * KILO)))) == {}


def test_what_was_promised_counts_where_it_is_more_than_usual() -> None:
    found = of(Shelf(*beef(5 * KILO, reserved=9 * KILO), profile=DAILY_KILO))
    assert packs_of(found) == {"beef": 3}
    assert "9 kg is promised to orders" in found.baskets[0].lines[0].reasons


def lot(left: int, days: int) -> Lot:
    return Lot(
        lot_id=UUID(int=days),
        item="beef",
        received=left,
        left=left,
        expires_on=MONDAY.date() + days * DAY,
        received_at=MONDAY,
    )


def test_what_goes_off_before_it_is_used_is_bought_anew() -> None:
    lots = [lot(5 * KILO, 1), lot(KILO, 2), lot(KILO, 9)]
    # Two days of use from the first lot, one from the second; the last keeps.
    assert spoils(lots, DAILY_KILO, MONDAY, MONDAY + 3 * DAY, UTC_ZONE) == 3 * KILO
    assert spoils(lots, None, MONDAY, MONDAY + 3 * DAY, UTC_ZONE) == 6 * KILO
    fresh = packs_of(of(Shelf(*beef(7 * KILO), profile=DAILY_KILO)))
    old = of(Shelf(*beef(7 * KILO), lots=lots, profile=DAILY_KILO))
    assert (fresh, packs_of(old)) == ({}, {})
    spoilt = of(Shelf(*beef(6 * KILO), lots=[lot(6 * KILO, 1)], profile=DAILY_KILO))
    assert packs_of(spoilt) == {"beef": 1}
    assert "4 kg goes off before it is used" in spoilt.baskets[0].lines[0].reasons


def test_a_minimum_is_reached_with_what_is_used_up_first_or_said_to_be_missed() -> None:
    pork = Shelf(*beef(3 * KILO, name="pork"), profile=DAILY_KILO)
    first = Shelf(*beef(KILO), profile=DAILY_KILO)
    usual = packs_of(of(first, pork))
    assert usual == {"beef": 2, "pork": 1}
    wants_more = BUTCHER.model_copy(update={"minimum_minor": 12_500})
    found = of(first, pork, supplier=wants_more)
    assert packs_of(found) == {"beef": 3, "pork": 2}
    assert found.baskets[0].below_minimum == 0
    said = found.baskets[0].lines[0].reasons[-1]
    assert said == "1 more, for they bring nothing below 125.00 GBP"
    far_more = BUTCHER.model_copy(update={"minimum_minor": 1_000_000})
    found = of(first, pork, supplier=far_more)
    assert packs_of(found) == usual, "nobody fills a cellar for a minimum"
    assert found.baskets[0].below_minimum == 1_000_000 - 7500


def test_of_what_nobody_has_counted_and_nobody_sells_that_is_said() -> None:
    uncounted = Shelf(*beef(0, counted=False), profile=DAILY_KILO)
    unsold = Shelf(*beef(0, packs=(), name="pork"), profile=DAILY_KILO)
    never_used = Shelf(*beef(0, counted=False, name="salt"))
    found = of(uncounted, unsold, never_used)
    assert (found.baskets, found.not_counted, found.not_sold) == ((), ("beef",), ("pork",))


amounts = st.integers(0, 50 * KILO)


@given(
    on_hand=amounts,
    par=amounts,
    weekly=amounts,
    holds=st.integers(1, 5 * KILO),
    lead=st.integers(0, 10),
    days=st.sets(st.sampled_from(Weekday)),
    today=st.integers(0, 13),
)
def test_with_what_is_suggested_nothing_runs_out_between_the_deliveries(
    *, on_hand: int, par: int, weekly: int, holds: int, lead: int, days: set[Weekday], today: int
) -> None:
    now = MONDAY + today * DAY
    supplier = BUTCHER.model_copy(update={"lead_days": lead, "delivery_days": tuple(days)})
    profile = Profile((weekly / SLOTS,) * SLOTS, UTC_ZONE, 10)
    pack = Pack(supplier="butcher", holds=holds, price_minor=100)
    shelf = Shelf(*beef(on_hand, par=par, packs=(pack,)), profile=profile)
    found = of(shelf, supplier=supplier, now=now)
    bought = sum(line.amount for basket in found.baskets for line in basket.lines)
    comes, then = (datetime.combine(day, now.time(), UTC) for day in next_two(supplier, now.date()))
    there = max(0, on_hand - expected_use(profile, now, comes)) + bought
    assert there + 1 >= max(expected_use(profile, comes, then), par)
    if bought:
        assert there - holds <= max(par, 1.15 * expected_use(profile, comes, then + DAY)) + 1
