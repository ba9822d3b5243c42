"""Where a broker is, and how to reach it: the same facts for services and devices."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class BrokerAddress(BaseModel):
    """Where a broker listens, and whether TLS guards the way to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    tls: bool = False
    ca_file: Path | None = None
    """The authority that signed the broker's certificate; None asks the system's own."""

    def tls_context(self) -> ssl.SSLContext | None:
        """Build what checks the broker's certificate; None where the way is plain.

        Raises:
            FileNotFoundError: `ca_file` is not there.
        """
        if not self.tls:
            return None
        return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


class BrokerLogin(BaseModel):
    """Who connects. The client id is always the user name: brokers check that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: Annotated[str, Field(min_length=1)]
    secret: Annotated[str, Field(min_length=1, repr=False)]

    @property
    def client_id(self) -> str:
        """The only client id this account may use."""
        return self.username


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
