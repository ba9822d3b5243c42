"""The rows of `vehicles`, as they are written: many at once, a column a list.

None is written whose device is gone: it was removed while its last fixes were on their way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.positions import VehicleKey
from services.tracking.batches import Floats, Numbers
from services.tracking.copying import or_none
from services.tracking.tables import VEHICLES
from services.tracking.vehicle_book import UNREADABLE, Vehicle, VehicleBook, packed
from services.tracking.verdicts import Verdict

_WORDS: Final = (*((each.value, each.word) for each in Verdict), (UNREADABLE, "unreadable"))

_COLUMNS: Final = (
    "tenant", "vehicle", "device", "at", "lat", "lon", "moving", "since", "heard_at", "battery",
    "state", "counts", "reporting",
)  # fmt: skip
_DOCUMENTS: Final = frozenset({"state", "counts", "reporting"})
_CHANGING: Final = _COLUMNS[2:]
_KINDS: Final = (
    "text", "text", "text", "int8", "float8", "float8", "bool", "int8", "int8", "float8", "text",
    "text", "text",
)  # fmt: skip


def _as_time(column: str) -> str:
    return f"timestamptz 'epoch' + {column} * interval '1 microsecond'"


def _selected(column: str) -> str:
    if column in {"at", "since", "heard_at"}:
        return _as_time(f"new.{column}")
    return f"new.{column}::jsonb" if column in _DOCUMENTS else f"new.{column}"


_UPDATE: Final = ", ".join(f"{each} = excluded.{each}" for each in _CHANGING)
_THERE: Final = (
    "exists (select 1 from devices where devices.tenant = new.tenant"
    " and devices.device = new.device)"
)

POSTGRESQL: Final = (
    f"insert into vehicles ({', '.join(_COLUMNS)})"  # noqa: S608 - our own names
    f" select {', '.join(_selected(each) for each in _COLUMNS)}"
    f" from unnest({', '.join(f'${n + 1}::{kind}[]' for n, kind in enumerate(_KINDS))})"
    f" as new({', '.join(_COLUMNS)}) where {_THERE}"
    f" on conflict (tenant, vehicle) do update set {_UPDATE}"
)
"""Takes a list a column."""
SQLITE: Final = (
    f"insert into vehicles ({', '.join(_COLUMNS)})"  # noqa: S608 - our own names
    f" select {', '.join('?' for _ in _COLUMNS)}"
    " where exists (select 1 from devices where tenant = ? and device = ?)"
    f" on conflict (tenant, vehicle) do update set {_UPDATE}"
)
"""Takes the values of one row, and its tenant and device once more."""


@dataclass(frozen=True, slots=True)
class VehicleRows:
    """Rows to be written: a list a column, in the order of the statements."""

    columns: tuple[list[Any], ...]

    def __len__(self) -> int:
        return len(self.columns[0])

    def tuples(self) -> list[tuple[Any, ...]]:
        """Row by row, for SQLite."""
        return [(*row, row[0], row[2]) for row in zip(*self.columns, strict=True)]


async def forget(connection: AsyncConnection, keys: Iterable[VehicleKey]) -> None:
    """Remove the rows of vehicles that are gone."""
    for tenant, vehicle in keys:
        mine = (VEHICLES.c.tenant == tenant) & (VEHICLES.c.vehicle == vehicle)
        await connection.execute(delete(VEHICLES).where(mine))


def rows_of(book: VehicleBook, numbers: Numbers) -> VehicleRows:
    """Write down what is known of these vehicles now."""
    standing = book.fleet.standing(numbers)
    figures = book.fleet.rows(numbers)
    vehicles = [book.of(number) for number in numbers.tolist()]
    counts = book.counts[numbers].tolist()
    states = [
        json.dumps(packed(vehicle, row)) for vehicle, row in zip(vehicles, figures, strict=True)
    ]
    return VehicleRows(
        (
            [each.key[0] for each in vehicles],
            [each.key[1] for each in vehicles],
            [each.device for each in vehicles],
            _times(standing.t),
            or_none(standing.lat),
            or_none(standing.lon),
            standing.moving.tolist(),
            _times(standing.since),
            _times(standing.heard),
            or_none(book.battery[numbers]),
            states,
            [_counted(each) for each in counts],
            [_reporting(vehicle) for vehicle in vehicles],
        )
    )


def _counted(counts: Sequence[int]) -> str:
    return json.dumps({word: counts[place] for place, word in _WORDS if counts[place]})


def _reporting(vehicle: Vehicle) -> str | None:
    if vehicle.wished is None and vehicle.taken is None:
        return None
    return json.dumps({"wished": vehicle.wished, "taken": vehicle.taken})


def _times(column: Floats) -> list[int | None]:
    known = np.isfinite(column)
    micros: list[int | None] = np.rint(np.where(known, column, 0.0) * 1e6).astype(int).tolist()
    for place in np.flatnonzero(~known).tolist():
        micros[place] = None
    return micros
