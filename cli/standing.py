"""How an order stands, in a few words."""

from __future__ import annotations

from schemas.money import to_text
from schemas.replies import OrderReceipt


def standing(receipt: OrderReceipt) -> str:
    """How an order stands, on one line."""
    told = [receipt.status.value]
    if receipt.waits_for:
        told.append(f"waits for {' and '.join(receipt.waits_for)}")
    told.append(f"version {receipt.version}")
    told.append(to_text(receipt.total_minor, receipt.currency))
    if receipt.payment is not None:
        told.append(f"payment {receipt.payment.value}")
    if receipt.due_minor > 0:
        told.append(f"{to_text(receipt.due_minor, receipt.currency)} due")
    elif receipt.due_minor < 0:
        told.append(f"{to_text(-receipt.due_minor, receipt.currency)} owed to the guests")
    return ", ".join(told)
