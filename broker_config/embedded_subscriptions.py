"""Who subscribed to what: found along a topic's levels, whatever others subscribed to.

amqtt tries each message against every filter of every tenant, and looks through all of
them again whenever anybody leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_REMEMBERED: Final = 4_096


class _Level:
    __slots__ = ("below", "here")

    def __init__(self) -> None:
        self.below: dict[str, _Level] = {}
        self.here: dict[str, int] = {}
        """The granted QoS, by client id."""


class Subscriptions:
    """All subscriptions of a broker, by client id.

    Args:
        may_hear: tells of a client id whether a topic may be handed to it: it may have
            subscribed in better days.
    """

    def __init__(self, may_hear: Callable[[str, str], bool]) -> None:
        self._may_hear: Final = may_hear
        self._top = _Level()
        self._filters: dict[str, dict[str, int]] = {}
        self._found: dict[str, dict[str, int]] = {}

    def of(self, client_id: str) -> dict[str, int]:
        """A client's filters, each with the QoS that it was granted."""
        return self._filters.get(client_id, {})

    def add(self, client_id: str, filter_: str, qos: int) -> None:
        """Subscribe a client; where it was before, the new QoS counts."""
        self._filters.setdefault(client_id, {})[filter_] = qos
        level = self._top
        for name in filter_.split("/"):
            level = level.below.setdefault(name, _Level())
        level.here[client_id] = qos
        self._found.clear()

    def remove(self, client_id: str, filter_: str) -> None:
        """Take a subscription away; one that is not there is no error."""
        if self._filters.get(client_id, {}).pop(filter_, None) is None:
            return
        self._found.clear()
        way: list[tuple[_Level, str]] = []
        level = self._top
        for name in filter_.split("/"):
            way.append((level, name))
            level = level.below[name]
        del level.here[client_id]
        for above, name in reversed(way):
            if above.below[name].here or above.below[name].below:
                break
            del above.below[name]

    def drop(self, client_id: str) -> None:
        """Take all of a client's subscriptions away."""
        for filter_ in list(self.of(client_id)):
            self.remove(client_id, filter_)
        self._filters.pop(client_id, None)

    def audience(self, topic: str) -> dict[str, int]:
        """Find who subscribed to a topic, each with the best QoS it was granted.

        The answer is kept until a subscription changes: it is not to be altered.
        """
        found = self._found.get(topic)
        if found is None:
            found = {}
            _walk(self._top, topic.split("/"), 0, found)
            found = {name: qos for name, qos in found.items() if self._may_hear(name, topic)}
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[topic] = found
        return found


def _walk(level: _Level, names: list[str], position: int, found: dict[str, int]) -> None:
    below = level.below
    if (everything := below.get("#")) is not None:
        _note(everything, found)
    if position == len(names):
        _note(level, found)
        return
    for name in (names[position], "+"):
        if (next_ := below.get(name)) is not None:
            _walk(next_, names, position + 1, found)


def _note(level: _Level, found: dict[str, int]) -> None:
    for client_id, qos in level.here.items():
        found[client_id] = max(qos, found.get(client_id, 0))
