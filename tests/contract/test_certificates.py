"""Certificates: what is made says what it must, and what devices would refuse is found before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker_config.certificate_checks import belongs, check_server, look
from broker_config.certificates import Pair, issue_client, issue_server, make_authority
from broker_config.settings import UnusableCertificate
from broker_config.tls_folder import Place, TlsFolder
from tests.tls_broker import HOSTS, Certificates

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Somebody else's authority."""
    return Certificates(tmp_path_factory.mktemp("strangers"))


def test_what_is_made_says_what_it_must(certificates: Certificates) -> None:
    ca = x509.load_pem_x509_certificate(certificates.ca.read_bytes())
    server = x509.load_pem_x509_certificate(certificates.server.certificate.read_bytes())
    client = x509.load_pem_x509_certificate(
        certificates.client("roma:pos-1").certificate.read_bytes()
    )
    lives = {ca: 3652, server: 397, client: 397}
    for each, days in lives.items():
        assert isinstance(each.public_key(), ec.EllipticCurvePublicKey)
        assert each.not_valid_before_utc <= NOW - timedelta(hours=23), "a slow clock is forgiven"
        lives_for = each.not_valid_after_utc - each.not_valid_before_utc
        assert abs(lives_for - timedelta(days=days)) <= timedelta(days=1)
        each.verify_directly_issued_by(ca)
        basic = each.extensions.get_extension_for_class(x509.BasicConstraints)
        assert (basic.critical, basic.value.ca) == (True, each is ca)
        usage = each.extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical
        assert usage.value.key_cert_sign is (each is ca)
        assert usage.value.digital_signature is (each is not ca)
        above = each.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        assert above.key_identifier == own.digest
    for each, purpose in (
        (server, ExtendedKeyUsageOID.SERVER_AUTH),
        (client, ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        found = each.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(found) == [purpose]
    assert client.subject.rfc4514_string() == "CN=roma:pos-1"
    assert look(certificates.server.certificate).hosts == HOSTS
    assert len({each.serial_number for each in lives}) == len(lives)


def test_the_longest_names_have_a_certificate_too() -> None:
    authority = make_authority(NOW)
    long = f"{'t' * 64}:{'d' * 64}"
    made = x509.load_pem_x509_certificate(issue_client(authority, long, NOW).certificate)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"urn:heard:{long}"]
    host = ".".join(["a" * 60] * 4)
    issue_server(authority, [host], NOW)


@pytest.mark.parametrize("host", ["", "a b", "-a", "a..b", "*", "a.*", "x" * 64, "roma\n", "a/b"])
def test_what_is_no_host_gets_no_certificate(host: str) -> None:
    with pytest.raises(UnusableCertificate, match="no host"):
        issue_server(make_authority(NOW), [host], NOW)


def test_a_certificate_does_not_outlive_its_authority() -> None:
    authority = make_authority(NOW, days=10)
    made = x509.load_pem_x509_certificate(issue_server(authority, ["a"], NOW).certificate)
    above = x509.load_pem_x509_certificate(authority.certificate)
    assert made.not_valid_after_utc == above.not_valid_after_utc
    with pytest.raises(UnusableCertificate, match="time was up"):
        issue_server(authority, ["a"], NOW + timedelta(days=11))


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("mqtt.example", True),
        ("MQTT.example.", True),
        ("a.wild.example", True),
        ("a.b.wild.example", False),
        ("wild.example", False),
        ("other.example", False),
        ("10.0.0.1", True),
        ("10.0.0.2", False),
        ("0:0:0:0:0:0:0:1", True),
    ],
)
def test_a_certificate_covers_the_hosts_that_it_names(
    tmp_path: Path, host: str, covered: bool
) -> None:
    path = tmp_path / "server.crt"
    hosts = ["mqtt.example", "*.wild.example", "10.0.0.1", "::1"]
    path.write_bytes(issue_server(make_authority(NOW), hosts, NOW).certificate)
    assert look(path).covers(host) is covered


def test_what_devices_would_refuse_is_refused_before(
    tmp_path: Path, certificates: Certificates, strangers: Certificates
) -> None:
    good, key = certificates.server.certificate, certificates.server.key
    assert check_server(good, key, ca=certificates.ca, host="localhost") == look(good)
    text = tmp_path / "text.pem"
    text.write_text("nothing")
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
        )
    )
    later = NOW + timedelta(days=400)
    refused: list[tuple[str, Callable[[], object]]] = [
        ("is not the key of", lambda: check_server(good, strangers.server.key, ca=None, host=None)),
        ("counted until", lambda: check_server(good, key, ca=None, host=None, now=later)),
        (
            "counts from",
            lambda: check_server(good, key, ca=None, host=None, now=NOW - timedelta(days=2)),
        ),
        ("not for mqtt.example", lambda: check_server(good, key, ca=None, host="mqtt.example")),
        ("does not follow from", lambda: check_server(good, key, ca=strangers.ca, host=None)),
        ("holds no certificate", lambda: check_server(text, key, ca=None, host=None)),
        ("no private key", lambda: check_server(good, text, ca=None, host=None)),
        ("password on it", lambda: check_server(good, locked, ca=None, host=None)),
        ("holds no certificate", lambda: check_server(good, key, ca=text, host=None)),
    ]
    for why, check in refused:
        with pytest.raises(UnusableCertificate, match=why):
            check()
    with pytest.raises(FileNotFoundError):
        check_server(tmp_path / "absent", key, ca=None, host=None)


def test_keys_of_other_kinds_belong_to_their_certificates_too(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operator")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    place = Place(tmp_path / "own.crt", tmp_path / "own.key")
    place.write(
        Pair(
            made.public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        )
    )
    assert belongs(place.certificate, place.key)
    assert not look(place.certificate).authority


# The folder


def test_a_folder_that_was_half_written_is_made_whole(tmp_path: Path) -> None:
    folder = TlsFolder(tmp_path / "tls")
    assert folder.prepare(lambda: HOSTS, NOW)
    assert not folder.prepare(lambda: ["other"], NOW)
    authority = folder.authority.certificate.read_bytes()
    folder.server.certificate.unlink()
    assert folder.prepare(lambda: HOSTS, NOW)
    assert folder.authority.certificate.read_bytes() == authority
    folder.authority.certificate.unlink()
    folder.prepare(lambda: HOSTS, NOW)
    check_server(folder.server.certificate, folder.server.key, ca=folder.authority.certificate,
                 host="localhost")  # fmt: skip
    folder.authority.key.unlink()
    with pytest.raises(UnusableCertificate, match="no key beside it"):
        folder.prepare(lambda: HOSTS, NOW)


def test_a_new_authority_signs_the_servers_certificate_anew(tmp_path: Path) -> None:
    folder = TlsFolder(tmp_path / "tls")
    folder.prepare(lambda: HOSTS, NOW)
    folder.authority.key.unlink()
    folder.authority.certificate.unlink()
    assert folder.prepare(lambda: HOSTS, NOW)
    check_server(folder.server.certificate, folder.server.key, ca=folder.authority.certificate,
                 host="localhost")  # fmt: skip


def test_keys_are_their_owners_alone_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    folder = TlsFolder(tmp_path / "tls")
    folder.prepare(lambda: HOSTS, NOW)
    modes = {each.name: each.stat().st_mode & 0o777 for each in folder.directory.iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o644, "server.key": 0o600}
    assert folder.directory.stat().st_mode & 0o777 == 0o700
