"""What people may do: one table. What stands in no line is refused."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.devices import Role
from schemas.people import Permission, PersonRole


class Standing(NamedTuple):
    """What follows from a person's role."""

    screen: Role
    """What their screens are to the broker: see `broker_config.access`."""
    may: frozenset[Permission]
    """What they may ask of the gateway."""


_ALL: Final = frozenset(Permission)
_NONE: Final = frozenset[Permission]()

STANDINGS: Final[Mapping[PersonRole, Standing]] = MappingProxyType(
    {
        PersonRole.OPERATOR: Standing(Role.MANAGER, _ALL),
        PersonRole.MANAGER: Standing(Role.MANAGER, _ALL),
        PersonRole.COOK: Standing(Role.KITCHEN_DISPLAY, _NONE),
        PersonRole.WAITER: Standing(Role.POS, _NONE),
        PersonRole.COURIER: Standing(Role.TRACKER, _NONE),
    }
)


def may(role: PersonRole, permission: Permission) -> bool:
    """Tell whether people of a role may do this."""
    return permission in STANDINGS[role].may


def screen_role(role: PersonRole) -> Role:
    """Tell what the screens of people of a role are to the broker."""
    return STANDINGS[role].screen
