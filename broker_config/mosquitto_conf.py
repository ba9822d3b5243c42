"""mosquitto.conf: what can be set, and the file itself (2.0.11 of Debian, later 2.0 versions)."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from broker_config.settings import PlaintextRefused, is_loopback
from schemas.topics import MAX_TOPIC_BYTES

PLUGIN_NAME: Final = "mosquitto_dynamic_security.so"
CONF_NAME: Final = "mosquitto.conf"
SECURITY_NAME: Final = "dynamic-security.json"
CERTIFICATE_NAME: Final = "server.crt"
KEY_NAME: Final = "server.key"
CA_NAME: Final = "ca.crt"
MAX_PAYLOAD_BYTES: Final = 1_280 * 1024
"""Ten times the largest request: so much is read, to be refused by name."""
LEAST_PAYLOAD_BYTES: Final = 64 * 1024
"""With less, not even the commands that give a device its rights would reach the broker."""
_MIB: Final = 1024 * 1024
_PACKET_ROOM: Final = MAX_TOPIC_BYTES + 4096
"""What a packet may hold beside its payload: a topic, and MQTT 5's properties."""


LIMITS: Final = (
    "max_connections",
    "max_services_connections",
    "max_inflight_messages",
    "max_queued_messages",
    "max_queued_bytes",
    "max_payload_bytes",
    "max_keepalive_s",
    "max_topic_alias",
)
"""The settings that bound what clients may take."""
_OTHER_FILES: Final = 50
"""Files that Mosquitto has open beside its connections; far fewer."""


class PluginMissing(FileNotFoundError):
    """Mosquitto's dynamic security plugin is nowhere: install the package `mosquitto`."""


def find_plugin() -> Path:
    """Find the dynamic security plugin that Mosquitto's package brings.

    Raises:
        PluginMissing: it is in none of the places where systems put it.
    """
    triplet = sysconfig.get_config_var("MULTIARCH") or f"{os.uname().machine}-linux-gnu"
    folders = [f"/usr/lib/{triplet}", "/usr/lib", "/usr/lib64", "/usr/local/lib"]
    for folder in folders:
        candidate = Path(folder) / PLUGIN_NAME
        if candidate.is_file():
            return candidate
    raise PluginMissing(f"{PLUGIN_NAME} is in none of {', '.join(folders)}: install mosquitto")


class MosquittoSettings(BaseModel):
    """How one Mosquitto shall run.

    Raises:
        PlaintextRefused: it would listen to other machines without TLS, unasked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    directory: Path
    """Where its configuration and its data stand, and its copies of certificate and key."""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    services_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """A second listener, on loopback and plain, for the services and heard-admin. Mosquitto
    counts connections per listener: a flood of devices cannot lock the services out."""
    certificate: Path | None = None
    """The server's certificate chain and `key`: with both, the listener speaks TLS only."""
    key: Path | None = None
    ca: Path | None = None
    """The authority of the clients' certificates; needed by `mutual_tls`."""
    mutual_tls: bool = False
    """Clients must show a certificate of `ca`; name and secret are needed all the same."""
    plaintext: bool = False
    """Other machines too may connect without TLS."""
    plugin: Path = Field(default_factory=find_plugin)
    user: str | None = None
    """The system user it becomes when started as root; None leaves it to Mosquitto
    (``mosquitto``). The files are given to this user when root writes them."""
    max_connections: Annotated[int, Field(ge=1)] = 10_000
    """Connections on the devices' listener, also those that have not said who they are. Each
    is an open file: the process must be allowed more of them than this (``ulimit -n``).
    2.0.11 forgets one more whenever one goes, so that the limit wears off; 2.0.12 does not."""
    max_services_connections: Annotated[int, Field(ge=1)] = 100
    """Connections on the services' listener: two of them, and a few commands at a time."""
    max_inflight_messages: Annotated[int, Field(ge=1, le=65535)] = 1_000
    """QoS 1 messages on their way to one client, unacknowledged. Few of them would
    make a pipeline of a thousand orders a second wait for its own acknowledgements."""
    max_queued_messages: Annotated[int, Field(ge=1)] = 100_000
    """Messages kept for one client that is away or slow. At a connect the services are sent
    all that stands retained, of every tenant; a device asks again anyhow, by its outbox."""
    max_queued_bytes: Annotated[int, Field(ge=1024)] = 64 * _MIB
    """The same in bytes, whichever is first: the services' queue of half a minute at full
    load; a client that never acknowledges costs no more."""
    max_payload_bytes: Annotated[int, Field(ge=LEAST_PAYLOAD_BYTES)] = MAX_PAYLOAD_BYTES
    """Larger payloads are dropped, larger packets end the connection before they are read."""
    max_keepalive_s: Annotated[int, Field(ge=10, le=65535)] = 300
    """The longest silence that a client may ask for. MQTT 5 clients are told to keep to it;
    MQTT 3.1.1 clients that ask for more are refused, though not by 2.0.11. Presence is judged
    by heartbeats anyhow."""
    max_topic_alias: Annotated[int, Field(ge=0, le=65535)] = 10
    """Topics that an MQTT 5 client may abbreviate; the broker remembers them, per connection."""
    autosave_changes: Annotated[int, Field(ge=1)] = 1_000
    """Changes after which its database is written; also on a clean stop."""
    session_expiry: Annotated[str, Field(pattern=r"^[1-9][0-9]*[hdwmy]$")] = "14d"
    """After this long away, a session with its queue is given up."""

    @field_validator("host", "user", "directory", "plugin")
    @classmethod
    def _one_word(cls, value: str | Path | None) -> str | Path | None:
        if value is not None and not str(value).isprintable():
            raise ValueError("a line break would begin another setting")
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("TLS needs both: the certificate and its key")
        if self.mutual_tls and (self.certificate is None or self.ca is None):
            raise ValueError("mutual TLS needs a certificate, its key, and the clients' authority")
        if self.services_port == self.port:
            raise ValueError("the services' port must be another than the devices'")
        if self.certificate is None and not self.plaintext and not is_loopback(self.host):
            raise PlaintextRefused(
                f"Mosquitto would listen on {self.host} without TLS, and everybody on the way "
                "would read the secrets: give it --tls (after `heard tls init`) or --certificate "
                "and --key, or ask for it by name with --plaintext"
            )
        return self

    @property
    def conf_path(self) -> Path:
        """What ``mosquitto -c`` is given."""
        return self.directory / CONF_NAME

    @property
    def security_path(self) -> Path:
        """The accounts and rights; Mosquitto owns and rewrites it while it runs."""
        return self.directory / SECURITY_NAME

    @property
    def files_needed(self) -> int:
        """How many open files its process must be allowed."""
        return self.max_connections + self.max_services_connections + _OTHER_FILES


