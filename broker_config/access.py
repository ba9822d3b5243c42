"""Who may say and hear what: the one access policy, rendered for each broker.

A rule names roles, a verb, a plane and the rest of the topic; `{self}` stands for
the device's own name. The tenant is never in a rule: it is the device's own, and
every tenant for the services.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, Protocol, Self

from broker_config.secret import SecretHash, derived_secret
from schemas.devices import Role
from schemas.identifiers import is_slug
from schemas.topics import MAX_TOPIC_BYTES, ROOT, Plane, matches, plane_filter

SERVICES_USERNAME: Final = "heard-services"
WARDEN_USERNAME: Final = "heard-warden"
"""Looks at what stands retained of devices, and clears what nobody owns."""
POSITIONS_USERNAME: Final = "heard-positions"
"""Listens to positions alone, which are too many to wait in one line with orders."""
ADMIN_USERNAME: Final = "heard-admin"
OURS: Final = frozenset({SERVICES_USERNAME, WARDEN_USERNAME, POSITIONS_USERNAME, ADMIN_USERNAME})
"""Accounts of no device."""


_SERIAL: Final = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class Verb(StrEnum):
    """What one does with a topic."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"


class Retain(StrEnum):
    """What of that which is published may stay on its topic."""

    NOTHING = "no"
    CLEARING = "only to clear"
    """An empty payload: it takes away what stands there."""
    ANYTHING = "yes"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the policy.

    `plane` None stands for all planes; then `tail` follows the tenant at once.
    """

    roles: frozenset[Role]
    verb: Verb
    plane: Plane | None
    tail: str
    retain: Retain = Retain.NOTHING


def _rule(
    roles: set[Role],
    verb: Verb,
    plane: Plane | None,
    *tails: str,
    retain: Retain = Retain.NOTHING,
) -> tuple[Rule, ...]:
    return tuple(Rule(frozenset(roles), verb, plane, tail, retain) for tail in tails)


_DEVICES: Final = set(Role) - {Role.SERVICE}
_SERVICE: Final = {Role.SERVICE}

# What a device may say has no `#`: how deep its topics go is bounded on every broker.
RULES: Final[tuple[Rule, ...]] = (
    *_rule(_DEVICES, Verb.PUBLISH, Plane.PRESENCE, "{self}", retain=Retain.ANYTHING),
    *_rule(_DEVICES, Verb.PUBLISH, Plane.TELEMETRY, "{self}/+"),
    *_rule(_DEVICES, Verb.PUBLISH, Plane.REQUEST, "{self}/people/+"),
    *_rule(_DEVICES, Verb.SUBSCRIBE, Plane.REPLY, "{self}"),
    *_rule({Role.POS}, Verb.PUBLISH, Plane.REQUEST, "{self}/orders/+"),
    # Whoever takes the orders may take none for a while.
    *_rule(
        {Role.POS},
        Verb.PUBLISH,
        Plane.REQUEST,
        "{self}/kitchen/pause-channel",
        "{self}/kitchen/resume-channel",
    ),
    *_rule({Role.POS}, Verb.SUBSCRIBE, Plane.STATE, "menu/#", "orders/#"),
    *_rule({Role.POS}, Verb.SUBSCRIBE, Plane.EVENT, "orders/#"),
    # A till may host a party; of all there are, each device sees its own.
    *_rule({Role.GUEST, Role.POS}, Verb.PUBLISH, Plane.REQUEST, "{self}/party/+"),
    *_rule({Role.GUEST, Role.POS}, Verb.SUBSCRIBE, Plane.STATE, "party/{self}"),
    *_rule({Role.GUEST}, Verb.SUBSCRIBE, Plane.STATE, "menu/#"),
    *_rule({Role.KITCHEN_DISPLAY}, Verb.PUBLISH, Plane.REQUEST, "{self}/kitchen/+"),
    *_rule({Role.KITCHEN_DISPLAY}, Verb.SUBSCRIBE, Plane.STATE, "kitchen/#", "menu/#"),
    *_rule({Role.KITCHEN_DISPLAY}, Verb.SUBSCRIBE, Plane.EVENT, "kitchen/#"),
    # What is wrong in the kitchen, and how it takes orders, stands on the screens that it is for.
    *_rule({Role.POS, Role.KITCHEN_DISPLAY}, Verb.PUBLISH, Plane.REQUEST, "{self}/alerts/+"),
    *_rule(
        {Role.POS, Role.KITCHEN_DISPLAY},
        Verb.SUBSCRIBE,
        Plane.STATE,
        "alerts/#",
        "kitchen-channels/#",
    ),
    # Every device of the house is one at which staff say that they are there, and what they found.
    *_rule(
        {Role.POS, Role.KITCHEN_DISPLAY},
        Verb.PUBLISH,
        Plane.REQUEST,
        "{self}/staff/+",
        "{self}/quality/+",
        "{self}/inventory/+",
        "{self}/menu/+",
    ),
    *_rule(
        {Role.POS, Role.KITCHEN_DISPLAY},
        Verb.SUBSCRIBE,
        Plane.STATE,
        "staff/#",
        "staff-tasks/#",
        "inventory/#",
        "sensors/#",
    ),
    *_rule({Role.POS, Role.KITCHEN_DISPLAY}, Verb.SUBSCRIBE, Plane.EVENT, "staff/#"),
    *_rule({Role.SENSOR}, Verb.PUBLISH, Plane.TELEMETRY, "{self}/zigbee/+"),
    # Bridges of others listen to what they say themselves, and do not begin where they may not.
    *_rule({Role.SENSOR, Role.TRACKER}, Verb.SUBSCRIBE, Plane.TELEMETRY, "{self}/#"),
    *_rule({Role.TRACKER, Role.POS}, Verb.PUBLISH, Plane.REQUEST, "{self}/delivery/+"),
    *_rule({Role.TRACKER}, Verb.SUBSCRIBE, Plane.STATE, "delivery/{self}/#"),
    # OwnTracks has topics below its own.
    *_rule({Role.TRACKER}, Verb.PUBLISH, Plane.TELEMETRY, "{self}/owntracks/+"),
    *_rule(
        {Role.POS, Role.KITCHEN_DISPLAY},
        Verb.SUBSCRIBE,
        Plane.STATE,
        "couriers/#",
        "deliveries/#",
        "etas/#",
        "dispatch/#",
        "positions/#",
    ),
    *_rule({Role.POS}, Verb.SUBSCRIBE, Plane.EVENT, "delivery/#", "fences/#"),
    # A guest's link opens one page, and that of one order.
    *_rule({Role.GUEST}, Verb.SUBSCRIBE, Plane.STATE, "tracking/{self}"),
    *_rule({Role.MANAGER}, Verb.PUBLISH, Plane.REQUEST, "{self}/+/+"),
    *_rule({Role.MANAGER}, Verb.SUBSCRIBE, None, "#"),
    *_rule(_SERVICE, Verb.PUBLISH, Plane.STATE, "#", retain=Retain.ANYTHING),
    *_rule(_SERVICE, Verb.PUBLISH, Plane.EVENT, "#"),
    *_rule(_SERVICE, Verb.PUBLISH, Plane.REPLY, "+"),
    # Only to clear what a device left behind: one that was removed cannot do so itself.
    *_rule(_SERVICE, Verb.PUBLISH, Plane.PRESENCE, "+", retain=Retain.CLEARING),
    *_rule(_SERVICE, Verb.PUBLISH, Plane.REQUEST, "#", retain=Retain.CLEARING),
    *_rule(_SERVICE, Verb.PUBLISH, Plane.TELEMETRY, "#", retain=Retain.CLEARING),
    *_rule(_SERVICE, Verb.SUBSCRIBE, Plane.REQUEST, "#"),
    *_rule(_SERVICE, Verb.SUBSCRIBE, Plane.TELEMETRY, "#"),
    *_rule(_SERVICE, Verb.SUBSCRIBE, Plane.PRESENCE, "#"),
    *_rule(_SERVICE, Verb.SUBSCRIBE, Plane.STATE, "#"),
    *_rule(_SERVICE, Verb.SUBSCRIBE, Plane.EVENT, "#"),
)
"""The policy. What no line allows is refused."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: a device of one tenant, or a service (of every tenant).

    Raises:
        ValueError: a name could not stand in a topic, and so might widen a filter.
    """

    tenant: str
    """Empty for a service, which belongs to no tenant."""
    device: str
    role: Role
    since: datetime | None = None
    """Since when the device is there, where that is known: who bears its name later is another."""

    def __post_init__(self) -> None:
        needed = [self.device] if self.role is Role.SERVICE else [self.tenant, self.device]
        for name in needed:
            if not is_slug(name):
                raise ValueError(f"{name!r} is not [a-z0-9-]{{1,64}}: it cannot name a device")
        if self.role is Role.SERVICE and self.tenant:
            raise ValueError(f"a service is of no tenant, not of {self.tenant!r}")

    @classmethod
    def service(cls, name: str = SERVICES_USERNAME) -> Self:
        """Make the identity of a service's account."""
        return cls(tenant="", device=name, role=Role.SERVICE)

    @property
    def client_id(self) -> str:
        """The only MQTT client id it may use, whichever of its secrets it shows."""
        return self.device if self.role is Role.SERVICE else client_id_of(self.tenant, self.device)

    def username(self, serial: int = 1) -> str:
        """The MQTT user name that goes with one of its secrets."""
        if self.role is Role.SERVICE:
            return self.device
        return username_of(self.tenant, self.device, serial)


