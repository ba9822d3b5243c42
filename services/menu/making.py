"""Reading how an item is made: of what, for how long, and in which course. Pure.

What is wrong is told with the word that stands in the file: ``prep_s is '-5': …``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from schemas.identifiers import Slug
from schemas.kitchen_rules import MAX_COMPONENTS, MAX_COURSES, MAX_PREP_S
from schemas.menu import Component

Complain = Callable[[str], None]

_COUNTED: Final = re.compile(r"(?:([0-9]+) +)?(\S+)", re.ASCII)
_NAME: Final = TypeAdapter(Slug)
_MOST_DIGITS: Final = 9
BETWEEN: Final = "|"
HOW: Final = "components are names with quantities, as {patty: 2, bun: 1} or 2 patty|bun"


def components(value: Any, complain: Complain) -> tuple[Component, ...]:
    """Read what one is made of.

    Args:
        value: ``{patty: 2, bun: 1}``, ``[2 patty, bun]`` or ``2 patty|bun``; all is text.
        complain: is told what is wrong.
    """
    counted: list[tuple[str, str]] = []
    if isinstance(value, dict):
        counted = [(str(name), number) for name, number in value.items()]
    else:
        words = value.split(BETWEEN) if isinstance(value, str) else value
        if not isinstance(words, list):
            complain(HOW)
            return ()
        for word in words:
            if isinstance(word, str) and not word.strip():
                continue
            found = _COUNTED.fullmatch(word.strip()) if isinstance(word, str) else None
            if found is None:
                complain(f"{word!r}: {HOW}")
                return ()
            counted.append((found[2], found[1] or "1"))
    read: dict[str, Component] = {}
    for name, number in counted:
        quantity = _whole(number, MAX_COMPONENTS)
        if not _is_name(name):
            complain(f"{name!r} is no name: lower-case letters, digits and hyphens")
        elif quantity is None:
            complain(f"{name} is {number!r} times in it: it is a number from 1 to {MAX_COMPONENTS}")
        elif name in read:
            complain(f"{name} stands there twice")
        else:
            read[name] = Component(component=name, quantity=quantity)
    return tuple(read.values())


def prep_s(value: str, complain: Complain) -> int | None:
    """Read how long one takes, in whole seconds; nothing is as long as usual at its station."""
    if not value:
        return None
    seconds = _whole(value, MAX_PREP_S)
    if seconds is None:
        complain(f"prep_s is {value!r}: it is whole seconds from 1 to {MAX_PREP_S}")
    return seconds


def course(value: str, complain: Complain) -> int:
    """Read in which course it comes; nothing is the first."""
    number = _whole(value or "1", MAX_COURSES)
    if number is None:
        complain(f"course is {value!r}: it is a number from 1 to {MAX_COURSES}")
    return number or 1


def _whole(value: Any, most: int) -> int | None:
    if not isinstance(value, str) or not value.isdecimal() or len(value) > _MOST_DIGITS:
        return None
    number = int(value)
    return number if 1 <= number <= most else None


def _is_name(name: str) -> bool:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return False
    return True
