"""Both sums of a replay with changes: ours from the database, theirs from the messages alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select

from cli.recount import Bill
from services.orders.journal import JOURNAL
from services.orders.ledger import ACCOUNTS
from services.orders.store import ORDERS
from services.runtime.among import among
from services.runtime.database import Database

AT_ONCE: Final = 500
FIGURES: Final = ("total", "tax", "paid", "tips", "refunded", "due")

Figures = dict[str, int]


async def ours(database: Database, tenant: str, ids: Sequence[UUID]) -> dict[UUID, Figures]:
    """Each order's figures by its row, and its accounts by its journal."""
    found: dict[UUID, Figures] = {}
    async with database.read() as connection:
        for start in range(0, len(ids), AT_ONCE):
            part = ids[start : start + AT_ONCE]
            columns = [ORDERS.c[f"{name}_minor"].label(name) for name in FIGURES]
            query = select(ORDERS.c.order_id, *columns).where(
                ORDERS.c.tenant == tenant,
                among(ORDERS.c.order_id, part, connection.dialect.name),
            )
            for row in (await connection.execute(query)).mappings():
                found[row["order_id"]] = {name: row[name] for name in FIGURES}
            sums = [func.sum(JOURNAL.c[f"{name}_minor"]).label(name) for name in ACCOUNTS]
            query = (
                select(JOURNAL.c.order_id, *sums)
                .where(
                    JOURNAL.c.tenant == tenant,
                    among(JOURNAL.c.order_id, part, connection.dialect.name),
                )
                .group_by(JOURNAL.c.order_id)
            )
            for row in (await connection.execute(query)).mappings():
                found[row["order_id"]] |= {_account(name): int(row[name]) for name in ACCOUNTS}
    return found


def theirs(bills: Mapping[str, Bill]) -> dict[UUID, Figures]:
    """The same of each order, recounted."""
    return {
        UUID(id_): {name: getattr(bill, name) for name in FIGURES}
        | {_account(name): amount for name, amount in bill.books().items()}
        for id_, bill in bills.items()
    }


def _account(name: str) -> str:
    return f"account_{name}"


def summed(of: Mapping[UUID, Figures]) -> Figures:
    """All orders together; every name ends in ``_minor``."""
    names = (*FIGURES, *map(_account, ACCOUNTS))
    return {f"{name}_minor": sum(each.get(name, 0) for each in of.values()) for name in names}


def apart(one: Mapping[UUID, Figures], other: Mapping[UUID, Figures]) -> Iterator[dict[str, Any]]:
    """Every order of which the two say different things."""
    for id_ in sorted(one.keys() | other.keys()):
        mine, yours = one.get(id_, {}), other.get(id_, {})
        if mine != yours:
            names = [n for n in mine.keys() | yours.keys() if mine.get(n) != yours.get(n)]
            yield {
                "order_id": str(id_),
                "database": {name: mine.get(name) for name in sorted(names)},
                "recounted": {name: yours.get(name) for name in sorted(names)},
            }
