"""Devices that are held to limits of a test's own."""

from __future__ import annotations

from typing import Any

from schemas.devices import Role
from schemas.limits import Limits
from services.people import limits
from services.runtime.limits import Gate
from tests.system import RunningSystem, RunningTenant, until


def gate_of(system: RunningSystem) -> Gate:
    """The gate of the services that run."""
    guard = system.served.worker._guard
    assert guard is not None
    return guard.gate


def hold(tenant: RunningTenant, device: str, role: Role, **own: Any) -> Limits:
    """Set a device's limits from outside, as the command line does; wait until they count."""
    tenant.system.writing(
        lambda connection: limits.set_for_device(connection, tenant.name, device, own)
    )
    return wait_held(tenant, device, limits.of_device(role, own))


def wait_held(tenant: RunningTenant, device: str, wanted: Limits) -> Limits:
    """Wait until a device is held to just this."""
    sender = gate_of(tenant.system).sender((tenant.name, device))
    until(lambda: sender.meter.limits == wanted, "the limits to count")
    return wanted
