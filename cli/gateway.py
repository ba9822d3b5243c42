"""The gateway of a serving process: what it stands on, joined from the settings."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog

from broker_config.settings import BrokerAddress
from cli.compose import Served
from cli.failures import Failure
from cli.files import seal_key
from cli.gateway_client import USUAL_PORT, gateway_certificate
from cli.settings import Settings
from schemas.gateway import BrokerPlace
from services.delivery.guest_routes import TrackingRoutes
from services.delivery.screens import StoredLinks
from services.orders.party_store import StoredParties
from services.orders.provider_webhooks import ProviderWebhooks
from services.people.credentials import DatabaseDirectory
from services.people.device_login import DeviceLogins
from services.people.guest_routes import GuestRoutes
from services.people.login import Lifetimes, Screens
from services.people.remembered_login import RememberedLogins
from services.people.routes import PeopleRoutes
from services.people.screen_routes import ScreenRoutes
from services.people.seal import Seal
from services.runtime.database import Database
from services.runtime.gateway import Gateway, GatewaySettings, Offer
from services.runtime.moment import system_clock
from services.runtime.requests_over_http import RequestsOverHttp
from services.tracking.position_routes import PositionRoutes
from services.tracking.whereabouts import StoredWhereabouts

log = structlog.get_logger(__name__)


@asynccontextmanager
async def gateway_of(
    settings: Settings,
    database: Database,
    served: Served,
    address: BrokerAddress,
    *,
    any_port: bool = False,
) -> AsyncIterator[Gateway | None]:
    """A gateway that answers for as long as the context lasts; None where none is wanted.

    Args:
        settings: where it listens, and how long tokens are good for.
        database: what the services decide on.
        served: the pieces that serve beside it.
        address: where the broker is.
        any_port: take whatever port is free.

    Raises:
        Failure: the port that was asked for is taken.
        PlaintextRefused: other machines would have to speak plainly.
        UnusableCertificate: its certificate cannot be used.
    """
    if not settings.gateway:
        yield None
        return
    seal = Seal(seal_key(settings))
    # On PostgreSQL with connections of its own: a flood of logins leaves the orders theirs.
    # SQLite has one writer, and in one process a lock orders who it is.
    own = database if database.is_sqlite else Database(settings.database_url)
    screens = Screens(
        own,
        served.admission.accounts,
        seal,
        sweeper=served.admission.sweeper,
        lifetimes=Lifetimes(
            timedelta(seconds=settings.token_s),
            timedelta(seconds=max(settings.session_s, settings.token_s)),
        ),
    )
    place = broker_place(settings, address)
    routes = PeopleRoutes(own, screens, seal, place)
    guests = GuestRoutes(screens.admission, seal, StoredParties(), place)
    opening = ScreenRoutes(screens.admission, seal, StoredLinks(), place)
    logins = DeviceLogins(DatabaseDirectory(own, ()))
    requests = RequestsOverHttp(served.systems, logins.identify, system_clock)
    webhooks = ProviderWebhooks(own, served.intake, seal.open, system_clock)
    tracking = TrackingRoutes(own, StoredWhereabouts(), served.line.stands, system_clock)
    positions = PositionRoutes(served.line.brought, RememberedLogins(logins, own).identify)
    offers = (
        *routes.offers,
        *guests.offers,
        *requests.offers,
        *webhooks.offers,
        *tracking.offers,
        *opening.offers,
        *positions.offers,
    )
    gateway = None
    try:
        gateway = await _started(
            settings, offers, serving=served.backbone.ready.is_set, any_port=any_port
        )
        log.info("the gateway answers", url=gateway.url)
        yield gateway
    finally:
        if gateway is not None:
            await gateway.stop()
        screens.close()
        if own is not database:
            await own.close()


async def _started(
    settings: Settings, offers: Sequence[Offer[Any]], *, serving: Callable[[], bool], any_port: bool
) -> Gateway:
    certificate, key = gateway_certificate(settings)
    wanted = settings.gateway_port
    ports = [wanted] if wanted is not None else [0] if any_port else [USUAL_PORT, 0]
    for port in ports:
        gateway = Gateway(
            offers,
            GatewaySettings(
                host=settings.gateway_host,
                port=port,
                certificate=certificate,
                key=key,
                origin=settings.gateway_origin,
                plaintext=settings.plaintext,
            ),
            serving=serving,
        )
        try:
            await gateway.start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            log.warning("the gateway's usual port is taken", port=port)
            continue
        return gateway
    raise Failure(f"port {wanted} is in use: choose another for the gateway (HEARD_GATEWAY_PORT)")


def broker_place(settings: Settings, address: BrokerAddress) -> BrokerPlace:
    """Where devices and screens are told to find the broker."""
    ca = None if address.ca_file is None else address.ca_file.read_text(encoding="ascii")
    if settings.devices_broker is None:
        return BrokerPlace(host=address.host, port=address.port, tls=address.tls, ca=ca)
    told = urlsplit(settings.devices_broker)
    tls = told.scheme == "mqtts"
    return BrokerPlace(
        host=told.hostname or "", port=told.port or 0, tls=tls, ca=ca if tls else None
    )
