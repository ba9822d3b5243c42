"""The words of notices: those that ship, a house's own, and which of them count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import yaml

from services.notices.letter import Unusable

LANGUAGES: Final = ("de", "en", "es", "fr")
"""What ships."""
LAST_RESORT: Final = "en"
OTHER: Final = "other"
"""Tells of any change that has no words of its own."""
PIECES: Final = ("hello", "lines")
"""What the others include."""


class NoWords(Unusable):
    """There is no template that would do; the message says what was looked for."""


@dataclass(frozen=True, slots=True)
class Words:
    """A template: both are Jinja2."""

    headline: str
    body: str


Own = Mapping[tuple[str, str], Words]
"""A house's own, by name and language."""


@cache
def shipped(language: str) -> Mapping[str, Words]:
    """What ships in one of `LANGUAGES`, by name."""
    file = files("services.notices") / "templates" / f"{language}.yaml"
    told = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {name: Words(each["headline"], each["body"].rstrip("\n")) for name, each in told.items()}


def candidates(language: str) -> Iterator[str]:
    """The languages that will do, the best first: ``de-AT``, ``de``, ``en``."""
    yield from dict.fromkeys((language, language.partition("-")[0], LAST_RESORT))


def written_in(asked: str, found: str) -> str:
    """How times and money are written: as asked, where the words are of the same language.

    ``en-GB`` writes another date than ``en``, though the words are the same.
    """
    return asked if asked.partition("-")[0] == found.partition("-")[0] else found


def find(own: Own, template: str, change: str, language: str) -> tuple[Words, str]:
    """The words that count, and the language they are in.

    In each language a house's own go before those that ship. A template that only this
    house has is taken in whatever language there is, before none.

    Raises:
        NoWords: the house has no template of this name.
    """
    for each in candidates(language):
        if (words := own.get((template, each))) is not None:
            return words, each
        if each in LANGUAGES and template not in PIECES:
            ours = shipped(each)
            if template in ours:
                return ours[template], each
            if template == change:
                return ours[OTHER], each
    for (name, each), words in sorted(own.items(), key=lambda item: item[0]):
        if name == template:
            return words, each
    raise NoWords(f"there is no template {template!r}: heard notify template set {template}")
