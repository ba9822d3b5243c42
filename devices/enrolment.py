"""A device's first day: from a claim code to credentials, kept in one file of its own.

The device makes its secret itself and writes it down before it asks: should the answer be
lost, or the power go, it asks again with the same secret and gets the same answer.
"""

from __future__ import annotations

import json
import secrets
import ssl
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker_config.private_files import write_private
from broker_config.settings import refuse_plaintext
from schemas.devices import Role
from schemas.gateway import BrokerPlace, ClaimedDevice, Problem
from schemas.identifiers import Slug

PATIENCE_S: Final = 15.0


class EnrolmentFailed(Exception):
    """The device has no credentials yet; the message says why, and what to do."""


class CredentialsBroken(Exception):
    """A credentials file cannot be used; the message names it."""


class DeviceCredentials(BaseModel):
    """All that a device needs to connect: what stands in its credentials file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tenant: Slug
    device: Slug
    role: Role
    station: Slug | None = None
    username: str
    client_id: str
    secret: str = Field(repr=False)
    broker: BrokerPlace

    def tls_context(self) -> ssl.SSLContext | None:
        """Build what checks the broker's certificate; None where the way is plain."""
        if not self.broker.tls:
            return None
        context = ssl.create_default_context(cadata=self.broker.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def read_credentials(path: Path) -> DeviceCredentials:
    """Read a credentials file.

    Raises:
        CredentialsBroken: it is not there, can be read by others, or holds something else.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise CredentialsBroken(f"others may read {path}: chmod 600 {path}")
        return DeviceCredentials.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise CredentialsBroken(
            f"{path} is not there: make it with `heard device claim --out {path}`"
        ) from None
    except ValidationError:
        raise CredentialsBroken(
            f"{path} holds no credentials (or none yet): `heard device claim --out {path}`"
        ) from None


def claim(
    gateway: str,
    code: str,
    path: Path,
    *,
    ca_file: Path | None = None,
    plaintext: bool = False,
) -> DeviceCredentials:
    """Become the device that a code was made for; its credentials stand in `path` then.

    Args:
        gateway: its address, as ``https://heard.example:8880``.
        code: the claim code, as it was read out.
        path: where the credentials are kept, readable by their owner alone.
        ca_file: the authority that signed the gateway's certificate; None asks the system's.
        plaintext: speak plainly to another machine too.

    Raises:
        EnrolmentFailed: the code opens nothing, or the gateway cannot be reached; what was
            written down serves the next attempt.
        PlaintextRefused: another machine, without TLS.
        CredentialsBroken: `path` holds the credentials of a device already.
    """
    return _come_in(gateway, "/v1/claim", {"code": code}, path, ca_file, plaintext=plaintext)


def enter_party(
    gateway: str,
    tenant: str,
    code: str,
    path: Path,
    *,
    ca_file: Path | None = None,
    plaintext: bool = False,
) -> DeviceCredentials:
    """Become a guest's phone of an open party; its credentials stand in `path` then.

    They open the broker for as long as the party lasts.

    Args:
        gateway: its address, as ``https://heard.example:8880``.
        tenant: the restaurant.
        code: of the party, as its host shows it.
        path: where the credentials are kept, readable by their owner alone.
        ca_file: the authority that signed the gateway's certificate; None asks the system's.
        plaintext: speak plainly to another machine too.

    Raises:
        EnrolmentFailed, PlaintextRefused, CredentialsBroken: as `claim`.
    """
    body = {"tenant": tenant, "code": code}
    return _come_in(gateway, "/v1/party/join", body, path, ca_file, plaintext=plaintext)


def _come_in(
    gateway: str,
    route: str,
    body: dict[str, str],
    path: Path,
    ca_file: Path | None,
    *,
    plaintext: bool,
) -> DeviceCredentials:
    url = httpx.URL(gateway)
    if url.scheme not in {"http", "https"} or not url.host:
        raise EnrolmentFailed(f"{gateway!r} is no address of a gateway: write https://HOST:PORT")
    refuse_plaintext(url.host, tls=url.scheme == "https", plaintext=plaintext)
    secret = _secret_of(path)
    told = _ask(url.join(route), {**body, "secret": secret}, ca_file)
    broker = told.broker
    if broker.ca is None and broker.tls and ca_file is not None:
        broker = broker.model_copy(update={"ca": ca_file.read_text(encoding="ascii")})
    credentials = DeviceCredentials(
        **told.model_dump(exclude={"broker"}), secret=secret, broker=broker
    )
    write_private(path, credentials.model_dump_json(indent=1) + "\n")
    return credentials


def _secret_of(path: Path) -> str:
    """The secret that was written down at an earlier attempt, or a new one, written down now."""
    with suppress(CredentialsBroken):
        known = read_credentials(path)
        raise EnrolmentFailed(
            f"{path} holds the credentials of {known.tenant}/{known.device} already: "
            "choose another file, or remove it"
        )
    try:
        kept = json.loads(path.read_bytes())["secret"]
    except FileNotFoundError:
        secret = secrets.token_urlsafe(32)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, json.dumps({"secret": secret}) + "\n")
        return secret
    except (ValueError, KeyError, TypeError):
        raise CredentialsBroken(f"{path} is something else: choose another file") from None
    if not isinstance(kept, str):
        raise CredentialsBroken(f"{path} is something else: choose another file")
    return kept


def _ask(url: httpx.URL, body: dict[str, Any], ca_file: Path | None) -> ClaimedDevice:
    verify: ssl.SSLContext | bool = True
    if ca_file is not None:
        verify = ssl.create_default_context(cafile=ca_file)
    try:
        with httpx.Client(verify=verify, timeout=PATIENCE_S, trust_env=False) as client:
            answer = client.post(url, json=body)
    except httpx.HTTPError as error:
        raise EnrolmentFailed(
            f"the gateway {url.join('/')} cannot be reached: {error}: the same command tries again"
        ) from error
    try:
        if answer.is_success:
            return ClaimedDevice.model_validate_json(answer.content)
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        raise EnrolmentFailed(
            f"{url.join('/')} answers, but is no gateway of Heard (status {answer.status_code})"
        ) from None
    raise EnrolmentFailed(problem.message)
