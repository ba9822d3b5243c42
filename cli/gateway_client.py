"""How a command asks the gateway."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from broker_config.settings import is_loopback, refuse_plaintext
from broker_config.tls_folder import TlsFolder
from cli.application import Application
from cli.failures import Failure
from cli.printing import note
from cli.settings import Settings

USUAL_PORT: Final = 8880
TLS_FOLDER: Final = "tls"
PATIENCE_S: Final = 15.0
_SAY_IT: Final = "set HEARD_GUESTS_GATEWAY=https://HOST, or guests_gateway in heard.toml"


def gateway_certificate(settings: Settings) -> tuple[Path | None, Path | None]:
    """The gateway's certificate and key, or the pair of `heard tls init` where there is one."""
    if settings.gateway_certificate is not None:
        return settings.gateway_certificate, settings.gateway_key
    server = TlsFolder(settings.home / TLS_FOLDER).server
    return (server.certificate, server.key) if server.whole else (None, None)


@contextmanager
def gateway_client(app: Application, url: str | None) -> Iterator[httpx.Client]:
    """What asks a gateway: the one at `url`, or else the one that runs here.

    Raises:
        Failure: it does not answer.
        PlaintextRefused: secrets would travel readable to another machine.
    """
    settings = app.settings
    found = app.running
    base = url or (found.gateway if found is not None else "") or _set_url(settings)
    at = urlsplit(base)
    refuse_plaintext(at.hostname or "", tls=at.scheme == "https", plaintext=settings.plaintext)
    authority = TlsFolder(settings.home / TLS_FOLDER).authority.certificate
    context = ssl.create_default_context(cafile=authority if authority.exists() else None)
    try:
        with httpx.Client(base_url=base, verify=context, timeout=PATIENCE_S) as client:
            yield client
    except httpx.HTTPError as error:
        raise Failure(
            f"the gateway at {base} does not answer ({error}): start `heard up`, or name "
            "another with --url"
        ) from error


def guests_gateway(app: Application) -> str:
    """Where guests reach the gateway; a remark says where only this machine does.

    It is as the settings say, or else where the one that runs here listens.
    """
    found = app.running
    base = app.settings.guests_gateway or (found.gateway if found is not None else "")
    host = urlsplit(base).hostname or ""
    if not base:
        note(f"where guests reach the gateway nobody has said: {_SAY_IT}")
    elif is_loopback(host) or host in {"0.0.0.0", "::"}:  # noqa: S104 - nothing listens here
        note(f"no guest can reach {base}, it is of this machine only: {_SAY_IT}")
    return base.rstrip("/")


def _set_url(settings: Settings) -> str:
    scheme = "http" if gateway_certificate(settings)[0] is None else "https"
    return f"{scheme}://{settings.gateway_host}:{settings.gateway_port or USUAL_PORT}"
