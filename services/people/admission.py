"""How devices come in, change their secrets or their role, and leave.

Each step is one transaction. The broker is told inside it, so that the rows are kept only
when the broker has agreed: what is revoked in the rows is never let in by the broker, and a
crash between the two leaves an account that nobody has rows for, which `heard device sync`
and the next step on the same device remove.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config.access import Identity
from broker_config.secret import SecretHash, new_secret
from schemas.devices import Role
from services.people import credentials, leaving, store, sweeping
from services.people.accounts import Account, Accounts
from services.people.store import Device
from services.people.sweeping import Sweeper
from services.runtime import audit
from services.runtime.audit import Deed
from services.runtime.bus import ConnectionLost
from services.runtime.database import Database
from services.runtime.moment import Clock, system_clock

log = structlog.get_logger(__name__)


class Admission:
    """Lets devices in and puts them out, for one actor.

    Args:
        database: where devices are kept.
        accounts: the broker's.
        actor: who does it, for the audit.
        clock: the time of what is done.
        sweeper: clears what devices leave standing; None where no broker can be reached.

    Raises, each of its methods:
        Unknown: there is no such tenant or device.
        ConnectionLost: the broker cannot be reached; nothing was changed.
    """

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        actor: str,
        clock: Clock = system_clock,
        *,
        sweeper: Sweeper | None = None,
    ) -> None:
        self.database: Final = database
        self.accounts: Final = accounts
        self.actor: Final = actor
        self.clock: Final = clock
        self.sweeper: Final = sweeper

    async def admit(
        self, wanted: Sequence[Device], secrets: Sequence[str] = (), *, action: str = "device.added"
    ) -> list[Account]:
        """Let devices in, each by one secret; whatever bore their names before is gone."""
        given = list(secrets) or [new_secret() for _ in wanted]
        admitted = [
            Account(device.identity, secret) for device, secret in zip(wanted, given, strict=True)
        ]
        async with self.database.write() as connection:
            before = []
            for each in _by_tenant(list(zip(wanted, admitted, strict=True))):
                before += await self._accounts_of(connection, [device for device, _ in each])
                names = [device.device for device, _ in each]
                await store.forget_claims(connection, each[0][0].tenant, names)
                await self.place(connection, each, action=action)
            await self.accounts.dismiss(before)
            await self.accounts.admit(admitted, anew=True)
        return admitted

    async def _accounts_of(
        self, connection: AsyncConnection, devices: Sequence[Device]
    ) -> list[tuple[Identity, list[int]]]:
        """The accounts that devices of one tenant have."""
        held = await credentials.of_devices(
            connection, devices[0].tenant, [each.device for each in devices]
        )
        return [(each.identity, held[each.device]) for each in devices if each.device in held]

    async def place(
        self,
        connection: AsyncConnection,
        placed: Sequence[tuple[Device, Account]],
        *,
        action: str,
        source: str | None = None,
    ) -> None:
        """Write devices of one tenant inside a transaction; the caller tells the broker.

        `source` is the address from which it was asked, where that is known.
        """
        now = self.clock()
        hashed = [(device, SecretHash.of(account.secret)) for device, account in placed]
        await credentials.place_all(connection, hashed, now)
        deeds = [
            Deed(
                action,
                device.shown,
                {
                    "role": device.role.value,
                    "station": device.station,
                    "person": device.person,
                    "source": source,
                },
            )
            for device, _ in placed
        ]
        await audit.record_all(
            connection, deeds, tenant=placed[0][0].tenant, actor=self.actor, now=now
        )

    async def add_secret(
        self,
        connection: AsyncConnection,
        device: Device,
        secret: str,
        *,
        old_ends_at: datetime | None,
        expires_at: datetime | None = None,
    ) -> Account:
        """Give a device one more secret, inside a transaction; the broker is told.

        The older ones end at `old_ends_at`; with None they keep the end they have.

        Raises:
            Unknown: it has just left.
        """
        now = self.clock()
        await store.hold(connection, device.tenant, [device.device])
        serial = await credentials.add(
            connection,
            device.tenant,
            device.device,
            SecretHash.of(secret),
            now=now,
            expires_at=expires_at,
        )
        if old_ends_at is not None:
            await credentials.end(
                connection, device.tenant, device.device, before=serial, at=old_ends_at
            )
        account = Account(device.identity, secret, serial)
        await self.accounts.admit([account], anew=False)
        return account

    async def rotate(
        self, tenant: str, device: str, *, overlap: timedelta, secret: str | None = None
    ) -> Account:
        """Give a device a new secret; the old one still opens for as long as `overlap`."""
        now = self.clock()
        async with self.database.write() as connection:
            known = await store.find_device(connection, tenant, device)
            account = await self.add_secret(
                connection,
                known,
                secret or new_secret(),
                old_ends_at=now + overlap,
                expires_at=known.expires_at,
            )
            if not overlap:
                await self._end_now(connection, known, before=account.serial)
            seconds = int(overlap.total_seconds())
            await self.note(
                connection, tenant, "device.rotated", known.shown, now,
                serial=account.serial, overlap_s=seconds,
            )  # fmt: skip
        return account

    async def _end_now(self, connection: AsyncConnection, device: Device, *, before: int) -> None:
        old = [
            each
            for each in await credentials.of_device(connection, device.tenant, device.device)
            if each.serial < before
        ]
        await credentials.remove(connection, old)
        await self.accounts.withdraw(each.username for each in old)

    async def change_role(
        self, tenant: str, device: str, role: Role, station: str | None
    ) -> Device:
        """Give a device another role, at once: it is put out, and comes back with other rights."""
        now = self.clock()
        async with self.database.write() as connection:
            await store.hold(connection, tenant, [device])
            before = await store.find_device(connection, tenant, device)
            await store.change_role(connection, tenant, device, role, station)
            held = await credentials.of_device(connection, tenant, device)
            await self.accounts.change_rights(
                Identity(tenant, device, role), [each.serial for each in held]
            )
            await self.note(
                connection, tenant, "device.role-changed", before.shown, now,
                role=role.value, before=before.role.value, station=station,
            )  # fmt: skip
        return replace(before, role=role, station=station)

    async def revoke(
        self, tenant: str, devices: Iterable[str], *, action: str | None = "device.revoked"
    ) -> list[Device]:
        """Put devices out for good; with `action` None, nobody needs to know of it later."""
        async with self.database.write() as connection:
            names = list(devices)
            gone = [await store.find_device(connection, tenant, each) for each in names]
            await store.forget_claims(connection, tenant, names)
            await self.dismiss(connection, gone, action=action)
        await self._sweep(gone)
        return gone

    async def _sweep(self, gone: Sequence[Device]) -> None:
        """Clear what they left standing; what cannot be cleared now, the warden will."""
        if self.sweeper is None or not gone:
            return
        filters = [
            each for device in gone for each in sweeping.of_device(device.tenant, device.device)
        ]
        try:
            await self.sweeper.clear(filters)
        except (ConnectionLost, TimeoutError) as error:
            log.warning("what devices left standing is cleared later", why=str(error))

    async def dismiss(
        self, connection: AsyncConnection, gone: Sequence[Device], *, action: str | None
    ) -> None:
        """Put devices out inside a transaction."""
        leavers: list[tuple[Identity, list[int]]] = []
        for each in gone:
            # An account that is being added at this moment must be known, or it would stay.
            await store.hold(connection, each.tenant, [each.device])
            leavers += await self._accounts_of(connection, [each]) or [(each.identity, [])]
            await leaving.dismiss_device(connection, each.tenant, each.device)
            if action is not None:
                await self.note(connection, each.tenant, action, each.shown, self.clock())
        await self.accounts.dismiss(leavers)

    async def end_expired(self) -> list[Device]:
        """End the secrets whose time is up, and the devices; returns those devices."""
        now = self.clock()
        async with self.database.read() as connection:
            over = await credentials.expired(connection, now)
            gone = await store.expired(connection, now)
        if not over and not gone:
            return []
        async with self.database.write() as connection:
            gone = await store.expired(connection, now)
            await self.dismiss(connection, gone, action="device.expired")
            over = await credentials.expired(connection, now)
            await credentials.remove(connection, over)
            await self.accounts.withdraw(each.username for each in over)
        await self._sweep(gone)
        return gone

    async def note(
        self,
        connection: AsyncConnection,
        tenant: str,
        action: str,
        subject: str,
        now: datetime,
        **details: str | int | bool | None,
    ) -> None:
        """Write into the audit who did it."""
        await audit.record(
            connection,
            tenant=tenant,
            actor=self.actor,
            action=action,
            subject=subject,
            now=now,
            **details,
        )


def _by_tenant(
    placed: list[tuple[Device, Account]],
) -> Iterator[list[tuple[Device, Account]]]:
    for _, group in groupby(
        sorted(placed, key=lambda each: each[0].tenant), key=lambda each: each[0].tenant
    ):
        yield list(group)
