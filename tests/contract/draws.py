"""Attempts made of random bytes: who, and on which topic or filter.

Most levels are such as the policy speaks of, so that much is allowed; the others are near
misses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeVar

from broker_config.access import WARDEN_USERNAME, Identity
from schemas.devices import Role
from schemas.topics import DEVICE_PLANES, Plane

TENANTS: Final = ("ta", "ta2", "t-a")
LOOKALIKES: Final = ("TA", "t\u0430")
"""The second with a Cyrillic letter. No tenant may be called so; a topic can."""
BYTES: Final = 12
"""Of one attempt."""

DEVICES: Final = tuple(
    Identity(tenant, f"{role}-1", role) for tenant in TENANTS for role in Role if role != "service"
)
WARDEN: Final = Identity.service(WARDEN_USERNAME)
IDENTITIES: Final = (*DEVICES, WARDEN)

_PLANES: Final = (
    *Plane,
    *Plane,
    *sorted(DEVICE_PLANES),
    *sorted(DEVICE_PLANES),
    "+",
    "#",
    "states",
    "",
)
_AREAS: Final = (
    *("menu", "orders", "kitchen", "people", "delivery", "delivery", "delivery"),
    *("staff", "quality", "alerts"),
    *("party", "party", "pos-1", "manager-1", "tracker-1", "guest-1", "POS-1"),
)
_WILD: Final = ("+", "#", "+", "", "a+", "a#")
_HEADS: Final = (
    *(["heard/v1"] * 16),
    *("heard/v2", "Heard/v1", "/heard/v1", "$share/g/heard/v1", "$SYS", "$CONTROL"),
)

_DEPTHS: Final = (2, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7)

T = TypeVar("T")


class Attempt(NamedTuple):
    """One try."""

    who: Identity
    topic: str
    """A topic, or a filter."""


def attempts(raw: bytes, *, wild: bool) -> Iterator[Attempt]:
    """Read attempts out of bytes.

    Args:
        raw: `BYTES` for each.
        wild: there are wildcards in them, as in filters.
    """
    for start in range(0, len(raw) - BYTES + 1, BYTES):
        yield _attempt(raw[start : start + BYTES], wild=wild)


def _attempt(raw: bytes, *, wild: bool) -> Attempt:
    who = IDENTITIES[raw[0] % len(IDENTITIES)]
    own = who.tenant or "ta"
    tenants = (*([own] * 10), *TENANTS, *LOOKALIKES, *(("+", "#") if wild else ()))
    names = (*_AREAS, who.device, *(_WILD if wild else ("", "x")))
    levels = [_one(_HEADS, raw[1]), _one(tenants, raw[2]), _one(_PLANES, raw[3])]
    levels += [
        _one((*names, *([who.device] * often)), each)
        for often, each in zip((12, 4, 1, 1), raw[4:8], strict=True)
    ]
    topic = "/".join(levels[: _one(_DEPTHS, raw[8])])
    if raw[9] > 250:
        topic += "\0"
    if raw[10] > 250:
        topic = topic.replace("/", ".")
    return Attempt(who, topic)


def _one(choices: tuple[T, ...], byte: int) -> T:
    return choices[byte % len(choices)]
