"""Reading the inbox: what was asked, by whom, and what the answer was."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.replies import Reply
from services.runtime.among import among
from services.runtime.housekeeping import first_id_at
from services.runtime.tables import INBOX

MOST: Final = 1_000
"""So many answers about one thing are read; there are seldom more than twenty."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A request that was answered.

    Attributes:
        request_id: its id.
        device: who asked.
        kind: the type of the request, as ``heard.order.pay.v1``.
        at: when it was decided.
        reply: the answer.
    """

    request_id: UUID
    device: str
    kind: str
    at: datetime
    reply: Reply


async def answers_about(
    connection: AsyncConnection,
    tenant: str,
    *,
    things: Collection[UUID],
    requests: Collection[UUID] = (),
    since: datetime,
    until: datetime,
) -> list[Answer]:
    """The answers in which these things are named, in the order of their times.

    Only requests are looked at whose ids were made in a span of time, for nothing else
    leads from a thing to them; and those that are known. Answers are kept for some weeks.

    Args:
        connection: a view of the rows.
        tenant: whose.
        things: ids of orders, of tickets.
        requests: ids of requests that belong to it, whenever they were made.
        since: the span's beginning.
        until: its end.
    """
    mine = select(INBOX).where(INBOX.c.tenant == tenant)
    named = or_(*(INBOX.c.reply.contains(str(each)) for each in things))
    within = mine.where(
        INBOX.c.request_id >= first_id_at(since), INBOX.c.request_id < first_id_at(until), named
    )
    known = mine.where(among(INBOX.c.request_id, requests, connection.dialect.name))
    found: dict[UUID, Any] = {}
    for query in (known, within.order_by(INBOX.c.request_id).limit(MOST)):
        for row in await connection.execute(query):
            found[row.request_id] = row
    answers = [
        Answer(
            row.request_id,
            row.device,
            row.type,
            row.received_at,
            Reply.model_validate_json(row.reply),
        )
        for row in found.values()
    ]
    return sorted(answers, key=lambda each: (each.at, each.request_id))
