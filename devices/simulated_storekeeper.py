"""A simulated storekeeper: looks along the shelves, and has brought what runs out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from devices.pending import Pending, Rejected, Unanswered
from devices.simulator import Simulated
from devices.stock_requests import StockRequests
from schemas.identifiers import new_id
from schemas.inventory import THOUSANDTHS, Quantity, StockItem, StockLevel, StockMark
from schemas.inventory_requests import MAX_STOCK_LINES, ReceivedLine
from schemas.replies import StockReceipt

_LOOK_S: Final = 1.0
_PATIENCE_S: Final = 10.0


class SimulatedStorekeeper(Simulated):
    """A storekeeper who fills the shelves up to par, a while after they are low.

    What nobody has counted yet is brought at once: the house opens with full shelves.

    Args:
        tablet: what he carries; started and closed by its owner.
        items: what the house keeps, by name; what has no par or no pack is left alone.
        brought_after_s: how long it takes until what is low is there.
    """

    def __init__(
        self,
        tablet: StockRequests,
        items: Mapping[str, StockItem],
        *,
        brought_after_s: float = 60.0,
    ) -> None:
        super().__init__(f"storekeeper at {tablet.device}")
        self.deliveries = 0
        """How many were received."""
        self._tablet: Final = tablet
        self._items: Final = {n: each for n, each in items.items() if each.par and each.packs}
        self._brought_after_s: Final = brought_after_s
        self._low_since: Final[dict[str, float]] = {}

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            # A closed tablet: we are stopped soon; else we look again.
            with contextlib.suppress(RuntimeError, Rejected, Unanswered, TimeoutError):
                self._look(time.monotonic())

    def _look(self, now: float) -> None:
        levels = {level.item: level for level in self._levels()}
        due: dict[str, list[ReceivedLine]] = {}
        for name, item in self._items.items():
            level = levels.get(name)
            known = level is not None and level.counted
            if level is not None and known and level.mark is StockMark.OK:
                self._low_since.pop(name, None)
                continue
            since = self._low_since.setdefault(name, now)
            if not known or now - since >= self._brought_after_s:
                due.setdefault(item.packs[0].supplier, []).append(_brought(item, level))
        asked: list[Pending[StockReceipt]] = []
        for supplier, lines in due.items():
            note = f"simulated-{new_id().hex[-12:]}"
            asked.append(self._tablet.receive_stock(supplier, note, lines))
        for each in asked:
            each.result(_PATIENCE_S)
            self.deliveries += 1
        for lines in due.values():
            for line in lines:
                self._low_since.pop(line.item, None)

    def _levels(self) -> list[StockLevel]:
        names = list(self._items)
        asked = [
            self._tablet.read_stock(names[start : start + MAX_STOCK_LINES])
            for start in range(0, len(names), MAX_STOCK_LINES)
        ]
        return [level for page in asked for level in page.result(_PATIENCE_S).levels]


def _brought(item: StockItem, level: StockLevel | None) -> ReceivedLine:
    """So many whole packs as bring an item to par, at least one."""
    pack = item.packs[0]
    missing = (item.par or 0) - (0 if level is None else level.available)
    packs = max(1, -(-missing // pack.holds))
    amount = Decimal(packs * pack.holds) / THOUSANDTHS
    return ReceivedLine(
        item=item.item,
        quantity=Quantity(amount=f"{amount:f}", unit=item.unit.value),
        cost_minor=packs * pack.price_minor,
    )
