"""``column IN (…)`` whose statement does not change with the number of values.

On PostgreSQL a list of parameters of another length is another statement, to be
parsed and planned anew; one array parameter is not.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, any_, bindparam, column, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY


def among(column: Column[Any], values: Collection[Any], dialect: str) -> ColumnElement[bool]:
    """Build the condition that the column has one of the values."""
    if dialect == "postgresql":
        return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))
    return column.in_(values)


def among_pairs(
    one: Column[Any], other: Column[Any], values: Collection[tuple[Any, Any]], dialect: str
) -> ColumnElement[bool]:
    """Build the condition that two columns together have one of these pairs of values.

    Where one is among the first and the other among the second, PostgreSQL would look each of
    the first up with each of the second. SQLite, where there are few, is told both: by pairs alone
    it would read the whole table.
    """
    pairs = list(values)
    if dialect == "postgresql":
        given = func.unnest(
            bindparam(None, [pair[0] for pair in pairs], type_=ARRAY(one.type)),
            bindparam(None, [pair[1] for pair in pairs], type_=ARRAY(other.type)),
        ).table_valued(column("one", one.type), column("other", other.type))
        wanted = given.render_derived()
        return tuple_(one, other).in_(select(wanted.c.one, wanted.c.other))
    return and_(
        one.in_({pair[0] for pair in pairs}),
        other.in_({pair[1] for pair in pairs}),
        tuple_(one, other).in_(pairs),
    )


def among_bound(column: Column[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """Build the same condition on values that are given when the statement runs, as `name`."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    return column.in_(bindparam(name, expanding=True))
