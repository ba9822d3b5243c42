"""Topics, built and parsed in one place.

``heard/v1/{tenant}/{plane}/…``: the plane tells who may speak, so that access
rules are a few lines. Nowhere else in the project is a topic put together from
strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from schemas.identifiers import SLUG, is_slug

ROOT: Final = "heard/v1"
MAX_TOPIC_BYTES: Final = 512

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class Plane(StrEnum):
    """Who publishes, and what for; see the table in ``docs/architecture.md``."""

    REQUEST = "request"
    REPLY = "reply"
    TELEMETRY = "telemetry"
    PRESENCE = "presence"
    STATE = "state"
    EVENT = "event"


DEVICE_PLANES: Final = frozenset({Plane.REQUEST, Plane.TELEMETRY, Plane.PRESENCE})
"""The planes on which a device speaks, under its own name."""


class TopicMismatch(ValueError):
    """A topic that is not one of this route."""


class Route:
    """The shape of one message's topics, below ``heard/v1/{tenant}/``.

    >>> route = Route("request/{device}/orders/place")
    >>> route.topic(tenant="demo", device="pos-1")
    'heard/v1/demo/request/pos-1/orders/place'
    >>> route.filter(tenant="demo")
    'heard/v1/demo/request/+/orders/place'
    >>> route.parse('heard/v1/demo/request/pos-1/orders/place')
    {'tenant': 'demo', 'device': 'pos-1'}
    """

    __slots__ = ("_levels", "_made", "_shape", "names", "plane", "template")

    def __init__(self, tail: str) -> None:
        self.template: Final = f"{ROOT}/{{tenant}}/{tail}"
        self.plane: Final = Plane(tail.split("/", 1)[0])
        self.names: Final = tuple(_PLACEHOLDER.findall(self.template))
        self._levels: Final = tuple(
            (match.group(1), None) if (match := _PLACEHOLDER.fullmatch(level)) else (None, level)
            for level in self.template.split("/")
        )
        # A topic is built for every message there is: filled in, and looked at once.
        self._made: Final = self.template.format
        self._shape: Final = re.compile(
            "/".join(
                SLUG.pattern if name else re.escape(level or "") for name, level in self._levels
            ),
            re.ASCII,
        )

    def topic(self, **values: str) -> str:
        """Build the topic; every placeholder must be given, and be a slug.

        Raises:
            TopicMismatch: a value is missing or could not stand in a topic.
        """
        try:
            topic = self._made(**values)
        except KeyError as missing:
            raise TopicMismatch(f"{self.template} lacks its {missing.args[0]}") from None
        if self._shape.fullmatch(topic) is None:
            wrong = {name: values[name] for name in self.names if not is_slug(str(values[name]))}
            raise TopicMismatch(f"{wrong} cannot stand in {self.template}")
        return topic

    def filter(self, **values: str) -> str:
        """Build a subscription filter; what is not given becomes ``+``.

        Raises:
            TopicMismatch: a value could not stand in a topic. Even a ``+`` is none: a
                name that came from outside must not widen what is read.
        """
        for name, value in values.items():
            if SLUG.fullmatch(value) is None:
                raise TopicMismatch(f"{name}={value!r} cannot stand in {self.template}")
        levels = [
            literal or "" if name is None else values.get(name, "+")
            for name, literal in self._levels
        ]
        return "/".join(levels)

    def parse(self, topic: str) -> dict[str, str]:
        """Read the values out of a topic.

        Raises:
            TopicMismatch: the topic is none of this route's.
        """
        levels = topic.split("/")
        if len(levels) != len(self._levels):
            raise TopicMismatch(f"{topic!r} is not of the form {self.template}")
        values: dict[str, str] = {}
        for (name, literal), level in zip(self._levels, levels, strict=True):
            if name is None:
                if level != literal:
                    raise TopicMismatch(f"{topic!r} is not of the form {self.template}")
            elif SLUG.fullmatch(level) is None:
                raise TopicMismatch(f"{level!r} in {topic!r} is no name")
            else:
                values[name] = level
        return values

    @property
    def key(self) -> tuple[str, ...]:
        """The levels with ``+`` for placeholders: what tells routes apart."""
        return tuple("+" if name else literal or "" for name, literal in self._levels)

    def __repr__(self) -> str:
        return f"Route({self.template!r})"


def plane_filter(plane: Plane, *, tenant: str = "+", tail: str = "#") -> str:
    """Build the filter for a whole plane, or for a part of it."""
    return f"{ROOT}/{tenant}/{plane}/{tail}"


def is_on(plane: Plane, topic: str) -> bool:
    """Tell whether a topic lies on a plane, whatever a tenant or a device is called."""
    levels = topic.split("/", 4)
    return len(levels) > 3 and levels[3] == plane


def device_of(topic: str) -> tuple[str, str] | None:
    """Tell ``(tenant, device)`` of a topic on which a device speaks; else None.

    Works on topics that no message owns too, so that even a request of an unknown
    kind can be answered.
    """
    levels = topic.split("/", 5)
    if len(levels) < 5 or levels[:2] != ROOT.split("/") or levels[3] not in DEVICE_PLANES:
        return None
    tenant, device = levels[2], levels[4]
    if SLUG.fullmatch(tenant) is None or SLUG.fullmatch(device) is None:
        return None
    return tenant, device


def matches(filter_: str, topic: str) -> bool:
    """Tell whether an MQTT subscription filter matches a topic (MQTT 3.1.1, 4.7)."""
    if topic.startswith("$") and filter_[:1] in {"#", "+"}:
        return False
    wanted, given = filter_.split("/"), topic.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position >= len(given) or level not in {"+", given[position]}:
            return False
    return len(wanted) == len(given)


def values_for(names: tuple[str, ...], *sources: Mapping[str, object]) -> dict[str, str]:
    """Collect placeholder values as text from the first source that has each."""
    found: dict[str, str] = {}
    for name in names:
        for source in sources:
            value = source.get(name)
            if value is not None:
                found[name] = str(value)
                break
    return found


def state_marker(name: str) -> str:
    """A topic among the states on which no state ever stands.

    The services publish to it to learn that they have been sent all that is retained.
    """
    return Route("state/marker/{name}").topic(tenant="heard-services", name=name)


def event_marker(name: str) -> str:
    """A topic among the events on which nothing ever happens.

    For who looks at what stands retained while the services may be looking too: they hear
    all states then, and would take another's marker for a message.
    """
    return Route("event/marker/{name}").topic(tenant="heard-services", name=name)


def is_marker(topic: str) -> bool:
    """Tell whether only the services speak there, to learn that they have been sent the rest."""
    name = topic.rpartition("/")[2]
    return is_slug(name) and topic in {state_marker(name), event_marker(name)}
