"""The outbox: what was decided and the broker has not yet taken, kept with the decision.

Messages that were decided together travel in one parcel, one row a tenant: a batch of
orders costs one row, not hundreds. A parcel is forgotten when all of it was confirmed;
after a crash it is published again as a whole, and whoever receives drops what it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import new_id
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.tables import OUTBOX


@dataclass(frozen=True, slots=True)
class Parcel:
    """Messages of one tenant, in the order in which they go out."""

    tenant: str
    parcel_id: UUID
    messages: tuple[Outgoing, ...]

    def row(self) -> dict[str, Any]:
        """The row of the outbox."""
        return {
            "tenant": self.tenant,
            "parcel_id": self.parcel_id,
            "messages": to_json(
                [
                    (each.topic, each.payload.decode(), each.qos, each.retain)
                    for each in self.messages
                ]
            ).decode(),
        }


def pack(messages: Iterable[Outgoing]) -> list[Parcel]:
    """Put messages into parcels, one a tenant; the newest ids go out last."""
    by_tenant: dict[str, list[Outgoing]] = {}
    for message in messages:
        by_tenant.setdefault(message.tenant, []).append(message)
    return [Parcel(tenant, new_id(), tuple(each)) for tenant, each in by_tenant.items()]


def unpack(row: Mapping[str, Any]) -> Parcel:
    """Read a row of the outbox."""
    tenant = row["tenant"]
    return Parcel(
        tenant,
        row["parcel_id"],
        tuple(
            Outgoing(tenant, topic, payload.encode(), qos, retain)
            for topic, payload, qos, retain in json.loads(row["messages"])
        ),
    )


async def enclose(connection: AsyncConnection, messages: Iterable[Outgoing]) -> list[Parcel]:
    """Keep messages in the transaction at hand; return what to offer to the relay."""
    parcels = pack(messages)
    if parcels:
        await connection.execute(OUTBOX.insert(), [parcel.row() for parcel in parcels])
    return parcels


async def waiting(database: Database) -> int:
    """Count the parcels that the broker has not yet taken."""
    async with database.read() as connection:
        count = await connection.scalar(select(func.count()).select_from(OUTBOX))
    return int(count or 0)
