"""Measuring stock: what it costs the orders, and how soon the house knows what is short."""

from __future__ import annotations

import gc
import random
import statistics
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from cli.application import Application
from cli.bench_orders import PATIENCE_S, Shown, milliseconds, sustained
from cli.compose import stored_ports
from cli.failures import Failure
from devices.client import DeviceClient
from devices.connection import Received
from devices.pos import PointOfSale
from schemas.alerts import AlertState
from schemas.catalogue import locate
from schemas.envelope import envelope_of
from schemas.identifiers import new_id
from schemas.inventory import BaseUnit, Quantity, StockItem
from schemas.inventory_requests import ReceivedLine, ReceiveStock
from schemas.menu import MenuItem
from schemas.orders import LineRequest, Order, OrderLine, OrderPlaced, OrderStatus, PlaceOrder
from schemas.replies import OrderReceipt, StockReceipt
from services.inventory import reserving
from services.inventory.recipes import Book, Part, Recipe
from services.inventory.store import KeptRecipe, put
from services.inventory.units import Measure
from services.runtime import house_rules
from services.runtime.changed import Stale
from services.runtime.context import Context
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.moment import system_clock
from services.runtime.work import Shelf, UnitOfWork

DEPTH: Final = 4
DISHES: Final = 40
"""How many of the recipes are on the menu."""
_GRAM: Final = Measure(BaseUnit.GRAM)
_EACH_LEVEL: Final = 3
"""Items that go in at each depth, beside the part below."""
_A_REQUEST: Final = 400
LAST: Final = "the-last"
"""Sold in single portions, over and over."""
BATCH: Final = 50
"""Lines that are decided together, as on a Friday night."""
SETTLES_S: Final = 8.0
"""So long after a house has a new book it is measured."""
WATCHER: Final = "bench-watcher"
_SEED: Final = 7


class StockBench(NamedTuple):
    """What is measured."""

    items: int
    recipes: int
    sustain: float
    seconds: float
    rounds: int
    alerts: int

    def run(
        self,
        app: Application,
        tenant: str,
        tills: Sequence[PointOfSale],
        shown: Shown,
        watcher: StockWatcher,
    ) -> dict[str, Any]:
        """Measure, and tell the figures."""
        dishes = [f"item-{number}" for number in range(DISHES)]
        stock, recipes = book_of_all(self.items, self.recipes, dishes)
        import_s = put_book(app, tenant, stock, recipes)
        filled = fill_shelves(watcher, recipes, dishes)
        ratios, bursts = [], []
        for _ in range(self.rounds):
            pair = []
            for on in (False, True):
                # A new book is read and counted by once, as after an import: that is not what
                # orders cost, and over before they come.
                keep_stock(app, tenant, on=on)
                sustained(self.sustain / 10, 2.0, tills, shown, dishes)
                time.sleep(SETTLES_S)
                gc.collect()
                pair.append(sustained(self.sustain, self.seconds, tills, shown, dishes))
            ratios.append(pair[1].per_s / pair[0].per_s)
            bursts.append(pair)
        everything = [each for pair in bursts for each in pair]
        return {
            "items": len(stock),
            "recipes": len(recipes),
            "recipe_depth": DEPTH,
            "items_per_dish": statistics.median(
                len(each.takes) for each in recipes if each.recipe in dishes
            ),
            "items_on_the_shelves": filled,
            "write_book_s": round(import_s, 2),
            "without_stock_per_s": _middle(pair[0].per_s for pair in bursts),
            "with_stock_per_s": _middle(pair[1].per_s for pair in bursts),
            "with_to_without_ratio": round(statistics.median(ratios), 3),
            "lost": sum(each.lost for each in everything),
            "duplicates": sum(each.duplicates for each in everything),
            "rejected": sum(each.rejected for each in everything),
            **told(watcher, self.alerts),
            **deductions(app, tenant, dishes, 40),
        }


def _middle(values: Iterable[float]) -> float:
    return round(statistics.median(values), 1)


