"""How much the embedded broker takes from anybody, and keeps for anybody.

All that a client can make grow has a bound here. The defaults are far above what a
restaurant needs, and far below what would harm the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Flow:
    """So much a second for ever, and so much at once after a rest.

    Raises:
        ValueError: nothing would ever pass.
    """

    per_s: float
    burst: float

    def __post_init__(self) -> None:
        if self.per_s <= 0 or self.burst <= 0:
            raise ValueError(f"{self} lets nothing pass: None is no limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLimits:
    """The bounds of one embedded broker. The services' own accounts have no rates."""

    # What is said. Beyond it a socket is read more slowly; nothing is lost.
    device_messages: Flow | None = Flow(2_000, 2_000)
    """A till that was cut off sends thousands of orders, a hundred at a time; a burst is what
    everybody else may have to wait for."""
    device_bytes: Flow | None = Flow(4 * _MIB, 16 * _MIB)
    tenant_messages: Flow | None = Flow(10_000, 100_000)
    """All devices of a tenant together."""
    tenant_bytes: Flow | None = Flow(16 * _MIB, 64 * _MIB)
    payload_bytes: int = 1_280 * 1024
    """Of one message; more ends the connection. Ten times the largest request: so much is
    read, to be refused by name."""

    # What is heard.
    subscriptions: int = 100
    """Of one device at a time; it needs three or four."""
    filter_levels: int = 16
    """How deep a filter may go; the deepest topic of the contract has eight levels."""
    filters_in_packet: int = 1_024
    inflight: int = 1_000
    """QoS 1 messages on their way to one client, unacknowledged."""
    waiting: int = 100_000
    """Messages on their way to one client, or kept for it."""
    waiting_bytes: int = 16 * _MIB
    """The same in bytes, with what a message takes besides its payload."""
    tenant_waiting_bytes: int = 128 * _MIB
    """All devices of a tenant together."""
    services_waiting_bytes: int = 512 * _MIB
    """What may wait for the services: they serve everybody."""
    backlog_bytes: int = 8 * _MIB
    """Written and not read: who is so far behind gets no more QoS 0 messages."""
    away_s: float = 14 * 86_400.0
    """For so long a session is kept for a client that is away."""

    # Who comes in.
    connections: int = 5_000
    tenant_connections: int = 1_000
    strangers: int = 200
    """Connections that nobody has vouched for yet; one more puts out the oldest silent one."""
    connect_patience_s: float = 10.0
    """Within it a stranger's whole first packet must have come."""
    connect_bytes: int = 64 * 1024
    checks: int = 16
    """Credentials that are looked up at the same time."""
    free_guesses: int = 10
    """Wrong secrets for one name from one address, before answers become slow."""
    guess_delay_s: float = 0.1
    """Doubled with each further one."""
    guess_delay_most_s: float = 2.0
    guesses_waiting: int = 100
    """Refusals held back at the same time; beyond, they are given at once."""
    guesses_forgotten_s: float = 300.0

    # What is told.
    told_every_s: float = 60.0
    """One line in the log for each client and kind of refusal in this time."""
    lines: int = 120
    """Lines in this time for each kind, whoever they are about."""
