"""Forgetting a guest, while the services serve: erased in one transaction an order.

It is done by the handler that the services use, with a unit of work of its own: every row
that it changes names the version it was decided from, so that neither side can overwrite
the other. The services publish what follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.compose import area_router, stored_ports
from schemas.identifiers import new_id
from schemas.orders import Order
from schemas.parties import Party
from schemas.replies import DeliveryReceipt, PartyReceipt
from services.delivery.rules import rounded
from services.notices.forgetting import forget as forget_notices
from services.orders import history, reading
from services.orders.inside import ForgetGuest
from services.runtime import audit
from services.runtime.answers import Answer, answers_about
from services.runtime.changed import Stale
from services.runtime.context import Context
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.names import OURSELVES
from services.runtime.outbox import pack
from services.runtime.tables import INBOX, OUTBOX, QUARANTINE
from services.runtime.work import UnitOfWork

TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased of one order.

    Attributes:
        order: as it was before.
        notices: how many notices had something of the guest.
        answers: how many answers that are kept had.
        left: where people wrote the guest's name into what is never changed.
    """

    order: Order
    notices: int
    answers: int
    left: tuple[str, ...]


async def forget(database: Database, tenant: str, order_id: UUID, actor: str) -> Forgotten:
    """Erase who the guests of an ended order were.

    Raises:
        Refusal: `wrong-state`, while the order is open.
        Stale: somebody changes it again and again.
    """
    for _ in range(TRIES - 1):
        try:
            return await _forget(database, tenant, order_id, actor)
        except Stale:
            continue
    return await _forget(database, tenant, order_id, actor)


async def _forget(database: Database, tenant: str, order_id: UUID, actor: str) -> Forgotten:
    router = area_router()
    now = system_clock()
    async with database.write() as connection:
        before = await reading.one(connection, tenant, order_id)
        context = Context(
            work := UnitOfWork(connection),
            tenant=tenant,
            device=OURSELVES,
            request_id=new_id(),
            now=now,
            ports=stored_ports(),
            tell=router.tell,
        )
        # Before the handler, which would leave nothing to count.
        notices = await forget_notices(connection, tenant, [order_id], now)
        await router.handlers[ForgetGuest](ForgetGuest(order_id=order_id), context)
        work.merge(context.draft.changes)
        await work.flush({OUTBOX: [parcel.row() for parcel in pack(context.emitted)]})
        answers = await _forget_answers(connection, tenant, before)
        left = await _left(connection, tenant, before)
        await audit.record(
            connection,
            tenant=tenant,
            actor=actor,
            action="guest.forgotten",
            subject=f"{tenant}/{before.number}",
            now=now,
            notices=notices,
            answers=answers,
        )
    return Forgotten(before, notices, answers, left)


async def _forget_answers(connection: AsyncConnection, tenant: str, order: Order) -> int:
    """Take the guests' names out of the answers that a party was given."""
    found = await _answers(connection, tenant, order, {order.order_id})
    parties = {party.party_id for each in found if (party := _party(each)) is not None}
    found += await _answers(connection, tenant, order, parties) if parties else []
    erased: dict[UUID, Answer] = {each.request_id: each for each in found}
    count = 0
    for each in erased.values():
        delivered = each.reply.result
        if isinstance(delivered, DeliveryReceipt):
            count += await _forget_door(connection, tenant, each, delivered)
            continue
        party = _party(each)
        if party is None or not party.guests:
            continue
        result = each.reply.result
        if not isinstance(result, PartyReceipt):
            continue
        emptied = result.model_copy(update={"party": party.model_copy(update={"guests": ()})})
        reply = each.reply.model_copy(update={"result": emptied})
        mine = (INBOX.c.tenant == tenant) & (INBOX.c.request_id == each.request_id)
        await connection.execute(update(INBOX).where(mine).values(reply=reply.model_dump_json()))
        count += 1
    return count


async def _forget_door(
    connection: AsyncConnection, tenant: str, answer: Answer, result: DeliveryReceipt
) -> bool:
    """Take the guest's door out of an answer about its delivery; tells whether it was there."""
    place = rounded(result.delivery.place)
    if place == result.delivery.place:
        return False
    delivery = result.delivery.model_copy(update={"place": place, "reason": None, "proof": None})
    emptied = result.model_copy(update={"delivery": delivery})
    reply = answer.reply.model_copy(update={"result": emptied})
    mine = (INBOX.c.tenant == tenant) & (INBOX.c.request_id == answer.request_id)
    await connection.execute(update(INBOX).where(mine).values(reply=reply.model_dump_json()))
    return True


async def _answers(
    connection: AsyncConnection, tenant: str, order: Order, things: set[UUID]
) -> list[Answer]:
    return await answers_about(
        connection,
        tenant,
        things=things,
        # A party begins before its order.
        since=order.placed_at - history.MARGIN,
        until=system_clock() + history.MARGIN,
    )


def _party(answer: Answer) -> Party | None:
    result = answer.reply.result
    return result.party if isinstance(result, PartyReceipt) else None


async def _left(connection: AsyncConnection, tenant: str, order: Order) -> tuple[str, ...]:
    """Where the guest's name or address still stands: somebody wrote it there."""
    words = list(_personal(order))
    entries = await history.of_order(connection, tenant, order.order_id)
    found = [
        f"the reason of version {each.version} of {order.number}"
        for each in entries
        if _holds(each.why, words)
    ]
    if _holds(order.reference, words):
        found.append(f"the reference of {order.number}")
    payloads = select(QUARANTINE.c.entry_id, QUARANTINE.c.payload)
    found += [
        f"the message {row.entry_id} in quarantine"
        for row in await connection.execute(payloads.where(QUARANTINE.c.tenant == tenant))
        if _holds(row.payload.decode(errors="replace"), words)
    ]
    return tuple(found)


def _personal(order: Order) -> Iterator[str]:
    guest = order.guest
    for name in ("name", "email", "phone", "address"):
        value = getattr(guest, name, None)
        if value:
            yield value.casefold()
    for each in order.participants:
        yield each.name.casefold()


def _holds(text: str | None, words: list[str]) -> bool:
    return text is not None and any(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text.casefold()) for word in words
    )
