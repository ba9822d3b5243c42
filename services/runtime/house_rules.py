"""The rules of each house: one row a tenant, which decisions rely on.

Every tenant has its row from the first day, so that reading it costs a decision nothing:
it stays on the shelf, and the write at the end says that it is still the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pydantic_core import to_json
from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.delivery_rules import DeliveryRules
from schemas.house_rules import OrderRules
from schemas.kitchen_rules import KitchenRules
from schemas.message import Part
from schemas.notices import NoticeRules
from schemas.stock_rules import StockRules
from services.runtime.changed import GUARD
from services.runtime.tables import DOCUMENT, METADATA, SLUG
from services.runtime.work import SHELVED, Draft, UnitOfWork

HOUSE_RULES: Final = Table(
    "house_rules",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("book", SLUG, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("orders", DOCUMENT),
    Column("notices", DOCUMENT),
    Column("kitchen", DOCUMENT),
    Column("stock", DOCUMENT),
    Column("stock_book", BigInteger),
    Column("delivery", DOCUMENT),
    CheckConstraint("version >= 1", name="version"),
    info={GUARD: "version", SHELVED: True},
)

"""``stock_book`` is the version of the house's items and recipes; without, it keeps no stock."""

MAIN: Final = "main"
_USUAL_ORDERS: Final = OrderRules()
_USUAL_NOTICES: Final = NoticeRules()
_USUAL_KITCHEN: Final = KitchenRules()
_USUAL_STOCK: Final = StockRules()
_USUAL_DELIVERY: Final = DeliveryRules()


def no_such_house(tenant: str) -> str:
    """What is said of a house that is not there, wherever it is said.

    Whoever mistyped a name looks for the right one: a hint to add it would make a second house.
    """
    return f"there is no tenant {tenant}: heard tenant list"


class Books(NamedTuple):
    """All rules of one house."""

    orders: OrderRules
    notices: NoticeRules
    kitchen: KitchenRules
    stock: StockRules
    delivery: DeliveryRules


def first_row(tenant: str) -> dict[str, Any]:
    """The row of a new tenant: everything as usual."""
    # Not from one: after a tenant was removed and added again, the same version would vouch
    # for rules that are remembered from before.
    version = 1 + secrets.randbelow(2**40)
    return {
        "tenant": tenant,
        "book": MAIN,
        "version": version,
        "orders": None,
        "notices": None,
        "kitchen": None,
        "stock": None,
        "stock_book": None,
        "delivery": None,
    }


async def order_rules(draft: Draft, tenant: str) -> OrderRules:
    """How a house takes orders; the decision rests on it."""
    row = await _row(draft, tenant)
    if row is None or row["orders"] is None:
        return _USUAL_ORDERS
    return _orders(to_json(row["orders"]))


async def notice_rules(draft: Draft, tenant: str) -> NoticeRules:
    """Whom a house tells of what; the decision rests on it."""
    row = await _row(draft, tenant)
    if row is None or row["notices"] is None:
        return _USUAL_NOTICES
    return _notices(to_json(row["notices"]))


async def kitchen_rules(draft: Draft, tenant: str) -> KitchenRules:
    """How a house's kitchen works; the decision rests on it."""
    row = await _row(draft, tenant)
    if row is None or row["kitchen"] is None:
        return _USUAL_KITCHEN
    return _kitchen(to_json(row["kitchen"]))


async def stock_rules(draft: Draft, tenant: str) -> StockRules:
    """How a house looks after its stock; the decision rests on it."""
    row = await _row(draft, tenant)
    if row is None or row["stock"] is None:
        return _USUAL_STOCK
    return _stock(to_json(row["stock"]))


async def delivery_rules(draft: Draft, tenant: str) -> DeliveryRules:
    """How a house brings food to its guests; the decision rests on it."""
    row = await _row(draft, tenant)
    if row is None or row["delivery"] is None:
        return _USUAL_DELIVERY
    return _delivery(to_json(row["delivery"]))


async def stock_book(draft: Draft, tenant: str) -> int | None:
    """The version of a house's items and recipes; None where it keeps no stock."""
    row = await _row(draft, tenant)
    return None if row is None else row["stock_book"]