def client_id_of(tenant: str, device: str) -> str:
    """Name a device for a broker; no colon can stand in either part, so no two clash."""
    return f"{tenant}:{device}"


def username_of(tenant: str, device: str, serial: int = 1) -> str:
    """Name one of a device's accounts; while a secret is being changed, it has two."""
    name = client_id_of(tenant, device)
    return name if serial == 1 else f"{name}:{serial}"


def parse_username(username: str) -> tuple[str, str, int] | None:
    """Read a tenant, a device and a serial from a user name; None where it names no device.

    `username` is whatever a stranger sent. A name is written in one way only.
    """
    tenant, _, rest = username.partition(":")
    device, _, number = rest.partition(":")
    serial = int(number) if _SERIAL.fullmatch(number) else 1
    if not (is_slug(tenant) and is_slug(device)):
        return None
    return (tenant, device, serial) if username_of(tenant, device, serial) == username else None


class Grant(NamedTuple):
    """One right: to publish to, or to subscribe within, a filter."""

    verb: Verb
    filter: str
    own: bool
    """It names the device itself; else all of this tenant in this role have it."""
    retain: Retain
    any_device: str
    """The same filter for whatever device."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a broker must know to let somebody in."""

    identity: Identity
    secret: SecretHash
    serial: int = 1
    """Counts the secrets that a device was given; each stands on its own."""

    @property
    def username(self) -> str:
        """The MQTT user name that goes with the secret."""
        return self.identity.username(self.serial)


