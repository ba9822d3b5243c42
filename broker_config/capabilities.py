"""What a broker can do: a value, asked once, never guessed.

Each value is shown by a test in ``tests/contract``, the shortfalls too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What may be expected of a broker. The application needs none of it to be right."""

    name: str
    mqtt5: bool
    """MQTT 5 clients are accepted."""
    shared_subscriptions: bool
    """``$share/…`` spreads messages over equal workers."""
    sessions_survive_restart: bool
    """A persistent session, with its subscriptions and queue, outlives a clean restart."""
    retained_survive_restart: bool
    """Retained messages outlive a clean restart."""
    acknowledged_survives_kill: bool
    """All that was acknowledged outlives ``kill -9``."""
    redelivers_in_flight: bool
    """What was sent at QoS 1 and not acknowledged comes again after a reconnect."""
    keeps_publish_qos: bool
    """A message goes out with at most the QoS with which it came in."""
    refuses_subscriptions_openly: bool
    """A refused filter is answered with 0x80, so that the client knows."""
    runs_devices_change: bool
    """Devices are added, rotated and revoked with no restart."""
    loopback_only: bool
    """It listens to this machine alone."""


EMBEDDED: Final = Capabilities(
    name="embedded",
    mqtt5=False,
    shared_subscriptions=False,
    sessions_survive_restart=False,
    retained_survive_restart=False,
    acknowledged_survives_kill=False,
    redelivers_in_flight=True,
    keeps_publish_qos=True,
    refuses_subscriptions_openly=True,
    runs_devices_change=True,
    loopback_only=True,
)

MOSQUITTO: Final = Capabilities(
    name="mosquitto",
    mqtt5=True,
    shared_subscriptions=True,
    sessions_survive_restart=True,
    retained_survive_restart=True,
    acknowledged_survives_kill=False,
    redelivers_in_flight=True,
    keeps_publish_qos=True,
    refuses_subscriptions_openly=True,
    runs_devices_change=True,
    loopback_only=False,
)
