"""A database of an earlier version comes along, with all that is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import Connection, text

from schemas.identifiers import new_id
from schemas.orders import Order, OrderStatus
from services.kitchen.store import TICKETS, to_ticket
from services.migrations.upgrade import _config, differences, upgrade
from services.orders.journal import JOURNAL, to_entry
from services.orders.store import ORDERS, to_order
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.tables import INBOX
from tests.services.rows import all_rows

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
MICROSECONDS = int(NOON.timestamp()) * 1_000_000
BEFORE = "0003"
STATUSES = ("placed", "preparing", "ready", "closed", "cancelled")


def upgrade_to(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def fill(connection: Connection) -> None:
    """What the version before would have written."""
    sqlite = connection.dialect.name == "sqlite"

    def written(value: Any) -> Any:
        if isinstance(value, list):
            return json.dumps(value)
        if sqlite and isinstance(value, datetime):
            return MICROSECONDS
        if sqlite and isinstance(value, UUID):
            return value.hex
        return value

    def put(into: str, **row: Any) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join(
            f"CAST(:{name} AS JSONB)" if isinstance(value, list) and not sqlite else f":{name}"
            for name, value in row.items()
        )
        statement = text(f'INSERT INTO "{into}" ({names}) VALUES ({marks})')  # noqa: S608 - our own names
        connection.execute(statement, {name: written(value) for name, value in row.items()})

    put("tenants", tenant="roma", name="Roma", currency="EUR", created_at=NOON)
    for number, status in enumerate(STATUSES, start=1):
        order_id = new_id()
        lines = [
            {
                "line": 1,
                "item": "soup",
                "name": "Soup",
                "quantity": number,
                "unit_minor": 500,
                "station": "hot",
                "note": "hot",
            }
        ]
        put(
            "orders",
            tenant="roma",
            order_id=order_id,
            number=f"ORD-{number}",
            status=status,
            version=number,
            device="pos-1",
            reference=None,
            table="7",
            currency="EUR",
            total_minor=500 * number,
            lines=lines,
            placed_at=NOON,
            reason="late" if status == "cancelled" else None,
        )
        put(
            "tickets",
            tenant="roma",
            ticket_id=new_id(),
            station="hot",
            order_id=order_id,
            order_number=f"ORD-{number}",
            status="sent",
            version=1,
            sequence=number,
            lines=[{each: lines[0][each] for each in ("line", "item", "name", "quantity")}],
            table="7",
            placed_at=NOON,
        )
    put(
        "inbox",
        tenant="roma",
        request_id=new_id(),
        device="pos-1",
        digest="x",
        reply="{}",
        received_at=NOON,
    )


@pytest.fixture
async def upgraded(empty_database_url: str) -> Any:
    database = Database(empty_database_url)
    async with database.write() as connection:
        await connection.run_sync(upgrade_to, BEFORE)
        await connection.run_sync(fill)
    await upgrade(database)
    yield database
    await database.close()


async def test_every_order_of_before_is_there_and_owes_what_it_cost(upgraded: Database) -> None:
    orders = {each.number: each for each in map(to_order, await all_rows(upgraded, ORDERS))}
    assert len(orders) == len(STATUSES)
    for number, status in enumerate(STATUSES, start=1):
        order: Order = orders[f"ORD-{number}"]
        assert order.status == ("accepted" if status == "placed" else status)
        assert (order.version, order.placed_at, order.table) == (number, NOON, "7")
        assert order.total_minor == order.lines[0].total_minor == 500 * number
        assert order.lines[0].note == "hot"
        assert order.due_minor == (0 if status == "cancelled" else 500 * number)
        assert (order.closed_at is None) is (status not in {"closed", "cancelled"})
    cancelled = orders[f"ORD-{len(STATUSES)}"]
    assert (cancelled.status, cancelled.reason) == (OrderStatus.CANCELLED, "late")


async def test_the_journal_begins_with_what_is_owed(upgraded: Database) -> None:
    entries = [to_entry(each) for each in await all_rows(upgraded, JOURNAL)]
    orders = {row["order_id"]: to_order(row) for row in await all_rows(upgraded, ORDERS)}
    assert {each.order_id for each in entries} == set(orders)
    for entry in entries:
        assert entry.version == orders[entry.order_id].version
        assert entry.posting.guest == orders[entry.order_id].due_minor


async def test_tickets_rules_and_answers_come_along(upgraded: Database) -> None:
    tickets = [to_ticket(each) for each in await all_rows(upgraded, TICKETS)]
    assert [each.sequence for each in sorted(tickets, key=lambda each: each.sequence)] == [
        *range(1, len(STATUSES) + 1)
    ]
    assert all(each.lines[0].item == "soup" for each in tickets)
    (house,) = await all_rows(upgraded, HOUSE_RULES)
    assert (house["tenant"], house["orders"], house["notices"]) == ("roma", None, None)
    (answer,) = await all_rows(upgraded, INBOX)
    assert answer["type"] == ""


async def test_what_was_upgraded_is_what_the_code_believes(upgraded: Database) -> None:
    assert await differences(upgraded) == []
