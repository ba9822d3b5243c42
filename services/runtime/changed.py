"""What is to be written: rows, the versions they were decided from, and how it may fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Table

Row = Mapping[str, Any]

GUARD: Final = "guard"
"""In a table's `info`: the column that changes whenever the row does."""

WAS: Final = "was_"


class Stale(Exception):
    """A row has changed since it was read; nothing was written."""


class Conflict(Exception):
    """A row exists already, or would break a constraint; nothing was written."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A row as it was read, and as it shall be."""

    before: Row
    after: Row


@cache
def names(table: Table) -> tuple[str, ...]:
    """The columns' names; plain text, for SQLAlchemy's own kind makes encoders look twice."""
    return tuple(str.__str__(column.name) for column in table.columns)


@cache
def keys(table: Table) -> tuple[str, ...]:
    """The names of the primary key's columns."""
    return tuple(str.__str__(column.name) for column in table.primary_key)
