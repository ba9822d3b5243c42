"""How an item stands against its thresholds. Pure."""

from __future__ import annotations

from schemas.inventory import StockItem, StockMark


def mark_after(before: StockMark, available: int, item: StockItem) -> StockMark:
    """How an item stands now; what was raised ends only from its clear threshold on."""
    low_clear, critical_clear = item.clears()
    if item.critical is not None and critical_clear is not None:
        until = critical_clear if before is StockMark.CRITICAL else item.critical
        if available < until:
            return StockMark.CRITICAL
    if item.low is not None and low_clear is not None:
        until = item.low if before is StockMark.OK else low_clear
        if available < until:
            return StockMark.LOW
    return StockMark.OK
