"""How fast a device may speak to the embedded broker, and its tenant with it.

Each bucket is one number, the moment at which it will be full again (the generic cell
rate algorithm, ITU-T I.371). Taking never fails: it tells how long to rest afterwards, for
what was read cannot be put back, and shall not be lost.
"""

from __future__ import annotations

from typing import Final

from broker_config.access import Identity
from broker_config.embedded_refusals import Kind
from broker_config.limits import BrokerLimits, Flow

_REMEMBERED: Final = 10_000


class Bucket:
    """What one sender may still say.

    Args:
        flow: how much that is.
    """

    __slots__ = ("_depth_s", "_each_s", "_full_at")

    def __init__(self, flow: Flow) -> None:
        self._each_s = 1 / flow.per_s
        self._depth_s = flow.burst / flow.per_s
        self._full_at = 0.0

    def take(self, now: float, amount: float) -> float:
        """Take so much; above zero are the seconds to rest before the next."""
        full_at = self._full_at
        full_at = (full_at if full_at > now else now) + amount * self._each_s  # noqa: FURB136 - max() costs as much as all the rest
        self._full_at = full_at
        return full_at - now - self._depth_s

    def is_full(self, now: float) -> bool:
        """Tell whether it is as good as new, and so may be forgotten."""
        return self._full_at <= now


class Meter:
    """What one device may still say, by its own limits and its tenant's.

    Args:
        messages: the buckets that count messages.
        sizes: the buckets that count bytes.
    """

    __slots__ = ("_messages", "_sizes")

    def __init__(self, messages: list[Bucket], sizes: list[Bucket]) -> None:
        self._messages = messages
        self._sizes = sizes

    def take(self, now: float, size: int, messages: float = 1.0) -> tuple[float, Kind]:
        """Take one message of `size` bytes, or what costs as much as several.

        Returns:
            The seconds to rest, 0.0 for none, and what there was too much of.
        """
        rest_s, kind = 0.0, Kind.MESSAGES
        for bucket in self._messages:
            if (wanted_s := bucket.take(now, messages)) > rest_s:
                rest_s = wanted_s
        for bucket in self._sizes:
            if (wanted_s := bucket.take(now, size)) > rest_s:
                rest_s, kind = wanted_s, Kind.BYTES
        return rest_s, kind


class Meters:
    """The meters of all devices: who goes and comes again finds its own as it left it.

    Args:
        limits: what a device and a tenant may say.
    """

    def __init__(self, limits: BrokerLimits) -> None:
        self._flows: Final = (
            (limits.device_messages, limits.tenant_messages),
            (limits.device_bytes, limits.tenant_bytes),
        )
        self._buckets: dict[tuple[str, Flow], Bucket] = {}

    def of(self, identity: Identity, now: float) -> Meter | None:
        """Find or make a device's meter; None for the services, who may say all they have to."""
        if not identity.tenant:
            return None
        if len(self._buckets) > _REMEMBERED:
            # A tenant's bucket may be another device's too, and a second would be one too many.
            self._buckets = {
                key: one
                for key, one in self._buckets.items()
                if ":" not in key[0] or not one.is_full(now)
            }
        messages, sizes = (
            [
                self._bucket(f"{index} {name}", flow)
                for name, flow in zip((identity.client_id, identity.tenant), flows, strict=True)
                if flow is not None
            ]
            for index, flows in enumerate(self._flows)
        )
        return Meter(messages, sizes) if messages or sizes else None

    def _bucket(self, name: str, flow: Flow) -> Bucket:
        return self._buckets.setdefault((name, flow), Bucket(flow))
