"""Mosquitto's configuration, rendered (Debian's 2.0.11, and later 2.0 versions)."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from broker_config.access import ADMIN_USERNAME, Credential
from broker_config.dynamic_security import (
    REQUEST_TOPIC,
    Json,
    acl,
    common_role,
    own_role,
    role_names,
)
from broker_config.secret import SecretHash

PLUGIN_NAME: Final = "mosquitto_dynamic_security.so"
CONF_NAME: Final = "mosquitto.conf"
SECURITY_NAME: Final = "dynamic-security.json"
MAX_PAYLOAD_BYTES: Final = 2 * 1024 * 1024


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
    """How one Mosquitto shall run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    directory: Path
    """Where its configuration and its data stand."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    certificate: Path | None = None
    """The server's certificate chain and `key`: with both, the listener speaks TLS only."""
    key: Path | None = None
    plugin: Path = Field(default_factory=find_plugin)
    user: str | None = None
    """The system user it becomes when started as root; None leaves it to Mosquitto
    (``mosquitto``). The files are given to this user when root writes them."""
    max_inflight_messages: Annotated[int, Field(ge=1, le=65535)] = 1_000
    """QoS 1 messages on their way to one client, unacknowledged. Few of them would
    make a pipeline of a thousand orders a second wait for its own acknowledgements."""
    max_queued_messages: Annotated[int, Field(ge=1)] = 100_000
    """Messages kept for one client that is away. A device asks again anyhow, by its outbox."""
    max_payload_bytes: Annotated[int, Field(ge=1024)] = MAX_PAYLOAD_BYTES
    autosave_changes: Annotated[int, Field(ge=1)] = 1_000
    """Changes after which its database is written; also on a clean stop."""
    session_expiry: str = "14d"
    """After this long away, a session with its queue is given up."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("TLS needs both: the certificate and its key")
        return self

    @property
    def conf_path(self) -> Path:
        """What ``mosquitto -c`` is given."""
        return self.directory / CONF_NAME

    @property
    def security_path(self) -> Path:
        """The accounts and rights; Mosquitto owns and rewrites it while it runs."""
        return self.directory / SECURITY_NAME


@dataclass(frozen=True, slots=True)
class Rendered:
    """The two files."""

    conf: str
    security: str


def render(
    settings: MosquittoSettings,
    *,
    admin: SecretHash,
    credentials: Iterable[Credential],
) -> Rendered:
    """Render Mosquitto's configuration.

    Args:
        settings: how it shall run.
        admin: the secret of `ADMIN_USERNAME`, who may change accounts, and nothing else.
        credentials: the services' account and every device.
    """
    return Rendered(_conf(settings), _security(admin, credentials))


def write(
    rendered: Rendered, settings: MosquittoSettings, *, replace_security: bool = False
) -> bool:
    """Write both files, readable by their owner alone; whole or not at all.

    Mosquitto rewrites the accounts while it runs, so those that are already there
    are left alone unless `replace_security` says otherwise (and Mosquitto is down).

    Returns:
        Whether the accounts were written.
    """
    settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.user is not None and os.geteuid() == 0:
        shutil.chown(settings.directory, settings.user)
    _write(settings.conf_path, rendered.conf, settings.user)
    if settings.security_path.exists() and not replace_security:
        return False
    _write(settings.security_path, rendered.security, settings.user)
    return True


def _conf(settings: MosquittoSettings) -> str:
    lines = [
        "# Rendered by `heard broker render mosquitto`: change the settings, not this file.",
        "per_listener_settings false",
        "allow_anonymous false",
        "allow_zero_length_clientid false",
        f"plugin {settings.plugin}",
        f"plugin_opt_config_file {settings.security_path}",
        "",
        f"listener {settings.port} {settings.host}",
        *_tls(settings),
        # Without it, small packets wait for the acknowledgement of the one before.
        "set_tcp_nodelay true",
        "",
        f"max_inflight_messages {settings.max_inflight_messages}",
        f"max_queued_messages {settings.max_queued_messages}",
        f"message_size_limit {settings.max_payload_bytes}",
        f"persistent_client_expiration {settings.session_expiry}",
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
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
    ]
    if settings.user is not None:
        lines.append(f"user {settings.user}")
    return "\n".join(lines) + "\n"


def _tls(settings: MosquittoSettings) -> list[str]:
    if settings.certificate is None:
        return []
    return [
        f"certfile {settings.certificate}",
        f"keyfile {settings.key}",
        "tls_version tlsv1.2",
    ]


def _security(admin: SecretHash, credentials: Iterable[Credential]) -> str:
    accounts = sorted(credentials, key=lambda one: one.identity.username)
    control = f"{REQUEST_TOPIC.removesuffix('/v1')}/#"
    admin_role = {
        "rolename": ADMIN_USERNAME,
        "acls": [
            acl(acltype, control)
            for acltype in ("publishClientSend", "publishClientReceive", "subscribePattern")
        ],
    }
    roles = {
        role.name: role.body
        for one in accounts
        for role in (common_role(one.identity), own_role(one.identity))
        if role is not None
    }
    document: Json = {
        "defaultACLAccess": {
            "publishClientSend": False,
            # Mosquitto's own default would let everybody hear everything.
            "publishClientReceive": False,
            "subscribe": False,
            # To leave is always free: rights may have been narrowed since one came.
            "unsubscribe": True,
        },
        "clients": [
            _client(ADMIN_USERNAME, admin, [{"rolename": ADMIN_USERNAME, "priority": 0}]),
            *(
                _client(one.identity.username, one.secret, role_names(one.identity))
                for one in accounts
            ),
        ],
        "groups": [],
        "roles": [admin_role, *(roles[name] for name in sorted(roles))],
    }
    return json.dumps(document, indent=1) + "\n"


def _client(username: str, secret: SecretHash, roles: list[Json]) -> Json:
    return {
        "username": username,
        "clientid": username,
        "roles": roles,
        "password": secret.digest_base64,
        "salt": secret.salt_base64,
        "iterations": secret.iterations,
    }


def _write(path: Path, text: str, user: str | None) -> None:
    """Write a file whole, or leave the old one; nobody else may read it at any moment."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if user is not None and os.geteuid() == 0:
        shutil.chown(draft, user)
    draft.replace(path)
