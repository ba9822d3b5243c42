"""Placing a file's orders again: a real till sends them, real displays hear the tickets."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.admission import Admitted, a_device, admit, put_out
from cli.application import Application
from cli.failures import Failure
from cli.order_files import FileOrder, ItemKey
from devices.kitchen_display import KitchenDisplay
from devices.pending import Pending, Rejected
from devices.pos import NewOrder, PointOfSale
from devices.station_view import Changes, Freshness
from schemas.devices import Role
from schemas.identifiers import derived_id
from schemas.kitchen import TicketStatus
from schemas.orders import LineRequest
from schemas.replies import OrderReceipt
from services.kitchen.store import TICKETS
from services.orders.store import ORDERS
from services.runtime.among import among
from services.runtime.database import Database

TILL: Final = "replay-pos"
"""Always the same name: a request that is sent again must come from the same device."""
SLICE: Final = 100
STORIES: Final = 500
"""Orders whose changes are told side by side."""
AHEAD: Final = 1_000
"""Orders that may wait for their replies before more are placed."""
PATIENCE_S: Final = 30.0
"""After so long without any progress, what is missing counts as lost."""
COUNTED_AT_ONCE: Final = 500

Progress = Callable[["Seen"], None]


@dataclass(slots=True)
class Seen:
    """What came back over MQTT."""

    sent: int = 0
    answered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    tickets: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)
    by_order: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    heard: set[UUID] = field(default_factory=set)
    bumped: set[UUID] = field(default_factory=set)
    duplicates: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def replied(self, pending: Pending[OrderReceipt]) -> None:
        """A till's request was answered."""
        with self.lock:
            self.answered += 1
            if isinstance(pending.error, Rejected):
                self.rejected[str(pending.error)[:200]] += 1

    def note(self, changes: Changes) -> list[UUID]:
        """A display shows tickets; returns those that are heard for the first time."""
        newly = []
        with self.lock:
            for ticket in changes.shown:
                if ticket.ticket_id not in self.tickets:
                    self.tickets[ticket.ticket_id] = (ticket.order_id, ticket.station)
                    known = self.by_order.setdefault(
                        (ticket.order_id, ticket.station), ticket.ticket_id
                    )
                    self.duplicates += known != ticket.ticket_id
                if ticket.status is not TicketStatus.SENT and ticket.ticket_id not in self.heard:
                    self.heard.add(ticket.ticket_id)
                    newly.append(ticket.ticket_id)
        return newly


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be sent.

    Attributes:
        tenant: to whom.
        kind: the file's kind; a part of every order's id.
        orders: in their order.
        items: which menu item stands for a name and a price.
        stations: where its tickets go.
    """

    tenant: str
    kind: str
    orders: Sequence[FileOrder]
    items: dict[ItemKey, str]
    stations: Sequence[str]

    def id_of(self, order: FileOrder) -> UUID:
        """The id that this order has each time the file is replayed."""
        return derived_id(order.placed_at, self.tenant, self.kind, order.reference)

    def ids(self) -> list[UUID]:
        """The ids of all."""
        return [self.id_of(order) for order in self.orders]

    def new_order(self, order: FileOrder) -> NewOrder:
        """The order as the till sends it."""
        lines = tuple(
            LineRequest(item=self.items[line.name, line.unit_minor], quantity=line.quantity)
            for line in order.lines
        )
        return NewOrder(lines, reference=order.reference, request_id=self.id_of(order))


@contextmanager
def devices_for(
    app: Application, plan: Plan, seen: Seen, *, cooks: bool
) -> Iterator[tuple[PointOfSale, list[KitchenDisplay]]]:
    """A till and the stations' displays, connected; gone at the end."""
    names = [TILL, *(f"replay-{station}"[:64] for station in plan.stations)]
    wanted = [a_device(plan.tenant, TILL, Role.POS, transient=True)]
    wanted += [
        a_device(plan.tenant, name, Role.KITCHEN_DISPLAY, station=station, transient=True)
        for name, station in zip(names[1:], plan.stations, strict=True)
    ]
    address = app.address()
    secrets = app.run(lambda database: admit(app, database, wanted))
    admitted = [
        Admitted(plan.tenant, name, secret, address)
        for name, secret in zip(names, secrets, strict=True)
    ]
    problems: list[str] = []
    try:
        with tempfile.TemporaryDirectory(prefix="heard-replay-") as folder, ExitStack() as stack:
            displays = [
                _display(one, station, seen, problems, cooks=cooks)
                for one, station in zip(admitted[1:], plan.stations, strict=True)
            ]
            till = PointOfSale(
                address.host,
                address.port,
                outbox=Path(folder) / "replay.outbox",
                on_problem=problems.append,
                **admitted[0].options(),
            )
            opened = [*displays, till]
            pool = stack.enter_context(ThreadPoolExecutor(len(opened)))
            # Together: each of them says goodbye, and waits until that is heard.
            stack.callback(lambda: list(pool.map(lambda device: device.close(), opened)))
            for device in opened:
                device.start()
            for device in opened:
                if not device.wait_online(PATIENCE_S):
                    why = problems[-1] if problems else "the broker does not answer"
                    raise Failure(f"{device.device} cannot connect to {address}: {why}")
            yield till, displays
    finally:
        app.run(lambda database: put_out(app, database, plan.tenant, names))


