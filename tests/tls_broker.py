"""A Mosquitto that speaks TLS, with an authority of the test's own."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker_config.certificates import issue_server
from broker_config.settings import BrokerAddress
from broker_config.tls_folder import Place, TlsFolder
from tests.brokers import PrivateMosquitto

HOSTS = ("localhost", "127.0.0.1")


class Certificates:
    """An authority, and a server's certificate that it signed.

    Args:
        folder: where they are kept.
        hosts: what the server's is for.
        now: when they are made.
    """

    def __init__(
        self, folder: Path, *, hosts: tuple[str, ...] = HOSTS, now: datetime | None = None
    ) -> None:
        self._folder = TlsFolder(folder)
        self._folder.prepare(lambda: hosts, now or datetime.now(UTC))
        self.ca = self._folder.authority.certificate
        self.server = self._folder.server

    def client(self, client_id: str, *, now: datetime | None = None) -> Place:
        """A client's certificate."""
        name = client_id.replace(":", "-")
        place = Place(self.ca.with_name(f"{name}.crt"), self.ca.with_name(f"{name}.key"))
        self._folder.client(client_id, place, now or datetime.now(UTC), 397)
        return place

    def serve(self, hosts: tuple[str, ...], now: datetime, days: int) -> Place:
        """Replace the server's certificate by another one of the same authority."""
        pair = issue_server(self._folder.authority.read(), list(hosts), now, days)
        self.server.write(pair)
        return self.server

    def trust(self, client: Place | None = None) -> ssl.SSLContext:
        """What a client uses that trusts this authority."""
        context = BrokerAddress(
            tls=True,
            ca_file=self.ca,
            certificate=client and client.certificate,
            key=client and client.key,
        ).tls_context()
        assert context is not None
        return context


class TlsMosquitto(PrivateMosquitto):
    """A private Mosquitto with TLS; services and administrator show a certificate too."""

    def __init__(self, directory: Path, certificates: Certificates, **settings: Any) -> None:
        self.certificates = certificates
        self._own = certificates.client("heard-services")
        super().__init__(
            directory,
            certificate=certificates.server.certificate,
            key=certificates.server.key,
            ca=certificates.ca,
            **settings,
        )

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress(
            host=self.host,
            port=self.port,
            tls=True,
            ca_file=self.certificates.ca,
            certificate=self._own.certificate,
            key=self._own.key,
        )
