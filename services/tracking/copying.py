"""Rows of fixes as PostgreSQL's binary COPY wants them, put together in arrays. Pure.

The format is in PostgreSQL's manual under COPY, "Binary Format": a header, then for each row
the number of its fields, and each field behind its length, -1 for none. Rows whose names have
the same lengths, and of which the same fields are unknown, are all of one shape: they are
written as one array of records. That is twenty times as quick as field by field.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.tracking.batches import Floats

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END: Final = b"\xff\xff"
COLUMNS: Final = (
    "tenant", "vehicle", "at", "received_at", "lat", "lon", "accuracy_m", "speed_mps",
    "heading_deg", "verdict",
)  # fmt: skip
_TOLD: Final = ("accuracy_m", "speed_mps", "heading_deg")
_EPOCH_US: Final = 946_684_800_000_000
"""PostgreSQL counts from the year 2000."""

Texts = NDArray[np.bytes_]


@dataclass(frozen=True, slots=True)
class FixRows:
    """Rows of `fixes`, a column an array.

    Attributes:
        tenant: in ASCII, as all names are.
        vehicle: the same.
        at_us: microseconds since 1970.
        received_us: the same.
        lat: degrees.
        lon: degrees.
        told: accuracy, speed and heading: a row each; NaN is unknown.
        verdict: as its number.
    """

    tenant: Texts
    vehicle: Texts
    at_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    lat: Floats
    lon: Floats
    told: Floats
    verdict: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.verdict)

    def some(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> FixRows:
        """Those rows alone."""
        return FixRows(
            self.tenant[which],
            self.vehicle[which],
            self.at_us[which],
            self.received_us[which],
            self.lat[which],
            self.lon[which],
            self.told[:, which],
            self.verdict[which],
        )

    def tuples(self) -> list[tuple[Any, ...]]:
        """Row by row, as SQLite takes them; times in microseconds, None is unknown."""
        columns = (
            [each.decode() for each in self.tenant.tolist()],
            [each.decode() for each in self.vehicle.tolist()],
            self.at_us.tolist(),
            self.received_us.tolist(),
            self.lat.tolist(),
            self.lon.tolist(),
            *(or_none(each) for each in self.told),
            self.verdict.tolist(),
        )
        return list(zip(*columns, strict=True))


def or_none(column: Floats) -> list[float | None]:
    """A column as a list; what is no number is unknown."""
    values: list[float | None] = column.tolist()
    for place in np.flatnonzero(~np.isfinite(column)).tolist():
        values[place] = None
    return values


def joined(rows: Sequence[FixRows]) -> FixRows:
    """Several as one, in their order."""
    if len(rows) == 1:
        return rows[0]
    if not rows:
        return nothing()
    return FixRows(
        np.concatenate([each.tenant for each in rows]),
        np.concatenate([each.vehicle for each in rows]),
        np.concatenate([each.at_us for each in rows]),
        np.concatenate([each.received_us for each in rows]),
        np.concatenate([each.lat for each in rows]),
        np.concatenate([each.lon for each in rows]),
        np.concatenate([each.told for each in rows], axis=1),
        np.concatenate([each.verdict for each in rows]),
    )


def nothing() -> FixRows:
    """No rows."""
    names, times = np.zeros(0, dtype="S64"), np.zeros(0, dtype=np.int64)
    none = np.zeros(0)
    return FixRows(
        names, names, times, times, none, none, np.zeros((3, 0)), np.zeros(0, dtype=np.uint8)
    )


def written(rows: FixRows) -> Iterator[bytes]:
    """Write rows down for ``COPY … (FORMAT binary)``, piece by piece."""
    yield HEADER
    unknown = np.isnan(rows.told)
    shape = np.char.str_len(rows.tenant) * 65 + np.char.str_len(rows.vehicle)
    shape = shape * 8 + unknown.T @ np.array([4, 2, 1])
    for each in np.unique(shape):
        of_shape = np.flatnonzero(shape == each)
        yield _alike(rows.some(of_shape), unknown[:, of_shape[0]])
    yield END


def _alike(rows: FixRows, unknown: NDArray[np.bool_]) -> bytes:
    """Rows of one shape."""
    values: dict[str, tuple[str, Any]] = {
        "tenant": (f"S{len(rows.tenant[0])}", rows.tenant),
        "vehicle": (f"S{len(rows.vehicle[0])}", rows.vehicle),
        "at": (">i8", rows.at_us - _EPOCH_US),
        "received_at": (">i8", rows.received_us - _EPOCH_US),
        "lat": (">f8", rows.lat),
        "lon": (">f8", rows.lon),
        **{
            name: ("S0" if none else ">f8", column)
            for name, column, none in zip(_TOLD, rows.told, unknown, strict=True)
        },
        "verdict": (">i2", rows.verdict),
    }
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, (kind, _) in values.items():
        layout.append((f"{name} length", ">i4"))
        if kind != "S0":
            layout.append((name, kind))
    records = np.empty(len(rows), dtype=layout)
    records["fields"] = len(values)
    for name, (kind, column) in values.items():
        if kind == "S0":
            records[f"{name} length"] = -1
        else:
            records[f"{name} length"] = records.dtype[name].itemsize
            records[name] = column
    return records.tobytes()
