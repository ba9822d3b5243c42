"""Mosquitto's dynamic security: commands to build, answers to read.

Nothing here sends anything. Whoever holds the connection of `ADMIN_USERNAME`
publishes a batch on `REQUEST_TOPIC` and hears the answers on `RESPONSE_TOPIC`,
in order and, by their correlation data, told from those to anybody else.

Rights that name the device hang on a role of its own, for Mosquitto takes ``%u``
literally.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from broker_config.access import Grant, Identity, Verb, grants, username_of
from schemas.devices import Role

REQUEST_TOPIC: Final = "$CONTROL/dynamic-security/v1"
RESPONSE_TOPIC: Final = f"{REQUEST_TOPIC}/response"
MAX_BATCH: Final = 200
"""Commands in one message: enough to be fast, few enough to stay far below 1 MiB."""

Json = dict[str, Any]


class DynamicSecurityRefused(Exception):
    """Mosquitto refused a command; the text says which, and why."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, and the error that only says there is nothing to do."""

    body: Json
    tolerated: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes out in one message."""

    correlation: str
    commands: tuple[Command, ...]

    @property
    def payload(self) -> bytes:
        """The message, in JSON."""
        bodies = [{**one.body, "correlationData": self.correlation} for one in self.commands]
        return json.dumps({"commands": bodies}, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class MosquittoRole:
    """A named list of rights."""

    name: str
    acls: tuple[Json, ...]

    @property
    def body(self) -> Json:
        """The role as Mosquitto writes it."""
        return {"rolename": self.name, "acls": list(self.acls)}


def own_role(identity: Identity) -> MosquittoRole:
    """Render the rights that name the device itself; a service has all of its here."""
    if identity.role is not Role.SERVICE:
        own = [grant for grant in grants(identity) if grant.own]
        return MosquittoRole(identity.client_id, tuple(_asked(own)))
    granted = grants(identity)
    entries = [*_asked(granted), *_received(grant.filter for grant in _heard(granted))]
    # Equal workers may divide the messages among them; to Mosquitto this is another filter
    # than the one that is shared.
    entries += [acl("subscribePattern", f"$share/+/{grant.filter}") for grant in _heard(granted)]
    return MosquittoRole(identity.client_id, tuple(entries))


def common_role(identity: Identity) -> MosquittoRole | None:
    """Render the rights that all of this tenant in this role share; None for a service.

    Mosquitto writes all its accounts anew at each change, so what can be shared is. To
    receive is a right of its own to Mosquitto, beside that to subscribe: it is shared even
    where a filter names the device, for without the subscription nothing comes.
    No device is called so, for a slash stands in no name.
    """
    granted = grants(identity)
    if identity.role is Role.SERVICE:
        return None
    entries = [
        *_asked(grant for grant in granted if not grant.own),
        *_received(grant.any_device for grant in _heard(granted)),
    ]
    return MosquittoRole(f"{identity.tenant}/{identity.role}", tuple(entries))


def role_names(identity: Identity) -> list[Json]:
    """Render which roles an account has."""
    roles = [own_role(identity), common_role(identity)]
    return [{"rolename": role.name, "priority": 0} for role in roles if role is not None]


def _heard(granted: Iterable[Grant]) -> list[Grant]:
    return [grant for grant in granted if grant.verb is Verb.SUBSCRIBE]


def _asked(granted: Iterable[Grant]) -> Iterator[Json]:
    """Render what one may publish and subscribe to."""
    for grant in granted:
        kind = "publishClientSend" if grant.verb is Verb.PUBLISH else "subscribePattern"
        yield acl(kind, grant.filter)


def _received(filters: Iterable[str]) -> Iterator[Json]:
    """Render what may be handed to one.

    A session kept from better days must not hear what is now refused.
    """
    for filter_ in filters:
        yield acl("publishClientReceive", filter_)


def acl(acltype: str, filter_: str) -> Json:
    """Render one entry that allows."""
    return {"acltype": acltype, "topic": filter_, "priority": 0, "allow": True}


def add(
    identity: Identity, secret: str, serial: int = 1, *, anew: bool = False
) -> tuple[Command, ...]:
    """Build what lets a device in by one more secret, or again by the same.

    An older connection on the same account is closed. With `anew` its rights are made
    anew too: it may have borne the same name in another role.
    """
    username = identity.username(serial)
    return (
        *(revoke(identity.client_id, (serial,)) if anew else withdraw(username)),
        *_create(common_role(identity)),
        *_create(own_role(identity)),
        Command(
            {
                "command": "createClient",
                "username": username,
                "clientid": identity.client_id,
                "password": secret,
                "roles": role_names(identity),
            }
        ),
    )


def disabled(identity: Identity, serials: Iterable[int]) -> tuple[Command, ...]:
    """Build what locks all accounts of a device and closes its connection."""
    return tuple(one for serial in serials for one in disable(identity.username(serial)))


def change_rights(identity: Identity, serials: Iterable[int]) -> tuple[Command, ...]:
    """Build what gives a device that stays another role, and opens its accounts.

    `serials` are those of all its accounts, and all are disabled.
    """
    name = identity.client_id
    accounts = [identity.username(serial) for serial in serials]
    return (
        Command({"command": "deleteRole", "rolename": name}, "Role not found"),
        *_create(common_role(identity)),
        *_create(own_role(identity)),
        *(
            Command({"command": "modifyClient", "username": each, "roles": role_names(identity)})
            for each in accounts
        ),
        *(Command({"command": "enableClient", "username": each}) for each in accounts),
    )


def _create(role: MosquittoRole | None) -> tuple[Command, ...]:
    if role is None:
        return ()
    return (Command({"command": "createRole", **role.body}, "Role already exists"),)


def disable(username: str) -> tuple[Command, ...]:
    """Build what locks an account and closes its connection, and keeps its rights."""
    return (Command({"command": "disableClient", "username": username}),)


def enable(username: str) -> tuple[Command, ...]:
    """Build what unlocks an account."""
    return (Command({"command": "enableClient", "username": username}),)


def withdraw(username: str) -> tuple[Command, ...]:
    """Build what removes one account, and closes its connection.

    An account that is not there is no error: it may be withdrawn twice.
    """
    return (Command({"command": "deleteClient", "username": username}, "Client not found"),)


def revoke(client_id: str, serials: Iterable[int] = (1,)) -> tuple[Command, ...]:
    """Build what removes a device's accounts with its rights, and closes its connection."""
    tenant, _, device = client_id.partition(":")
    return (
        *(one for serial in serials for one in withdraw(username_of(tenant, device, serial))),
        Command({"command": "deleteRole", "rolename": client_id}, "Role not found"),
    )