def book_of_all(
    items: int, recipes: int, dishes: Sequence[str]
) -> tuple[list[StockItem], list[KeptRecipe]]:
    """Items, and recipes of depth 4 of which some are the dishes; the same ones each time."""
    chance = random.Random(_SEED)  # noqa: S311 - a bench must be repeatable
    names = [f"stock-{number}" for number in range(items)]
    stock = [
        StockItem(item=name, name=name.title(), unit=BaseUnit.GRAM, low=1_000_000) for name in names
    ]
    made: dict[str, Recipe] = {}
    a_level = max(len(dishes), recipes // DEPTH)
    for level in range(1, DEPTH + 1):
        for number in range(a_level):
            last = level == DEPTH
            name = dishes[number] if last and number < len(dishes) else f"made-{level}-{number}"
            parts = [
                Part(each, Decimal(chance.randrange(5, 80)), "g")
                for each in chance.sample(names, _EACH_LEVEL)
            ]
            if level > 1:
                parts.append(Part(f"made-{level - 1}-{number}", Decimal(100), "g"))
            unit, yields = ("each", Decimal(1)) if last else ("g", Decimal(300))
            made[name] = Recipe(name, tuple(parts), yields, unit)
    book = Book(made, dict.fromkeys(names, _GRAM))
    if problems := book.problems():
        raise Failure(f"the bench's own recipes are wrong: {problems[0].text}")
    kept = [KeptRecipe(name, {}, book.takes(name)) for name in made]
    stock.append(StockItem(item=LAST, name="The last", unit=BaseUnit.EACH, low=500, low_clear=900))
    kept.append(KeptRecipe(LAST, {}, {LAST: 1000}))
    return stock, kept


class StockWatcher(DeviceClient):
    """Hears all that stands of alerts and of the menu, and notes when; it also asks."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.arrived: Final = threading.Condition()
        self.raised: Final[list[float]] = []
        """When an alert came, and how long after it was decided, in turn."""
        self.late: Final[list[float]] = []
        self.sold_out: Final[list[float]] = []

    def receive(self, lines: Iterable[tuple[str, str, str]]) -> StockReceipt:
        """Put so much on the shelves: ``(item, amount, unit)``."""
        wanted = tuple(
            ReceivedLine(item=item, quantity=Quantity(amount=amount, unit=unit))
            for item, amount, unit in lines
        )
        asked = self._request(ReceiveStock(supplier="bench", note=new_id().hex, lines=wanted))
        receipt: StockReceipt = asked.result(PATIENCE_S)
        return receipt

    def order(self, item: str) -> OrderReceipt:
        """Order one."""
        line = LineRequest(item=item, quantity=1)
        receipt: OrderReceipt = self._request(PlaceOrder(lines=(line,))).result(PATIENCE_S)
        return receipt

    def _filters(self) -> list[str]:
        return [
            AlertState.route.filter(tenant=self.tenant),
            MenuItem.route.filter(tenant=self.tenant),
        ]

    def _receive(self, message: Received, now: float) -> None:
        del now
        at = time.time()
        if not message.payload or message.retained:
            return
        said = envelope_of(locate(message.topic).message).model_validate_json(message.payload).data
        with self.arrived:
            if isinstance(said, AlertState):
                self.raised.append(time.perf_counter())
                self.late.append(at - said.alert.raised_at.timestamp())
            elif isinstance(said, MenuItem) and said.item == LAST and not said.available:
                self.sold_out.append(time.perf_counter())
            self.arrived.notify_all()

    def wait(self, times: Sequence[float], count: int) -> None:
        """Wait until something has arrived so often."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: len(times) >= count, PATIENCE_S):
                raise Failure("what is short was not told: see the log of the services")


def fill_shelves(
    watcher: StockWatcher, recipes: Sequence[KeptRecipe], dishes: Iterable[str]
) -> int:
    """Receive plenty of all that the dishes take; returns of how many items."""
    wanted = set(dishes)
    items = sorted({item for each in recipes if each.recipe in wanted for item in each.takes})
    for start in range(0, len(items), _A_REQUEST):
        watcher.receive((item, "100000", "kg") for item in items[start : start + _A_REQUEST])
    return len(items)


def told(watcher: StockWatcher, times: int) -> dict[str, Any]:
    """Sell the last portion, over and over: how soon its alert and its 86 are at a till."""
    alerts, sold_out = [], []
    for _ in range(times):
        watcher.receive([(LAST, "1", "each")])
        raised, gone = len(watcher.raised), len(watcher.sold_out)
        began = time.perf_counter()
        watcher.order(LAST)
        watcher.wait(watcher.raised, raised + 1)
        watcher.wait(watcher.sold_out, gone + 1)
        alerts.append(watcher.raised[raised] - began)
        sold_out.append(watcher.sold_out[gone] - began)
    late = watcher.late[-times:]
    return {
        "alerts": times,
        # From the decision, which is before the commit: the time after the commit is shorter.
        "alert_after_decision_p50_ms": milliseconds(late)["p50"],
        "alert_after_decision_p99_ms": milliseconds(late)["p99"],
        "alert_after_order_p50_ms": milliseconds(alerts)["p50"],
        "alert_after_order_p99_ms": milliseconds(alerts)["p99"],
        "sold_out_after_order_p50_ms": milliseconds(sold_out)["p50"],
        "sold_out_after_order_p99_ms": milliseconds(sold_out)["p99"],
        "sold_out_after_order_worst_ms": round(max(sold_out) * 1000, 3),
    }


# -- with stock and without -------------------------------------------------------------------


def keep_stock(app: Application, tenant: str, *, on: bool) -> None:
    """Let a house keep stock, or not: the book stays as it is."""

    async def write(database: Database) -> None:
        mine = HOUSE_RULES.update().where(HOUSE_RULES.c.tenant == tenant)
        newer = HOUSE_RULES.c.version + 1
        async with database.write() as connection:
            await connection.execute(mine.values(version=newer, stock_book=newer if on else None))

    app.run(write)


def put_book(
    app: Application, tenant: str, stock: Sequence[StockItem], recipes: Sequence[KeptRecipe]
) -> float:
    """Write the book; returns how many seconds that took."""

    async def write(database: Database) -> None:
        async with database.write() as connection:
            await put(connection, tenant, stock, recipes)

    began = time.perf_counter()
    app.run(write)
    return time.perf_counter() - began


# -- the database's part ----------------------------------------------------------------------


def deductions(
    app: Application, tenant: str, dishes: Sequence[str], batches: int
) -> dict[str, Any]:
    """What lines' deductions cost the database, a batch at a time, in milliseconds a line.

    It is the very code that reserves; what is timed are its reads and its one write. The rows
    of the orders themselves are not among them.
    """
    found = app.run(lambda database: _deduct(database, tenant, dishes, batches))
    per_line = [each / BATCH for each in found]
    return {
        "deduction_batch_lines": BATCH,
        "deduction_batches": batches,
        "deduction_db_ms_per_line_p50": milliseconds(per_line)["p50"],
        "deduction_db_ms_per_line_p99": milliseconds(per_line)["p99"],
    }


async def _deduct(
    database: Database, tenant: str, dishes: Sequence[str], batches: int
) -> list[float]:
    shelf = Shelf()
    took: list[float] = []
    number = 0
    while len(took) < batches:
        orders = [_order(dishes[(number + n) % len(dishes)]) for n in range(BATCH)]
        number += BATCH
        try:
            async with database.decide() as connection:
                work = UnitOfWork(connection, shelf)
                await house_rules.prepare(_context(work, tenant).draft, {tenant})
                for order in orders:
                    context = _context(work, tenant)
                    await reserving.reserve(
                        OrderPlaced(order_id=order.order_id, order=order), context
                    )
                    work.merge(context.draft.changes)
                began = time.perf_counter()
                await work.flush({})
                took.append(time.perf_counter() - began)
                work.shelve()
        except Stale:
            shelf.clear()
    return took


def _context(work: UnitOfWork, tenant: str) -> Context:
    async def nobody_else(_context: Context, _fact: object) -> None:
        """What other areas do with it is not the stock's."""

    return Context(
        work,
        tenant=tenant,
        device="bench",
        request_id=new_id(),
        now=system_clock(),
        ports=stored_ports(),
        tell=nobody_else,
    )


def _order(dish: str) -> Order:
    at = datetime.now(UTC)
    line = OrderLine(
        line=1, item=dish, name=dish, quantity=1, unit_minor=1, total_minor=1, station="bench-0"
    )
    return Order(
        order_id=new_id(),
        number="ORD",
        status=OrderStatus.ACCEPTED,
        version=1,
        device="bench",
        currency="GBP",
        total_minor=1,
        lines=(line,),
        placed_at=at,
    )
