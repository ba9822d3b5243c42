"""What devices and tenants are held to: by their role, or as somebody has set it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import Role
from schemas.envelope import MAX_REQUEST_BYTES
from schemas.limits import Limits
from services.people.store import Unknown, no_such_device
from services.runtime.among import among
from services.runtime.house_rules import no_such_house
from services.runtime.limits import Key
from services.runtime.tables import DEVICES, TENANTS

_KIB: Final = 1024
_MIB: Final = 1024 * 1024

_EVERY: Final = Limits(subscriptions=100, retained=1, connections=1, topic_levels=7)
"""What brokers and their access policy hold every device to."""


def _role(
    messages_per_s: float, messages_burst: int, bytes_per_s: int, bytes_burst: int, payload: int
) -> Limits:
    return _EVERY.model_copy(
        update={
            "messages_per_s": float(messages_per_s),
            "messages_burst": messages_burst,
            "bytes_per_s": float(bytes_per_s),
            "bytes_burst": bytes_burst,
            "payload_bytes": payload,
        }
    )


_WORKS: Final = _role(200, 10_000, _MIB, 32 * _MIB, MAX_REQUEST_BYTES)
"""A till that was cut off for an evening sends some thousand orders when it is back."""
_TELLS: Final = _role(20, 2_000, 64 * _KIB, 2 * _MIB, 16 * _KIB)
"""Readings, each of a hundred bytes or so."""
_CHOOSES: Final = _role(1, 60, 4 * _KIB, 128 * _KIB, 16 * _KIB)
"""A stranger's phone: what it changes, all of its party are told."""

BY_ROLE: Final[Mapping[Role, Limits]] = {
    Role.POS: _WORKS,
    Role.KITCHEN_DISPLAY: _WORKS,
    Role.MANAGER: _WORKS,
    Role.TRACKER: _TELLS,
    Role.SENSOR: _TELLS,
    Role.GUEST: _CHOOSES,
}
"""What a device is held to of which nothing else was said."""

OF_TENANT: Final = Limits(
    messages_per_s=1_000.0,
    messages_burst=50_000,
    bytes_per_s=8.0 * _MIB,
    bytes_burst=128 * _MIB,
)
"""All devices of a tenant together; an unlimited device does not count."""

UNLIMITED: Final[Mapping[str, Any]] = {
    "messages_per_s": None,
    "messages_burst": None,
    "bytes_per_s": None,
    "bytes_burst": None,
}
"""What is written for a device that measures, or plays a whole evening in a minute."""

SETTABLE: Final = (*UNLIMITED, "payload_bytes")
"""What can be set for one device or tenant; the rest is the broker's."""


class LimitsUnusable(ValueError):
    """Limits that would let nothing pass, or contradict each other; the message says how."""


def of_device(role: Role, own: Mapping[str, Any] | None) -> Limits:
    """What a device is held to: its role's limits, where it has none of its own."""
    return _with(BY_ROLE.get(role, _WORKS), own)


def of_tenant(own: Mapping[str, Any] | None) -> Limits:
    """What all devices of a tenant are held to."""
    return _with(OF_TENANT, own)


def _with(usual: Limits, own: Mapping[str, Any] | None) -> Limits:
    if not own:
        return usual
    try:
        return Limits.model_validate({**usual.model_dump(), **own})
    except ValidationError:  # written by another version, or by hand
        return usual


def checked(usual: Limits, own: Mapping[str, Any]) -> Limits:
    """Check what shall be set in the place of `usual`.

    Raises:
        LimitsUnusable: it makes no sense.
    """
    try:
        limits = Limits.model_validate({**usual.model_dump(), **own})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"])).replace("_", "-")
        raise LimitsUnusable(f"--{name}: {first['msg']}") from None
    for rate, burst in (("messages_per_s", "messages_burst"), ("bytes_per_s", "bytes_burst")):
        if (getattr(limits, rate) is None) is not (getattr(limits, burst) is None):
            raise LimitsUnusable(
                f"--{rate.replace('_', '-')} and --{burst.replace('_', '-')} belong together: "
                "give both, or neither"
            )
    if limits.bytes_burst is not None and (
        limits.payload_bytes is not None and limits.bytes_burst < limits.payload_bytes
    ):
        raise LimitsUnusable(
            f"a payload of {limits.payload_bytes:,} bytes could never pass a burst of "
            f"{limits.bytes_burst:,}: raise --bytes-burst or lower --payload-bytes"
        )
    return limits


async def set_for_device(
    connection: AsyncConnection, tenant: str, device: str, own: Mapping[str, Any] | None
) -> None:
    """Write a device's own limits; None gives it its role's.

    Raises:
        Unknown: there is no such device.
    """
    wanted = (DEVICES.c.tenant == tenant) & (DEVICES.c.device == device)
    changed = await connection.execute(DEVICES.update().where(wanted).values(limits=own))
    if changed.rowcount == 0:
        raise await no_such_device(connection, tenant, device)


async def set_for_tenant(
    connection: AsyncConnection, tenant: str, own: Mapping[str, Any] | None
) -> None:
    """Write a tenant's own limits; None gives it the usual ones.

    Raises:
        Unknown: there is no such tenant.
    """
    changed = await connection.execute(
        TENANTS.update().where(TENANTS.c.tenant == tenant).values(limits=own)
    )
    if changed.rowcount == 0:
        raise Unknown(no_such_house(tenant))


async def own_of_tenant(connection: AsyncConnection, tenant: str) -> Mapping[str, Any] | None:
    """A tenant's own limits; None where it has the usual ones.

    Raises:
        Unknown: there is no such tenant.
    """
    query = select(TENANTS.c.limits).where(TENANTS.c.tenant == tenant)
    row = (await connection.execute(query)).first()
    if row is None:
        raise Unknown(no_such_house(tenant))
    own: Mapping[str, Any] | None = row.limits
    return own


async def of_tenants(connection: AsyncConnection) -> dict[str, Limits]:
    """What those tenants are held to that have limits of their own."""
    query = select(TENANTS.c.tenant, TENANTS.c.limits).where(TENANTS.c.limits.is_not(None))
    return {row.tenant: of_tenant(row.limits) for row in await connection.execute(query)}


async def of_devices(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, Limits]:
    """What these devices are held to; those that are none are absent."""
    by_tenant: dict[str, list[str]] = {}
    for tenant, device in keys:
        by_tenant.setdefault(tenant, []).append(device)
    found: dict[Key, Limits] = {}
    for tenant, devices in by_tenant.items():
        chosen = among(DEVICES.c.device, devices, connection.dialect.name)
        query = select(DEVICES.c.device, DEVICES.c.role, DEVICES.c.limits).where(
            DEVICES.c.tenant == tenant, chosen
        )
        for row in await connection.execute(query):
            found[tenant, row.device] = of_device(Role(row.role), row.limits)
    return found


async def set_devices(connection: AsyncConnection) -> dict[Key, Limits]:
    """What those devices are held to that have limits of their own."""
    query = select(DEVICES.c.tenant, DEVICES.c.device, DEVICES.c.role, DEVICES.c.limits).where(
        DEVICES.c.limits.is_not(None)
    )
    return {
        (row.tenant, row.device): of_device(Role(row.role), row.limits)
        for row in await connection.execute(query)
    }
