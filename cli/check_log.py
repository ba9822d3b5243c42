"""The log of checks as CSV, for an inspector: streamed, in stable columns.

Columns are only ever added, at the end. Spreadsheets run what begins like a formula: a cell
with somebody's words in it that does so begins with an apostrophe instead.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC
from typing import Any, Final

from schemas.quality import Finding

COLUMNS: Final = (
    "at",
    "check",
    "kind",
    "result",
    "celsius",
    "yes",
    "photo",
    "limits",
    "station",
    "order_number",
    "item",
    "note",
    "person",
    "device",
    "ticket_id",
    "finding_id",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def result(finding: Finding) -> str:
    """How it came out, in a word."""
    return "waived" if finding.waived else "passed" if finding.passed else "failed"


def csv_head() -> str:
    """The first line."""
    return _csv(COLUMNS)


def csv_line(finding: Finding) -> str:
    """A finding as a line of CSV (RFC 4180); what is not there is empty."""
    row: dict[str, Any] = {
        **finding.model_dump(mode="json"),
        "at": finding.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "result": result(finding),
        "celsius": None if finding.celsius is None else f"{finding.celsius:g}",
        "yes": {None: None, True: "yes", False: "no"}[finding.yes],
    }
    for name in ("photo", "note", "limits"):
        row[name] = _safe(row[name])
    return _csv([row[name] for name in COLUMNS])


def _safe(text: str | None) -> str | None:
    """Somebody's words, so that no spreadsheet takes them for a formula."""
    return f"'{text}" if text is not None and text.startswith(_FORMULA) else text


def _csv(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
