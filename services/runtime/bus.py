"""The bus: one MQTT connection of the services, as a small port of ours.

What it is made of stands in `services.runtime.mqtt_bus`: nothing else knows which library.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class ConnectionLost(Exception):
    """The connection to the broker is gone; what was not confirmed must be sent again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the broker delivered it; `tag` is for acknowledging it."""

    topic: str
    payload: bytes
    retain: bool
    qos: int
    tag: int


class WaitingRoom(Protocol):
    """Where messages wait between their arrival and `Session.receive`."""

    def add(self, delivery: Delivery) -> bool:
        """Let one in; False where it is done with instead. Called as it arrives: at once."""
        ...

    def take(self, limit: int) -> list[Delivery]:
        """Take the next, up to a limit."""
        ...

    def __len__(self) -> int: ...


class FirstCome:
    """A waiting room in the order of arrival."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()

    def add(self, delivery: Delivery) -> bool:
        """See `WaitingRoom.add`."""
        self._waiting.append(delivery)
        return True

    def take(self, limit: int) -> list[Delivery]:
        """See `WaitingRoom.take`."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(limit, len(waiting)))]

    def __len__(self) -> int:
        return len(self._waiting)


class Session(Protocol):
    """One connection, from its opening to its loss."""

    def wait_in(self, room: WaitingRoom) -> None:
        """Let messages wait in this room from now on; one that it turns away is acknowledged."""

    async def receive(self, limit: int) -> list[Delivery]:
        """Wait for messages; return what is there, up to `limit`.

        Raises:
            ConnectionLost: the connection is gone.
        """

    def wake(self) -> None:
        """Have `receive` look at its room again: something came in that came another way."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are done with; in the order they came."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        """Send one message without waiting; return the id of its confirmation."""

    def on_confirmed(self, callback: Callable[[int], None]) -> None:
        """Name who is told the ids of the messages that the broker has taken."""

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Name who is told, once, that the connection is gone."""

    def send_now(self) -> None:
        """Write what was published and acknowledged to the socket."""

    async def subscribe(self, *filters: str) -> None:
        """Subscribe at QoS 1."""

    async def unsubscribe(self, *filters: str) -> None:
        """End subscriptions."""


Use = Callable[[Session], Awaitable[None]]


class Bus(Protocol):
    """Where sessions come from: MQTT today, a distributed engine later."""

    async def keep(self, use: Use) -> None:
        """Open a session and hand it to `use`; when it is lost, open the next. Never ends."""
