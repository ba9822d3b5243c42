"""The line before the worker: whoever sends much waits behind itself, and behind nobody else.

Everything comes over one connection, in the order in which it was said. Here each device has
a place of its own, in the order of its words; tenants are served in turn, and so are the
devices of a tenant. A device of ours has at most a hundred requests on their way: more than
`OF_DEVICE` has no place, and is refused for now, whatever may be left of a burst.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from services.runtime.bus import Delivery
from services.runtime.limits import Key

OF_DEVICE: Final = 300
OF_TENANT: Final = 600
"""The broker shows us a thousand unacknowledged messages at a time: no tenant fills them all."""

_NOBODY: Final = ("", "")


class _Tenant:
    """The places of one tenant's devices."""

    __slots__ = ("count", "places")

    def __init__(self) -> None:
        self.places: dict[str, deque[Delivery]] = {}
        self.count = 0


class Line:
    """Messages that passed the limits, and wait to be handled."""

    def __init__(self) -> None:
        self._tenants: dict[str, _Tenant] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def has_room(self, key: Key) -> bool:
        """Tell whether there is a place for one more message of a device."""
        tenant = self._tenants.get(key[0])
        if tenant is None:
            return True
        place = tenant.places.get(key[1])
        return tenant.count < OF_TENANT and (place is None or len(place) < OF_DEVICE)

    def add(self, key: Key | None, delivery: Delivery) -> None:
        """Put a message at the end of its device's place; None for what no device has said."""
        name, device = _NOBODY if key is None else key
        tenant = self._tenants.get(name)
        if tenant is None:
            tenant = self._tenants[name] = _Tenant()
        place = tenant.places.get(device)
        if place is None:
            place = tenant.places[device] = deque()
        place.append(delivery)
        tenant.count += 1
        self._count += 1

    def take(self, limit: int) -> list[Delivery]:
        """Take the next, up to a limit: of each tenant one, and then of each one more."""
        taken: list[Delivery] = []
        while self._count and len(taken) < limit:
            for name in list(self._tenants):
                if len(taken) == limit:
                    break
                # Who was served goes to the end of its row; who has nothing more leaves it.
                tenant = self._tenants.pop(name)
                device = next(iter(tenant.places))
                place = tenant.places.pop(device)
                taken.append(place.popleft())
                tenant.count -= 1
                self._count -= 1
                if place:
                    tenant.places[device] = place
                if tenant.count:
                    self._tenants[name] = tenant
        return taken

    def clear(self) -> None:
        """Forget all: the broker brings again what was not acknowledged."""
        self._tenants.clear()
        self._count = 0
