"""When the kitchen would have an order that came now: what the last ones would be told now.

An order that is not placed yet has no tickets, and nobody knows what will be on them. So the last
orders of about so many dishes are reckoned anew, each ticket with the work of one pair of hands
that stands at its station at this moment before it, as `services.kitchen.pace` would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, bindparam, select

from schemas.kitchen import OPEN_TICKET, LineMark, TicketStatus
from schemas.kitchen_rules import KitchenRules
from services.kitchen import store
from services.kitchen.store import TICKETS
from services.runtime.house_rules import kitchen_rules
from services.runtime.ports import PacePort
from services.runtime.work import Draft

_LAST: Final = 40
"""So many tickets of each station that were bumped last are looked at, and as many open ones."""
_ALIKE: Final = 15
"""So many orders tell, those first that are most like it."""
_OPEN: Final[BindParameter[Sequence[str]]] = bindparam(
    "open", sorted(each.value for each in OPEN_TICKET), expanding=True, literal_execute=True
)
"""Written out: only so is the index of open tickets used, and not all of a house's years read."""


class Made(NamedTuple):
    """A ticket of an order that came before.

    Attributes:
        station: where it is made.
        order_id: whose.
        dishes: how many of them are on it.
        makes_s: how long it takes once it is begun.
    """

    station: str
    order_id: UUID
    dishes: int
    makes_s: float


class Line(NamedTuple):
    """What a ticket would meet at a station now.

    Attributes:
        waits_s: until somebody begins it.
        p50: what the whole is multiplied with, as `PacePort.factors` says.
        p90: the same.
    """

    waits_s: float
    p50: float
    p90: float


async def foresee(
    draft: Draft, tenant: str, pace: PacePort, *, now: datetime, dishes: int
) -> tuple[datetime, datetime] | None:
    """See `services.runtime.ports.KitchenPort.foreseen`."""
    book = await kitchen_rules(draft, tenant)
    made: list[Made] = []
    lines: dict[str, Line] = {}
    for _, station in await store.heads(draft.work.connection, tenant):
        waits_s = max(0, station.work_s) / book.station(station.station).hands
        lines[station.station] = Line(waits_s, *pace.factors(tenant, station.station, now, waits_s))
        made += await _last_of(draft, tenant, station.station, book)
    told = reckon(made, lines, dishes)
    if told is None:
        return None
    return now + timedelta(seconds=round(told[0])), now + timedelta(seconds=round(told[1]))


def reckon(
    made: Iterable[Made], lines: Mapping[str, Line], dishes: int
) -> tuple[float, float] | None:
    """P50 and p90 of an order of so many dishes, in seconds; None where no order tells. Pure.

    Args:
        made: tickets of orders that came before.
        lines: how each station stands.
        dishes: how many there are in the order that comes.
    """
    orders: dict[UUID, list[Made]] = defaultdict(list)
    for each in made:
        orders[each.order_id].append(each)
    alike = sorted(orders.values(), key=lambda each: (_apart(each, dishes), each[0].order_id))
    told = [_told(each, lines) for each in alike[:_ALIKE]]
    if not told:
        return None
    return median(p50 for p50, _ in told), median(p90 for _, p90 in told)


def _apart(tickets: Sequence[Made], dishes: int) -> int:
    return abs(sum(each.dishes for each in tickets) - dishes)


def _told(tickets: Sequence[Made], lines: Mapping[str, Line]) -> tuple[float, float]:
    """What an order would be told: it is ready with the last of its tickets."""
    takes = [(lines[each.station], lines[each.station].waits_s + each.makes_s) for each in tickets]
    return max(line.p50 * s for line, s in takes), max(line.p90 * s for line, s in takes)


async def _last_of(draft: Draft, tenant: str, station: str, book: KitchenRules) -> list[Made]:
    of = TICKETS.c
    mine = select(of.order_id, of.lines, of.details).where(
        of.tenant == tenant, of.station == station
    )
    bumped = mine.where(of.status == TicketStatus.BUMPED.value, of.ended_at.is_not(None))
    queries = (
        bumped.order_by(of.ended_at.desc()).limit(_LAST),
        mine.where(of.status.in_(_OPEN)).order_by(of.sequence.desc()).limit(_LAST),
    )
    hands = book.station(station).hands
    found = []
    for query in queries:
        for row in (await draft.work.connection.execute(query)).mappings():
            one = _made(station, dict(row), hands)
            if one is not None:
                found.append(one)
    return found


def _made(station: str, row: Mapping[str, Any], hands: int) -> Made | None:
    """What a ticket's row tells; None where it was never reckoned, or is an expo's."""
    details = row["details"] or {}
    reckoned_s = details.get("reckoned_s", 0)
    if not reckoned_s or details.get("plates"):
        return None
    dishes = sum(
        line["quantity"] for line in row["lines"] if line.get("mark") != LineMark.CANCELLED
    )
    waited_s = details.get("ahead_s", 0) / hands
    return Made(station, row["order_id"], dishes, max(1.0, reckoned_s - waited_s))
