"""What a guest's link shows, and above all what it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.deliveries import IN_THE_BAG, OPEN_DELIVERY, Delivery, DeliveryStatus
from schemas.delivery_rules import DeliveryRules
from schemas.etas import Confidence, EtaState
from schemas.guest_tracking import GuestStatus, GuestTracking
from schemas.identifiers import new_id
from schemas.positions import Place
from services.delivery import guest_view, links
from services.delivery.guest_view import LastDoor, Sight
from services.delivery.kept import Beside, Kept
from services.geography.sphere import distance_m
from services.runtime.whereabouts import Whereabouts

NOW = datetime(2026, 3, 14, 19, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=6)
HOUSE = DeliveryRules(place=Place(lat=60.17, lon=24.94), coarse_m=500)
RIDING = sorted(IN_THE_BAG - {DeliveryStatus.FAILED})

statuses = st.sampled_from(sorted(DeliveryStatus))
places = st.tuples(st.floats(-85, 85), st.floats(-179.9, 179.9))


def kept_at(status: DeliveryStatus, **more: Any) -> Kept:
    courier = {"courier": "anna", "device": "bike-1", "stop": 1}
    ended = None if status in OPEN_DELIVERY else NOW
    delivery = Delivery(
        order_id=new_id(),
        number="ORD-260314180000-A1B2",
        status=status,
        version=3,
        place=Place(lat=60.18, lon=24.95),
        placed_at=NOW - timedelta(minutes=30),
        promised_at=NOW + timedelta(minutes=10),
        picked_up_at=NOW - timedelta(minutes=5),
        ended_at=ended,
        **courier,
    )
    beside = Beside(
        guest="Ada", phone="+358 40 1", address="Mannerheimintie 1", code="4711", link="s" * 32
    )
    return Kept(delivery, beside, quoted_p50_at=NOW + timedelta(minutes=5), **more)


def eta_of(kept: Kept) -> EtaState:
    return EtaState(
        order_id=kept.delivery.order_id,
        p50_at=NOW + timedelta(minutes=4),
        p90_at=NOW + timedelta(minutes=7),
        as_of=NOW,
        confidence=Confidence.HIGH,
    )


def seen(
    kept: Kept,
    *,
    before: int = 0,
    lat: float = 60.175,
    lon: float = 24.945,
    ago_s: float = 5.0,
    last_door: LastDoor | None = None,
) -> GuestTracking:
    courier = Whereabouts(lat, lon, NOW - timedelta(seconds=ago_s))
    sight = Sight(kept, HOUSE, stops_before=before, courier=courier, last_door=last_door)
    return guest_view.view(sight, eta=eta_of(kept), until=UNTIL, now=NOW)


@given(status=statuses, before=st.integers(0, 5), where=places)
def test_the_courier_is_hidden_before_coarse_until_it_is_their_turn_and_gone_after(
    status: DeliveryStatus, before: int, where: tuple[float, float]
) -> None:
    lat, lon = where
    shown = seen(kept_at(status), before=before, lat=lat, lon=lon).courier
    if status not in RIDING:
        assert shown is None
    elif before == 0:
        assert shown is not None
        assert shown.within_m == 0
        assert distance_m(lat, lon, shown.place.lat, shown.place.lon) < 2
    else:
        assert shown is not None
        assert shown.within_m == HOUSE.coarse_m
        assert distance_m(lat, lon, shown.place.lat, shown.place.lon) < HOUSE.coarse_m


@given(moves=st.lists(st.tuples(st.floats(-60, 60), st.floats(-60, 60)), min_size=5, max_size=20))
def test_looking_often_does_not_tell_more_than_the_grid(moves: list[tuple[float, float]]) -> None:
    kept = kept_at(DeliveryStatus.EN_ROUTE)
    found = set()
    for north, east in moves:  # within 60 m of one place
        view = seen(kept, before=1, lat=60.2 + north / 111_195, lon=24.9 + east / 55_300)
        assert view.courier is not None
        found.add((view.courier.place.lat, view.courier.place.lon))
    assert len(found) <= 4, "at most the squares around one corner"


@given(status=statuses, before=st.integers(0, 5))
def test_nothing_of_anybody_is_said_that_the_guest_has_no_use_for(
    status: DeliveryStatus, before: int
) -> None:
    text = seen(kept_at(status), before=before).model_dump_json()
    for secret in ("Ada", "+358", "Mannerheimintie", "anna", "bike-1", "ssss", "device"):
        assert secret not in text
    assert ("4711" in text) == (status in OPEN_DELIVERY)


@pytest.mark.parametrize("status", sorted(DeliveryStatus))
def test_an_eta_is_shown_while_it_is_to_come(status: DeliveryStatus) -> None:
    view = seen(kept_at(status))
    comes = status in OPEN_DELIVERY and status is not DeliveryStatus.FAILED
    assert (view.p50_at is not None, view.live) == (comes, comes)
    assert (view.ended_at is not None) == (status not in OPEN_DELIVERY)


def test_without_a_live_eta_the_promise_stands_and_says_that_it_is_not_live() -> None:
    kept = kept_at(DeliveryStatus.WAITING)
    view = guest_view.view(Sight(kept, HOUSE), eta=None, until=UNTIL, now=NOW)
    assert (view.p50_at, view.p90_at) == (kept.quoted_p50_at, kept.delivery.promised_at)
    assert not view.live


def test_your_turn_is_said_in_words() -> None:
    mine = seen(kept_at(DeliveryStatus.EN_ROUTE))
    assert mine.next_is_yours
    assert mine.words.endswith("You are the next stop.")
    later = seen(kept_at(DeliveryStatus.EN_ROUTE), before=2)
    assert not later.next_is_yours
    assert later.words.endswith("2 stops come before yours.")
    assert not seen(kept_at(DeliveryStatus.ACCEPTED)).next_is_yours


def test_an_old_position_is_not_shown() -> None:
    kept = kept_at(DeliveryStatus.EN_ROUTE)
    long_ago = {"picked_up_at": NOW - timedelta(hours=2)}
    kept = kept.with_(kept.delivery.model_copy(update=long_ago))
    assert seen(kept, ago_s=599).courier is not None
    assert seen(kept, ago_s=601).courier is None


@pytest.mark.parametrize("before", [0, 1])
def test_where_the_courier_was_before_they_had_the_food_is_not_shown(before: int) -> None:
    kept = kept_at(DeliveryStatus.PICKED_UP)
    assert seen(kept, before=before, ago_s=300).courier is not None
    assert seen(kept, before=before, ago_s=301).courier is None
    unknown = kept.with_(kept.delivery.model_copy(update={"picked_up_at": None}))
    assert seen(unknown, before=before).courier is None


@given(north_m=st.floats(-600, 600), east_m=st.floats(-600, 600), status=st.sampled_from(RIDING))
def test_who_stands_at_the_door_before_is_not_shown_exactly(
    north_m: float, east_m: float, status: DeliveryStatus
) -> None:
    door = LastDoor(Place(lat=60.2, lon=24.9), NOW - timedelta(minutes=1))
    lat, lon = 60.2 + north_m / 111_195, 24.9 + east_m / 55_300
    view = seen(kept_at(status), lat=lat, lon=lon, last_door=door)
    assert view.next_is_yours
    assert view.courier is not None
    away_m = distance_m(lat, lon, door.place.lat, door.place.lon)
    there = status is DeliveryStatus.ARRIVED
    assert view.courier.within_m == (HOUSE.coarse_m if away_m < 150 and not there else 0)


def test_on_the_way_to_the_door_before_the_courier_is_not_shown_exactly() -> None:
    door = LastDoor(Place(lat=60.2, lon=24.9), NOW - timedelta(seconds=2))
    coming = seen(kept_at(DeliveryStatus.EN_ROUTE), last_door=door, ago_s=5)
    assert coming.courier is not None
    assert coming.courier.within_m == HOUSE.coarse_m
    leaving = seen(kept_at(DeliveryStatus.EN_ROUTE), last_door=door, ago_s=1)
    assert leaving.courier is not None
    assert leaving.courier.within_m == 0


def test_what_came_back_is_not_said_to_come_no_more() -> None:
    back = seen(kept_at(DeliveryStatus.RETURNED))
    assert (back.status, back.courier) == (GuestStatus.FAILED, None)
    assert seen(kept_at(DeliveryStatus.CANCELLED)).status is GuestStatus.ENDED


# -- the token --------------------------------------------------------------------------------


def test_a_token_is_good_for_its_order_and_until_its_time_alone() -> None:
    kept = kept_at(DeliveryStatus.WAITING)
    token = links.token("roma", kept, UNTIL)
    named = links.read(token)
    assert named is not None
    assert (named.tenant, named.order_id) == ("roma", kept.delivery.order_id)
    assert named.until == UNTIL
    assert links.is_good(named, kept.beside.link, UNTIL - timedelta(seconds=1))
    assert not links.is_good(named, kept.beside.link, UNTIL)
    assert not links.is_good(named, "t" * 32, NOW)
    assert not links.is_good(named, "", NOW), "erased, it opens nothing"


@given(data=st.data())
def test_a_token_that_was_touched_anywhere_is_good_for_nothing(data: st.DataObject) -> None:
    kept = kept_at(DeliveryStatus.WAITING)
    token = links.token("roma", kept, UNTIL)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("abcdefXYZ0189-_."))
    touched = token[:place] + letter + token[place + 1 :]
    named = links.read(touched)
    if touched == token or named is None:
        return
    same = (named.mark, named.signed) == (_read(token).mark, _read(token).signed)
    assert same or not links.is_good(named, kept.beside.link, NOW)


@given(text=st.text(max_size=200))
def test_whatever_stands_in_a_link_is_no_fault(text: str) -> None:
    named = links.read(text)
    assert named is None or isinstance(named.order_id, UUID)


def _read(token: str) -> links.Named:
    named = links.read(token)
    assert named is not None
    return named
