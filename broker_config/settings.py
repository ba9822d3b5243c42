"""Where a broker is, and how to reach it: the same facts for services and devices."""

from __future__ import annotations

import errno
import ipaddress
import os
import ssl
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PlaintextRefused(Exception):
    """Secrets would travel readable for whoever is on the way, and nobody asked for that."""


class UnusableCertificate(ValueError):
    """A certificate or key cannot be used; the text names the file and says why."""


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself, by its name or address alone.

    Nothing is looked up: what a name stands for may change.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_plaintext(host: str, *, tls: bool, plaintext: bool) -> None:
    """Refuse to speak to another machine without TLS, unless asked for by name.

    Raises:
        PlaintextRefused: it would.
    """
    if not tls and not plaintext and not is_loopback(host):
        raise PlaintextRefused(
            f"{host} is another machine, and without TLS everybody on the way reads the secrets: "
            "speak TLS (--broker-tls), or ask for it by name (--plaintext, HEARD_PLAINTEXT)"
        )


class _ClosedOnFailure(ssl.SSLSocket):
    """A socket that is closed when its handshake fails: paho would leave it open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as in ssl
        """Greet the server."""
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.close()
            raise


class BrokerAddress(BaseModel):
    """Where a broker listens, and whether TLS guards the way to it.

    Raises:
        PlaintextRefused: it is another machine, with neither `tls` nor `plaintext`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    tls: bool = False
    ca_file: Path | None = None
    """The authority that signed the broker's certificate; None asks the system's own."""
    ca_pem: str | None = None
    """The same, not as a file but as its text."""
    certificate: Path | None = None
    """Our own certificate, for a broker that wants one (mutual TLS)."""
    key: Path | None = None
    """Its key; None where it stands in the same file."""
    plaintext: bool = False
    """Off this machine too, no TLS is wanted."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_plaintext(self.host, tls=self.tls, plaintext=self.plaintext)
        return self

    def tls_context(self) -> ssl.SSLContext | None:
        """Build what checks the broker's certificate; None where the way is plain.

        Raises:
            FileNotFoundError: one of the files is not there.
            UnusableCertificate: one of them holds nothing that can be used.
        """
        if not self.tls:
            return None
        for path in (self.ca_file, self.certificate, self.key):
            if path is not None and not path.exists():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        try:
            context = ssl.create_default_context(cafile=self.ca_file, cadata=self.ca_pem)
        except ssl.SSLError as error:
            raise UnusableCertificate(
                f"{self.ca_file or 'the authority'} holds no certificate (PEM)"
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = _ClosedOnFailure
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, password=_no_password)
            except (ssl.SSLError, ValueError) as error:
                raise UnusableCertificate(
                    f"{self.certificate} and {self.key or 'its key'} cannot be used together: "
                    f"{getattr(error, 'reason', None) or error}"
                ) from error
        return context

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def _no_password() -> str:
    # Without it OpenSSL would ask on the terminal, and a service would wait for ever.
    raise ValueError("the key has a password on it: remove it, and guard the file instead")


class BrokerLogin(BaseModel):
    """Who connects. The client id follows from the user name: brokers check that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: Annotated[str, Field(min_length=1)]
    secret: Annotated[str, Field(min_length=1, repr=False)]

    @property
    def client_id(self) -> str:
        """The only client id this account may use: the user name, less a secret's serial."""
        return ":".join(self.username.split(":")[:2])


class BrokerSettings(BaseModel):
    """All that a client needs in order to connect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: BrokerAddress = BrokerAddress()
    login: BrokerLogin
    keepalive_s: Annotated[int, Field(ge=5, le=65535)] = 30
    """Seconds of silence after which a ping goes out; half as much again ends the session."""
    connect_timeout_s: Annotated[float, Field(gt=0)] = 5.0
    max_inflight: Annotated[int, Field(ge=1, le=65535)] = 100
    """QoS 1 messages on their way at once, unacknowledged."""
