"""The whole way over TLS: till, services and display, each with a certificate to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.kitchen_display import KitchenDisplay
from devices.pos import PointOfSale
from schemas.devices import Role
from schemas.kitchen import TicketStatus
from schemas.orders import LineRequest, OrderStatus
from tests.patience import PATIENCE_S
from tests.system import RunningTenant, running_system, until
from tests.tls_broker import Certificates, TlsMosquitto


def burst(pos: PointOfSale, count: int) -> None:
    """So many orders at once that packets share the records in which TLS carries them."""
    placed = [pos.place_order([LineRequest(item="burger", quantity=1)]) for _ in range(count)]
    for each in placed:
        assert each.result(PATIENCE_S).status is OrderStatus.ACCEPTED


@pytest.mark.parametrize("mutual", [False, True], ids=["tls", "mutual-tls"])
def test_orders_are_heard_over_tls(tmp_path: Path, sqlite_url: str, mutual: bool) -> None:
    certificates = Certificates(tmp_path / "tls")
    broker = TlsMosquitto(tmp_path / "mosquitto", certificates, mutual_tls=mutual)
    try:
        with running_system(broker, sqlite_url) as system:
            tenant = system.add_tenant()
            with till(tenant, certificates) as pos, display(tenant, certificates) as screen:
                until(lambda: pos.online and len(pos.menu) == 3, "the till's menu, over TLS")
                assert screen.wait_online(PATIENCE_S)
                burst(pos, 100)
                until(
                    lambda: [each.status for each in screen.tickets] == [TicketStatus.HEARD] * 100,
                    "a hundred heard tickets",
                )
    finally:
        broker.kill()


def till(tenant: RunningTenant, certificates: Certificates) -> PointOfSale:
    address = tenant.system.broker.address
    options = tenant.options(Role.POS, "pos-1")
    options["tls"] = certificates.trust(certificates.client(f"{tenant.name}:pos-1"))
    return PointOfSale(address.host, address.port, **options)


def display(tenant: RunningTenant, certificates: Certificates) -> KitchenDisplay:
    address = tenant.system.broker.address
    options = tenant.options(Role.KITCHEN_DISPLAY, "grill-1")
    options["tls"] = certificates.trust(certificates.client(f"{tenant.name}:grill-1"))
    return KitchenDisplay(address.host, address.port, station="grill", **options)
