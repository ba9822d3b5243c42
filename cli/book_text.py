"""The kitchen's rules as a file: every setting with its value, and what it is for. Pure.

What is as usual stands there too, so that nobody has to know of a setting to find it; what
nothing is said of stands as a remark, ready to be used.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from pydantic import BaseModel

from schemas.kitchen_rules import (
    CheckRules,
    CourseRules,
    EscalationStep,
    KitchenRules,
    RouteRule,
    StationRules,
    ThrottleRules,
)

SAYS: Final[Mapping[type[BaseModel], Mapping[str, str]]] = {
    KitchenRules: {
        "stations": "Each by its name; one that is not here works as usual.",
        "routes": "Where lines go instead of where the menu says; the first that fits decides.",
        "courses": "How courses follow each other.",
        "finish_together": "true: what is quick begins later, to be done at one time.",
        "recall_last": "So many of a station's last bumped tickets can be recalled.",
        "escalation": "Who is asked, and after how many seconds, when a station does not hear.",
        "throttle": "When the kitchen takes less. Left empty, it does so by hand alone.",
        "checks": "What is checked, each by its name.",
    },
    StationRules: {
        "name": "for people",
        "kind": "prep, or expo: makes nothing, and sees whole orders",
        "group": "stations of one group share their work",
        "fallback": "makes its orders while it is closed, and is asked first",
        "hands": "so many lines are worked on at once",
        "prep_s": "how long a line takes, before there is a history",
        "warn_s": "a ticket of this age is in a hurry",
        "late_s": "and of this age late",
        "merge": "true: screens show identical lines as one",
    },
    RouteRule: {
        "route": "its name",
        "to": "a station or a group",
        "items": "of the menu; any where none is named",
        "stations": "where the menu sends them",
        "kinds": "of order: dine-in, takeaway, delivery",
        "days": "mon, tue, wed, thu, fri, sat, sun",
        "since": "by the house's clock; a span may run over midnight",
        "until": "and until then",
    },
    CourseRules: {
        "firing": "by-hand, after-previous or by-time",
        "gap_s": "seconds after the course before was bumped, or fired",
    },
    EscalationStep: {
        "to": "fallback, printer, expo, pos or manager",
        "after_s": "seconds after the step before",
    },
    ThrottleRules: {
        "stretch_at": "from this load on quoted times grow; 1 is all that the hands can do",
        "pause_at": "from here on the first channel is paused, each further one 0.1 above",
        "resume_at": "below this it is taken again",
        "channels": "what may be paused, the first one first",
        "quote_s": "how long an order is told to take while there is room",
    },
    CheckRules: {
        "name": "for people",
        "kind": "temperature, yes-no or photo",
        "items": "with each of these",
        "stations": "where it is made by the clock",
        "every_s": "seconds between two, by the clock",
        "least": "degrees Celsius",
        "most": "degrees Celsius",
        "blocks": "true: no bump before it has passed",
    },
}
"""What each setting is for, in a few words."""

_WIDTH: Final = 78
_INSIDE: Final[Mapping[str, type[BaseModel]]] = {
    "stations": StationRules,
    "routes": RouteRule,
    "courses": CourseRules,
    "escalation": EscalationStep,
    "throttle": ThrottleRules,
    "checks": CheckRules,
}


def written_book(book: KitchenRules) -> str:
    """The rules as YAML, all of them, each with what it is for.

    `cli.kitchen_book.read_book` reads it, and finds the same rules.
    """
    values = book.model_dump(mode="json")
    return "\n\n".join("\n".join(_part(name, values[name])) for name in values) + "\n"


def _part(name: str, value: Any) -> Iterator[str]:
    """One setting of the house, after what it and all that is in it are for."""
    yield from textwrap.wrap(
        SAYS[KitchenRules][name], _WIDTH, initial_indent="# ", subsequent_indent="# "
    )
    if (inside := _INSIDE.get(name)) is not None:
        for field, says in SAYS[inside].items():
            yield f"#   {field}: {says}{_usual(inside, field)}"
    if value is None:
        yield f"{name}:"
        return
    yield yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True).rstrip("\n")


def _usual(part: type[BaseModel], name: str) -> str:
    field = part.model_fields[name]
    if field.is_required() or field.default in (None, "", ()):
        return ""
    value = part.model_construct().model_dump(mode="json")[name]
    return f" (usual: {yaml.safe_dump(value, default_flow_style=True).splitlines()[0]})"