def service_credentials(services_secret: str) -> list[Credential]:
    """Make the accounts of the services themselves: who serves, the warden, the positions'."""
    secrets = {
        SERVICES_USERNAME: services_secret,
        WARDEN_USERNAME: derived_secret(services_secret, WARDEN_USERNAME),
        POSITIONS_USERNAME: derived_secret(services_secret, POSITIONS_USERNAME),
    }
    return [
        Credential(Identity.service(name), SecretHash.of(secret))
        for name, secret in secrets.items()
    ]


class Directory(Protocol):
    """Where the embedded broker looks up who may connect."""

    async def find(self, username: str) -> Credential | None:
        """Return the credential of `username`; None where it does not exist or is revoked.

        `username` is whatever a stranger sent: any text, of any length.
        """
        ...


@lru_cache(maxsize=4096)
def grants(identity: Identity) -> tuple[Grant, ...]:
    """List everything `identity` may do, in the policy's order."""
    tenant = "+" if identity.role is Role.SERVICE else identity.tenant
    found = []
    for rule in RULES:
        if identity.role not in rule.roles:
            continue
        own, any_device = (
            _filter(rule, tenant, rule.tail.replace("{self}", name))
            for name in (identity.device, "+")
        )
        found.append(Grant(rule.verb, own, "{self}" in rule.tail, rule.retain, any_device))
    return tuple(found)