async def prepare(draft: Draft, tenants: set[str]) -> None:
    """Read the rules of a whole batch at once."""
    await draft.work.fetch(HOUSE_RULES, {(tenant, MAIN) for tenant in tenants})


async def _row(draft: Draft, tenant: str) -> Mapping[str, Any] | None:
    work: UnitOfWork = draft.work
    key = (tenant, MAIN)
    if not work.known(HOUSE_RULES, key):
        await work.fetch(HOUSE_RULES, [key])
    row = work.peek(HOUSE_RULES, key)
    if row is not None:
        work.rely(HOUSE_RULES, key)
    return row


@lru_cache(maxsize=1024)
def _orders(document: bytes) -> OrderRules:
    return OrderRules.model_validate_json(document)


@lru_cache(maxsize=1024)
def _notices(document: bytes) -> NoticeRules:
    return NoticeRules.model_validate_json(document)


@lru_cache(maxsize=1024)
def _kitchen(document: bytes) -> KitchenRules:
    return KitchenRules.model_validate_json(document)


@lru_cache(maxsize=1024)
def _stock(document: bytes) -> StockRules:
    return StockRules.model_validate_json(document)


@lru_cache(maxsize=1024)
def _delivery(document: bytes) -> DeliveryRules:
    return DeliveryRules.model_validate_json(document)


async def read(connection: AsyncConnection, tenant: str) -> Books:
    """All books of a house, for whoever looks at them."""
    query = select(HOUSE_RULES).where(HOUSE_RULES.c.tenant == tenant)
    found = (await connection.execute(query)).mappings().one_or_none()
    row: Mapping[str, Any] = first_row(tenant) if found is None else dict(found)
    return Books(
        _USUAL_ORDERS if row["orders"] is None else OrderRules.model_validate(row["orders"]),
        _USUAL_NOTICES if row["notices"] is None else NoticeRules.model_validate(row["notices"]),
        _USUAL_KITCHEN if row["kitchen"] is None else KitchenRules.model_validate(row["kitchen"]),
        _USUAL_STOCK if row["stock"] is None else StockRules.model_validate(row["stock"]),
        delivery_of(row["delivery"]),
    )


async def write(
    connection: AsyncConnection,
    tenant: str,
    *,
    orders: OrderRules | None = None,
    notices: NoticeRules | None = None,
    kitchen: KitchenRules | None = None,
    stock: StockRules | None = None,
    delivery: DeliveryRules | None = None,
) -> None:
    """Put new rules in the place of the old ones; what is None stays."""
    values: dict[str, Any] = {"version": HOUSE_RULES.c.version + 1}
    books: dict[str, Part | None] = {
        "orders": orders,
        "notices": notices,
        "kitchen": kitchen,
        "stock": stock,
        "delivery": delivery,
    }
    for name, book in books.items():
        if book is not None:
            values[name] = book.model_dump(mode="json")
    mine = HOUSE_RULES.update().where(HOUSE_RULES.c.tenant == tenant)
    if (await connection.execute(mine.values(**values))).rowcount == 0:
        row = first_row(tenant) | {k: v for k, v in values.items() if k != "version"}
        await connection.execute(HOUSE_RULES.insert().values(**row))


async def new_stock_book(connection: AsyncConnection, tenant: str) -> None:
    """Say that a house's items or recipes are others than before."""
    mine = HOUSE_RULES.update().where(HOUSE_RULES.c.tenant == tenant)
    newer = {"version": HOUSE_RULES.c.version + 1, "stock_book": HOUSE_RULES.c.version + 1}
    if (await connection.execute(mine.values(**newer))).rowcount == 0:
        row = first_row(tenant)
        await connection.execute(HOUSE_RULES.insert().values(row | {"stock_book": row["version"]}))


def delivery_of(document: object) -> DeliveryRules:
    """Read a row's ``delivery``: the usual rules where a house has none of its own."""
    return _USUAL_DELIVERY if document is None else DeliveryRules.model_validate(document)
