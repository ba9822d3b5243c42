"""What a guest is told when an order is placed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.legs import ASSUMED, Leg, LegKind, Legs
from services.delivery.quoting import Quote, WholeWait, quote

NOW = datetime(2026, 3, 1, 19, 0, tzinfo=UTC)
USUALLY_READY = NOW + timedelta(seconds=ASSUMED[LegKind.COOKING].p50_s)
USUALLY_READY_P90 = NOW + timedelta(seconds=ASSUMED[LegKind.COOKING].p90_s)
HALF_AN_HOUR = WholeWait(1_800.0, 2_400.0)


def minutes(told: Quote) -> tuple[float, float]:
    """The p50 and the promise, in minutes from now."""
    return (told.p50_at - NOW) / timedelta(minutes=1), (told.promised_at - NOW) / timedelta(
        minutes=1
    )


def asked(
    *,
    waiting: int = 0,
    couriers: int = 2,
    kitchen_min: float = 0.0,
    legs: Legs | None = None,
    whole: WholeWait | None = HALF_AN_HOUR,
) -> tuple[float, float]:
    """What is told where the kitchen will be so much later than usual."""
    later = timedelta(minutes=kitchen_min)
    return minutes(
        quote(
            now=NOW,
            distance_m=2_000,
            ready_p50_at=USUALLY_READY + later,
            ready_p90_at=USUALLY_READY_P90 + later,
            waiting=waiting,
            couriers=couriers,
            legs=legs,
            whole=whole,
        )
    )


def learned_asking(p50_s: float, p90_s: float) -> Legs:
    """A house that has learned how long it takes to find a courier."""
    legs = Legs()
    return replace(legs, parts={**legs.parts, LegKind.ASSIGNING: Leg(p50_s, p90_s, 200.0)})


# -- never earlier for more --------------------------------------------------------------------

seconds = st.floats(0, 7_200)
wholes = st.one_of(
    st.none(),
    st.builds(
        lambda p50, more, today: WholeWait(p50, p50 + more, today),
        seconds,
        st.floats(0, 3_600),
        st.floats(-1_800, 3_600),
    ),
)


@given(
    st.floats(0, 15_000),
    st.floats(0, 5_000),
    st.tuples(st.integers(0, 40), st.integers(0, 10)),
    st.one_of(st.none(), seconds),
    wholes,
)
def test_a_quote_is_never_earlier_for_more(
    far_m: float,
    more_m: float,
    queue: tuple[int, int],
    ready_s: float | None,
    whole: WholeWait | None,
) -> None:
    waiting, couriers = queue
    ready_at = None if ready_s is None else NOW + timedelta(seconds=ready_s)

    def ask(distance_m: float, before: int = waiting, at: datetime | None = ready_at) -> datetime:
        told = quote(
            now=NOW,
            distance_m=distance_m,
            waiting=before,
            couriers=couriers,
            ready_p50_at=at,
            whole=whole,
        )
        assert NOW <= told.p50_at <= told.promised_at
        assert told.promised_at.second == told.promised_at.microsecond == 0
        return told.p50_at

    a_moment = timedelta(milliseconds=1)
    first = ask(far_m) - a_moment
    if whole is None:  # which has the distance in it already
        assert ask(far_m + more_m) >= first
    assert ask(far_m, waiting + 5) >= first
    if ready_at is not None:
        assert ask(far_m, waiting, ready_at + timedelta(minutes=10)) >= first


def test_an_order_for_later_is_promised_for_its_time() -> None:
    due = NOW + timedelta(hours=4)
    told = quote(now=NOW, distance_m=2_000, due_at=due)
    assert told.p50_at == due
    assert due < told.promised_at < due + timedelta(minutes=40)


# -- what was learned from order to door --------------------------------------------------------


def test_what_was_learned_from_order_to_door_is_moved_by_what_the_kitchen_has_now() -> None:
    assert asked() == pytest.approx((30.0, 40.0))
    usually, _ = asked()
    busy, _ = asked(kitchen_min=30)
    assert usually + 20 < busy < usually + 30


@pytest.mark.parametrize("waiting", [2, 5, 8])
def test_couriers_who_have_as_much_to_do_as_ever_make_no_learned_wait_longer(waiting: int) -> None:
    assert asked(waiting=waiting) == pytest.approx((30.0, 40.0))


def test_what_todays_orders_show_already_is_not_added_a_second_time() -> None:
    quarter = 15 * 60.0
    today = WholeWait(1_800.0 + quarter, 2_400.0 + quarter, quarter)
    told, _ = asked(kitchen_min=12, whole=today)
    assert told == pytest.approx(45.0), "of twelve minutes today's orders told"
    more, _ = asked(kitchen_min=45, whole=today)
    without, _ = asked(kitchen_min=45)
    assert more == pytest.approx(without), "of what is beyond them they have told as much"
    quick, _ = asked(kitchen_min=-10, whole=today)
    assert quick < told, "a kitchen that is quicker again is believed"


# -- the queue for couriers ----------------------------------------------------------------------


def test_a_queue_is_waited_for_where_nobody_knows_how_long_that_takes() -> None:
    nobody_waits, _ = asked(whole=None)
    eight_wait, _ = asked(whole=None, waiting=8)
    assert eight_wait > nobody_waits + 10


def test_a_usual_queue_is_not_added_to_the_wait_that_was_learned_in_it() -> None:
    queueing = learned_asking(1_500.0, 2_400.0)
    usually = asked(whole=None, legs=queueing)
    assert asked(whole=None, legs=queueing, waiting=6) == pytest.approx(usually, abs=0.1)
    more, _ = asked(whole=None, legs=queueing, waiting=20)
    assert more > usually[0] + 10, "one that is longer than ever is waited for all the same"
    swift = learned_asking(60.0, 120.0)
    assert asked(whole=None, legs=swift, waiting=8)[0] > asked(whole=None, legs=swift)[0] + 5


# -- a courier whom the dispatcher has planned ------------------------------------------------


@given(seconds, st.floats(0, 3_600), wholes, st.integers(0, 40))
def test_a_courier_who_comes_later_makes_no_quote_earlier(
    there_s: float, more_s: float, whole: WholeWait | None, waiting: int
) -> None:
    def ask(courier_s: float) -> datetime:
        there = NOW + timedelta(seconds=courier_s)
        told = quote(
            now=NOW, distance_m=2_000, waiting=waiting, couriers=2, courier_at=there, whole=whole
        )
        assert told.parts.courier.p50_s <= told.parts.courier.p90_s
        return told.p50_at

    assert ask(there_s + more_s) >= ask(there_s) - timedelta(milliseconds=1)


def test_who_is_planned_to_be_there_says_how_long_the_queue_is() -> None:
    def told(waiting: int, courier_min: float) -> float:
        there = NOW + timedelta(minutes=courier_min)
        return minutes(
            quote(now=NOW, distance_m=2_000, waiting=waiting, couriers=2, courier_at=there)
        )[0]

    assert told(0, 5) == told(20, 5), "what waits is brought before it in the plan"
    assert told(0, 25) > told(0, 5) + 8
    assert told(0, 60) > told(0, 25) + 12, "of a long queue more go together"


def test_of_a_wait_that_was_learned_whole_the_usual_wait_for_couriers_is_a_part() -> None:
    def told(courier_min: float | None) -> float:
        there = None if courier_min is None else NOW + timedelta(minutes=courier_min)
        return minutes(
            quote(now=NOW, distance_m=2_000, couriers=2, courier_at=there, whole=HALF_AN_HOUR)
        )[0]

    assert told(2) == told(None), "nobody eats sooner for a courier who waits for the food"
    assert told(60) > told(None) + 15
