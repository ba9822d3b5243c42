"""Every entry of the orders' journal as CSV or JSON lines: streamed, in stable columns.

Columns are only ever added, at the end. Amounts are minor units of ``currency``; the
columns of accounts sum to zero in each row (`services.orders.journal` says what they are).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC
from typing import Any, Final

from services.orders.history import Written
from services.orders.ledger import ACCOUNTS

COLUMNS: Final = (
    "at",
    "order_id",
    "number",
    "version",
    "change",
    "status",
    "device",
    "person",
    "request_id",
    "why",
    "rules",
    "lines",
    "payment_id",
    "currency",
    *(f"{name}_minor" for name in ACCOUNTS),
)
BETWEEN_RULES: Final = " | "


def document(written: Written) -> dict[str, Any]:
    """An entry with plain values, by column."""
    entry = written.entry
    return {
        "at": entry.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "order_id": str(entry.order_id),
        "number": written.number,
        "version": entry.version,
        "change": entry.change.value,
        "status": entry.status,
        "device": entry.device,
        "person": entry.person,
        "request_id": str(entry.request_id),
        "why": entry.why,
        "rules": list(entry.rules),
        "lines": list(entry.lines),
        "payment_id": None if entry.payment_id is None else str(entry.payment_id),
        "currency": written.currency,
        **entry.posting.columns(),
    }


def json_line(written: Written) -> str:
    """An entry as a line of JSON."""
    return json.dumps(document(written), ensure_ascii=False) + "\n"


def csv_line(written: Written) -> str:
    """An entry as a line of CSV (RFC 4180); what is not there is empty."""
    row = document(written)
    row["rules"] = BETWEEN_RULES.join(row["rules"])
    row["lines"] = " ".join(str(each) for each in row["lines"])
    return _csv([row[name] for name in COLUMNS])


def csv_head() -> str:
    """The first line of a CSV."""
    return _csv(COLUMNS)


def _csv(cells: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


FORMATS: Final[dict[str, tuple[Callable[[], str], Callable[[Written], str]]]] = {
    "csv": (csv_head, csv_line),
    "jsonl": (str, json_line),
}
"""By name: what makes the head, and what makes a line."""