def _display(
    admitted: Admitted, station: str, seen: Seen, problems: list[str], *, cooks: bool
) -> KitchenDisplay:
    def changed(changes: Changes, _freshness: Freshness) -> None:
        for ticket_id in seen.note(changes):
            if cooks:
                display.bump(ticket_id)
        if cooks:
            seen.bumped.update(changes.ended)

    display = KitchenDisplay(
        admitted.address.host,
        admitted.address.port,
        station=station,
        on_change=changed,
        on_problem=problems.append,
        **admitted.options(),
    )
    return display


Placed = Sequence[tuple[FileOrder, Pending[OrderReceipt]]]


def send(
    till: PointOfSale,
    plan: Plan,
    seen: Seen,
    speed: float,
    progress: Progress,
    *,
    then: Callable[[Placed], None] | None = None,
) -> None:
    """Place every order; at a speed, or as fast as they are answered.

    Args:
        till: places them.
        plan: which.
        seen: counts them.
        speed: of the file's time; infinity does not wait.
        progress: told now and then.
        then: called with those that were just placed, to go on with them.
    """
    began, first = time.monotonic(), plan.orders[0].placed_at
    together = SLICE if then is None else STORIES
    waiting: list[FileOrder] = []

    def flush() -> None:
        handles = till.place_orders(plan.new_order(order) for order in waiting)
        for pending in handles:
            pending.then(seen.replied)
        seen.sent += len(waiting)
        placed = list(zip(waiting, handles, strict=True))
        waiting.clear()
        progress(seen)
        if then is not None:
            then(placed)

    for order in plan.orders:
        due = (order.placed_at - first).total_seconds() / speed
        if speed != float("inf") and began + due > time.monotonic():
            flush()
            while (pause := began + due - time.monotonic()) > 0:
                time.sleep(min(pause, 0.2))
                progress(seen)
        waiting.append(order)
        if len(waiting) >= together:
            flush()
            _answered(seen, lambda: till.waiting <= AHEAD, progress)
    flush()
    _answered(seen, lambda: seen.answered >= seen.sent, progress)


def _answered(seen: Seen, done: Callable[[], bool], progress: Progress) -> None:
    if not _settle(lambda: seen.answered, done, seen, progress):
        raise Failure(
            f"{seen.answered} of {seen.sent} orders were answered, then none for "
            f"{PATIENCE_S:.0f} s: `heard doctor` says why. Run it again afterwards: "
            "what was kept is not kept twice"
        )


def _settle(
    count: Callable[[], int], done: Callable[[], bool], seen: Seen, progress: Progress
) -> bool:
    """Wait until it is done, or nothing has moved for long; tells whether it is done."""
    last, moved = count(), time.monotonic()
    while not done():
        time.sleep(0.01)
        now = count()
        if now != last:
            last, moved = now, time.monotonic()
            progress(seen)
        elif time.monotonic() - moved > PATIENCE_S:
            return False
    progress(seen)
    return True


