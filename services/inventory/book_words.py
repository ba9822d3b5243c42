"""Words of a book of recipes: quantities, shares, names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from pydantic import ValidationError

from schemas.identifiers import is_slug, slug
from schemas.inventory import BaseUnit, Quantity
from services.inventory.book_files import Many, Named, Value, Word
from services.inventory.units import Measure, UnitMismatch, thousandths

_NUMBER: Final = r"(\d{1,12}(?:\.\d{1,6})?)"
_QUANTITY: Final = re.compile(rf"{_NUMBER}\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_TIMES: Final = re.compile(r"(\d{1,6})\s*x\s*(.+)", re.ASCII | re.IGNORECASE)
_SHARE: Final = re.compile(rf"{_NUMBER}\s*(%?)", re.ASCII)
_WHOLE: Final = re.compile(r"\d{1,12}", re.ASCII)
_HUNDRED: Final = 100


class Said(NamedTuple):
    """So much, as somebody wrote it."""

    amount: Decimal
    unit: str

    def __str__(self) -> str:
        """As people write it: ``1.5 kg``, and ``3`` of what is counted in pieces."""
        number = f"{self.amount:f}"
        return number if self.unit == BaseUnit.EACH else f"{number} {self.unit}"


class Wrong(ValueError):
    """A word is not what it should be."""


def quantity(text: str) -> Said:
    """Read so much of something: ``1.5 kg``; without a unit it is pieces.

    Raises:
        Wrong: it is none.
    """
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise Wrong(f"{text!r:.40} is no quantity: write it as 1.5 kg, 20 ml or 3")
    return Said(Decimal(found[1]), found[2].lower() or BaseUnit.EACH.value)


def said(kept: Quantity) -> Said:
    """A quantity of the contract, as a number."""
    return Said(Decimal(kept.amount), kept.unit)


def pack(text: str) -> Said:
    """Read what is in a pack: ``25 kg``, or ``24 x 330 ml``.

    Raises:
        Wrong: it is neither.
    """
    times = _TIMES.fullmatch(text)
    if times is None:
        return quantity(text)
    one = quantity(times[2])
    return Said(int(times[1]) * one.amount, one.unit)


def share(text: str) -> Decimal:
    """Read a share: ``10%`` or ``0.1``.

    Raises:
        Wrong: it is none, or not below all of it.
    """
    found = _SHARE.fullmatch(text)
    if found is not None:
        part = Decimal(found[1]) / (_HUNDRED if found[2] else 1)
        if part < 1:
            return part
    raise Wrong(f"{text!r:.40} is no share: write it as 10% or 0.1, below all of it")


class Reading:
    """What is wrong with a book, collected while it is read."""

    def __init__(self) -> None:
        self.complaints: Final[list[str]] = []

    def complain(self, where: str, what: str) -> None:
        """Say what is wrong, and where."""
        self.complaints.append(f"{where}: {what}")

    def refused(self, where: str, error: ValidationError) -> None:
        """Say what the contract does not allow."""
        for each in error.errors(include_url=False, include_context=False):
            name = ".".join(str(part) for part in each["loc"])
            what = each["msg"].removeprefix("Value error, ")
            self.complain(where, f"{name}: {what}" if name else what)

    def name(self, word: Word) -> str | None:
        """A name that may stand in a topic; None where it is none."""
        if is_slug(word.text):
            return word.text
        proposed = slug(word.text)
        self.complain(
            word.where,
            f"{word.text!r:.80} is no name: lower-case letters, digits and hyphens, "
            f"as {proposed!r}",
        )
        return None

    def names(self, value: Value | None) -> list[Word]:
        """Names, as a list or with | between them; each as it stands, unchecked."""
        if value is None:
            return []
        if isinstance(value, Word):
            parts = (each.strip() for each in value.text.split("|"))
            return [Word(each, value.where) for each in parts if each]
        if isinstance(value, Many):
            found = [each for each in value.values if isinstance(each, Word) and each.text]
            if len(found) == len(value.values):
                return found
        self.complain(value.where, "this is a list of names")
        return []

    def fields(self, value: Value, known: Sequence[str], nested: Sequence[str] = ()) -> Fields:
        """Names with values; what is unknown among them is complained of."""
        if not isinstance(value, Named):
            self.complain(value.where, f"it is names with values: {', '.join(known)}")
            return Fields(self, value.where, {})
        unknown = [name for name in value.values if name not in known]
        if unknown:
            what = ", ".join(f"{name:.40}" for name in unknown)
            self.complain(value.where, f"{what}: there are {', '.join(known)}")
        values = {name: each for name, each in value.values.items() if name in known}
        for name in list(values):
            if name not in nested and not isinstance(values[name], Word):
                self.complain(values[name].where, f"{name} is one word, not a list")
                del values[name]
        return Fields(self, value.where, values)


class Fields:
    """The values of one thing by name."""

    def __init__(self, reading: Reading, where: str, values: Mapping[str, Value]) -> None:
        self._reading: Final = reading
        self._values: Final = values
        self.where: Final = where

    def value(self, name: str) -> Value | None:
        """As it stands."""
        return self._values.get(name)

    def word(self, name: str) -> Word | None:
        """One word; None where there is none, or it is empty."""
        value = self._values.get(name)
        return value if isinstance(value, Word) and value.text else None

    def text(self, name: str) -> str:
        """One word's text, or nothing."""
        word = self.word(name)
        return "" if word is None else word.text

    def called(self, key: str) -> str | None:
        """The thing's name, made of what people call it where it is not given."""
        word = self.word(key)
        if word is not None:
            return self._reading.name(word)
        if self.text("name"):
            return slug(self.text("name"))
        self._reading.complain(self.where, f"it needs a name: `{key}: flour`, say")
        return None

    def quantity(self, name: str, measure: Measure) -> int | None:
        """A quantity in thousandths of a base unit; None where there is none, or it is wrong."""
        word = self.word(name)
        if word is None:
            return None
        try:
            read = pack(word.text) if name == "holds" else quantity(word.text)
            return thousandths(read.amount, read.unit, measure)
        except (Wrong, UnitMismatch) as error:
            self._reading.complain(word.where, f"{name}: {error}")
            return None

    def whole(self, name: str, most: int) -> int | None:
        """A whole number; None where there is none, or it is wrong."""
        word = self.word(name)
        if word is None:
            return None
        if _WHOLE.fullmatch(word.text) and int(word.text) <= most:
            return int(word.text)
        self._reading.complain(word.where, f"{name}: {word.text!r:.40} is no number up to {most}")
        return None


def each_of(value: Value | None, key: str, reading: Reading) -> Iterator[Value]:
    """The things of a section: a list of them, or by name."""
    if value is None or (isinstance(value, Word) and not value.text):
        return
    if isinstance(value, Many):
        yield from value.values
    elif isinstance(value, Named):
        for name, each in value.values.items():
            if isinstance(each, Word) and not each.text:
                yield Named({key: Word(name, each.where)}, each.where)
            elif isinstance(each, Named) and key not in each.values:
                yield Named({key: Word(name, each.where), **each.values}, each.where)
            else:
                reading.complain(each.where, f"{name:.40}: names with values stand below a name")
    else:
        reading.complain(value.where, "this is a list, or names with what they are")
