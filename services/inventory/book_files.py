"""Files of YAML and CSV as values that know where they stand. Pure.

A book of recipes is long, and written by people who cook: whatever is wrong with it is told with
its file and line. So YAML is read as it is written, word by word, and nothing becomes a float.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml

# The parser in C is ten times as fast; a book of ten thousand items is a file of a megabyte.
_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DEEPEST: Final = 16
"""How far values may be nested; a book needs six."""


class Unreadable(ValueError):
    """Files are no book.

    Attributes:
        complaints: what is wrong, one line each, with file and line.
    """

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__("; ".join(complaints))
        self.complaints: Final = tuple(complaints)


@dataclass(frozen=True, slots=True)
class Source:
    """A file, read.

    Attributes:
        name: for people.
        text: what stands in it.
        kind: ``yaml`` or ``csv``.
    """

    name: str
    text: str
    kind: str = "yaml"


@dataclass(frozen=True, slots=True)
class Word:
    """A value, as it is written."""

    text: str
    where: str
    """For people: ``recipes.yaml, line 12``."""


@dataclass(frozen=True, slots=True)
class Many:
    """Values one after the other."""

    values: tuple[Value, ...]
    where: str


@dataclass(frozen=True, slots=True)
class Named:
    """Values by name, each name with its own place."""

    values: Mapping[str, Value]
    where: str


Value: TypeAlias = Word | Many | Named


def yaml_value(source: Source) -> Value:
    """Read YAML.

    Raises:
        Unreadable: it is none, says a name twice, or holds itself.
    """
    reading = _Reading(source.name)
    try:
        for event in yaml.parse(source.text, Loader=_LOADER):
            reading.take(event)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        said = error.problem or "this is no YAML"
        raise Unreadable([f"{source.name}, line {line}: {said}"]) from None
    except yaml.YAMLError as error:
        raise Unreadable([f"{source.name}: this is no YAML: {error}"]) from None
    if reading.complaints:
        raise Unreadable(reading.complaints)
    if reading.whole is None:
        raise Unreadable([f"{source.name}: there is nothing in it"])
    return reading.whole


class _Open:
    """A list or a mapping that is not read to its end yet."""

    def __init__(self, where: str, anchor: str | None, *, named: bool) -> None:
        self.where: Final = where
        self.anchor: Final = anchor
        self.named: Final = named
        self.values: Final[list[Value]] = []
        self.names: Final[dict[str, Value]] = {}
        self.name: str | None = None


class _Reading:
    """YAML, event by event: however deep a file is nested, no stack but this one grows."""

    def __init__(self, file: str) -> None:
        self.complaints: Final[list[str]] = []
        self.whole: Value | None = None
        self._file: Final = file
        self._open: Final[list[_Open]] = []
        self._known: Final[dict[str, Value]] = {}

    def take(self, event: yaml.Event) -> None:
        """Take the next event.

        Raises:
            Unreadable: it cannot be read on from here.
        """
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        where = f"{self._file}, line {line}"
        if isinstance(event, yaml.DocumentStartEvent):
            if self.whole is not None:
                raise Unreadable([f"{where}: a second document: one file, one book"])
        elif isinstance(event, yaml.ScalarEvent):
            self._add(Word(event.value.strip(), where), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            known = self._known.get(event.anchor or "")
            if known is None:
                raise Unreadable([f"{where}: nothing before it is called &{event.anchor}"])
            self._add(known, None)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) >= _DEEPEST:
                raise Unreadable([f"{where}: it is nested too deeply"])
            named = isinstance(event, yaml.MappingStartEvent)
            self._open.append(_Open(where, event.anchor, named=named))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = self._open.pop()
            value: Value = (
                Named(ended.names, ended.where)
                if ended.named
                else Many(tuple(ended.values), ended.where)
            )
            self._add(value, ended.anchor)

    def _add(self, value: Value, anchor: str | None) -> None:
        if anchor is not None:
            self._known[anchor] = value
        if not self._open:
            self.whole = value
            return
        inside = self._open[-1]
        if not inside.named:
            inside.values.append(value)
        elif inside.name is not None:
            inside.names[inside.name] = value
            inside.name = None
        elif not isinstance(value, Word):
            raise Unreadable([f"{value.where}: a name is one word"])
        else:
            if value.text in inside.names:
                self.complaints.append(f"{value.where}: {value.text} stands there twice")
            inside.name = value.text


def csv_rows(source: Source) -> tuple[Sequence[str], Iterator[Named]]:
    """Read CSV: the names of its columns, and its rows; empty cells are absent.

    Raises:
        Unreadable: a row has not as many columns as the first line.
    """
    reader = csv.reader(io.StringIO(source.text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        heads = [head.strip().lower() for head in next(reader, [])]
        rows = []
        line = reader.line_num + 1
        for cells in reader:
            where = f"{source.name}, line {line}"
            line = reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(heads):
                said = f"{len(cells)} columns, and the first line {len(heads)}"
                raise Unreadable([f"{where}: it has {said}"])
            values = {
                head: Word(cell.strip(), where)
                for head, cell in zip(heads, cells, strict=True)
                if cell.strip()
            }
            rows.append(Named(values, where))
    except csv.Error as error:
        raise Unreadable([f"{source.name}, line {reader.line_num}: {error}"]) from None
    twice = sorted({head for head in heads if heads.count(head) > 1})
    if twice:
        raise Unreadable([f"{source.name}, line 1: {', '.join(twice)}: each column once"])
    return heads, iter(rows)