def conf(settings: MosquittoSettings) -> str:
    """Render mosquitto.conf."""
    lines = [
        "# Rendered by `heard broker render mosquitto`: change the settings, not this file.",
        "per_listener_settings false",
        "allow_anonymous false",
        "allow_zero_length_clientid false",
        f"plugin {settings.plugin}",
        f"plugin_opt_config_file {settings.security_path}",
        # No account may read $SYS, so nobody misses it.
        "sys_interval 0",
        "",
        *_limits(settings),
        "",
        *_listeners(settings),
        "",
        "persistence true",
        f"persistence_location {settings.directory}/",
        "autosave_on_changes true",
        f"autosave_interval {settings.autosave_changes}",
        "",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        # Who came from where, who was refused and who left: for whoever looks into an attack.
        "connection_messages true",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
    ]
    if settings.user is not None:
        lines.append(f"user {settings.user}")
    return "\n".join(lines) + "\n"


def _limits(settings: MosquittoSettings) -> list[str]:
    # No memory_limit: with the plugin, 2.0.11 miscounts what is freed, and takes itself for full
    # after the first change of an account. The system can set one: MemoryMax= in its unit.
    return [
        f"max_inflight_messages {settings.max_inflight_messages}",
        f"max_queued_messages {settings.max_queued_messages}",
        f"max_queued_bytes {settings.max_queued_bytes}",
        f"message_size_limit {settings.max_payload_bytes}",
        f"max_packet_size {settings.max_payload_bytes + _PACKET_ROOM}",
        f"max_keepalive {settings.max_keepalive_s}",
        f"persistent_client_expiration {settings.session_expiry}",
    ]


def _listeners(settings: MosquittoSettings) -> list[str]:
    lines = [
        f"listener {settings.port} {settings.host}",
        *_tls(settings),
        f"max_connections {settings.max_connections}",
        *_every_listener(settings),
    ]
    if settings.services_port is not None:
        lines += [
            "",
            f"listener {settings.services_port} 127.0.0.1",
            f"max_connections {settings.max_services_connections}",
            *_every_listener(settings),
        ]
    return [
        *lines,
        # For all of them: without it, small packets wait for the acknowledgement of the one before.
        "set_tcp_nodelay true",
    ]


def _every_listener(settings: MosquittoSettings) -> list[str]:
    return [
        # Nothing of Heard's is QoS 2, and the broker would remember every id that is never ended.
        "max_qos 1",
        f"max_topic_alias {settings.max_topic_alias}",
    ]


def _tls(settings: MosquittoSettings) -> list[str]:
    if settings.certificate is None:
        return []
    lines = [
        f"certfile {settings.directory / CERTIFICATE_NAME}",
        f"keyfile {settings.directory / KEY_NAME}",
        # The least of them, since Mosquitto 2.
        "tls_version tlsv1.2",
        # For TLS 1.2: forward secrecy and authenticated encryption. All of TLS 1.3's have both.
        "ciphers ECDHE+AESGCM:ECDHE+CHACHA20",
    ]
    if settings.mutual_tls:
        lines += [
            f"cafile {settings.directory / CA_NAME}",
            "require_certificate true",
            # With true the certificate would stand for name and secret: whoever was revoked, or
            # whose secret was changed, would come in until the certificate's own time is up.
            "use_identity_as_username false",
        ]
    return lines
