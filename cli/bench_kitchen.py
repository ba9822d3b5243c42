"""Measuring a large, full kitchen."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from cli.admission import visiting
from cli.application import Application
from cli.bench_orders import PATIENCE_S, milliseconds, quantile
from cli.failures import Failure
from cli.printing import counted, note
from devices.all_day import AllDay
from devices.kitchen_display import KitchenDisplay
from devices.pos import NewOrder, PointOfSale
from devices.station_view import Freshness
from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.kitchen import Ticket, TicketLine, TicketStatus
from schemas.kitchen_rules import KitchenRules
from schemas.menu import Component
from schemas.orders import LineRequest
from services.runtime import house_rules
from services.runtime.database import Database

AT_ONE_STATION: Final = 200
"""Open tickets where displays connect."""
CONNECTIONS: Final = 10
PAUSE_S: Final = 1.0
"""Between two of them: it is one device, and a broker slows one that comes too often."""
CHANGES: Final = 2_000
_SLICE: Final = 200


class Crowd(NamedTuple):
    """What stands open while others are measured."""

    items: Sequence[str]
    """Of stations without a display, one each."""
    tickets: int


def measure(
    app: Application,
    tenant: str,
    tills: Sequence[PointOfSale],
    crowd: Crowd,
    paced: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Measure with few tickets open, then with many.

    Args:
        app: where it is.
        tenant: the bench's own.
        tills: place the orders that stay open.
        crowd: what stands open meanwhile.
        paced: takes the times of orders, against the floor.
    """
    app.run(lambda database: _nobody_is_asked(database, tenant))
    few = paced()
    others, open_ = crowd
    first = [others[0]] * AT_ONE_STATION
    elsewhere = others[1:] or others
    rest = [elsewhere[number % len(elsewhere)] for number in range(open_ - len(first))]
    began = time.perf_counter()
    _fill(tills, first + rest)
    note(f"{counted(open_, 'ticket')} open, after {time.perf_counter() - began:.0f} s")
    many = paced()
    took = _connect(app, tenant, f"bench-{others[0].rsplit('-', 1)[1]}")
    return {
        "open_tickets": open_,
        **{f"few_open_{name}": value for name, value in few.items()},
        **{f"many_open_{name}": value for name, value in many.items()},
        "many_to_few_ratio": round(many["p50_ratio"] / few["p50_ratio"], 2),
        "connect_tickets": took[0],
        "connect_p50_ms": milliseconds(took[1])["p50"],
        "connect_worst_ms": round(max(took[1]) * 1000, 3),
        **_all_day(open_),
    }


async def _nobody_is_asked(database: Database, tenant: str) -> None:
    """The other stations have no display here: that is not what is measured."""
    async with database.write() as connection:
        await house_rules.write(connection, tenant, kitchen=KitchenRules(escalation=()))


def _fill(tills: Sequence[PointOfSale], items: Sequence[str]) -> None:
    asked = []
    for turn, start in enumerate(range(0, len(items), _SLICE)):
        asked += tills[turn % len(tills)].place_orders(
            [
                NewOrder((LineRequest(item=item, quantity=1),), request_id=new_id())
                for item in items[start : start + _SLICE]
            ]
        )
        deadline = time.monotonic() + PATIENCE_S
        while sum(till.waiting for till in tills) > 2 * _SLICE:
            if time.monotonic() > deadline:
                raise Failure("the orders that should stay open are not answered")
            time.sleep(0.01)
    for each in asked:
        each.result(PATIENCE_S)


def _connect(app: Application, tenant: str, station: str) -> tuple[int, list[float]]:
    """Let displays come one after the other; time each until it knows that it is current."""
    took = []
    tickets = 0
    with visiting(app, tenant, Role.KITCHEN_DISPLAY, station=station) as (admitted,):
        address = app.address()
        for _ in range(CONNECTIONS):
            display = KitchenDisplay(
                address.host, address.port, station=station, **admitted.options()
            )
            began = time.perf_counter()
            with display:
                while display.freshness is not Freshness.CURRENT:
                    if time.perf_counter() - began > PATIENCE_S:
                        raise Failure(f"a display at {station} does not become current")
                    time.sleep(0.001)
                took.append(time.perf_counter() - began)
                tickets = len(display.tickets)
            time.sleep(PAUSE_S)
    return tickets, took


def _all_day(lines: int) -> dict[str, Any]:
    """Change one ticket of many, over and over."""
    tickets = [_ticket(number, 1) for number in range(lines)]
    counts = AllDay(tickets)
    took = []
    for number in range(CHANGES):
        changed = tickets[number % lines].model_copy(
            update={"lines": _ticket(number, 2 + number % 3).lines}
        )
        began = time.perf_counter()
        counts.put(changed)
        counts.items()
        counts.components()
        took.append(time.perf_counter() - began)
    return {
        "all_day_lines": lines,
        "all_day_p50_ms": round(statistics.median(took) * 1000, 4),
        "all_day_p99_ms": round(quantile(took, 0.99) * 1000, 4),
    }


def _ticket(number: int, quantity: int) -> Ticket:
    line = TicketLine(
        line=1,
        item=f"item-{number % 120}",
        name="Item",
        quantity=quantity,
        components=(Component(component=f"part-{number % 30}", quantity=2),),
    )
    return Ticket(
        ticket_id=new_id(),
        station=f"bench-{number % 50}",
        order_id=new_id(),
        order_number=str(number),
        status=TicketStatus.HEARD,
        version=1,
        sequence=1,
        lines=(line,),
        placed_at=datetime.now(UTC),
    )
