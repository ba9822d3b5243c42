"""Lines of an order as they are written on a command line.

```
line      = item ["+" modifiers] ["@" guest] ["=" quantity] [":" note]
modifiers = modifier *("+" modifier)
modifier  = name ["*" quantity] ["(" modifiers ")"]
```

``burger``, ``burger=2``, ``burger+rare=2:no onions``, ``burger+bacon*2+fries(aioli)``,
``burger@2``: for the second participant.
A note takes all that follows its colon. Parentheses and stars need quotes in a shell.
"""

from __future__ import annotations

import re
from typing import Any, Final

import click

from schemas.menu import MAX_CHOICES, MAX_DEPTH, ModifierRequest
from schemas.orders import MAX_GUESTS, MAX_QUANTITY, LineRequest

_TOKEN: Final = re.compile(r"[a-z0-9-]{1,64}|[+*()]", re.ASCII)


class _Misread(ValueError):
    """It does not follow the grammar; the text says where."""


class _Modifiers:
    """Reads modifiers from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: Final = _TOKEN.findall(text)
        if "".join(self._tokens) != text:
            raise _Misread(f"{text!r}: modifiers are names, as in burger+rare+fries(aioli)")
        self._at = 0

    def whole(self) -> tuple[ModifierRequest, ...]:
        """All of them."""
        found = self._some(MAX_DEPTH)
        if self._at != len(self._tokens):
            raise _Misread(f"unexpected {self._tokens[self._at]!r} among the modifiers")
        return found

    def _some(self, depth: int) -> tuple[ModifierRequest, ...]:
        found = [self._one(depth)]
        while self._skip("+"):
            found.append(self._one(depth))
        return tuple(found)

    def _one(self, depth: int) -> ModifierRequest:
        name = self._next()
        if name in {"", "+", "*", "(", ")"}:
            raise _Misread(f"a modifier is missing before {name!r}" if name else "one is missing")
        quantity = 1
        if self._skip("*"):
            number = self._next()
            quantity = int(number) if number.isdigit() else 0
            if not 1 <= quantity <= MAX_CHOICES:
                raise _Misread(f"{name}*{number}: a modifier comes 1 to {MAX_CHOICES} times")
        inner: tuple[ModifierRequest, ...] = ()
        if self._skip("("):
            if depth <= 1:
                raise _Misread(f"{name}: modifiers stand at most {MAX_DEPTH} deep in each other")
            inner = self._some(depth - 1)
            if not self._skip(")"):
                raise _Misread(f"{name}( is not closed")
        return ModifierRequest(modifier=name, quantity=quantity, modifiers=inner)

    def _next(self) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else ""
        self._at += 1
        return token

    def _skip(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False


def read_modifiers(text: str) -> tuple[ModifierRequest, ...]:
    """Read ``rare+fries(aioli)``; nothing is none.

    Raises:
        ValueError: it does not follow the grammar.
    """
    return _Modifiers(text).whole() if text else ()


def read_line(text: str) -> LineRequest:
    """Read one line.

    Raises:
        ValueError: it does not follow the grammar, or is no line of an order.
    """
    ordered, colon, remark = text.partition(":")
    dish, equals, number = ordered.partition("=")
    if not equals:
        number = "1"
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= MAX_QUANTITY:
        raise _Misread(f"the quantity is 1 to {MAX_QUANTITY}, as in burger=2")
    if colon and not remark.strip():
        raise _Misread("a colon begins a note, and none follows")
    dish, at, whose = dish.partition("@")
    if at and not (whose.isascii() and whose.isdigit() and 1 <= int(whose) <= MAX_GUESTS):
        raise _Misread(f"after @ stands a participant's number, 1 to {MAX_GUESTS}")
    item, plus, modifiers = dish.partition("+")
    if plus and not modifiers:
        raise _Misread("a modifier is missing after +")
    return LineRequest(
        item=item,
        quantity=int(number),
        note=remark.strip(),
        modifiers=read_modifiers(modifiers),
        guest=int(whose) if at else None,
    )


class Wanted(click.ParamType[LineRequest]):
    """A line of an order; see this module."""

    name = "item[+modifier…][@guest][=quantity][:note]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> LineRequest:
        """Read it."""
        try:
            return read_line(str(value))
        except _Misread as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        except ValueError:
            self.fail(f"{value!r}: write it as ITEM=QUANTITY, as in burger=2", param, ctx)


class Chosen(click.ParamType[tuple[ModifierRequest, ...]]):
    """Modifiers: ``rare+fries(aioli)``, or nothing."""

    name = "modifiers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[ModifierRequest, ...]:
        """Read them."""
        try:
            return read_modifiers(str(value))
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


WANTED: Final = Wanted()
CHOSEN: Final = Chosen()