def _filter(rule: Rule, tenant: str, tail: str) -> str:
    if rule.plane is None:
        return f"{ROOT}/{tenant}/{tail}"
    return plane_filter(rule.plane, tenant=tenant, tail=tail)


def may_publish(identity: Identity, topic: str) -> bool:
    """Tell whether `identity` may publish to `topic`; never on a topic that is none."""
    return is_topic(topic) and _granted(identity, Verb.PUBLISH, topic)


def may_retain(identity: Identity, topic: str, *, clearing: bool = False) -> bool:
    """Tell whether what `identity` publishes to `topic` may stay there.

    Args:
        identity: who publishes.
        topic: where.
        clearing: the payload is empty, and so takes away what stands there.
    """
    enough = {Retain.ANYTHING, Retain.CLEARING} if clearing else {Retain.ANYTHING}
    return is_topic(topic) and any(
        grant.retain in enough and matches(grant.filter, topic) for grant in grants(identity)
    )


def may_receive(identity: Identity, topic: str) -> bool:
    """Tell whether a message on `topic` may be handed to `identity`."""
    return is_topic(topic) and _granted(identity, Verb.SUBSCRIBE, topic)


def may_subscribe(identity: Identity, filter_: str) -> bool:
    """Tell whether `identity` may subscribe to `filter_`.

    Only where one grant covers whatever the filter could ever match: a filter is
    never narrowed silently, so who subscribes knows what will come.
    """
    return is_filter(filter_) and any(
        grant.verb is Verb.SUBSCRIBE and covers(grant.filter, filter_) for grant in grants(identity)
    )


def _granted(identity: Identity, wanted: Verb, topic: str) -> bool:
    return any(grant.verb is wanted and matches(grant.filter, topic) for grant in grants(identity))


def _is_name(text: str) -> bool:
    if not text or "\0" in text:
        return False
    try:
        return len(text.encode()) <= MAX_TOPIC_BYTES
    except UnicodeEncodeError:  # lone surrogates: nothing that UTF-8 on the wire can carry
        return False


def is_topic(text: str) -> bool:
    """Tell whether one may publish to this at all (MQTT 3.1.1, 4.7)."""
    return _is_name(text) and "+" not in text and "#" not in text


def is_filter(text: str) -> bool:
    """Tell whether this is a subscription filter (MQTT 3.1.1, 4.7.1)."""
    if not _is_name(text):
        return False
    *above, last = text.split("/")
    return all(level == "+" or not {"+", "#"} & set(level) for level in above) and (
        last in {"+", "#"} or not {"+", "#"} & set(last)
    )


def covers(granted: str, wanted: str) -> bool:
    """Tell whether every topic that `wanted` can match is matched by `granted` too.

    Both must be filters. Where `granted` says ``+/#`` (any topic at all), a bare ``#``
    is refused although it means the same: too strict, never too generous.
    """
    if wanted.startswith("$") and granted[:1] in {"+", "#"}:
        return False
    given, asked = granted.split("/"), wanted.split("/")
    for position, level in enumerate(given):
        if level == "#":
            return True
        if position >= len(asked) or asked[position] == "#":
            return False
        if level not in {"+", asked[position]}:
            return False
    return len(given) == len(asked)
