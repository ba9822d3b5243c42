"""Certificates: those in the home folder, those that were named, and what the broker shows."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final

from broker_config.certificate_checks import Facts, belongs, check_server, look, look_at
from broker_config.settings import BrokerAddress, UnusableCertificate, is_loopback
from cli.application import Application
from cli.commands.tls import SOON, tls_folder
from cli.examination.finding import Finding, bad, good, why
from cli.printing import when
from services.runtime.moment import system_clock

ANSWER_S: Final = 5.0
_RENEW: Final = "heard tls init --renew, then heard broker render mosquitto --tls and kill -HUP"


def look_at_certificates(app: Application) -> list[Finding]:
    """What stands in the home folder, and our own that the broker is shown."""
    folder = tls_folder(app)
    authority, server = folder.authority, folder.server
    findings = []
    if authority.certificate.exists():
        renew = (
            f"move {folder.directory} away, heard tls init, and give every device the new ca.crt"
        )
        findings.append(_of_file(authority.certificate, renew))
    if server.certificate.exists():
        found = _of_file(server.certificate, _RENEW)
        if found.ok:
            try:
                check_server(server.certificate, server.key, ca=authority.certificate, host=None)
            except (UnusableCertificate, OSError) as error:
                found = bad("certificates", why(error), _RENEW)
        findings.append(found)
    settings = app.settings
    findings += [
        _of_file(path, "heard tls client …, or ask whoever made it")
        for path in (
            settings.broker_ca,
            settings.broker_certificate,
            settings.gateway_certificate,
        )
        if path is not None and path not in {authority.certificate, server.certificate}
    ]
    own, key = settings.broker_certificate, settings.broker_key
    if own is not None and key is not None and own.exists() and not _is_pair(own, key):
        mend = "name the right one: HEARD_BROKER_KEY"
        findings.append(bad("certificates", f"{key} is not the key of {own}", mend))
    return findings


def _is_pair(certificate: Path, key: Path) -> bool:
    try:
        return belongs(certificate, key)
    except (UnusableCertificate, OSError):
        return False


def _of_file(path: Path, mend: str) -> Finding:
    try:
        return _of_time(str(path), look(path), mend)
    except (UnusableCertificate, OSError) as error:
        return bad("certificates", why(error), mend)


def _of_time(name: str, facts: Facts, mend: str) -> Finding:
    now = system_clock()
    if facts.ends <= now:
        return bad("certificates", f"{name} expired: it counted until {when(facts.ends)}", mend)
    if facts.begins > now:
        return bad("certificates", f"{name} counts only from {when(facts.begins)} on", mend)
    if facts.ends - now < SOON:
        return bad("certificates", f"{name} counts until {when(facts.ends)} only", mend)
    return good("certificates", f"{name} counts until {when(facts.ends)}")


def look_at_way(address: BrokerAddress) -> list[Finding]:
    """The way to the broker: whether it is guarded, and what the broker shows is believed."""
    if address.tls:
        return [_of_broker(address)]
    if is_loopback(address.host):
        return []
    says = f"whoever is on the way to {address} can read the secrets"
    mend = "heard tls init, heard broker render mosquitto --tls, then HEARD_BROKER_TLS=true"
    return [bad("plaintext", says, mend)]


def _of_broker(address: BrokerAddress) -> Finding:
    try:
        found = _of_time(f"what {address} shows", _shown(address), _RENEW)
        if found.ok:
            _greet(address, address.tls_context())
    except ssl.SSLCertVerificationError as error:
        return bad(
            "certificates",
            f"what {address} shows is not believed: {error.verify_message}",
            "name its authority with HEARD_BROKER_CA, and the broker by a name that its "
            "certificate has: heard tls init --renew --host NAME",
        )
    except ssl.SSLError as error:
        says = f"{address} does not greet us by TLS: {error.reason or error}"
        return bad("certificates", says, "heard broker render mosquitto --tls")
    except (UnusableCertificate, OSError) as error:
        says = f"{address}: {why(error)}"
        return bad("certificates", says, "see HEARD_BROKER_CA, and the broker's log")
    return found


def _shown(address: BrokerAddress) -> Facts:
    """What a server shows, believed or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return look_at(_greet(address, context))


def _greet(address: BrokerAddress, context: ssl.SSLContext | None) -> bytes:
    if context is None:
        return b""
    with (
        socket.create_connection((address.host, address.port), timeout=ANSWER_S) as plain,
        context.wrap_socket(plain, server_hostname=address.host) as link,
    ):
        return link.getpeercert(binary_form=True) or b""