def visitor(client_id: str, secret: str) -> tuple[Command, ...]:
    """Build what lets one come in under a device's client id who may say and hear nothing.

    Mosquitto keeps the session of a client id that no account uses any more, with all that
    waits in it. Who connects under it with a clean session, and leaves, takes it away.
    """
    username = visitor_name(client_id)
    return (
        *withdraw(username),
        Command(
            {
                "command": "createClient",
                "username": username,
                "clientid": client_id,
                "password": secret,
            }
        ),
    )


def visitor_name(client_id: str) -> str:
    """The user name that goes with `visitor`: serials of devices begin with 1."""
    return f"{client_id}:0"


def list_accounts() -> tuple[Command, ...]:
    """Build what asks for the names of all accounts; `account_names` reads the answer."""
    return (Command({"command": "listClients", "verbose": False}),)


def list_rights() -> tuple[Command, ...]:
    """Build what asks for all rights; `renewed` reads the answer."""
    return (Command({"command": "listRoles", "verbose": True}),)


def renewed(responses: Sequence[Json], identities: Iterable[Identity]) -> tuple[Command, ...]:
    """Build what gives devices the rights of this version's policy, where theirs are others.

    Rights stay as they were made, whatever the policy says later; and whoever has them is put
    out when they are changed. So only what differs is.

    Args:
        responses: the answers to `list_rights`.
        identities: the devices that have accounts.
    """
    standing = {
        role["rolename"]: {_compared(each) for each in role.get("acls", [])}
        for answer in responses
        for role in answer.get("data", {}).get("roles", [])
    }
    wanted = {
        role.name: role
        for identity in identities
        for role in (common_role(identity), own_role(identity))
        if role is not None and role.name in standing
    }
    return tuple(
        Command({"command": "modifyRole", **role.body})
        for name, role in sorted(wanted.items())
        if {_compared(each) for each in role.acls} != standing[name]
    )


def _compared(entry: Json) -> tuple[str, str, bool]:
    return (entry["acltype"], entry["topic"], entry["allow"])


def batches(commands: Iterable[Command], *, correlation: str) -> list[Batch]:
    """Divide commands into messages that Mosquitto takes.

    Args:
        commands: in the order in which they shall be done.
        correlation: any text of the caller's own, by which it knows its answers.
    """
    waiting = list(commands)
    return [
        Batch(f"{correlation}/{start}", tuple(waiting[start : start + MAX_BATCH]))
        for start in range(0, len(waiting), MAX_BATCH)
    ]


def answers(batch: Batch, payload: bytes) -> list[Json] | None:
    """Read Mosquitto's answers to `batch`.

    Returns:
        The answers, one for each command and in their order; None where the message
        answers somebody else's batch.

    Raises:
        DynamicSecurityRefused: a command failed, or the answer cannot be read.
    """
    responses = _responses(payload)
    if not any(answer.get("correlationData") == batch.correlation for answer in responses):
        return None
    if len(responses) != len(batch.commands):
        raise DynamicSecurityRefused(
            f"{len(batch.commands)} commands were sent and {len(responses)} answered"
        )
    refusals = []
    for command, answer in zip(batch.commands, responses, strict=True):
        error = answer.get("error")
        if error and error != command.tolerated:
            body = command.body
            about = body.get("username") or body.get("rolename") or ""
            refusals.append(f"{body['command']} {about}: {error}")
    if refusals:
        raise DynamicSecurityRefused("; ".join(refusals))
    return responses


def account_names(responses: Sequence[Json]) -> list[str]:
    """Read the names out of the answers to `list_accounts`."""
    names: list[str] = []
    for answer in responses:
        clients = answer.get("data", {}).get("clients", [])
        names += [one if isinstance(one, str) else one["username"] for one in clients]
    return names


def _responses(payload: bytes) -> list[Json]:
    try:
        responses = json.loads(payload)["responses"]
    except (ValueError, KeyError, TypeError) as error:
        raise DynamicSecurityRefused(f"Mosquitto's answer is not understood: {error}") from error
    if not isinstance(responses, list) or not all(isinstance(one, dict) for one in responses):
        raise DynamicSecurityRefused("Mosquitto's answer is not a list of answers")
    return responses
