"""TLS as devices meet it: real handshakes with a real Mosquitto."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker_config.certificate_checks import Facts, look, look_at
from broker_config.mosquitto import render, write
from broker_config.secret import SecretHash
from broker_config.settings import (
    BrokerAddress,
    BrokerSettings,
    PlaintextRefused,
    UnusableCertificate,
)
from broker_config.tls_folder import Place
from devices.gps_tracker import GpsTracker
from schemas.devices import Role
from schemas.topics import Plane, plane_filter
from services.runtime.bus import ConnectionLost
from services.runtime.mqtt_bus import MqttBus
from tests.mqtt_client import ConnectionRefused, MqttClient
from tests.patience import PATIENCE_S
from tests.system import until
from tests.tls_broker import Certificates, TlsMosquitto

NOW = datetime.now(UTC)
HASH = SecretHash.of("secret")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Somebody else's authority."""
    return Certificates(tmp_path_factory.mktemp("strangers"))


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[TlsMosquitto]:
    """Shared: each test adds devices of its own."""
    running = TlsMosquitto(tmp_path_factory.mktemp("mosquitto"), certificates)
    yield running
    running.kill()


@pytest.fixture(scope="module")
def mutual_broker(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[TlsMosquitto]:
    """The same, for clients with a certificate alone."""
    running = TlsMosquitto(tmp_path_factory.mktemp("mutual"), certificates, mutual_tls=True)
    yield running
    running.kill()


def greet(port: int, context: ssl.SSLContext) -> str | None:
    """Make a handshake; returns the version that was agreed."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as link,
    ):
        return link.version()


def is_let_in(broker: TlsMosquitto, device: str, context: ssl.SSLContext) -> bool:
    """Whether a device with this context is let in, its name and secret being right."""
    login = broker.login("roma", device)
    try:
        with MqttClient(broker.address, login, tls=context) as client:
            return client.subscribe(plane_filter(Plane.REPLY, tenant="roma", tail=device)) == 1
    except (ConnectionRefused, OSError):
        return False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_device_is_let_in_over_tls(
    broker: TlsMosquitto, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    broker.add_device("roma", f"pos-{version}", Role.POS)
    context = certificates.trust()
    context.minimum_version = context.maximum_version = version
    assert greet(broker.port, context) == version.name.replace("_", ".")
    assert is_let_in(broker, f"pos-{version}", context)


def test_tls_1_1_is_refused_by_the_broker(broker: TlsMosquitto, certificates: Certificates) -> None:
    context = certificates.trust()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError) as refused:
        greet(broker.port, context)
    assert refused.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"])
def test_a_cipher_without_authentication_or_forward_secrecy_is_refused_by_the_broker(
    broker: TlsMosquitto, certificates: Certificates, cipher: str
) -> None:
    context = certificates.trust()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    with pytest.raises(ssl.SSLError) as refused:
        greet(broker.port, context)
    assert "HANDSHAKE_FAILURE" in str(refused.value.reason)


def test_heards_own_contexts_ask_for_tls_1_2_at_least(certificates: Certificates) -> None:
    context = certificates.trust()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_who_speaks_plainly_to_a_tls_port_is_put_out(broker: TlsMosquitto) -> None:
    broker.add_device("roma", "plain", Role.POS)
    plain = BrokerAddress(port=broker.port)
    with pytest.raises(ConnectionRefused):
        MqttClient(plain, broker.login("roma", "plain")).connect()


async def test_services_trust_no_stranger(broker: TlsMosquitto, strangers: Certificates) -> None:
    address = broker.address.model_copy(update={"ca_file": strangers.ca})
    with pytest.raises(ConnectionLost, match="certificate verify failed"):
        async with MqttBus(BrokerSettings(address=address, login=broker.services)).session():
            pass
    async with MqttBus(broker.settings(broker.services)).session():
        pass


def problems_of_a_device(broker: TlsMosquitto, host: str, context: ssl.SSLContext) -> list[str]:
    """What a device says that tries to come in, and does not."""
    secret = broker.add_device("roma", "tracker", Role.TRACKER)
    told: list[str] = []
    with GpsTracker(
        host,
        broker.port,
        tenant="roma",
        device="tracker",
        secret=secret,
        tls=context,
        on_problem=told.append,
    ) as tracker:
        until(lambda: told or tracker.online, "a problem, or none")
    return told


def test_a_device_trusts_no_stranger(
    broker: TlsMosquitto, certificates: Certificates, strangers: Certificates
) -> None:
    told = problems_of_a_device(broker, "127.0.0.1", strangers.trust())
    assert "certificate verify failed" in told[0]
    assert problems_of_a_device(broker, "127.0.0.1", certificates.trust()) == []


def test_a_device_sends_nothing_to_a_host_of_another_name(tmp_path: Path) -> None:
    elsewhere = Certificates(tmp_path / "tls", hosts=("kitchen.example",))
    broker = TlsMosquitto(tmp_path / "mosquitto", elsewhere)
    try:
        context = elsewhere.trust()
        with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for '127\.0\.0\.1'"):
            greet(broker.port, context)
        context.check_hostname = False
        assert greet(broker.port, context) == "TLSv1.3"
    finally:
        broker.kill()


def test_an_expired_certificate_is_believed_by_nobody(tmp_path: Path) -> None:
    past = NOW - timedelta(days=500)
    old = Certificates(tmp_path / "tls", now=past)
    broker = TlsMosquitto(tmp_path / "mosquitto", old)
    try:
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            greet(broker.port, old.trust())
    finally:
        broker.kill()


def test_mutual_tls_lets_in_only_who_shows_a_certificate_of_the_authority(
    mutual_broker: TlsMosquitto, certificates: Certificates, strangers: Certificates
) -> None:
    mutual_broker.add_device("roma", "pos-1", Role.POS)
    own = certificates.client("roma:pos-1")
    foreign = strangers.client("roma:pos-1")
    past = certificates.client("roma:old", now=NOW - timedelta(days=500))
    served = Place(certificates.server.certificate, certificates.server.key)
    assert is_let_in(mutual_broker, "pos-1", certificates.trust(own))
    assert not is_let_in(mutual_broker, "pos-1", certificates.trust())
    context = certificates.trust()
    context.load_cert_chain(foreign.certificate, foreign.key)
    assert not is_let_in(mutual_broker, "pos-1", context)
    assert not is_let_in(mutual_broker, "pos-1", certificates.trust(past))
    # A server's certificate is no client's.
    assert not is_let_in(mutual_broker, "pos-1", certificates.trust(served))


def test_a_certificate_stands_for_no_secret(
    mutual_broker: TlsMosquitto, certificates: Certificates
) -> None:
    mutual_broker.add_device("roma", "pos-2", Role.POS)
    login = mutual_broker.login("roma", "pos-2")
    context = certificates.trust(certificates.client("roma:pos-2"))
    for wrong in (
        MqttClient(mutual_broker.address, login, tls=context, anonymous=True),
        MqttClient(mutual_broker.address, login.model_copy(update={"secret": "x"}), tls=context),
    ):
        with pytest.raises(ConnectionRefused):
            wrong.connect()
    mutual_broker.revoke("roma", "pos-2")
    assert not is_let_in(mutual_broker, "pos-2", context)


def shown(port: int) -> Facts:
    """What a server shows, believed or not."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain,
        context.wrap_socket(plain) as link,
    ):
        return look_at(link.getpeercert(binary_form=True) or b"")


