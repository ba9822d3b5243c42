"""What a broker can do: a value, asked once, never guessed.

Each value is shown by a test in ``tests/contract``, the shortfalls too. The application
needs none of it in order to be right: only a reply after the commit proves anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What may be expected of a broker."""

    name: str
    mqtt5: bool
    """MQTT 5 clients are accepted."""
    qos2: bool
    """QoS 2 is taken; else a QoS 2 publish ends the connection, and a subscription gets 1."""
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
    refuses_publish_openly: bool
    """A publish that is not allowed is answered so; else it is acknowledged, and lost."""
    refuses_will_at_connect: bool
    """A will on a topic that is not allowed is refused at once; else when it is due."""
    drops_retained: bool
    """What may not stay retained does not; else the services' warden clears it afterwards."""
    loopback_only: bool
    """It listens to this machine alone."""


EMBEDDED: Final = Capabilities(
    name="embedded",
    mqtt5=False,
    qos2=False,
    shared_subscriptions=False,
    sessions_survive_restart=False,
    retained_survive_restart=False,
    acknowledged_survives_kill=False,
    redelivers_in_flight=True,
    refuses_publish_openly=False,
    refuses_will_at_connect=True,
    drops_retained=True,
    loopback_only=True,
)

MOSQUITTO: Final = Capabilities(
    name="mosquitto",
    mqtt5=True,
    # As it is rendered: nothing of Heard's is QoS 2.
    qos2=False,
    shared_subscriptions=True,
    sessions_survive_restart=True,
    retained_survive_restart=True,
    acknowledged_survives_kill=False,
    redelivers_in_flight=True,
    # To MQTT 3.1.1, which has no word for it; MQTT 5 clients are told.
    refuses_publish_openly=False,
    refuses_will_at_connect=False,
    drops_retained=False,
    loopback_only=False,
)
