"""Certificates: an authority of one's own, and what it signs.

Keys are on the curve P-256, signatures ECDSA with SHA-256: Mosquitto with OpenSSL 1.1 and
3, Python, browsers and the TLS of microcontrollers all take these; Ed25519 they do not.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker_config.certificate_checks import load_key
from broker_config.settings import UnusableCertificate

AUTHORITY_DAYS: Final = 3652
SERVER_DAYS: Final = 397
"""Browsers take no server's certificate for longer than 398 days."""
CLIENT_DAYS: Final = 397
SKEW: Final = timedelta(days=1)
"""Certificates count from so long ago: a till's clock is often set to local time, taken for UTC."""
_CN_LENGTH: Final = 64
"""RFC 5280's ub-common-name."""
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes


def make_authority(now: datetime, days: int = AUTHORITY_DAYS) -> Pair:
    """Make an authority: its key, and the certificate that it signs itself."""
    return authority_of(_new_key(), now, days)


def authority_of(key: bytes, now: datetime, days: int = AUTHORITY_DAYS) -> Pair:
    """Make the authority's certificate for a key that is there already (PEM)."""
    signing = _signing_key(key, "the authority's key")
    own = x509.SubjectKeyIdentifier.from_public_key(signing.public_key())
    name = _name(f"Heard CA {own.digest.hex()[:8]}")
    builder = (
        _begun(name, name, signing.public_key(), now, now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier(own.digest, None, None), critical=False)
    )
    return Pair(_pem(builder.sign(signing, hashes.SHA256())), key)


def issue_server(authority: Pair, hosts: list[str], now: datetime, days: int = SERVER_DAYS) -> Pair:
    """Make a server's certificate, with a key of its own.

    Args:
        authority: signs it; it cannot outlive that one.
        hosts: DNS names and addresses by which the server is reached.
        now: the time.
        days: how long it counts.

    Raises:
        UnusableCertificate: a host is none, or the authority's time is up.
    """
    names = [_host(each) for each in dict.fromkeys(hosts)]
    first = str(names[0].value)
    common = first if len(first) <= _CN_LENGTH else "heard"
    return _issue(
        authority, _name(common), names, ExtendedKeyUsageOID.SERVER_AUTH, now=now, days=days
    )


def issue_client(authority: Pair, client_id: str, now: datetime, days: int = CLIENT_DAYS) -> Pair:
    """Make a client's certificate for mutual TLS, with a key of its own.

    Its subject is the MQTT client id; where that is longer than a common name may be, the
    name `URI:urn:heard:{client id}` alone holds it whole.

    Raises:
        UnusableCertificate: the authority's time is up.
    """
    common = client_id if len(client_id) <= _CN_LENGTH else client_id.rpartition(":")[2]
    names = [x509.UniformResourceIdentifier(f"urn:heard:{client_id}")]
    return _issue(
        authority, _name(common), names, ExtendedKeyUsageOID.CLIENT_AUTH, now=now, days=days
    )


def _issue(
    authority: Pair,
    subject: x509.Name,
    names: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    *,
    now: datetime,
    days: int,
) -> Pair:
    above = x509.load_pem_x509_certificate(authority.certificate)
    if above.not_valid_after_utc <= now:
        raise UnusableCertificate(
            f"the authority's time was up at {above.not_valid_after_utc:%Y-%m-%d}: make a new one"
        )
    signing = _signing_key(authority.key, "the authority's key")
    key = _new_key()
    public = _signing_key(key, "the key").public_key()
    ends = min(now - SKEW + timedelta(days=days), above.not_valid_after_utc)
    issuer_id = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _begun(subject, above.subject, public, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
            critical=False,
        )
    )
    return Pair(_pem(builder.sign(signing, hashes.SHA256())), key)


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        name = host.lower().rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    labels = name.removeprefix("*.").split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UnusableCertificate(f"{host!r} is no host: give a DNS name or an address")
    return x509.DNSName(name)


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def _signing_key(pem: bytes, what: str) -> ec.EllipticCurvePrivateKey:
    key = load_key(pem, what)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UnusableCertificate(f"{what} is none of Heard's own: it is not on a curve")
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