def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "tls")
    broker = TlsMosquitto(tmp_path / "mosquitto", certificates)
    try:
        broker.add_device("roma", "pos-1", Role.POS)
        with MqttClient(broker.address, broker.login("roma", "pos-1")) as till:
            old = shown(broker.port)
            new = certificates.serve(("127.0.0.1", "mqtt.example"), NOW, 30)
            settings = broker.mosquitto_settings
            assert not write(render(settings, admin=HASH, credentials=[]), settings)
            os.kill(broker.pid, signal.SIGHUP)
            until(lambda: shown(broker.port) != old, "the renewed certificate is shown")
            assert shown(broker.port) == look(new.certificate)
            assert till.subscribe(plane_filter(Plane.REPLY, tenant="roma", tail="pos-1")) == 1
    finally:
        broker.kill()


# Plain ways


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_on_this_machine_nobody_needs_tls(host: str) -> None:
    assert BrokerAddress(host=host).tls_context() is None


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "10.0.0.1", "::", "fe80::1", "mqtt.example", "localhost.example"],  # noqa: S104 - shown to be refused
)
def test_another_machine_is_not_spoken_to_plainly_unless_by_name(host: str) -> None:
    with pytest.raises(PlaintextRefused, match=f"{host} is another machine.*--plaintext"):
        BrokerAddress(host=host)
    with pytest.raises(PlaintextRefused):
        GpsTracker(host, 1883, tenant="roma", device="tracker", secret="x")
    assert BrokerAddress(host=host, plaintext=True).tls_context() is None
    assert BrokerAddress(host=host, tls=True).tls_context() is not None
    GpsTracker(host, 1883, tenant="roma", device="tracker", secret="x", plaintext=True).close()


def test_files_that_cannot_be_used_are_named(tmp_path: Path, certificates: Certificates) -> None:
    text = tmp_path / "text.pem"
    text.write_text("nothing")
    with pytest.raises(FileNotFoundError, match=r"absent\.pem"):
        BrokerAddress(tls=True, ca_file=tmp_path / "absent.pem").tls_context()
    with pytest.raises(UnusableCertificate, match=r"text\.pem holds no certificate"):
        BrokerAddress(tls=True, ca_file=text).tls_context()
    for key in (text, certificates.client("roma:other").key):
        with pytest.raises(UnusableCertificate, match="cannot be used together"):
            BrokerAddress(
                tls=True, certificate=certificates.server.certificate, key=key
            ).tls_context()
