"""A look at certificates, anybody's: what they say, and whether devices would take them."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from broker_config.settings import UnusableCertificate


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says of itself.

    Attributes:
        subject: whose it is (RFC 4514).
        issuer: who signed it.
        hosts: DNS names and addresses for which a server may show it.
        begins: from when it counts, aware.
        ends: until when.
        fingerprint: SHA-256 of the whole certificate, as AB:CD:….
        authority: whether it may sign others.
    """

    subject: str
    issuer: str
    hosts: tuple[str, ...]
    begins: datetime
    ends: datetime
    fingerprint: str
    authority: bool

    def covers(self, host: str) -> bool:
        """Tell whether a server of this name or address may show it."""
        try:
            return str(ipaddress.ip_address(host)) in self.hosts
        except ValueError:
            name = host.lower().rstrip(".")
        above = name.partition(".")[2]
        return name in self.hosts or bool(above and f"*.{above}" in self.hosts)


def look(path: Path) -> Facts:
    """Read what the first certificate of a file says of itself.

    Raises:
        FileNotFoundError: the file is not there.
        UnusableCertificate: it holds no certificate.
    """
    return facts_of(_first(path))


def look_at(der: bytes) -> Facts:
    """Read what a certificate says of itself, as a server has shown it (DER).

    Raises:
        UnusableCertificate: it is none.
    """
    try:
        return facts_of(x509.load_der_x509_certificate(der))
    except ValueError as error:
        raise UnusableCertificate("what was shown is no certificate") from error


def facts_of(certificate: x509.Certificate) -> Facts:
    """Read what a certificate says of itself."""
    found = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = [
            *(each.lower() for each in names.get_values_for_type(x509.DNSName)),
            *(str(each) for each in names.get_values_for_type(x509.IPAddress)),
        ]
    except x509.ExtensionNotFound:
        hosts = []
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        basic = None
    return Facts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        hosts=tuple(hosts),
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
        fingerprint=found,
        authority=basic is not None and basic.ca,
    )


def belongs(certificate: Path, key: Path) -> bool:
    """Tell whether a key is the certificate's.

    Raises:
        FileNotFoundError: one of them is not there.
        UnusableCertificate: one of them is something else.
    """
    own = load_key(key.read_bytes(), str(key)).public_key()
    return _encoded(own) == _encoded(_first(certificate).public_key())


def check_server(
    certificate: Path, key: Path, *, ca: Path | None, host: str | None, now: datetime | None = None
) -> Facts:
    """Check what a server is to show, before devices find out; returns what it says.

    With `ca` a whole handshake is made in memory, as devices will make it.

    Args:
        certificate: the chain, its own certificate first (PEM).
        key: its key.
        ca: the authority that devices will trust; None leaves the chain unchecked.
        host: the name by which devices will ask for it; None leaves it unchecked.
        now: the time; without it, this machine's.

    Raises:
        FileNotFoundError: one of the files is not there.
        UnusableCertificate: a device would refuse it; the text says why.
    """
    facts = look(certificate)
    moment = now or datetime.now(UTC)
    if facts.ends <= moment:
        raise UnusableCertificate(f"{certificate} counted until {facts.ends:%Y-%m-%d %H:%M} UTC")
    if facts.begins > moment:
        raise UnusableCertificate(f"{certificate} counts from {facts.begins:%Y-%m-%d %H:%M} UTC on")
    if not belongs(certificate, key):
        raise UnusableCertificate(f"{key} is not the key of {certificate}")
    if host is not None and not facts.covers(host):
        named = ", ".join(facts.hosts) or "no host at all"
        raise UnusableCertificate(f"{certificate} is for {named}, not for {host}")
    if ca is not None:
        look(ca)
        try:
            _greet(certificate, key, ca)
        except ssl.SSLError as error:
            why = getattr(error, "verify_message", None) or error.reason or str(error)
            raise UnusableCertificate(f"{certificate} does not follow from {ca}: {why}") from error
    return facts


def _greet(certificate: Path, key: Path, ca: Path) -> None:
    """Make a TLS handshake in memory between a server and a client that trusts `ca`."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    asking = ssl.create_default_context(cafile=ca)
    asking.check_hostname = False
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


def _first(path: Path) -> x509.Certificate:
    content = path.read_bytes()
    try:
        return x509.load_pem_x509_certificates(content)[0]
    except ValueError as error:
        raise UnusableCertificate(f"{path} holds no certificate (PEM)") from error


def _encoded(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def load_key(pem: bytes, what: str) -> PrivateKeyTypes:
    """Read a private key (PEM).

    Args:
        pem: the file's content.
        what: what the file is called in an error.

    Raises:
        UnusableCertificate: it is none, or has a password on it.
    """
    try:
        return load_pem_private_key(pem, password=None)
    except TypeError:
        raise UnusableCertificate(
            f"{what} has a password on it: remove it, and guard the file instead"
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableCertificate(f"{what} is no private key (PEM)") from error
