"""What became of recorded rides, for whoever has had them ridden."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from cli.printing import counted
from cli.riding import Ridden
from devices.gps_tracker import GpsTracker
from services.runtime.database import Database
from services.tracking.tables import VEHICLES
from services.tracking.verdicts import WORTH_A_ROW

_JUDGED_S: Final = 10.0
"""No more is waited for once nothing was counted for so long. The counts of a vehicle are
written every three seconds."""
_LOOK_S: Final = 0.1
_KEPT: Final = frozenset(each.word for each in WORTH_A_ROW)


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a ride.

    Attributes:
        vehicle: the name under which it was told.
        file: what was ridden.
        sent: so many positions the broker has.
        waiting: so many were told, and the broker does not have them.
        left_out: so many came sooner than the tracker was asked to tell.
        asked: how often that is, for people; empty where nobody has asked.
        unreadable: so many lines could not be read.
        judged: how many of them were found what; empty where nobody knows yet.
    """

    vehicle: str
    file: Path
    sent: int
    waiting: int
    left_out: int
    asked: str
    unreadable: int
    judged: Mapping[str, int] = field(default_factory=dict)

    @property
    def may_be_kept(self) -> bool:
        """Whether any position may be kept, as far as is known."""
        return not self.judged or bool(_KEPT & self.judged.keys())

    def document(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "vehicle": self.vehicle,
            "file": str(self.file),
            "sent": self.sent,
            "waiting": self.waiting,
            "left_out": self.left_out,
            "unreadable": self.unreadable,
            "judged": dict(self.judged),
        }

    def in_words(self, *, whole: bool) -> str:
        """The same in a line; what did not happen is not spoken of.

        Args:
            whole: whether it was ridden to its end.
        """
        until_then = "" if whole else " until it was stopped"
        told = [f"{counted(self.sent, 'position')} of {self.file} sent{until_then}"]
        if self.waiting:
            told.append(f"{self.waiting} on the way, not confirmed")
        if self.left_out:
            told.append(f"{self.left_out} left out, for it was asked to tell {self.asked}")
        if self.unreadable:
            told.append(f"{self.unreadable} could not be read")
        text = f"{self.vehicle}: {', '.join(told)}"
        if self.judged:
            found = sorted(self.judged.items(), key=lambda each: (-each[1], each[0]))
            so_far = "" if sum(self.judged.values()) >= self.sent else " so far"
            text += f"; found{so_far}: {', '.join(f'{number} {word}' for word, number in found)}"
        return text


def account(device: GpsTracker, file: Path, ridden: Ridden, unreadable: int) -> Account:
    """How a ride stands, or stood when it ended."""
    waiting = device.untold
    reporting = device.reporting
    asked = f"every {reporting.every_s:g} s, standing every {reporting.still_s:g} s"
    sent = max(0, ridden.told - waiting - device.lost)
    return Account(device.device, file, sent, waiting, ridden.left_out, asked, unreadable, {})


async def judged(
    database: Database, tenant: str, sent: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """What was found of the positions of vehicles that are new.

    Waits until all are counted, or no more are.

    Args:
        database: where it is written.
        tenant: whose.
        sent: how many positions, by vehicle.
    """
    column = VEHICLES.c
    query = select(column.vehicle, column.counts).where(
        column.tenant == tenant, column.vehicle.in_(sent)
    )
    known: dict[str, dict[str, int]] = {}
    deadline = time.monotonic() + _JUDGED_S
    while True:
        async with database.read() as connection:
            found = {row.vehicle: row.counts for row in await connection.execute(query)}
        if all(sum(found.get(name, {}).values()) >= each for name, each in sent.items()):
            return found
        if found != known:
            known, deadline = found, time.monotonic() + _JUDGED_S
        if time.monotonic() > deadline:
            return found
        await asyncio.sleep(_LOOK_S)


def where_they_are(tenant: str, found: Sequence[Account]) -> str:
    """What to type for the positions of vehicles that go as the command ends."""
    kept = [each.vehicle for each in found if each.sent and each.may_be_kept]
    if not kept:
        return (
            "none of them is kept; docs/positions.md says what each of these means. "
            "What is too old may be told as of now: --times ending"
        )
    one = kept[0]
    others = "" if len(kept) == 1 else ", and the others in the same way"
    out = f"--out {one}.gpx"
    return f"what was kept: heard fixes export --tenant {tenant} --vehicle {one} {out}{others}"
