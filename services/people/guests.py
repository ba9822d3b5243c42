"""How guests' phones come in, and go: by the code of an open party, and for as long as it lasts.

The phone makes its secret itself, as every device does that claims its place, and its name
follows from that secret: so a lost answer costs nothing, for whoever asks again with the same
secret gets the same place. A stranger who tries codes learns nothing but that they are wrong,
whether there is such a restaurant or not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import Role
from schemas.parties import MAX_PARTY
from services.people import credentials, store
from services.people.accounts import Account
from services.people.admission import Admission
from services.people.claims import check_secret
from services.people.seal import Seal
from services.people.store import Device
from services.people.tables import GUEST_PASSES
from services.runtime.database import Database
from services.runtime.moment import Clock
from services.runtime.party_door import PartyDoor
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)

EVERY_S: Final = 1.0
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_NAME: Final = "guest-"


class PartyRefused(Exception):
    """A code opens no party, or the party is full; the message is for whoever tried it."""


class Guests:
    """Lets guests' phones in.

    Args:
        admission: lets devices in.
        seal: under whose key phones get their names.
        door: tells which party a code opens.
    """

    def __init__(self, admission: Admission, seal: Seal, door: PartyDoor) -> None:
        self._admission: Final = admission
        self._seal: Final = seal
        self._door: Final = door

    async def join(self, tenant: str, code: str, secret: str, source: str) -> Account:
        """Let a phone in that knows the code of an open party, by a secret of its own.

        Args:
            tenant: the restaurant, as a stranger wrote it.
            code: as it was typed, or read from the picture.
            secret: 256 random bits that the phone made and keeps.
            source: the address it came from, for the audit.

        Raises:
            PartyRefused: the code opens nothing, or the party is full.
            SecretTooWeak: the secret would not do.
            ConnectionLost: the broker cannot be reached; nothing was changed.
        """
        check_secret(secret)
        now = self._admission.clock()
        async with self._admission.database.write() as connection:
            party = await self._door.opened_by(connection, tenant, code, now)
            if party is None:
                raise _refused()
            name = self._name_of(tenant, secret)
            device = Device(tenant, name, Role.GUEST, None, now, party.latest)
            account = Account(device.identity, secret)
            if await self._is_in(connection, account, party.party_id, now):
                return account
            if await _let_in(connection, tenant, party.party_id) >= MAX_PARTY:
                raise PartyRefused(f"this party is full: {MAX_PARTY} take part")
            await self._admission.place(
                connection, [(device, account)], action="guest.joined", source=source
            )
            await goes_with(connection, tenant, name, party.party_id)
            await self._admission.accounts.admit([account], anew=True)
        log.info("a guest's phone came in", tenant=tenant, device=name)
        return account

    async def _is_in(
        self, connection: AsyncConnection, account: Account, party_id: UUID, now: datetime
    ) -> bool:
        """Whether this phone was let in for this party already.

        Raises:
            PartyRefused: its name is another's. It takes a new secret, and tries again.
        """
        tenant, name = account.identity.tenant, account.identity.device
        known = await store.seek_device(connection, tenant, name)
        if known is None:
            return False
        stored = await credentials.find(connection, account.username, now)
        if stored is None or not stored.secret.verify(account.secret):
            raise _refused()
        query = select(GUEST_PASSES.c.party_id).where(
            GUEST_PASSES.c.tenant == tenant, GUEST_PASSES.c.device == name
        )
        if await connection.scalar(query) == party_id:
            return True
        await self._admission.dismiss(connection, [known], action="device.replaced")
        return False

    def _name_of(self, tenant: str, secret: str) -> str:
        return _NAME + short_name(self._seal, "guests' phones", f"{tenant}/{secret}")


class PartyWatch:
    """Lets the phones of a party go when it has ended; the warden puts out whose time is up.

    Args:
        database: where devices are kept.
        door: tells which parties have ended.
        clock: the time.
        every_s: seconds between two looks.
    """

    def __init__(
        self, database: Database, door: PartyDoor, clock: Clock, *, every_s: float = EVERY_S
    ) -> None:
        self._database: Final = database
        self._door: Final = door
        self._clock: Final = clock
        self._every_s: Final = every_s

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._every_s, "guests' phones are let go")

    async def look(self) -> int:
        """End the time of phones whose party has ended; returns how many there were."""
        async with self._database.read() as connection:
            gone = await self._gone(connection)
        if not gone:
            return 0
        now = self._clock()
        async with self._database.write() as connection:
            for tenant, devices in gone.items():
                await store.end_at(connection, tenant, devices, now)
        return sum(map(len, gone.values()))

    async def _gone(self, connection: AsyncConnection) -> dict[str, list[str]]:
        now = self._clock()
        rows = await connection.execute(
            select(GUEST_PASSES).order_by(GUEST_PASSES.c.tenant, GUEST_PASSES.c.device)
        )
        passes = [(row.tenant, row.device, row.party_id) for row in rows]
        if not passes:
            return {}
        over = await self._door.over(connection, {(tenant, party) for tenant, _, party in passes})
        gone: dict[str, list[str]] = {}
        for tenant, device, party in passes:
            if (tenant, party) in over:
                gone.setdefault(tenant, []).append(device)
        still = {
            (each.tenant, each.device)
            for tenant in gone
            for each in await store.devices(connection, tenant)
            if each.expires_at is None or each.expires_at > now
        }
        return {
            tenant: named
            for tenant, devices in gone.items()
            if (named := [each for each in devices if (tenant, each) in still])
        }


def short_name(seal: Seal, purpose: str, text: str) -> str:
    """Eight letters that belong to a text, as nobody can make them without the key."""
    bits = int(seal.mark(purpose, text)[:10], 16)
    return "".join(_LETTERS[bits >> shift & 31] for shift in range(35, -1, -5))


async def goes_with(connection: AsyncConnection, tenant: str, device: str, party_id: UUID) -> None:
    """Note that a device is there for a party alone, and goes when that ends."""
    await connection.execute(
        GUEST_PASSES.insert().values(tenant=tenant, device=device, party_id=party_id)
    )


async def _let_in(connection: AsyncConnection, tenant: str, party_id: UUID) -> int:
    query = select(func.count()).where(
        GUEST_PASSES.c.tenant == tenant, GUEST_PASSES.c.party_id == party_id
    )
    return await connection.scalar(query) or 0


def _refused() -> PartyRefused:
    return PartyRefused("no party is open under this code: ask its host to show it again")
