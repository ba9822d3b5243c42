"""``column IN (…)`` whose statement does not change with the number of values.

On PostgreSQL a list of parameters of another length is another statement, to be
parsed and planned anew; one array parameter is not.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, ColumnElement, any_, bindparam
from sqlalchemy.dialects.postgresql import ARRAY


def among(column: Column[Any], values: Collection[Any], dialect: str) -> ColumnElement[bool]:
    """Build the condition that the column has one of the values."""
    if dialect == "postgresql":
        return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))
    return column.in_(values)


def among_bound(column: Column[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """Build the same condition on values that are given when the statement runs, as `name`."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    return column.in_(bindparam(name, expanding=True))
