"""The rows of parties, and of where each device sits."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.money import Currency
from schemas.parties import Party, PartyStatus
from services.orders.party_rules import LASTS, normal_code, shown
from services.orders.party_tables import PARTIES, PARTY_SEATS
from services.runtime.context import Context
from services.runtime.party_door import OpenDoorTo
from services.runtime.tables import TENANTS
from services.runtime.work import Draft, Row

_OF_ORDER: Final = "the party of an order"
_CURRENCY: Final = "the currency of a tenant"
_NAMES: Final = tuple(Party.model_fields)


def to_party(row: Row) -> Party:
    """Read a row."""
    return Party.model_validate({name: row[name] for name in _NAMES} | {"code": shown(row["code"])})


def to_row(tenant: str, party: Party) -> dict[str, Any]:
    """Write a row."""
    row = {name: getattr(party, name) for name in _NAMES}
    row["status"] = party.status.value
    row["kind"] = party.kind.value
    row["code"] = normal_code(party.code)
    row["order_status"] = None if party.order_status is None else party.order_status.value
    row["guests"] = [each.model_dump(mode="json", exclude_defaults=True) for each in party.guests]
    return {"tenant": tenant, **row}


async def party_of(context: Context, party_id: UUID) -> Party | None:
    """Read one party."""
    row = await context.draft.get(PARTIES, context.tenant, party_id)
    return None if row is None else to_party(row)


async def by_code(context: Context, code: str) -> Party | None:
    """The party that has a code, as it is kept, whether it can be joined or not."""
    query = select(PARTIES.c.party_id).where(
        PARTIES.c.tenant == context.tenant, PARTIES.c.code == code
    )
    party_id = await context.draft.work.connection.scalar(query)
    return None if party_id is None else await party_of(context, party_id)


async def of_order(context: Context, order_id: UUID) -> Party | None:
    """The party that an order was put together by."""
    notes, key = context.draft.work.notes, (_OF_ORDER, context.tenant, order_id)
    if key not in notes:
        query = select(PARTIES.c.party_id).where(
            PARTIES.c.order_id == order_id, PARTIES.c.tenant == context.tenant
        )
        notes[key] = await context.draft.work.connection.scalar(query)
    party_id: UUID | None = notes[key]
    return None if party_id is None else await party_of(context, party_id)


def save(context: Context, party: Party) -> None:
    """Keep a party, new or changed."""
    context.draft.put(PARTIES, to_row(context.tenant, party))
    if party.order_id is not None:
        # It may not stand in the table yet when the same batch changes the order.
        context.draft.work.notes[_OF_ORDER, context.tenant, party.order_id] = party.party_id


async def seat(context: Context) -> Party | None:
    """The party that the asking device sat down in last, wherever that party stands now."""
    row = await context.draft.get(PARTY_SEATS, context.tenant, context.device)
    return None if row is None else await party_of(context, row["party_id"])


async def sit(context: Context, party_id: UUID) -> None:
    """Note that the asking device sits in a party from now on."""
    row = await context.draft.get(PARTY_SEATS, context.tenant, context.device)
    if row is not None and row["party_id"] == party_id:
        return
    context.draft.put(
        PARTY_SEATS,
        {
            "tenant": context.tenant,
            "device": context.device,
            "party_id": party_id,
            "version": 1 if row is None else row["version"] + 1,
        },
    )


async def currency_of(context: Context) -> Currency:
    """The currency that a restaurant has."""
    notes, key = context.draft.work.notes, (_CURRENCY, context.tenant)
    if key not in notes:
        query = select(TENANTS.c.currency).where(TENANTS.c.tenant == context.tenant)
        notes[key] = (await context.draft.work.connection.execute(query)).scalar_one()
    currency: Currency = notes[key]
    return currency


async def prepare(draft: Draft, keys: Collection[tuple[str, UUID]]) -> None:
    """Read the parties of a whole batch at once."""
    await draft.work.fetch(PARTIES, keys)


async def standing(connection: AsyncConnection, tenant: str) -> list[Party]:
    """Every party of a tenant that has not ended."""
    query = (
        select(PARTIES)
        .where(PARTIES.c.tenant == tenant, PARTIES.c.status != PartyStatus.ENDED.value)
        .order_by(PARTIES.c.opened_at, PARTIES.c.party_id)
    )
    return [to_party(dict(row)) for row in (await connection.execute(query)).mappings()]


def overdue(now: datetime) -> Select[Any]:
    """The parties whose time is up, and which nobody has ended yet, of all tenants."""
    party = PARTIES.c
    query = select(party.tenant, party.ends_at, party.party_id)
    return query.where(party.status != PartyStatus.ENDED.value, party.ends_at <= now)


async def forget_ended(connection: AsyncConnection, before: datetime) -> int:
    """Forget the parties that have ended before a time; returns how many."""
    old = (PARTIES.c.status == PartyStatus.ENDED.value) & (PARTIES.c.ends_at < before)
    forgotten = (await connection.execute(delete(PARTIES).where(old))).rowcount
    kept = select(PARTIES.c.party_id).where(
        PARTIES.c.tenant == PARTY_SEATS.c.tenant, PARTIES.c.party_id == PARTY_SEATS.c.party_id
    )
    await connection.execute(delete(PARTY_SEATS).where(~kept.exists()))
    return forgotten


class StoredParties:
    """Parties as whoever lets phones in sees them: `services.runtime.party_door.PartyDoor`."""

    async def opened_by(
        self, connection: AsyncConnection, tenant: str, code: str, now: datetime
    ) -> OpenDoorTo | None:
        """See `PartyDoor.opened_by`."""
        kept = normal_code(code)
        if kept is None:
            return None
        query = select(PARTIES.c.party_id, PARTIES.c.ends_at).where(
            PARTIES.c.tenant == tenant,
            PARTIES.c.code == kept,
            PARTIES.c.status == PartyStatus.OPEN.value,
            PARTIES.c.ends_at > now,
        )
        row = (await connection.execute(query)).first()
        return None if row is None else OpenDoorTo(row.party_id, row.ends_at + LASTS)

    async def over(
        self, connection: AsyncConnection, parties: Collection[tuple[str, UUID]]
    ) -> set[tuple[str, UUID]]:
        """See `PartyDoor.over`."""
        query = select(PARTIES.c.tenant, PARTIES.c.party_id).where(
            PARTIES.c.status != PartyStatus.ENDED.value,
            PARTIES.c.tenant.in_({tenant for tenant, _ in parties}),
        )
        stand = {(row.tenant, row.party_id) for row in await connection.execute(query)}
        return set(parties) - stand
