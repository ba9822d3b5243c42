"""A courier with nothing to do is sent to where orders come: seen from their phone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from devices.courier import CourierPhone
from devices.pos import PointOfSale
from schemas.deliveries import Courier
from schemas.delivery_requests import PutCourier
from schemas.delivery_rules import DeliveryRules
from schemas.devices import Role
from schemas.orders import Guest, LineRequest, OrderKind
from schemas.positions import OneFix, Place
from services.runtime import house_rules
from services.runtime.moment import system_clock
from tests.patience import PATIENCE_S
from tests.system import RunningTenant, until

HERE, AWAY = Place(lat=60.17, lon=24.94), Place(lat=60.18, lon=24.95)
DELIVERS = DeliveryRules(place=HERE, automatic=True, preposition=True)
BURGER = [LineRequest(item="burger", quantity=1)]


@contextmanager
def phone_of(tenant: RunningTenant) -> Iterator[CourierPhone]:
    """Anna's phone, and the house that she works for."""
    tenant.system.writing(
        lambda connection: house_rules.write(connection, tenant.name, delivery=DELIVERS)
    )
    options = tenant.options(Role.TRACKER)
    with tenant.speaker(Role.MANAGER) as manager:
        anna = Courier(courier="anna", name="Anna", device=options["device"])
        manager.accepted(PutCourier(courier=anna))
    address = tenant.system.broker.address
    phone = CourierPhone(address.host, address.port, **options)
    with phone:
        yield phone


def was(phone: CourierPhone, place: Place, ago: timedelta = timedelta()) -> None:
    """She was there so long ago, and the broker knows."""
    at = system_clock() - ago
    phone.report(OneFix(at=at, lat=place.lat, lon=place.lon, accuracy_m=5.0))
    assert phone.wait_told(PATIENCE_S)


def ordered_and_cancelled(till: PointOfSale) -> None:
    """Something was ordered: more may be."""
    guest = Guest(name="Ada", address="Mannerheimintie 1", place=Place(lat=60.18, lon=24.95))
    placed = till.place_order(BURGER, kind=OrderKind.DELIVERY, guest=guest).result(PATIENCE_S)
    till.cancel_order(placed.order_id, "a mistake").result(PATIENCE_S)


def test_a_courier_is_sent_to_where_orders_come_until_they_are_there(
    tenant: RunningTenant,
) -> None:
    with phone_of(tenant) as phone, tenant.till() as till:
        was(phone, AWAY, timedelta(minutes=5))

        def is_sent() -> bool:
            ordered_and_cancelled(till)
            return phone.waiting_place is not None

        until(is_sent, "anna to be sent to the restaurant")
        told = phone.waiting_place
        assert told is not None
        assert (told.courier, told.place) == ("anna", HERE)
        assert "orders an hour expected" in told.why

        was(phone, HERE)

        def may_stay() -> bool:
            ordered_and_cancelled(till)  # so that it is planned anew
            return phone.waiting_place is None

        until(may_stay, "anna, who is there, to be told nothing more")
