"""A kitchen with several displays and printers, for tests of who heard what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from schemas.alerts import Alert, AlertState
from schemas.devices import Role
from schemas.kitchen import Ticket
from schemas.kitchen_requests import Attendance, AttendStation, HearTickets
from schemas.kitchen_rules import (
    EscalationStep,
    EscalationTarget,
    KitchenRules,
    StationKind,
    StationRules,
)
from services.kitchen.inside import LoseDisplay
from services.kitchen.store import STATIONS
from services.runtime.tables import DEVICES
from tests.services.kitchen_floor import KitchenFloor
from tests.services.order_world import OURSELVES, Asked

GRILL, GRILL_TOO, FRY, PASS, PAPER = "grill-1", "grill-2", "fry-1", "pass-1", "paper"
BOOK: Final = KitchenRules(
    stations={
        "grill": StationRules(fallback="fry"),
        "pass": StationRules(kind=StationKind.EXPO),
    }
)
NO_FALLBACK: Final = KitchenRules(
    escalation=tuple(
        EscalationStep(to=to, after_s=10) for to in (EscalationTarget.POS, EscalationTarget.MANAGER)
    )
)


class ReceiptHouse(KitchenFloor):
    """A restaurant with more screens than one."""

    async def open(self) -> None:
        await super().open()
        async with self.database.write() as connection:
            for device in (GRILL, GRILL_TOO, FRY, PASS, PAPER):
                row = {"tenant": self.tenant, "device": device, "created_at": datetime.now(UTC)}
                row["role"] = Role.KITCHEN_DISPLAY.value
                await connection.execute(DEVICES.insert().values(**row))

    async def attend(self, station: str, device: str, how: Attendance = Attendance.OUTPUT) -> None:
        """Let a device attend."""
        await self.do(AttendStation(station=station, attendance=how), device)

    async def lose(self, station: str, device: str, *, removed: bool = False) -> None:
        """Say, as the watch does, that a device is gone."""
        (rows,) = await self.rows(STATIONS)
        (row,) = [each for each in rows if each["station"] == station]
        attending = {**(row["displays"] or {}), **(row["printers"] or {})}
        since = attending.get(device, {}).get("since", "")
        gone = LoseDisplay(station=station, device=device, since=since, removed=removed)
        await self.say(Asked(OURSELVES, gone, at=self.now))
        await self.check()

    async def hear(self, device: str, *tickets: Ticket) -> None:
        """A display says that it shows these."""
        ids = tuple(each.ticket_id for each in tickets)
        await self.do(HearTickets(ticket_ids=ids), device)

    def alerts(self) -> dict[str, Alert]:
        """What stands as an alert on the broker."""
        said = self.standing().values()
        return {each.alert_id: each.alert for each in said if isinstance(each, AlertState)}

    async def asked(self, ticket_id: UUID) -> list[tuple[str, str]]:
        """Whom the ticket says were asked, in order."""
        return [(each.step.value, each.to) for each in (await self.kept())[ticket_id].asked]

    async def check(self) -> None:
        """See that what stands as alerts follows from the rows too."""
        await super().check()
        expected = await self.expected()
        standing = {each.alert_id for each in expected.values() if isinstance(each, AlertState)}
        assert standing == set(self.alerts())