def wait_heard(app: Application, plan: Plan, seen: Seen, progress: Progress) -> None:
    """Wait until every ticket of these orders is heard, or nothing moves any more."""
    ids = plan.ids()
    unheard = _unheard(app, plan.tenant, ids)

    def missing() -> int:
        return sum(1 for ticket in unheard if ticket not in seen.heard)

    while unheard:
        # What the displays say is nearly as good as the database's word, and costs nothing.
        if not _settle(lambda: len(seen.heard), lambda: missing() == 0, seen, progress):
            return
        unheard = _unheard(app, plan.tenant, ids)


def _unheard(app: Application, tenant: str, ids: Sequence[UUID]) -> set[UUID]:
    async def read(database: Database) -> set[UUID]:
        found: set[UUID] = set()
        async with database.read() as connection:
            for part in _parts(ids):
                chosen = among(TICKETS.c.order_id, part, connection.dialect.name)
                query = (
                    select(TICKETS.c.ticket_id)
                    .where(TICKETS.c.tenant == tenant, chosen)
                    .where(TICKETS.c.heard_at.is_(None), TICKETS.c.status == "sent")
                )
                found.update(await connection.scalars(query))
        return found

    return app.run(read)


def wait_bumped(plan: Plan, seen: Seen, progress: Progress) -> None:
    """Wait until what was heard is made, or nothing moves any more."""
    del plan
    _settle(
        lambda: len(seen.bumped),
        lambda: seen.heard <= seen.bumped,
        seen,
        progress,
    )


def close_all(till: PointOfSale, plan: Plan, progress: Progress, seen: Seen) -> None:
    """The guests have everything: the orders leave the floor. What is closed already stays so."""
    pending = [till.close_order(order_id) for order_id in plan.ids()]
    _settle(
        lambda: sum(each.done for each in pending),
        lambda: all(each.done for each in pending),
        seen,
        progress,
    )


@dataclass(slots=True)
class Kept:
    """What the database has of these orders."""

    orders: int = 0
    on_tickets: int = 0
    heard: int = 0
    tickets: int = 0
    duplicates: int = 0
    """Orders that are kept under two ids."""
    tickets_twice: int = 0
    """More than one of an order at a station: lines that were added stand on further ones."""
    total_minor: int = 0


async def count_kept(database: Database, plan: Plan) -> Kept:
    """Count exactly these orders: by their ids, and once more by their references."""
    kept = Kept()
    async with database.read() as connection:
        for part in _parts(plan.ids()):
            await _count_part(connection, plan.tenant, part, kept)
        # The same order under a second id would show in its reference.
        mine = (ORDERS.c.tenant == plan.tenant) & (ORDERS.c.device == TILL)
        for references in _parts([order.reference for order in plan.orders]):
            chosen = among(ORDERS.c.reference, references, connection.dialect.name)
            count = await connection.scalar(select(func.count()).where(mine, chosen))
            distinct = await connection.scalar(
                select(func.count(ORDERS.c.reference.distinct())).where(mine, chosen)
            )
            kept.duplicates += int(count or 0) - int(distinct or 0)
    return kept


async def _count_part(
    connection: AsyncConnection, tenant: str, ids: Sequence[UUID], kept: Kept
) -> None:
    chosen = among(ORDERS.c.order_id, ids, connection.dialect.name)
    row = (
        await connection.execute(
            select(func.count(), func.coalesce(func.sum(ORDERS.c.total_minor), 0)).where(
                ORDERS.c.tenant == tenant, chosen
            )
        )
    ).one()
    kept.orders += row[0]
    kept.total_minor += int(row[1])
    chosen = among(TICKETS.c.order_id, ids, connection.dialect.name)
    query = select(TICKETS.c.order_id, TICKETS.c.station, TICKETS.c.heard_at).where(
        TICKETS.c.tenant == tenant, chosen
    )
    seen: Counter[tuple[UUID, str]] = Counter()
    unheard: set[UUID] = set()
    for ticket in await connection.execute(query):
        seen[ticket.order_id, ticket.station] += 1
        if ticket.heard_at is None:
            unheard.add(ticket.order_id)
    orders = {order_id for order_id, _ in seen}
    kept.on_tickets += len(orders)
    kept.heard += len(orders - unheard)
    kept.tickets += sum(seen.values())
    kept.tickets_twice += sum(count - 1 for count in seen.values())


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), COUNTED_AT_ONCE):
        yield values[start : start + COUNTED_AT_ONCE]
