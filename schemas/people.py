"""People: what they are, and what each may do beyond the screen they work at."""

from __future__ import annotations

from enum import StrEnum


class PersonRole(StrEnum):
    """What a person is; their rights, and those of their screens, follow from it."""

    OPERATOR = "operator"
    """Runs the system for every restaurant; belongs to none."""
    MANAGER = "manager"
    COOK = "cook"
    WAITER = "waiter"
    COURIER = "courier"


class Permission(StrEnum):
    """What a person may ask of the gateway."""

    DEVICES_READ = "devices.read"
    """See the restaurant's devices."""
    DEVICES_INVITE = "devices.invite"
    """Make the claim code of a new device."""
    DEVICES_REVOKE = "devices.revoke"
    """Put a device out."""
    AUDIT_READ = "audit.read"
    """Read who did what in the restaurant."""
