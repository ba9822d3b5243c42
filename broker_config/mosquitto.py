"""Mosquitto's files: its configuration, its accounts, its copies of the certificates."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from broker_config.access import ADMIN_USERNAME, Credential
from broker_config.dynamic_security import (
    REQUEST_TOPIC,
    Json,
    acl,
    common_role,
    own_role,
    role_names,
)
from broker_config.mosquitto_conf import (
    CA_NAME,
    CERTIFICATE_NAME,
    KEY_NAME,
    MosquittoSettings,
    conf,
)
from broker_config.private_files import write_private
from broker_config.secret import SecretHash


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
    return Rendered(conf(settings), _security(admin, credentials))


def write(
    rendered: Rendered, settings: MosquittoSettings, *, replace_security: bool = False
) -> bool:
    """Write both files, readable by their owner alone; whole or not at all.

    Certificate, key and authority are copied beside them: Mosquitto gives up root's rights
    before it reads them, and its own user may not be let into the folder where they stand.

    Mosquitto rewrites the accounts while it runs, so those that are already there
    are left alone unless `replace_security` says otherwise (and Mosquitto is down).

    Returns:
        Whether the accounts were written.
    """
    settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.user is not None and os.geteuid() == 0:
        # What it kept as somebody else too.
        for path in (settings.directory, *settings.directory.iterdir()):
            shutil.chown(path, settings.user)
    for source, name in (
        (settings.key, KEY_NAME),
        (settings.certificate, CERTIFICATE_NAME),
        (settings.ca, CA_NAME),
    ):
        if source is not None:
            write_private(settings.directory / name, source.read_bytes(), user=settings.user)
    write_private(settings.conf_path, rendered.conf, user=settings.user)
    if settings.security_path.exists() and not replace_security:
        return False
    write_private(settings.security_path, rendered.security, user=settings.user)
    return True


def _security(admin: SecretHash, credentials: Iterable[Credential]) -> str:
    accounts = sorted(credentials, key=lambda one: one.username)
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
            _client(
                ADMIN_USERNAME, ADMIN_USERNAME, admin, [{"rolename": ADMIN_USERNAME, "priority": 0}]
            ),
            *(
                _client(one.username, one.identity.client_id, one.secret, role_names(one.identity))
                for one in accounts
            ),
        ],
        "groups": [],
        "roles": [admin_role, *(roles[name] for name in sorted(roles))],
    }
    return json.dumps(document, indent=1) + "\n"


def _client(username: str, client_id: str, secret: SecretHash, roles: list[Json]) -> Json:
    return {
        "username": username,
        "clientid": client_id,
        "roles": roles,
        "password": secret.digest_base64,
        "salt": secret.salt_base64,
        "iterations": secret.iterations,
    }
