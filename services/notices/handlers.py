"""Notices are made where orders are decided: in the same transaction, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from schemas.notices import NoticeStatus
from schemas.orders import Order, OrderChange, OrderChanged, OrderPlaced
from services.notices import rules
from services.notices.forgetting import without_guest
from services.notices.quiet import IN_QUIET_HOURS, due_at, later
from services.notices.tables import NOTICES
from services.runtime.context import Context
from services.runtime.house_rules import notice_rules, order_rules
from services.runtime.router import Router
from services.runtime.wall_clock import zone_of

router: Final = Router()


@router.during(OrderPlaced)
async def tell_of_the_new_order(placed: OrderPlaced, context: Context) -> None:
    """An order that the kitchen has at once is news of both, and told once."""
    await _tell(context, placed.order, rules.changes_of_placing(placed.order), {})


@router.during(OrderChanged)
async def tell_of_the_change(changed: OrderChanged, context: Context) -> None:
    """Put down whom the house's rules tell of it; a guest who is forgotten is told no more."""
    if changed.change is OrderChange.GUEST_FORGOTTEN:
        await _forget(context, changed.order_id)
    more = changed.model_dump(mode="json", include={"lines", "payment_id", "why"})
    await _tell(context, changed.order, (changed.change,), more)


async def _tell(
    context: Context, order: Order, changes: Sequence[OrderChange], more: dict[str, Any]
) -> None:
    book = await notice_rules(context.draft, context.tenant)
    if not book.rules:
        return
    house = await order_rules(context.draft, context.tenant)
    told = rules.tellings(book, house, order, changes, context.now)
    if not told:
        return
    snapshot = {"order": order.model_dump(mode="json"), **more}
    zone = zone_of(house.time_zone)
    for each in told:
        due = due_at(each.rule.quiet, later(context.now, each.rule.after_s), zone)
        row = _waiting_row(context, order.order_id, order.version, each)
        if due is None:
            row |= {
                "status": NoticeStatus.DROPPED.value,
                "ended_at": context.now,
                "error": IN_QUIET_HOURS,
            }
        else:
            row |= {"next_at": due, "to": each.to, "snapshot": snapshot}
        context.draft.put(NOTICES, row)


async def _forget(context: Context, order_id: UUID) -> None:
    work = context.draft.work
    query = select(NOTICES).where(
        NOTICES.c.order_id == order_id, NOTICES.c.tenant == context.tenant
    )
    for found in (await work.connection.execute(query)).mappings().all():
        row = dict(found)
        work.adopt(NOTICES, row)
        values = without_guest(row, context.now)
        if values:
            context.draft.put(NOTICES, row | values | {"version": row["version"] + 1})


def _waiting_row(
    context: Context, order_id: UUID, version: int, telling: rules.Telling
) -> dict[str, Any]:
    return {
        "tenant": context.tenant,
        "notice_id": telling.notice_id,
        "order_id": order_id,
        "order_version": version,
        "rule": telling.rule.rule,
        "channel": telling.rule.channel,
        "change": telling.change.value,
        "status": NoticeStatus.WAITING.value,
        "version": 1,
        "attempts": 0,
        "at": context.now,
        "next_at": None,
        "to": None,
        "template": telling.template,
        "language": telling.language,
        "snapshot": None,
        "ended_at": None,
        "error": None,
    }
