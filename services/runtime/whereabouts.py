"""Where a vehicle is, as one area tells another from its rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.positions import VehicleKey


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The last good position of a vehicle.

    Attributes:
        lat: degrees.
        lon: degrees.
        at: when it was there, by its clock, put right.
    """

    lat: float
    lon: float
    at: datetime


class WhereaboutsBook(Protocol):
    """Where vehicles are, as their rows say."""

    async def of(
        self, connection: AsyncConnection, vehicles: Collection[VehicleKey]
    ) -> Mapping[VehicleKey, Whereabouts]:
        """Where each of them is, as far as anybody knows; in one query."""
